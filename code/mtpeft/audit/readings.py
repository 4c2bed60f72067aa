"""A reading: the scores, pairing, test and correction that a published value is supposed to have
come from.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from mtpeft.catalog import Block, Catalog, Comparison
from mtpeft.catalog.schema import Exactness, Missing
from mtpeft.core.records import Column, PublishedCell, ScoreSet, Test
from mtpeft.statistics import r_session
from mtpeft.statistics.compare import summarized
from mtpeft.statistics.pairing import Pairs, by_id, by_position, by_rule, unparseable

CORRECTIONS = ("holm", "BH", "none", "bonferroni", "hochberg", "BY")
ALTERATIONS = ("last rows lost", "first rows lost", "last rows repeated")
VARIANTS = ("stated", "continuity", "unpaired", "less", "greater", "exact")
PAIRINGS = ("position", "id", "each side sorted by id", "reversed")


@dataclass(frozen=True)
class Side:
    """Where one side's vector is read from.

    Attributes:
        run: The run.
        task: The evaluation set.
        metric: The column.
        version: Another version of the tool that made it (TOOL-VERSION), or empty.
    """

    run: str
    task: str
    metric: str
    version: str = ""


@dataclass(frozen=True)
class Reading:
    """Where both vectors come from and how they meet.

    Attributes:
        a: Side A.
        b: Side B.
        pairing: How rows are paired: one of `PAIRINGS`.
        drop_unparseable: Whether outputs that the tool could not read are left out.
        variant: The form of the signed-rank test: one of `VARIANTS`.
        exactness: How the signed-rank test gets its p-value, as in `Comparison`.
        missing: What becomes of instances without a value, as in `Comparison`.
        first: Only so many of the repetitions of each problem are read; 0: all.
        altered: What became of the rows of a side: one of `ALTERATIONS`, or ''.
        sides: Which sides that concerns: `A`, `B` or `AB`.
        rows: How many rows.
    """

    a: Side
    b: Side
    pairing: str
    drop_unparseable: bool = False
    variant: str = "stated"
    exactness: Exactness = "normal"
    missing: Missing = "drop"
    first: int = 0
    altered: str = ""
    sides: str = ""
    rows: int = 0


@dataclass(frozen=True)
class Family:
    """Which tests are adjusted together, and how.

    Attributes:
        scope: `block`, `comparison` or `tool`.
        correction: A name of R's p.adjust.
    """

    scope: str
    correction: str


def stated(comparison: Comparison, block: Block, metric: str) -> Reading:
    """The reading that the study's own description gives."""
    task = block.task or comparison.task
    return Reading(
        Side(block.a, task, metric),
        Side(block.b or block.a, task, metric),
        comparison.pairing,
        exactness=comparison.exactness,
        missing=comparison.missing,
    )


# Of a reading's test only what a published cell can show is filled in.
_NOTHING: dict[Any, Any] = {str: "", int: 0, float: math.nan}
_EMPTY = Test(**{f.name: _NOTHING[f.type] for f in fields(Test)})


class Bench:
    """Computes readings, each once.

    Args:
        scores: The archived scores.
        known: The catalog.
        versions: The scores that other versions of the tools give, by TOOL-VERSION.
    """

    def __init__(
        self, scores: ScoreSet, known: Catalog, versions: Mapping[str, ScoreSet] | None = None
    ) -> None:
        self.scores, self.known, self.versions = scores, known, dict(versions or {})
        self._done: dict[tuple[str, Reading], Test | None] = {}
        self._tested: dict[tuple[str, Reading], Test | None] = {}
        self._adjusted: dict[tuple[str, bytes], list[float]] = {}

    def test(self, kind: str, reading: Reading) -> Test | None:
        """The test under a reading, or None where its scores do not exist or make no pairs.

        Args:
            kind: `wilcoxon`, `mcnemar` or `summary`.
            reading: The reading.
        """
        key = (kind, reading)
        if key not in self._tested:
            found = self.effects(kind, reading)
            if found and kind == "wilcoxon":
                found = replace(found, p=self._signed_rank_p(reading))
            self._tested[key] = found
        return self._tested[key]

    def effects(self, kind: str, reading: Reading) -> Test | None:
        """The same without the p-value of a signed-rank test, which takes longest and which most
        readings are dismissed without.

        Args:
            kind: As in `test`.
            reading: The reading.
        """
        key = (kind, reading)
        if key not in self._done:
            self._done[key] = self._compute(kind, reading)
        return self._done[key]

    def adjust(self, tests: list[Test], correction: str) -> list[float]:
        """Adjusted p-values of one family.

        Args:
            tests: The family.
            correction: A name of R's p.adjust.
        """
        p = np.array([t.p for t in tests])
        key = (correction, p.tobytes())
        if key not in self._adjusted:
            self._adjusted[key] = list(r_session.call("adjust_by", p, method=correction))
        return self._adjusted[key]

    def _signed_rank_p(self, reading: Reading) -> float:
        pairs = self._pairs(reading)
        if pairs is None:
            return math.nan
        if reading.variant != "stated":
            return float(r_session.call("variant_p", pairs.a, pairs.b, kind=reading.variant)[0])
        made: dict[str, Any] = {"published": True, "exactness": reading.exactness}
        return float(r_session.call("signed_rank", pairs.a, pairs.b, **made)[1])

    def _compute(self, kind: str, reading: Reading) -> Test | None:
        if kind == "summary":
            columns = self._columns(reading)
            return columns and summarized(_EMPTY, columns[0])
        pairs = self._pairs(reading)
        if pairs is None:
            return None
        if kind == "mcnemar":
            if not np.isin(np.concatenate([pairs.a, pairs.b]), (0, 1)).all():
                return None
            chi, p, both, only_a, only_b, neither, odds = r_session.call(
                "discordance", pairs.a, pairs.b, published=True
            )
            return replace(
                _EMPTY,
                n_pairs=len(pairs.a),
                mean_a=float(pairs.a.mean()),
                mean_b=float(pairs.b.mean()),
                statistic=chi,
                p=p,
                both_pass=both,
                a_only=only_a,
                b_only=only_b,
                both_fail=neither,
                odds_ratio=odds,
            )
        delta, low, high = r_session.call("cliffs_delta", *pairs.sides)
        return replace(_EMPTY, cliffs_delta=delta, cliffs_delta_low=low, cliffs_delta_high=high)

    def _pairs(self, reading: Reading) -> Pairs | None:
        """The pairs of a reading, or None where a side does not exist or no pair is left."""
        columns = self._columns(reading)
        if columns is None:
            return None
        pairs = by_rule(*columns, reading.missing, partial(_meet, pairing=reading.pairing))
        return pairs if len(pairs.a) else None

    def _columns(self, reading: Reading) -> tuple[Column, Column] | None:
        a = self._column(reading.a, reading, "A" in reading.sides)
        b = self._column(reading.b, reading, "B" in reading.sides)
        return None if a is None or b is None else (a, b)

    def _column(self, side: Side, reading: Reading, altered: bool) -> Column | None:
        scores = self.versions[side.version] if side.version else self.scores
        if not scores.has(side.run, side.task, side.metric):
            return None
        column = scores.column(side.run, side.task, side.metric)
        if reading.first:
            column = _rows(column, repetitions(column) < reading.first)
        if altered:
            column = _altered(column, reading.altered, reading.rows)
        if not reading.drop_unparseable:
            return column
        lost = unparseable(scores, *self.known.metrics()[side.metric], side.run, side.task)
        return _rows(column, np.array([name not in lost for name in column.ids], dtype=bool))


def repetitions(column: Column) -> np.ndarray:
    """Which repetition of its problem each row is, from 0: the N of an id `PROBLEM#N`."""
    result: np.ndarray = np.array(
        [int(name.rpartition("#")[2]) for name in column.ids], dtype="int64"
    )
    return result


def _rows(column: Column, rows: np.ndarray | slice) -> Column:
    return Column(column.ids[rows], column.status[rows], column.value[rows])


def _altered(column: Column, how: str, rows: int) -> Column:
    """The column with some rows lost, or with the rows before the last ones in their place."""
    match how:
        case "last rows lost":
            return _rows(column, slice(None, -rows))
        case "first rows lost":
            return _rows(column, slice(rows, None))
        case "last rows repeated" if len(column.ids) >= 2 * rows:
            value = column.value.copy()
            value[-rows:] = value[-2 * rows : -rows]
            return Column(column.ids, column.status, value)
    return column


def _meet(a: Column, b: Column, pairing: str) -> Pairs:
    if pairing == "id":
        return by_id(a, b)
    if pairing == "each side sorted by id":
        a, b = (_rows(side, np.argsort(side.ids.astype(str), kind="stable")) for side in (a, b))
    return by_position(a, _rows(b, slice(None, None, -1)) if pairing == "reversed" else b)


def effect_cells(cells: list[PublishedCell]) -> list[PublishedCell]:
    """The cells that depend on one reading alone (no family): effects, intervals, counts, raw p."""
    return [
        c
        for c in cells
        if c.quantity not in ("p_adjusted", "significant", "correction_label", "input_note")
    ]

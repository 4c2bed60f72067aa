"""Which score of run A is compared with which score of run B.

Two protocols share this code path. *As published*: by row position after cutting both sides to the
shorter one, or by id where the study did so. *Corrected*: by instance id; an instance that is
missing on a side, has no value of this metric there, or was not readable for the tool, is dropped
and named. What other metrics of the same output have does not matter.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np

from mtpeft.catalog import Metric, Tool
from mtpeft.catalog.schema import Missing, Pairing
from mtpeft.core.records import Column, ScoreSet


@dataclass(frozen=True)
class Pairs:
    """The values of both sides of a test.

    Attributes:
        a: Of side A; shape [n].
        b: Of side B; shape [n].
        n_a: Values that side A has.
        n_b: Values that side B has.
        dropped: Ids that are in no pair.
        own_a: Every value of side A, where a study took its unpaired effect from them.
        own_b: Every value of side B, likewise.
        ids: Of the pairs, where they were formed by id; shape [n].
    """

    a: np.ndarray
    b: np.ndarray
    n_a: int
    n_b: int
    dropped: tuple[str, ...]
    own_a: np.ndarray | None = None
    own_b: np.ndarray | None = None
    ids: np.ndarray | None = None

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """What an unpaired effect looks at: the values of the pairs, or all that each side has."""
        if self.own_a is None or self.own_b is None:
            return self.a, self.b
        return self.own_a, self.own_b


def unparseable(scores: ScoreSet, tool: Tool, metric: Metric, run: str, task: str) -> set[str]:
    """Instances of a run whose output the tool could not read, by the tool's own rule in the
    catalog.

    Args:
        scores: The scores of all runs.
        tool: The tool.
        metric: Its metric.
        run: The run.
        task: The evaluation set.
    """
    rule = tool.unparseable_when
    if not rule or (tool.unparseable_metrics and metric.id not in tool.unparseable_metrics):
        return set()
    if not all(scores.has(run, task, name) for name in rule):
        return set()
    columns = {name: scores.column(run, task, name) for name in rule}
    hit = np.logical_and.reduce([columns[name].value == value for name, value in rule.items()])
    return set(columns[next(iter(rule))].ids[hit])


def by_position(a: Column, b: Column) -> Pairs:
    """Pair the i-th row with the i-th row, as far as both sides go; ids are not looked at. Rows
    without a value make no pair.
    """
    n = min(len(a.ids), len(b.ids))
    there = ~(np.isnan(a.value[:n]) | np.isnan(b.value[:n]))
    return Pairs(
        a.value[:n][there],
        b.value[:n][there],
        len(a.ids),
        len(b.ids),
        (*a.ids[:n][~there], *a.ids[n:], *b.ids[n:]),
    )


def by_id(a: Column, b: Column, exclude: AbstractSet[str] = frozenset()) -> Pairs:
    """Pair equal ids (in A's order); drop what only one side has, what has no value, and what
    `exclude` names.
    """

    def usable(side: Column) -> np.ndarray:
        rows = (side.status == "ok") & ~np.isnan(side.value)
        return np.flatnonzero(
            rows if not exclude else rows & [name not in exclude for name in side.ids]
        )

    rows_a, rows_b = usable(a), usable(b)
    if not np.array_equal(a.ids[rows_a], b.ids[rows_b]):
        place = dict(zip(b.ids[rows_b], rows_b, strict=True))
        rows_a = np.array([row for row in rows_a if a.ids[row] in place], dtype="int64")
        rows_b = np.array([place[name] for name in a.ids[rows_a]], dtype="int64")
    dropped = sorted(({*a.ids} | {*b.ids}) - {*a.ids[rows_a]})
    return Pairs(
        a.value[rows_a],
        b.value[rows_b],
        len(a.ids),
        len(b.ids),
        tuple(dropped),
        ids=a.ids[rows_a],
    )


def by_rule(
    a: Column, b: Column, missing: Missing, meet: Callable[[Column, Column], Pairs]
) -> Pairs:
    """Pairs of two columns under a study's rule for instances without a value.

    Args:
        a: Side A.
        b: Side B.
        missing: The rule, as in `Comparison`.
        meet: How rows become pairs.
    """
    match missing:
        case "drop":
            return meet(a, b)
        case "own":
            own_a, own_b = (side.value[~np.isnan(side.value)] for side in (a, b))
            return replace(meet(a, b), own_a=own_a, own_b=own_b)
        case "zero":
            return meet(*map(_zeros, (a, b)))
        case other:
            assert_never(other)


def _zeros(side: Column) -> Column:
    """The column with 0 for every missing value, as if it had been measured."""
    missing = np.isnan(side.value)
    return Column(side.ids, np.where(missing, "ok", side.status), np.where(missing, 0, side.value))


def pair(
    scores: ScoreSet,
    tool: Tool,
    metric: Metric,
    task: str,
    run_a: str,
    run_b: str,
    protocol: str,
    published_pairing: Pairing,
    missing: Missing = "drop",
) -> Pairs:
    """The pairs of one test under a protocol; the study's rules of pairing and for missing values
    hold as published only.

    Args:
        scores: The scores of all runs.
        tool: The tool that gave them.
        metric: The column.
        task: The evaluation set.
        run_a: Side A.
        run_b: Side B.
        protocol: `as-published` or `corrected`.
        published_pairing: How the study paired rows.
        missing: What the study did with instances without a value.
    """
    a, b = scores.column(run_a, task, metric.id), scores.column(run_b, task, metric.id)
    if protocol == "corrected":
        exclude = unparseable(scores, tool, metric, run_a, task) | unparseable(
            scores, tool, metric, run_b, task
        )
        return by_id(a, b, exclude)
    match published_pairing:
        case "id":
            return by_rule(a, b, missing, by_id)
        case "position":
            return by_rule(a, b, missing, by_position)
        case other:
            assert_never(other)

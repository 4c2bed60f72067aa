"""Choices of a study that are reproduced as published although they are faults, and the numbers that
each moves.

The protocol *as published* repeats what a study did. What it prints is then recomputed exactly, and
no audit of differences will ever name it. So each choice is asked here for itself: the test is made
once as published and once without the choice, and whatever moves is written down. A choice that no
figure shows (`choices:` in study.yaml) moves all values that rest on it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtpeft.audit.consistency import OVERLAP, Check
from mtpeft.audit.readings import Bench, Reading, stated
from mtpeft.catalog import Catalog, Comparison
from mtpeft.core.records import PublishedCell, Test
from mtpeft.statistics import r_session
from mtpeft.statistics.pairing import unparseable
from mtpeft.statistics.printed import SIGNIFICANCE, adjusted, significant

BY_ROW = "rows paired by position"
ZEROS = "zeros of unparseable outputs"
LABELS = "labels that name no method"
METHODS = (
    "holm",
    "holm-bonferroni",
    "bonferroni",
    "hochberg",
    "hommel",
    "bh",
    "fdr",
    "benjamini-hochberg",
    "benjamini-hochberg (fdr)",
    "by",
    "benjamini-yekutieli",
    "none",
)
"""Names of corrections, in lower case."""


@dataclass(frozen=True)
class Repeated:
    """One number that a choice moves.

    Attributes:
        choice: `BY_ROW`, `ZEROS`, `LABELS` or the id of a choice that a study declares.
        study: Whose choice.
        comparison: Where the number stands; empty: in several.
        block: Of the comparison.
        metric: Of the test.
        quantity: What the number is.
        published: The number as published.
        right: The number without the choice, empty where it cannot be computed.
        turns: `yes` where a yes/no at the 5 % level turns.
        detail: What shows it.
    """

    choice: str
    study: str
    comparison: str
    block: str
    metric: str
    quantity: str
    published: str
    right: str
    turns: str
    detail: str


def repeated(
    known: Catalog,
    cells: Sequence[PublishedCell],
    tests: Sequence[Test],
    checks: Sequence[Check],
    bench: Bench,
) -> list[Repeated]:
    """Every number that a choice moves, choice by choice.

    Args:
        known: The catalog.
        cells: The printed values.
        tests: The recomputed tests, under both protocols.
        checks: Of the printed values, for those whose scores are not archived.
        bench: Readings of the archived scores.
    """
    printed = {cell.comparison for cell in cells}
    mine = [c for c in known.comparisons.values() if c.id in printed]
    found = [one for c in mine for one in _by_row(c, bench)]
    found += _overlaps(known, mine, cells, checks, tests)
    found += _zeros(known, mine, tests, bench)
    found += [one for c in mine for one in _labels(c, cells, tests)]
    for study in known.studies.values():
        for choice in study.choices:
            found += _declared(choice.id, choice.evaluations, choice.tools, study.id, known, cells)
    return found


def _by_row(comparison: Comparison, bench: Bench) -> Iterator[Repeated]:
    """Tests that pair row i with row i although the rows hold different instances."""
    if comparison.pairing != "position":
        return
    for block in comparison.blocks:
        for metric in comparison.metrics:
            reading = stated(comparison, block, metric)
            sides = (reading.a, reading.b)
            if not all(bench.scores.has(s.run, s.task, s.metric) for s in sides):
                continue
            a, b = (bench.scores.column(s.run, s.task, s.metric).ids for s in sides)
            n = min(len(a), len(b))
            off = int((a[:n] != b[:n]).sum())
            if off:
                yield from _moved(comparison, block.id, metric, reading, off, n, bench)


_QUANTITIES = ("a_only", "b_only", "p", "odds_ratio")


def _moved(
    comparison: Comparison,
    block: str,
    metric: str,
    reading: Reading,
    off: int,
    n: int,
    bench: Bench,
) -> Iterator[Repeated]:
    row = bench.test(comparison.test, reading)
    by_id = bench.test(comparison.test, replace(reading, pairing="id"))
    if row is None or by_id is None:
        return
    for quantity in _QUANTITIES:
        was, right = float(getattr(row, quantity)), float(getattr(by_id, quantity))
        if math.isnan(was) and math.isnan(right):
            continue
        turns = quantity == "p" and (was < SIGNIFICANCE) != (right < SIGNIFICANCE)
        yield Repeated(
            BY_ROW,
            comparison.study,
            comparison.id,
            block,
            metric,
            quantity,
            f"{was:.4g}",
            f"{right:.4g}",
            "yes" if turns else "no",
            f"{off} of {n} rows hold different instances",
        )


def _overlaps(
    known: Catalog,
    mine: Iterable[Comparison],
    cells: Sequence[PublishedCell],
    checks: Iterable[Check],
    tests: Iterable[Test],
) -> Iterator[Repeated]:
    """Tests paired by position whose scores are not archived, where the printed counts show that
    the rows do not belong together.
    """
    by_position = {c.id for c in mine if c.pairing == "position"}
    absent = {
        (t.comparison, t.block, t.metric) for t in tests if t.note.startswith("no archived scores")
    }
    for check in checks:
        place = (check.comparison, check.block, check.metric)
        if (
            check.check != OVERLAP
            or check.result == "consistent"
            or check.comparison not in by_position
            or place not in absent
        ):
            continue
        printed = {
            cell.quantity: cell.printed
            for cell in cells
            if (cell.comparison, cell.block, cell.metric) == place
        }
        for quantity in _QUANTITIES:
            if quantity in printed:
                yield Repeated(
                    BY_ROW,
                    known.comparisons[check.comparison].study,
                    *place,
                    quantity,
                    printed[quantity],
                    "",
                    "",
                    f"scores not archived; {check.detail}",
                )


def _zeros(
    known: Catalog, mine: Iterable[Comparison], tests: Sequence[Test], bench: Bench
) -> Iterator[Repeated]:
    """Means over outputs that the tool could not read and that count as 0."""
    wanted = {c.id for c in mine}
    corrected = {(t.comparison, t.block, t.metric): t for t in tests if t.protocol == "corrected"}
    for test in tests:
        other = corrected.get((test.comparison, test.block, test.metric))
        if test.protocol != "as-published" or test.comparison not in wanted or other is None:
            continue
        tool, metric = known.metrics()[test.metric]
        lost = [
            len(unparseable(bench.scores, tool, metric, run, test.task))
            for run in (test.run_a, test.run_b)
            if bench.scores.has(run, test.task, test.metric)
        ]
        if not sum(lost) or not test.n_pairs or not other.n_pairs:
            continue
        comparison = known.comparisons[test.comparison]
        words = [significant(adjusted(t, comparison.adjustment)) for t in (test, other)]
        yield Repeated(
            ZEROS,
            comparison.study,
            test.comparison,
            test.block,
            test.metric,
            "means of A and B",
            f"{test.mean_a:.4g}, {test.mean_b:.4g}",
            f"{other.mean_a:.4g}, {other.mean_b:.4g}",
            "yes" if set(words) == {"Yes", "No"} else "no",
            f"{lost[0]} and {lost[-1]} outputs unparseable; significant as published: {words[0]}, corrected: {words[1]}",
        )


def _labels(
    comparison: Comparison, cells: Iterable[PublishedCell], tests: Iterable[Test]
) -> Iterator[Repeated]:
    """Labels of a correction that are the name of none, with what the methods that they mix give."""
    mine = [t for t in tests if t.comparison == comparison.id and t.protocol == "as-published"]
    for cell in cells:
        if (
            cell.comparison != comparison.id
            or cell.quantity != "correction_label"
            or cell.printed.lower() in METHODS
        ):
            continue
        made = [t for t in mine if not math.isnan(adjusted(t, cell.adjustment))]
        if not made:
            continue
        strict: list[float] = []
        for family in dict.fromkeys(t.family for t in made):
            p = np.array([t.p for t in made if t.family == family])
            strict += list(r_session.call("adjust_by", p, method="bonferroni"))
        ways = ([adjusted(t, cell.adjustment) for t in made], strict)
        below = [sum(p < SIGNIFICANCE for p in way) for way in ways]
        said = [
            f"{number} of {len(made)} significant, smallest p {min(way):.4g}"
            for number, way in zip(below, ways, strict=True)
        ]
        yield Repeated(
            LABELS,
            comparison.study,
            comparison.id,
            "",
            "",
            "significant tests",
            said[0],
            said[1],
            "yes" if len(set(below)) > 1 else "no",
            f"{cell.source}:{cell.line} prints {cell.printed!r}; the numbers are adjusted by "
            f"{cell.adjustment.upper() if cell.adjustment == 'bh' else cell.adjustment.capitalize()}",
        )


def _declared(
    name: str,
    evaluations: Sequence[str],
    tools: Sequence[str],
    study: str,
    known: Catalog,
    cells: Iterable[PublishedCell],
) -> Iterator[Repeated]:
    """The printed values that rest on a choice that no figure shows, counted by comparison."""
    metrics = {m.id for tool in tools for m in known.tools[tool].metrics}
    for comparison in known.of("comparisons", study):
        blocks = {b.id: b.task or comparison.task for b in comparison.blocks}
        number = sum(
            cell.comparison == comparison.id
            and cell.metric in metrics
            and blocks.get(cell.block) in evaluations
            for cell in cells
        )
        if number:
            yield Repeated(
                name, study, comparison.id, "", "", "printed values", str(number), "", "", ""
            )

"""Tests from archived outputs that were scored again (tier T2).

The archive lacks scores of the two-task runs, but has many of their outputs. `make rescore` scores
those as the study's scripts did; here they stand where archived scores are missing, and the tests
are computed. `make audit-outputs` scores outputs again after repairing mechanical damage; here
such scores stand in place of the archived ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mtpeft.catalog import Catalog, Comparison, catalog
from mtpeft.catalog.places import score_roots
from mtpeft.core.paths import REGENERATED
from mtpeft.core.records import Column, ScoreSet, Test
from mtpeft.statistics.compare import run_comparison

AS_PUBLISHED = REGENERATED / "as-published"
PROTOCOL = "rescored"
ARCHIVED_READING, REPAIRED_READINGS = "as-archived", ("repaired", "repaired-with-class")


class Layered(ScoreSet):
    """The scores of one set; where a run has none there, those of another."""

    def __init__(self, above: ScoreSet, below: ScoreSet) -> None:
        super().__init__(above.root, above.tables)
        self._below = below

    def has(self, run: str, task: str, metric: str) -> bool:
        """Whether either layer has scores of this run, task and metric."""
        return super().has(run, task, metric) or self._below.has(run, task, metric)

    def column(self, run: str, task: str, metric: str) -> Column:
        """Scores of one run on one metric, from the layer that has them."""
        return (
            super().column(run, task, metric)
            if super().has(run, task, metric)
            else self._below.column(run, task, metric)
        )


def archived_and_rescored() -> Layered:
    """Archived scores; where a run has none, those that `make rescore` made as the study's scripts
    do.
    """
    return Layered(ScoreSet.load(*score_roots(catalog())), ScoreSet.load(AS_PUBLISHED))


def recovered_tests(
    archived: ScoreSet, root: Path, comparisons: Iterable[Comparison], known: Catalog
) -> list[Test]:
    """Tests of the study that only rescored outputs make possible, adjusted where their whole
    family is there.

    Pairs are formed by id, since the rows of the missing files are not known; every archived
    file of these sets is in the same order.

    Args:
        archived: The archived scores.
        comparisons: Those of the study.
        known: The catalog.
        root: Folder with `scores/<tool>/<evaluation>.csv` in the study's own projection.
    """
    layered = Layered(archived, ScoreSet.load(root))
    result = []
    for comparison in comparisons:
        absent = {
            (b.id, m)
            for b in comparison.blocks
            for m in comparison.metrics
            for run in (b.a, b.b)
            if not archived.has(run, b.task or comparison.task, m)
        }
        if not absent:
            continue
        for test in run_comparison(
            layered, replace(comparison, pairing="id"), known, "as-published"
        ):
            family_filled = test.m and any(block == test.block for block, _ in absent)
            if not test.note.startswith("no archived scores") and (
                (test.block, test.metric) in absent or family_filled
            ):
                result.append(replace(test, protocol=PROTOCOL))
    return result


def repaired_tests(
    scores: ScoreSet,
    repaired: Mapping[str, ScoreSet],
    comparisons: Iterable[Comparison],
    known: Catalog,
) -> list[Test]:
    """The as-published tests on repaired evaluation sets, from the outputs as archived and under
    each reading.

    Protocols of the result: `ARCHIVED_READING` and the readings.

    Args:
        scores: The archived scores.
        comparisons: Those of the study.
        known: The catalog.
        repaired: Reading → its scores; a metric that was not scored again keeps its archived
            scores.
    """
    again = {
        (task, metric)
        for reading in repaired.values()
        for (_, task), table in reading.tables.items()
        for metric in table.columns[4:]
    }
    result = []
    for comparison in comparisons:
        if again.isdisjoint(
            {
                (b.task or comparison.task, metric)
                for b in comparison.blocks
                for metric in comparison.metrics
            }
        ):
            continue
        by_id = replace(comparison, pairing="id")
        for name, layered in (
            (ARCHIVED_READING, scores),
            *((n, Layered(own, scores)) for n, own in repaired.items()),
        ):
            result += [
                replace(test, protocol=name)
                for test in run_comparison(layered, by_id, known, "as-published")
                if not test.note.startswith("no archived scores")
            ]
    return result

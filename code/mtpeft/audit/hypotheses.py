"""What may have gone wrong, as transformations of a reading, in order of plausibility.

A hypothesis is parameterized, not tied to a cell: applied to every place of a scope it must
reproduce all of them. The generators know nothing of the studies beyond the catalog.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import get_args

import numpy as np

from mtpeft.audit.readings import ALTERATIONS, PAIRINGS, VARIANTS, Bench, Reading, Side
from mtpeft.catalog import Block, Catalog, Comparison
from mtpeft.catalog.schema import Missing
from mtpeft.core.records import ScoreSet

MOST_ROWS = 20


@dataclass(frozen=True)
class Hypothesis:
    """What may have been read or computed in place of what the study describes.

    Attributes:
        kind: Its class (one line in the audit's summary).
        text: What was done, with its parameters.
        apply: From the reading that was meant to the one that was made; None, or the same reading,
            where the hypothesis does not apply.
    """

    kind: str
    text: str
    apply: Callable[[Reading], Reading | None]


def _counterpart(run: str, task: str, metric: str, scores: ScoreSet, known: Catalog) -> str | None:
    """The run that plays `run`'s part on another evaluation set: itself, or the one run of the same
    backbone, method, regime and number of tasks; None where there is no such run, or several.
    """
    if scores.has(run, task, metric):
        return run
    of = known.runs[run]
    same = [
        r.id
        for r in known.runs.values()
        if (r.backbone, r.method, r.regime, len(r.tasks))
        == (of.backbone, of.method, of.regime, len(of.tasks))
        and scores.has(r.id, task, metric)
    ]
    return same[0] if len(same) == 1 else None


def other_evaluation(scores: ScoreSet, known: Catalog, study: str) -> Iterator[Hypothesis]:
    """The files of another evaluation set of the study were read, for both sides."""
    for name in [
        evaluation.id for task in known.of("tasks", study) for evaluation in task.evaluations
    ]:

        def apply(reading: Reading, name: str = name) -> Reading | None:
            sides = []
            for side in (reading.a, reading.b):
                run = _counterpart(side.run, name, side.metric, scores, known)
                if run is None or side.task == name:
                    return None
                sides.append(Side(run, name, side.metric))
            return replace(reading, a=sides[0], b=sides[1])

        yield Hypothesis("other evaluation set", f"scores of {name} were read instead", apply)


def other_version(versions: Mapping[str, ScoreSet], known: Catalog) -> Iterator[Hypothesis]:
    """Another version of the tool made the scores of one side, or of both."""
    for name, scores in versions.items():
        for label, on_a, on_b in (
            ("side B", False, True),
            ("side A", True, False),
            ("both sides", True, True),
        ):

            def apply(
                reading: Reading,
                name: str = name,
                scores: ScoreSet = scores,
                on_a: bool = on_a,
                on_b: bool = on_b,
            ) -> Reading | None:
                a = replace(reading.a, version=name) if on_a else reading.a
                b = replace(reading.b, version=name) if on_b else reading.b
                changed = [side for side, on in ((a, on_a), (b, on_b)) if on]
                whole = all(scores.has(side.run, side.task, side.metric) for side in changed)
                return replace(reading, a=a, b=b) if whole else None

            tool, _, number = name.rpartition("-")
            yield Hypothesis(
                "other tool version",
                f"{label} scored with {known.tools[tool].title} {number}",
                apply,
            )


def other_comparison(comparison: Comparison, known: Catalog) -> Iterator[Hypothesis]:
    """The scores of a block of another comparison of the study were read instead."""
    for source in known.of("comparisons", comparison.study):
        for block in source.blocks if source.id != comparison.id else []:

            def apply(
                reading: Reading, source: Comparison = source, block: Block = block
            ) -> Reading | None:
                if reading.a.metric not in source.metrics:
                    return None
                task = block.task or source.task
                return replace(
                    reading,
                    a=Side(block.a, task, reading.a.metric),
                    b=Side(block.b or block.a, task, reading.b.metric),
                )

            yield Hypothesis(
                "other comparison", f"scores of {source.id} ({block.id}) were read instead", apply
            )


def swapped() -> Iterator[Hypothesis]:
    """The sides changed places."""
    yield Hypothesis(
        "sides swapped",
        "side B minus side A",
        lambda reading: replace(reading, a=reading.b, b=reading.a),
    )


def other_pairing() -> Iterator[Hypothesis]:
    """The rows met in another way."""
    for pairing in PAIRINGS:

        def apply(reading: Reading, pairing: str = pairing) -> Reading:
            return replace(reading, pairing=pairing)

        yield Hypothesis("other pairing", f"rows paired by {pairing}", apply)


def other_rows(comparison: Comparison, bench: Bench) -> Iterator[Hypothesis]:
    """Only some of the repetitions were read, missing values were treated in another way, or both.

    Asked only where problems were answered repeatedly, or some instance has no value.
    """
    sets = bench.known.evaluations()
    tasks = {block.task or comparison.task for block in comparison.blocks}
    most = min(sets[task].repetitions for task in tasks)
    gaps = any(
        np.isnan(bench.scores.column(run, block.task or comparison.task, metric).value).any()
        for block in comparison.blocks
        for run in filter(None, (block.a, block.b))
        for metric in comparison.metrics
        if bench.scores.has(run, block.task or comparison.task, metric)
    )
    rules: list[Missing | None] = [None, *get_args(Missing)] if gaps else [None]
    for missing in rules:
        for first in range(most):
            if missing == comparison.missing or (missing is None and not first):
                continue

            def apply(
                reading: Reading, first: int = first, missing: Missing | None = missing
            ) -> Reading:
                return replace(reading, first=first, missing=missing or reading.missing)

            what = [f"only the first {first} of {most} repetitions were read"] if first else []
            what += [_MISSING[missing]] if missing else []
            kind = "other repetitions" if first else "missing values"
            if first and missing:
                kind = "other repetitions, missing values"
            yield Hypothesis(kind, ", ".join(what), apply)


_MISSING: dict[Missing, str] = {
    "drop": "a missing value left out its pair",
    "own": "a missing value left out its own side in the effect",
    "zero": "missing values stood for 0",
}


def unparseable_dropped() -> Iterator[Hypothesis]:
    """Outputs that the tool could not read were left out."""
    yield Hypothesis(
        "unparseable outputs left out",
        "outputs that the tool could not read were left out",
        lambda reading: replace(reading, drop_unparseable=True),
    )


def other_block(comparison: Comparison) -> Iterator[Hypothesis]:
    """Another block's scores stand here (a copied line that was not adapted)."""
    for source in comparison.blocks:

        def apply(reading: Reading, source: Block = source) -> Reading:
            task = source.task or comparison.task
            return replace(
                reading,
                a=Side(source.a, task, reading.a.metric),
                b=Side(source.b or source.a, task, reading.b.metric),
            )

        yield Hypothesis("other block", f"scores of block {source.id} were read instead", apply)


def other_run(known: Catalog, study: str, on_a: bool, on_b: bool) -> Iterator[Hypothesis]:
    """The file of another run of the study was read on side A, on side B, or on both."""
    runs: list[str | None] = [run.id for run in known.of("runs", study)]
    kept: list[str | None] = [None]
    for run_a in runs if on_a else kept:
        for run_b in runs if on_b else kept:

            def apply(
                reading: Reading, run_a: str | None = run_a, run_b: str | None = run_b
            ) -> Reading:
                return replace(
                    reading,
                    a=replace(reading.a, run=run_a or reading.a.run),
                    b=replace(reading.b, run=run_b or reading.b.run),
                )

            what = " and ".join(
                f"{run} on side {side}" for run, side in ((run_a, "A"), (run_b, "B")) if run
            )
            yield Hypothesis("other run", f"scores of {what} were read instead", apply)


def other_metric(known: Catalog, study: str) -> Iterator[Hypothesis]:
    """Another column of the same file was read, or a file of another tool: for both sides, or for
    one of them.
    """
    names = [m.id for tool in known.of("tools", study) for m in tool.metrics]
    for sides, where in (("AB", ""), ("B", " on side B"), ("A", " on side A")):
        for name in names:

            def apply(reading: Reading, name: str = name, sides: str = sides) -> Reading:
                return replace(
                    reading,
                    a=replace(reading.a, metric=name) if "A" in sides else reading.a,
                    b=replace(reading.b, metric=name) if "B" in sides else reading.b,
                )

            yield Hypothesis("other column", f"column {name} was read instead{where}", apply)


def exchanged_columns(known: Catalog, study: str) -> Iterator[Hypothesis]:
    """Two columns of one side's file, or of both, changed places."""
    for tool in known.of("tools", study):
        for one, other in combinations([m.id for m in tool.metrics], 2):
            for sides, where in (("B", "side B"), ("A", "side A"), ("AB", "both sides")):

                def apply(
                    reading: Reading, pair: tuple[str, str] = (one, other), sides: str = sides
                ) -> Reading:
                    def read(side: Side, name: str) -> Side:
                        if side.metric not in pair or name not in sides:
                            return side
                        return replace(side, metric=pair[pair[0] == side.metric])

                    return replace(reading, a=read(reading.a, "A"), b=read(reading.b, "B"))

                text = f"columns {one} and {other} of {where} changed places"
                yield Hypothesis("exchanged columns", text, apply)


def altered_rows() -> Iterator[Hypothesis]:
    """Up to `MOST_ROWS` rows at an end of a side's file were lost, or repeat those before them."""
    for altered in ALTERATIONS:
        for sides, where in (("B", "side B"), ("A", "side A"), ("AB", "both sides")):
            for rows in range(1, MOST_ROWS + 1):

                def apply(
                    reading: Reading, altered: str = altered, sides: str = sides, rows: int = rows
                ) -> Reading:
                    return replace(reading, altered=altered, sides=sides, rows=rows)

                end, _, fate = altered.partition(" rows ")
                what = f"the {end} {rows} rows" if rows > 1 else f"the {end} row"
                said = {
                    "lost": f"{what} of {where} {'were' if rows > 1 else 'was'} not read",
                    "repeated": f"{what} of {where} repeat{'' if rows > 1 else 's'} what stands before",
                }
                yield Hypothesis(f"rows {fate}", said[fate], apply)


def other_test() -> Iterator[Hypothesis]:
    """Another test gave the p-values."""
    for variant in VARIANTS[1:]:

        def apply(reading: Reading, variant: str = variant) -> Reading:
            return replace(reading, variant=variant)

        yield Hypothesis("other test", f"Wilcoxon test, {variant}", apply)


def of_inputs(comparison: Comparison, bench: Bench) -> Iterator[Hypothesis]:
    """Every hypothesis about what was read, the simplest first."""
    scores, known = bench.scores, bench.known
    yield from other_evaluation(scores, known, comparison.study)
    yield from other_version(bench.versions, known)
    yield from other_rows(comparison, bench)
    yield from swapped()
    yield from other_pairing()
    yield from unparseable_dropped()
    yield from other_block(comparison)
    yield from other_run(known, comparison.study, on_a=False, on_b=True)
    yield from other_run(known, comparison.study, on_a=True, on_b=False)
    yield from other_metric(known, comparison.study)
    yield from other_comparison(comparison, known)
    yield from exchanged_columns(known, comparison.study)
    yield from altered_rows()
    yield from other_run(known, comparison.study, on_a=True, on_b=True)


def of_tests(comparison: Comparison) -> Iterator[Hypothesis]:
    """Hypotheses that leave the effects as they are and change the p-values."""
    if comparison.test == "wilcoxon":
        yield from other_pairing()
        yield from other_test()
        if comparison.exactness != "normal":
            yield Hypothesis(
                "other test",
                "Wilcoxon test, normal approximation without continuity correction",
                lambda reading: replace(reading, exactness="normal"),
            )

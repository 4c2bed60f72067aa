"""`make audit`: causes of what does not reproduce, consistency of what cannot be recomputed, and
the scores themselves.

Writes below results/regenerated/audit: causes.csv (one row per cause), cells.csv (which cell has
which cause), consistency.csv, scores.csv, repeated.csv (numbers that a choice moves which is
repeated as published). After `make rescore` also the causes of printed values that only rescored
outputs can be held against: rescored-causes.csv and rescored-cells.csv.
`reporting.known_issues` tells in words what these hold.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mtpeft.audit.choices import Repeated, repeated
from mtpeft.audit.consistency import BOUNDS, TWIN, Check, check_printed
from mtpeft.audit.readings import Bench
from mtpeft.audit.scores import Finding, audit_scores
from mtpeft.audit.search import Cause, Search
from mtpeft.catalog import Catalog, Comparison, catalog
from mtpeft.catalog.places import (
    how_to_import,
    present,
    score_files,
    score_roots,
    statistics_files,
)
from mtpeft.core.parallel import in_order
from mtpeft.core.paths import REGENERATED, shown
from mtpeft.core.progress import Progress
from mtpeft.core.provenance import write_result
from mtpeft.core.records import (
    PublishedCell,
    ScoreSet,
    Test,
    read_records,
    records_text,
)
from mtpeft.statistics import r_session
from mtpeft.statistics.printed import conclusion_changes
from mtpeft.statistics.rescored import archived_and_rescored


@dataclass(frozen=True)
class CauseRow:
    """A cause as it is written down.

    Attributes:
        key: Its permanent name.
        title: What happened, in a line.
        kind: The class of its hypothesis, or `unexplained`.
        comparison: The comparison in which it was found.
        cells: The cells that it accounts for: blamed and carried.
        blamed: Cells that differ at first hand.
        carried: Cells that differ because they share a family with a blamed one.
        hypothesis: What was read or computed instead, with its parameters.
        evidence: Printed values, each with the one that the hypothesis gives.
        reproduced: `all cells`, `within bounds`, `none`, or how many metrics coincide by digits.
        conclusion_changes: Cells whose yes or no changes when they are corrected.
        explanation: How many cells it accounts for, and in which way.
    """

    key: str
    title: str
    kind: str
    comparison: str
    cells: int
    blamed: int
    carried: int
    hypothesis: str
    evidence: str
    reproduced: str
    conclusion_changes: int
    explanation: str


@dataclass(frozen=True)
class CauseCell:
    """A published cell and the cause that accounts for it.

    Attributes:
        id: The cell.
        cause: The key of its cause.
    """

    id: str
    cause: str


def labelled_correction(label: str) -> str:
    """The correction that a printed label names, as p.adjust calls it."""
    lowered = label.lower()
    for part, name in (("holm", "holm"), ("yekutieli", "BY"), ("benjamini", "BH")):
        if part in lowered:
            return name
    return "BH" if lowered.startswith("bh") else lowered


def audit(
    cells: list[PublishedCell],
    tests: list[Test],
    scores: ScoreSet,
    known: Catalog,
    comparisons: Iterable[Comparison],
) -> tuple[list[CauseRow], list[CauseCell], list[Check]]:
    """Search every comparison for causes, and check what cannot be recomputed.

    Args:
        cells: The printed values.
        tests: The recomputed tests; those of the corrected protocol say which conclusions change.
        scores: The archived scores.
        known: The catalog.
        comparisons: The comparisons to search.

    Returns:
        The causes, the cells with the cause of each, and the outcomes of the checks.
    """
    corrected = {(t.comparison, t.block, t.metric): t for t in tests if t.protocol == "corrected"}
    bench = Bench(scores, known)

    def searched(comparison: Comparison) -> tuple[list[CauseRow], list[CauseCell], list[Check]]:
        rows: list[CauseRow] = []
        owners: list[CauseCell] = []
        mine = [c for c in cells if c.comparison == comparison.id]
        search = Search(comparison, mine, bench)
        for cause in search.run():
            rows.append(_row(cause, corrected, comparison))
            owners += [CauseCell(c.id, cause.key) for c in (*cause.blamed, *cause.carried)]
        for row, cell in _labels(comparison, mine, bench):
            rows.append(row)
            owners.append(cell)
        checks = list(check_printed(comparison, cells, scores, known))
        for row, reused in _reused(comparison, mine, checks, scores, known):
            rows.append(row)
            owners += reused
        return rows, owners, [*checks, *check_bounds(search)]

    comparisons = list(comparisons)
    r_session.start()
    found = in_order(searched, comparisons)
    rows: list[CauseRow] = []
    owners: list[CauseCell] = []
    checks: list[Check] = []
    with Progress("audit", len(comparisons)) as progress:
        for comparison, (causes, blamed, checked) in zip(comparisons, found, strict=True):
            rows += causes
            owners += blamed
            checks += checked
            progress.step(comparison.id)
    return rows, owners, checks


def check_bounds(search: Search) -> Iterable[Check]:
    """Whether the adjusted p-values of families that are not whole can come from their raw ones."""
    impossible = search.impossible()
    for cell, p, below, size in search.bounded():
        wrong = impossible.get(cell.id)
        yield Check(
            cell.comparison,
            cell.block,
            cell.metric,
            BOUNDS,
            "inconsistent" if wrong else "consistent",
            f"{cell.source}:{cell.line} "
            + (
                wrong[1]
                if wrong
                else f"{p:.4g} <= {cell.printed} <= {min(1.0, size * p):.4g}, {below:.4g} below it"
            ),
        )


def _row(
    cause: Cause, corrected: dict[tuple[str, str, str], Test], comparison: Comparison
) -> CauseRow:
    everything = [*cause.blamed, *cause.carried]
    changed = sum(
        conclusion_changes(c, corrected.get((c.comparison, c.block, c.metric))) == "yes"
        for c in everything
        if c.quantity == "significant"
    )
    explained = cause.kind != "unexplained"
    return CauseRow(
        cause.key,
        f"{comparison.title}: {cause.text}",
        cause.kind,
        comparison.id,
        len(everything),
        len(cause.blamed),
        len(cause.carried),
        cause.text + (f" (also fitting: {'; '.join(cause.also[:3])})" if cause.also else ""),
        " | ".join(cause.evidence),
        ("within bounds" if cause.bounds else "all cells") if explained else "none",
        changed,
        _explanation(cause) if explained else f"{cause.tried} readings tried, none fits",
    )


def _explanation(cause: Cause) -> str:
    """How many cells a cause accounts for, and in which way."""
    turned = sum(c.quantity == "significant" for c in (*cause.blamed, *cause.carried))
    parts = [f"{len(cause.blamed)} cells print what this hypothesis gives, to the last digit"]
    if cause.bounds:
        parts = [
            (
                f"{len(cause.blamed)} cells lie within the bounds that this hypothesis sets; the "
                "results that were counted are not archived"
            )
        ]
    if cause.carried:
        parts.append(
            f"{len(cause.carried)} more differ only because their p-values were adjusted in the same family"
        )
    if turned:
        parts.append(f"with the scores read as meant, {turned} printed significance labels flip")
    return "; ".join(parts)


def _reused(
    comparison: Comparison,
    cells: list[PublishedCell],
    checks: list[Check],
    scores: ScoreSet,
    known: Catalog,
) -> Iterable[tuple[CauseRow, list[CauseCell]]]:
    """Blocks without archived inputs whose effects stand, digit for digit, under another task: they
    were read from there.

    At least two metrics of one tool must coincide with one and the same place; a single coarse
    column could by chance.
    """
    groups: dict[tuple[str, str, str], list[Check]] = defaultdict(list)
    blocks = {b.id: b for b in comparison.blocks}
    for check in checks:
        run = blocks[check.block].b
        if check.check == TWIN and not scores.has(
            run, blocks[check.block].task or comparison.task, check.metric
        ):
            source = check.detail.partition(" also in ")[2]
            groups[check.block, known.metrics()[check.metric][0].id, source].append(check)
    for (block, tool, source), found in groups.items():
        other = known.comparisons.get(source.split(" ")[0])
        # The archive's own comparisons of the same task would only show that two blocks agree, not
        # which one is wrong.
        if other is None or other.task == comparison.task or len(found) < 2:
            continue
        sizes = known.evaluations()
        foreign = [
            c
            for c in checks
            if c.block == block
            and "whole number for" in c.detail
            and other.task in c.detail
            and known.metrics()[c.metric][0].id == tool
        ]
        if not foreign or sizes[other.task].instances == sizes[comparison.task].instances:
            continue
        mine = [
            c
            for c in cells
            if c.block == block and c.metric and known.metrics()[c.metric][0].id == tool
        ]
        key = f"{comparison.id}:{block}:{tool}:reused"
        yield (
            CauseRow(
                key,
                f"{comparison.title}: {tool} effects of {source}",
                "numbers of another comparison",
                comparison.id,
                len(mine),
                len(mine),
                0,
                f"{block}, {tool}: the effects printed are those of {source}",
                " | ".join(f"{c.metric}: {c.detail}" for c in (*found[:2], *foreign[:1])),
                f"{len(found)} of {len({c.metric for c in mine})} metrics by digits",
                0,
                f"the inputs are not archived; {len(found)} intervals coincide, and {len(foreign)} effects are impossible for "
                f"{sizes[comparison.task].instances} instances but possible for {sizes[other.task].instances}",
            ),
            [CauseCell(c.id, key) for c in mine],
        )


def _labels(
    comparison: Comparison, cells: list[PublishedCell], bench: Bench
) -> Iterable[tuple[CauseRow, CauseCell]]:
    """Labels of corrections that are contradicted by the numbers under them, or stand over numbers
    that no correction gives.
    """
    searches: dict[str, Search] = {}
    for cell in cells:
        if cell.quantity != "correction_label":
            continue
        if cell.block not in searches:
            here = [c for c in cells if not cell.block or c.block == cell.block]
            searches[cell.block] = Search(comparison, here, bench)
            searches[cell.block].explain_inputs()
        fitting = searches[cell.block].corrections_that_fit(cell.variant)
        if fitting is None or labelled_correction(cell.printed) in fitting:
            continue
        # Where nothing fits, the label is neither right nor wrong: it stands over wrong numbers.
        known = "label" if fitting else "label:unexplained"
        numbers = (
            f"the numbers are adjusted by {', '.join(sorted(fitting))}"
            if fitting
            else "no correction fits the numbers under it"
        )
        key = f"{cell.id}:{known}"
        yield (
            CauseRow(
                key,
                f"{comparison.title}: {'wrong label of' if fitting else 'no numbers of'} the correction",
                "wrong label" if fitting else "unexplained",
                comparison.id,
                1,
                1,
                0,
                f"the label says {cell.printed}, {numbers}",
                f"{cell.source}:{cell.line} prints {cell.printed!r}",
                "all cells" if fitting else "none",
                0,
                "every adjusted p-value of the output was recomputed under each correction",
            ),
            CauseCell(cell.id, key),
        )


def _printed(files: Iterable[Path]) -> list[PublishedCell]:
    """The printed values of all studies."""
    return [cell for path in files for cell in read_records(path, PublishedCell)]


def run() -> None:
    """Audit every study and write what was found."""
    known = present(catalog())
    inputs = [*statistics_files(known), REGENERATED / "statistics" / "tests.csv"]
    cells, tests = _printed(inputs[:-1]), read_records(inputs[-1], Test)
    scores = ScoreSet.load(*score_roots(known))
    rows, owners, checks = audit(cells, tests, scores, known, known.comparisons.values())
    findings = audit_scores(scores, known)
    choices = repeated(known, cells, tests, checks, Bench(scores, known))
    folder = REGENERATED / "audit"
    inputs += score_files(known)
    # `make` looks at causes.csv: it comes last, so that a killed audit is run again.
    for name, records, record in (
        ("cells.csv", owners, CauseCell),
        ("consistency.csv", checks, Check),
        ("scores.csv", findings, Finding),
        ("repeated.csv", choices, Repeated),
        ("causes.csv", rows, CauseRow),
    ):
        write_result(folder / name, records_text(records, record), inputs)
    explained = {o.id for o in owners if not o.cause.endswith(":unexplained")}
    absent = {
        (t.comparison, t.block, t.metric) for t in tests if t.note.startswith("no archived scores")
    }
    lost = sum(c.id in explained and (c.comparison, c.block, c.metric) in absent for c in cells)
    print(
        f"audit: {len(explained) - lost} printed values differ for a known cause, {lost} more have one "
        f"though their scores are not archived, {len(owners) - len(explained)} unexplained; "
        f"{len(findings)} findings in the scores; "
        f"{sum(c.result != 'consistent' for c in checks)} of {len(checks)} consistency checks flagged "
        f"-> {shown(folder)}"
    )
    for line in how_to_import(known):
        print(line)


def run_rescored() -> None:
    """Search for the causes of values recovered from rescored outputs (tier T2), other versions of
    the tools included.

    Both sides as `statistics.rescored` has them: archived scores where there are any, else those of
    `make rescore`.
    """
    known = present(catalog())
    versions = {
        path.name: ScoreSet.load(path)
        for path in sorted((REGENERATED / "other-versions").glob("*-*"))
    }
    bench = Bench(archived_and_rescored(), known, versions)
    inputs = [*statistics_files(known), REGENERATED / "statistics" / "rescored.csv"]
    cells, tests = _printed(inputs[:-1]), read_records(inputs[-1], Test)
    recovered = {(t.comparison, t.block, t.metric): t for t in tests}
    rows: list[CauseRow] = []
    owners: list[CauseCell] = []
    for name in dict.fromkeys(t.comparison for t in tests):
        comparison = replace(known.comparisons[name], pairing="id")
        for cause in Search(comparison, [c for c in cells if c.comparison == name], bench).run():
            rows.append(_row(cause, recovered, comparison))
            owners += [CauseCell(c.id, cause.key) for c in (*cause.blamed, *cause.carried)]
    folder = REGENERATED / "audit"
    inputs += [
        path
        for scores in versions.values()
        for path in sorted((scores.root / "scores").rglob("*.csv"))
    ]
    for file, records, record in (
        ("rescored-cells.csv", owners, CauseCell),
        ("rescored-causes.csv", rows, CauseRow),
    ):
        write_result(folder / file, records_text(records, record), inputs)
    explained = sum(r.cells for r in rows if r.kind != "unexplained")
    print(
        f"audit of recovered values: {explained} cells with a cause, {sum(r.cells for r in rows) - explained} unexplained; "
        f"tried with {', '.join(versions) or 'no other version of a tool (make setup-analysers)'} -> {shown(folder)}"
    )

"""`make verify`: verdicts for every file, cell and claim →
results/regenerated/verification/verdicts.csv.

Exit code 0: everything is accounted for (exact, within tolerance, different with a known cause, or
not reproducible with a reason); 1: a difference without a cause; 2: could not run.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.catalog.places import present, statistics_files, with_figures
from mtpeft.core.figures import Contrast
from mtpeft.core.files import read_text, text_lines
from mtpeft.core.paths import REGENERATED, shown
from mtpeft.core.provenance import write_result
from mtpeft.core.records import (
    VERDICTS,
    PublishedCell,
    Test,
    Verdict,
    read_records,
    read_rows,
    records_text,
    unaccounted,
)
from mtpeft.core.rescored import Difference, Line
from mtpeft.core.text import counted
from mtpeft.statistics.contrasts import Contrasts
from mtpeft.statistics.figures import FigureSet
from mtpeft.verification.cells import explained, judge_cells, judge_recovered
from mtpeft.verification.claims import Evidence, judge_claims
from mtpeft.verification.completeness import judge_completeness
from mtpeft.verification.on_demand import counts
from mtpeft.verification.rescored import judge_rescored
from mtpeft.verification.typed import judge_typed

_PLURAL = {
    "file": "files",
    "complete": "contents",
    "claim": "claims",
    "cell": "printed values",
    "typed": "typed values",
    "score": "scores",
    "recovered": "recovered values",
    "answers": "predictions",
    "trained": "means over seeds",
    "trained claim": "claims over seeds",
}
VERIFICATION = REGENERATED / "verification"


def run(quiet: bool = False) -> int:
    """Judge everything, write the verdicts and print the counts.

    Args:
        quiet: Whether to leave out the list of unexplained differences.

    Returns:
        The exit code.
    """
    known = present(catalog())
    printed = statistics_files(known)
    inputs = [
        REGENERATED / "statistics" / "tests.csv",
        REGENERATED / "audit" / "cells.csv",
        REGENERATED / "audit" / "consistency.csv",
        VERIFICATION / "files.csv",
    ]
    tests, causes = read_records(inputs[0], Test), _causes(inputs[1])
    cells = [cell for path in printed for cell in read_records(path, PublishedCell)]
    inputs += printed
    figures = {study.id: FigureSet.of(study) for study in with_figures(known)}
    contrasts = _contrasts(figures, inputs)
    evidence = Evidence(tests, cells, known, contrasts, figures, explained(causes))
    verdicts = [
        *read_records(VERIFICATION / "files.csv", Verdict),
        *judge_completeness(known, cells),
        *judge_claims(evidence),
        *judge_cells(cells, tests, causes, _suspicions(), known),
    ]
    for study, data in figures.items():
        if data.counterparts_path.is_file():
            inputs.append(data.counterparts_path)
            verdicts += judge_typed(study, data.counterparts)
    rescored = REGENERATED / "statistics" / "rescored.csv"
    if rescored.is_file():  # `make rescore` has run
        inputs += [rescored, REGENERATED / "audit" / "rescored-cells.csv"]
        verdicts += judge_recovered(cells, read_records(rescored, Test), _causes(inputs[-1]))
    again = [REGENERATED / "rescore" / f"{name}.csv" for name in ("summary", "differences")]
    if all(file.is_file() for file in again):
        inputs += again
        verdicts += judge_rescored(read_records(again[0], Line), read_records(again[1], Difference))
    for made in later_verdicts(REGENERATED):
        inputs.append(made)
        verdicts += read_records(made, Verdict)
    path = VERIFICATION / "verdicts.csv"
    write_result(path, records_text(verdicts, Verdict), inputs)
    unexplained = unaccounted(verdicts)
    if not quiet:
        for v in unexplained[:20]:
            print(f"unexplained: {v.id}: published {v.published}, recomputed {v.regenerated}")
    print(f"verify: {len(verdicts)} verdicts -> {shown(path)}")
    if quiet:
        return 1 if unexplained else 0
    return _conclude(verdicts)


def later(root: Path) -> list[Path]:
    """What later tiers have left below `root` and this stage reads.

    `later.txt` in this module's folder says what that can be; make reads the same list.
    """
    patterns = text_lines(read_text(Path(__file__).with_name("later.txt")))
    return [path for pattern in patterns for path in sorted(root.glob(pattern)) if path.is_file()]


def later_verdicts(root: Path) -> list[Path]:
    """Those of them that hold verdicts, of T3 and T4."""
    others = ("rescore", "statistics", "audit")
    return [
        path
        for path in later(root)
        if path.relative_to(root).parts[0] not in others and not path.name.endswith(".flipped.csv")
    ]


def _contrasts(figures: Mapping[str, FigureSet], inputs: list[Path]) -> dict[str, Contrasts]:
    """What the statistics stage made of the figures of each study; the files count as read."""
    if not figures:
        return {}
    path = REGENERATED / "statistics" / "contrasts.csv"
    inputs += [path, *(file for data in figures.values() for file in data.paths)]
    records = read_records(path, Contrast)
    return {study: Contrasts(records, study) for study in figures}


def _causes(path: Path) -> dict[str, str]:
    """Cell id → key of its cause, or of what the audit left unexplained."""
    return {row["id"]: row["cause"] for row in read_rows(path, ["id", "cause"])}


def conclude() -> int:
    """Print the counts of the verdicts on disk.

    Returns:
        The exit code that they mean.
    """
    return _conclude(read_records(VERIFICATION / "verdicts.csv", Verdict))


def _conclude(verdicts: list[Verdict]) -> int:
    for line in [*summary(verdicts), *counts(catalog(), verdicts)]:
        print(line)
    unexplained = unaccounted(verdicts)
    own = sum(v.unexplained for v in verdicts) - len(unexplained)
    if own:
        print(
            f"{counted(own, 'difference')} of answers and runs of your own: nothing is said of the archive"
        )
    print(f"{counted(len(unexplained), 'unexplained difference')}; {_next_to_read()}")
    return 1 if unexplained else 0


def _next_to_read() -> str:
    """The report where it shows these verdicts, else how to make it and what there is until then."""
    page, table = REGENERATED / "report" / "index.html", VERIFICATION / "verdicts.csv"
    if page.is_file() and page.stat().st_mtime >= table.stat().st_mtime:
        return f"report: {shown(page)}"
    return (
        f"all verdicts: {shown(table)}; one claim: mtpeft verify claim C1; the report: make report"
    )


def summary(verdicts: list[Verdict]) -> list[str]:
    """One line per kind: how many of each verdict, never merged."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for v in verdicts:
        counts[f"{v.tier} {_PLURAL[v.kind]}"][v.verdict] += 1
    return [
        f"{name:20}"
        + ", ".join(f"{counter[verdict]} {verdict}" for verdict in VERDICTS if counter[verdict])
        for name, counter in counts.items()
    ]


def _suspicions() -> dict[tuple[str, str, str], str]:
    """What the consistency checks found, by place, as a short text."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    total: Counter[tuple[str, str, str]] = Counter()
    for row in read_rows(REGENERATED / "audit" / "consistency.csv"):
        place = (row["comparison"], row["block"], row["metric"])
        total[place] += 1
        if row["result"] != "consistent":
            found[place].append(f"{row['check']}: {row['result']} ({row['detail']})")
    return {
        place: "; ".join(found[place]) if place in found else f"{number} consistency checks pass"
        for place, number in total.items()
    }

"""`make verify`: verdicts for every file, cell and claim →
results/regenerated/verification/verdicts.csv.

Exit code 0: everything is accounted for (exact, within tolerance, different with a known cause, or
not reproducible with a reason); 1: a difference without a cause; 2: could not run.
"""

from collections import Counter, defaultdict
from pathlib import Path

from mtpeft.catalog import Catalog, catalog
from mtpeft.catalog.places import present, published, statistics_files, with_figures
from mtpeft.catalog.schema import FIGURE_CLAIMS
from mtpeft.core.paths import REGENERATED, shown
from mtpeft.core.provenance import write_result
from mtpeft.core.records import (
    VERDICTS,
    PublishedCell,
    Test,
    Verdict,
    read_frame,
    read_records,
    records_text,
)
from mtpeft.statistics.published import Published
from mtpeft.verification.cells import judge_cells, judge_recovered
from mtpeft.verification.claims import judge_claims
from mtpeft.verification.multitask import judge
from mtpeft.verification.on_demand import counts

_PLURAL = {
    "file": "files",
    "claim": "claims",
    "cell": "printed values",
    "score": "scores",
    "recovered": "recovered values",
    "answers": "predictions",
    "trained": "means over seeds",
    "trained claim": "claims over seeds",
}
VERIFICATION = REGENERATED / "verification"


def _every_claim_has_its_figures(known: Catalog) -> None:
    """Refuse a claim about figures that its study does not have: it would go without a verdict."""
    able = {study.id for study in with_figures(known)}
    for claim in known.claims.values():
        if claim.kind in FIGURE_CLAIMS and claim.study not in able:
            place = published(known.studies[claim.study]) / "figures.csv"
            raise known.bad(
                "claims",
                claim.id,
                claim.kind,
                f"{claim.kind} judges figures, and {claim.study} has none",
                f"{shown(place)}, or another kind of claim",
                f"mtpeft study check {shown(known.studies[claim.study].folder)}",
            )


def run(quiet: bool = False) -> int:
    """Judge everything, write the verdicts, print the counts; returns the exit code."""
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
    verdicts = [
        *read_records(VERIFICATION / "files.csv", Verdict),
        *judge_claims(tests, cells, known),
        *judge_cells(cells, tests, causes, _suspicions(), known),
    ]
    _every_claim_has_its_figures(known)
    for study in with_figures(known):
        figures = Published(published(study))
        inputs += figures.paths
        verdicts += judge(known, figures, study.id)
    rescored = REGENERATED / "statistics" / "rescored.csv"
    if rescored.is_file():  # `make rescore` has run
        inputs += [rescored, REGENERATED / "audit" / "rescored-cells.csv"]
        verdicts += judge_recovered(cells, read_records(rescored, Test), _causes(inputs[-1]))
    made = [
        p
        for p in sorted((VERIFICATION / "answers").glob("*.csv"))
        if not p.name.endswith(".flipped.csv")
    ]
    # verdicts of T2, T3 and T4, where these tiers have run
    for again in [REGENERATED / "rescore" / "verdicts.csv", *made, VERIFICATION / "seeds.csv"]:
        if again.is_file():
            inputs.append(again)
            verdicts += read_records(again, Verdict)
    path = VERIFICATION / "verdicts.csv"
    write_result(path, records_text(verdicts, Verdict), inputs)
    unexplained = [v for v in verdicts if v.unexplained]
    if not quiet:
        for v in unexplained[:20]:
            print(f"unexplained: {v.id}: published {v.published}, recomputed {v.regenerated}")
    print(f"verify: {len(verdicts)} verdicts -> {shown(path)}")
    for line in counts(known, verdicts):
        print(line)
    return 1 if unexplained else 0


def _causes(path: Path) -> dict[str, str]:
    """Cell id → key of its cause; what the audit left unexplained has none."""
    frame = read_frame(path, ["id", "cause"])
    return dict(
        frame[~frame["cause"].str.endswith(":unexplained")].itertuples(index=False, name=None)
    )


def conclude() -> int:
    """Print the counts of the verdicts on disk; returns the exit code that they mean."""
    verdicts = read_records(VERIFICATION / "verdicts.csv", Verdict)
    for line in [*summary(verdicts), *counts(catalog(), verdicts)]:
        print(line)
    unexplained = [v for v in verdicts if v.unexplained]
    print(
        f"{len(unexplained)} unexplained differences; report: {shown(REGENERATED / 'report' / 'index.html')}"
    )
    return 1 if unexplained else 0


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
    frame = read_frame(REGENERATED / "audit" / "consistency.csv")
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    total: Counter[tuple[str, str, str]] = Counter()
    for row in frame.itertuples(index=False):
        place = (row.comparison, row.block, row.metric)
        total[place] += 1
        if row.result != "consistent":
            found[place].append(f"{row.check}: {row.result} ({row.detail})")
    return {
        place: "; ".join(found[place]) if place in found else f"{number} consistency checks pass"
        for place, number in total.items()
    }

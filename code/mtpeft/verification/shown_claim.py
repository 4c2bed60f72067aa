"""`mtpeft verify claim`: one claim with everything that its verdict rests on.

The rule is run again on evidence that remembers what was read of it, so that the cells shown are
those that the rule looked at, not a second account of them.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mtpeft.catalog import Claim, catalog
from mtpeft.catalog.places import present, statistics_files, with_figures
from mtpeft.core.errors import MtpeftError
from mtpeft.core.figures import Contrast
from mtpeft.core.paths import REGENERATED
from mtpeft.core.records import PublishedCell, Test, Verdict, read_records
from mtpeft.core.text import counted
from mtpeft.statistics.contrasts import Contrasts
from mtpeft.statistics.figures import FigureSet
from mtpeft.statistics.printed import SIGNIFICANCE, adjusted
from mtpeft.verification.claims import Evidence
from mtpeft.verification.claims.changes import change
from mtpeft.verification.claims.registry import judge_claim


class Remembered(Contrasts):
    """Contrasts of a study that remember which of them were asked for."""

    def __init__(self, records: Iterable[Contrast], study: str) -> None:
        super().__init__(records, study)
        self.read: dict[Contrast, None] = {}

    def find(self, edition: str, quantity: str, **wanted: str) -> list[Contrast]:
        """Those whose attributes have these values; each is remembered."""
        found = super().find(edition, quantity, **wanted)
        self.read |= dict.fromkeys(found)
        return found


@dataclass(frozen=True)
class Shown:
    """A claim and what its verdict rests on.

    Attributes:
        claim: The claim.
        verdict: Its verdict.
        rows: What the rule looked at: the place, and what stands there.
    """

    claim: Claim
    verdict: Verdict
    rows: list[tuple[str, str]]


def show(name: str) -> Shown:
    """The claim of an id with its verdict and the cells that were counted.

    Raises:
        UnknownName: No claim has this id.
        MtpeftError: Its study is imported on demand, and is not here.
        BadInput: The statistics stage has not run.
    """
    whole = catalog()
    claim: Claim = whole.get("claims", name)
    known = present(whole)
    if name not in known.claims:
        raise MtpeftError(
            f"the figures of {claim.study} are not here",
            "an imported study",
            f"mtpeft archive import {claim.study}",
        )
    tests = read_records(REGENERATED / "statistics" / "tests.csv", Test)
    cells = [c for path in statistics_files(known) for c in read_records(path, PublishedCell)]
    figures = {study.id: FigureSet.of(study) for study in with_figures(known)}
    contrasts: dict[str, Contrasts] = {}
    if claim.study in figures:
        path = REGENERATED / "statistics" / "contrasts.csv"
        contrasts[claim.study] = Remembered(read_records(path, Contrast), claim.study)
    evidence = Evidence(tests, cells, known, contrasts, figures)
    verdict = judge_claim(claim, evidence)
    # Causes and the final word are those of the last verification, which knows the audit.
    last = REGENERATED / "verification" / "verdicts.csv"
    for judged in read_records(last, Verdict):
        if (judged.kind, judged.id) == ("claim", name):
            verdict = judged
    read = contrasts.get(claim.study)
    rows = (
        list(_figures(read.read))
        if isinstance(read, Remembered) and read.read
        else list(_tests(claim, evidence))
    )
    return Shown(claim, verdict, rows)


def _figures(read: Iterable[Contrast]) -> Iterator[tuple[str, str]]:
    for c in read:
        place = " ".join(
            filter(None, (c.edition, c.quantity, c.setting, c.backbone, c.method, c.task))
        )
        against = f" against {c.against}" if c.against else ""
        error = "" if math.isnan(c.error) else f" ± {c.error:.3g}"
        yield place + against, f"{c.value:.4g}{error} {c.unit}".rstrip()


def _named(options: dict[str, Any], one: str, many: str) -> set[str] | None:
    """The ids that a claim's options name, None where they name none and all are meant."""
    named = options.get(many, [options[one]] if one in options else None)
    return None if named is None else set(named)


def _tests(claim: Claim, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The tests that a claim speaks of, printed next to recomputed."""
    options, known = claim.options, evidence.known
    comparisons = _named(options, "comparison", "comparisons")
    if comparisons is None:
        comparisons = {
            c.id
            for c in known.of("comparisons", claim.study)
            if options.get("question", c.question) == c.question and c.test != "summary"
        }
    blocks, metrics = _named(options, "block", "blocks"), _named(options, "metric", "metrics")
    printed = {
        (c.comparison, c.block, c.metric): c.printed
        for c in evidence.cells
        if c.quantity == "significant"
        and c.comparison in comparisons
        and c.adjustment == known.comparisons[c.comparison].adjustment
    }
    for test in evidence.tests:
        place = (test.comparison, test.block, test.metric)
        if (
            test.protocol != "as-published"
            or test.comparison not in comparisons
            or (blocks is not None and test.block not in blocks)
            or (metrics is not None and test.metric not in metrics)
        ):
            continue
        p = adjusted(test, options.get("adjustment", known.comparisons[test.comparison].adjustment))
        says = "NA" if math.isnan(p) else "Yes" if p < SIGNIFICANCE else "No"
        parts = [
            f"printed {printed[place]}, recomputed {says}" if place in printed else f"{says}",
            "p adjusted –" if math.isnan(p) else f"p adjusted {p:.4f}",
            f"change {change(test):+.1f} %" if not math.isnan(change(test)) else "",
        ]
        yield " ".join(place), ", ".join(filter(None, parts))


def lines(shown: Shown) -> Iterator[str]:
    """What the command prints of a claim."""
    claim, verdict = shown.claim, shown.verdict
    yield f"{claim.id}: {claim.text}"
    for title, text in (
        ("source", claim.source),
        ("rule", verdict.tolerance),
        ("said", verdict.published),
        ("expected", claim.expected),
        ("found", verdict.regenerated),
        ("corrected", verdict.corrected),
        ("verdict", verdict.verdict),
        ("reason", verdict.reason),
        ("cause", verdict.cause),
    ):
        if text:
            yield f"  {title:10}{text}"
    yield f"  {'read':10}{counted(len(shown.rows), 'cell')}, as published:"
    width = max((len(place) for place, _ in shown.rows), default=0)
    for place, text in shown.rows:
        yield f"    {place:{width}}  {text}"

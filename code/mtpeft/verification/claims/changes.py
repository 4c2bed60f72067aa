"""Rules about tests: changes of means, and which differences are significant.

A rule computes the figure from test records under both protocols; it never looks for a figure that
would fit. Where the stated place does not give the stated figure, the verdict is `differs`, and the
reason lists where in the same study the figure does occur.
"""

import math

from mtpeft.catalog import Claim
from mtpeft.core.records import Test, Verdict
from mtpeft.statistics.printed import SIGNIFICANCE, adjusted, same
from mtpeft.verification.claims.registry import Evidence, rule

ELSEWHERE = "a figure that belongs to another place of the study"
BY_CELLS = "printed cells that differ, each with a cause of its own"


def _verdict(
    claim: Claim,
    published: str,
    regenerated: str,
    corrected: str,
    verdict: str,
    reason: str,
    rule: str,
    cause: str = "",
) -> Verdict:
    return Verdict(
        id=claim.id,
        tier="T1",
        kind="claim",
        published=published,
        archived="",
        regenerated=regenerated,
        tolerance=rule,
        tolerance_source="printed precision",
        verdict=verdict,
        reason=reason,
        cause=cause,
        corrected=corrected,
        command=f"make {claim.table}" if claim.table else "make verify",
    )


def change(test: Test | None) -> float:
    """Relative change from side A to side B in percent; NaN where undefined."""
    if test is None or not test.mean_a or math.isnan(test.mean_a):
        return math.nan
    return (test.mean_b - test.mean_a) / test.mean_a * 100


@rule
def relative_change(claim: Claim, evidence: Evidence) -> Verdict:
    """Options: comparison, block, metric, percent (B relative to A, as printed, text)."""
    options = claim.options
    printed = str(options["percent"])
    decimals = len(printed.partition(".")[2])
    place = (options["comparison"], options["block"], options["metric"])
    now, new = (
        change(evidence.find(protocol, *place)) for protocol in ("as-published", "corrected")
    )
    equal = f"{now:.{decimals}f}" == f"{float(printed):.{decimals}f}"
    places = [] if equal else _elsewhere(printed, decimals, place, evidence)
    reason = (
        ""
        if equal
        else "the stated place gives another change; the printed one occurs "
        + ("at " + "; ".join(places[:4]) if places else "nowhere among the study's comparisons")
    )
    return _verdict(
        claim,
        f"{float(printed):+.{decimals}f} %",
        f"{now:+.{decimals}f} %",
        f"{new:+.{decimals}f} %",
        "exact" if equal else "differs",
        reason,
        "change of the mean from A to B, relative, at printed decimals",
        ELSEWHERE if places else "",
    )


def _elsewhere(
    printed: str, decimals: int, place: tuple[str, str, str], evidence: Evidence
) -> list[str]:
    """Where else in the study the printed change occurs, relative or in points; same metric and
    block first.
    """
    hits = []
    for test in evidence.tests:
        if test.protocol != "as-published" or (test.comparison, test.block, test.metric) == place:
            continue
        points = (test.mean_b - test.mean_a) * (
            100 if evidence.known.metrics()[test.metric][1].percent else 1
        )
        for value, what in ((change(test), "relative"), (points, "in points")):
            if (
                not math.isnan(value)
                and f"{value:.{decimals}f}" == f"{float(printed):.{decimals}f}"
            ):
                hits.append(
                    (
                        test.metric == place[2],
                        test.block == place[1],
                        f"{test.comparison} {test.block} {test.metric} ({what})",
                    )
                )
    return [text for *_, text in sorted(hits, key=lambda h: (not h[0], not h[1], h[2]))]


@rule
def largest_change(claim: Claim, evidence: Evidence) -> Verdict:
    """Options: comparisons, blocks, metrics, percent: the largest change (B relative to A) over all
    of them, as printed.
    """
    options = claim.options
    printed = str(options["percent"])

    def largest(protocol: str) -> tuple[float, str]:
        found = [
            (change(t), f"{t.comparison} {t.block} {t.metric}")
            for t in evidence.tests
            if t.protocol == protocol
            and t.comparison in options["comparisons"]
            and t.block in options["blocks"]
            and t.metric in options["metrics"]
            and not math.isnan(change(t))
        ]
        return max(found, default=(math.nan, "no test"))

    (now, where), (new, _) = largest("as-published"), largest("corrected")
    decimals = len(printed.partition(".")[2])
    equal = f"{now:.{decimals}f}" == f"{float(printed):.{decimals}f}"
    return _verdict(
        claim,
        f"up to {float(printed):+.{decimals}f} %",
        f"{now:+.{decimals}f} % ({where})",
        f"{new:+.{decimals}f} %",
        "exact" if equal else "differs",
        "" if equal else "the largest change is another one",
        "largest relative change over the named comparisons, at printed decimals",
    )


@rule
def none_significant(claim: Claim, evidence: Evidence) -> Verdict:
    """Options: comparisons, blocks (optional), adjustment: no adjusted p-value is below 0.05. Held
    against the printed cells.
    """
    options = claim.options

    def below(protocol: str) -> list[Test]:
        return [
            t
            for t in evidence.tests
            if t.protocol == protocol
            and t.comparison in options["comparisons"]
            and t.block in options.get("blocks", [t.block])
            and adjusted(t, options["adjustment"]) < SIGNIFICANCE
        ]

    now, new = below("as-published"), below("corrected")
    describe = [
        f"{len(found)} significant"
        + (
            ": " + ", ".join(f"{t.comparison} {t.block} {t.metric}" for t in found[:3])
            if found
            else ""
        )
        for found in (now, new)
    ]
    return _verdict(
        claim,
        "0 significant",
        describe[0],
        describe[1],
        "exact" if not now else "differs",
        "" if not now else "at least one adjusted p-value is below 0.05",
        "adjusted p-values below 0.05",
    )


@rule
def count_significant(claim: Claim, evidence: Evidence) -> Verdict:
    """Options: question, variant (suffix of the output to count in): printed yes/no against
    recomputed ones, cell by cell.
    """
    options = claim.options
    comparisons = {
        c.id
        for c in evidence.known.of("comparisons", claim.study)
        if c.question == options["question"] and c.test != "summary"
    }
    cells = [
        c
        for c in evidence.cells
        if c.comparison in comparisons
        and c.quantity == "significant"
        and c.adjustment == evidence.known.comparisons[c.comparison].adjustment
    ]
    tests = {(t.protocol, t.comparison, t.block, t.metric): t for t in evidence.tests}

    def yes(protocol: str) -> tuple[int, int]:
        counted = checkable = 0
        for cell in cells:
            test = tests[protocol, cell.comparison, cell.block, cell.metric]
            p = adjusted(test, cell.adjustment)
            if cell.printed != "NA" and not math.isnan(p):
                checkable += 1
                counted += p < SIGNIFICANCE
        return counted, checkable

    printed = sum(same("Yes", c.printed) for c in cells)
    (now, checkable), (new, _) = yes("as-published"), yes("corrected")
    total = sum(c.printed != "NA" for c in cells)
    if checkable < total:
        verdict, reason = (
            "not reproducible",
            f"only {checkable} of {total} of these tests can be recomputed from the archive",
        )
    else:
        verdict = "exact" if now == printed else "differs"
        reason = "" if now == printed else "see the cells that differ, by cause"
    return _verdict(
        claim,
        f"{printed} of {total} significant",
        f"{now} of {checkable}",
        f"{new}",
        verdict,
        reason,
        "tests with adjusted p below 0.05 under the correction printed in the paper",
        BY_CELLS if verdict == "differs" else "",
    )

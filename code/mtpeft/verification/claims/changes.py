"""Rules about tests: changes of means, and which differences are significant.

A rule computes the figure from test records under both protocols; it never looks for a figure that
would fit. Where the stated place does not give the stated figure, the verdict is `differs`, and the
reason lists where in the same study the figure does occur.
"""

import math
from collections.abc import Sequence

from mtpeft.catalog import Claim
from mtpeft.core.records import PublishedCell, Test, Verdict
from mtpeft.statistics.printed import SIGNIFICANCE, adjusted, same
from mtpeft.verification.cells import rests_on
from mtpeft.verification.claims.registry import Evidence, rule

ELSEWHERE = "a figure that belongs to another place of the study"
BY_CELLS = "printed cells that differ, each with a cause of its own"
CHANCE = 0.05
"""Expected number of places that print a figure by accident, above which a hit is no cause."""


def _verdict(
    claim: Claim,
    published: str,
    regenerated: str,
    corrected: str,
    verdict: str,
    reason: str,
    rule: str,
    cause: str = "",
    about: str = "",
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
        rests_on=about,
    )


def change(test: Test | None) -> float:
    """Relative change from side A to side B in percent; NaN where undefined."""
    if test is None or not test.mean_a or math.isnan(test.mean_a):
        return math.nan
    return (test.mean_b - test.mean_a) / test.mean_a * 100


@rule
def relative_change(claim: Claim, evidence: Evidence) -> Verdict:
    """The change of one metric in one block, as printed.

    Options: comparison, block, metric, percent (B relative to A, as printed, text).
    """
    options = claim.options
    printed = str(options["percent"])
    decimals = len(printed.partition(".")[2])
    place = (options["comparison"], options["block"], options["metric"])
    now, new = (
        change(evidence.find(protocol, *place)) for protocol in ("as-published", "corrected")
    )
    said = f"{float(printed):+.{decimals}f} %"
    how = "change of the mean from A to B, relative, at printed decimals"
    if math.isnan(now):
        reason = "no change can be computed there: a mean is absent, or that of A is zero"
        return _verdict(claim, said, "", "", "not reproducible", reason, how)
    equal = f"{now:.{decimals}f}" == f"{float(printed):.{decimals}f}"
    reason, cause = ("", "") if equal else _elsewhere(printed, decimals, place, evidence)
    return _verdict(
        claim,
        said,
        f"{now:+.{decimals}f} %",
        f"{new:+.{decimals}f} %",
        "exact" if equal else "differs",
        reason,
        how,
        cause,
        rests_on(test) if (test := evidence.find("as-published", *place)) else "",
    )


def _elsewhere(
    printed: str, decimals: int, place: tuple[str, str, str], evidence: Evidence
) -> tuple[str, str]:
    """Where else a printed change occurs that is not that of its place.

    A place counts where it has the same metric: first those in a block of the same name, then all,
    with the metrics of the same tool in the same block. What chance explains is no cause: the
    expected number of places that print the same figure by accident must stay below `CHANCE`. It is
    the number of candidates times the rate at which the study's other figures, which cannot be
    meant, fall on one printed value near this one.

    Args:
        printed: The change in percent, as text.
        decimals: How many decimals it is printed with.
        place: Its comparison, block and metric.
        evidence: The tests to look through.

    Returns:
        The reason, and the cause (empty where chance explains the coincidence).
    """
    known = evidence.known.metrics()
    tool = known[place[2]][0].id if place[2] in known else ""
    wanted = f"{float(printed):.{decimals}f}"
    near: list[tuple[float, str]] = []
    far: list[tuple[float, str]] = []
    others: list[float] = []
    for test in evidence.tests:
        here = (test.comparison, test.block, test.metric)
        if test.protocol != "as-published" or here == place:
            continue
        points = (test.mean_b - test.mean_a) * (100 if known[test.metric][1].percent else 1)
        for value, what in ((change(test), "relative"), (points, "in points")):
            if math.isnan(value):
                continue
            text = f"{test.comparison} {test.block} {test.metric} ({what})"
            if test.metric == place[2] and test.block == place[1]:
                near.append((value, text))
            elif test.metric == place[2] or (
                here[:2] == place[:2] and known[test.metric][0].id == tool
            ):
                far.append((value, text))
            else:
                others.append(value)
    rate = _rate(others, float(printed), decimals)
    wrong = "the stated place gives another change"
    for candidates in (near, near + far):
        hits = [text for value, text in candidates if f"{value:.{decimals}f}" == wanted]
        expected = rate * len(candidates)
        if hits:
            found = (
                f"{wrong}; the printed one occurs at {'; '.join(hits[:4])}: {len(hits)} of "
                f"{len(candidates)} places that may be meant, {expected:.2g} expected by chance"
            )
            return found, ELSEWHERE if expected < CHANCE else ""
    return f"{wrong}; the printed one occurs nowhere where it may be meant", ""


def _rate(values: list[float], printed: float, decimals: int) -> float:
    """How often one of `values` falls on a given printed value near `printed`."""
    step = 10.0**-decimals
    half = max(10 * step, abs(printed) / 2)
    inside = sum(abs(value - printed) <= half for value in values)
    steps = 2 * half / step + 1
    return (inside + 1) / (len(values) + 1) / steps


@rule
def largest_change(claim: Claim, evidence: Evidence) -> Verdict:
    """The largest change (B relative to A) over all places that the claim names, as printed.

    Options: comparisons, blocks, metrics, percent.
    """
    options = claim.options
    printed = str(options["percent"])
    named = _named(evidence, options["comparisons"], options["blocks"], options["metrics"])

    def largest(protocol: str) -> tuple[float, str]:
        found = [(change(evidence.find(protocol, *place)), " ".join(place)) for place in named]
        return max((f for f in found if not math.isnan(f[0])), default=(math.nan, ""))

    (now, where), (new, _) = largest("as-published"), largest("corrected")
    decimals = len(printed.partition(".")[2])
    said = f"up to {float(printed):+.{decimals}f} %"
    how = "largest relative change over the named comparisons, at printed decimals"
    without = [p for p in named if math.isnan(change(evidence.find("as-published", *p)))]
    if without or not named:
        return _verdict(claim, said, "", "", "not reproducible", _lacking(named, without), how)
    equal = f"{now:.{decimals}f}" == f"{float(printed):.{decimals}f}"
    return _verdict(
        claim,
        said,
        f"{now:+.{decimals}f} % ({where})",
        f"{new:+.{decimals}f} %",
        "exact" if equal else "differs",
        "" if equal else "the largest change is another one",
        how,
        about=f"{len(named)} tests, none absent",
    )


Place = tuple[str, str, str]  # comparison, block, metric


def _named(
    evidence: Evidence,
    comparisons: Sequence[str],
    blocks: Sequence[str] | None,
    metrics: Sequence[str] | None,
) -> list[Place]:
    """Every place that a claim speaks of, whether or not it has a test."""
    known = evidence.known.comparisons
    return [
        (name, block.id, metric)
        for name in comparisons
        if name in known
        for block in known[name].blocks
        for metric in known[name].metrics
        if (blocks is None or block.id in blocks) and (metrics is None or metric in metrics)
    ]


def _lacking(named: Sequence[Place], without: Sequence[Place]) -> str:
    """Why a statement about all of them cannot be checked."""
    if not named:
        return "no comparison of the catalog is what the claim speaks of"
    shown = ", ".join(" ".join(place) for place in without[:3])
    more = f" and {len(without) - 3} more" if len(without) > 3 else ""
    return (
        f"{len(without)} of {len(named)} tests that the claim speaks of are absent: {shown}{more}"
    )


@rule
def none_significant(claim: Claim, evidence: Evidence) -> Verdict:
    """No recomputed test has an adjusted p-value below 0.05; where one cannot be recomputed, the
    claim is not reproducible.

    Options: comparisons, blocks (optional), adjustment.
    """
    options = claim.options
    named = _named(evidence, options["comparisons"], options.get("blocks"), None)
    without = [
        place
        for place in named
        if not _tested(evidence.find("as-published", *place), options["adjustment"])
    ]
    how = "adjusted p-values below 0.05"
    if without or not named:
        reason = _lacking(named, without)
        return _verdict(claim, "0 significant", "", "", "not reproducible", reason, how)

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
        how,
        about=f"{len(named)} tests, none absent",
    )


def _tested(test: Test | None, adjustment: str) -> bool:
    """Whether a test has an adjusted p-value, or pairs without any difference, which have none."""
    if test is None or not test.n_pairs or test.note:
        return False
    return not math.isnan(adjusted(test, adjustment)) or math.isnan(test.p)


@rule
def count_significant(claim: Claim, evidence: Evidence) -> Verdict:
    """How many results are significant: printed yes/no against recomputed ones, cell by cell.

    Options: question, variant (suffix of the output to count in).
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

    def p_of(cell: PublishedCell, protocol: str) -> float:
        test = tests.get((protocol, cell.comparison, cell.block, cell.metric))
        return math.nan if test is None else adjusted(test, cell.adjustment)

    def yes(protocol: str) -> tuple[int, int]:
        found = [p_of(cell, protocol) for cell in cells if cell.printed != "NA"]
        known = [p for p in found if not math.isnan(p)]
        return sum(p < SIGNIFICANCE for p in known), len(known)

    printed = sum(same("Yes", c.printed) for c in cells)
    (now, checkable), (new, _) = yes("as-published"), yes("corrected")
    total = sum(c.printed != "NA" for c in cells)
    turned = [
        cell
        for cell in cells
        if cell.printed != "NA"
        and not math.isnan(p := p_of(cell, "as-published"))
        and same("Yes", cell.printed) != (p < SIGNIFICANCE)
    ]
    unexplained = [cell.id for cell in turned if not evidence.causes.get(cell.id)]
    if checkable < total or not total:
        verdict, reason = (
            "not reproducible",
            f"only {checkable} of {total} of these tests can be recomputed from the archive",
        )
    else:
        verdict = "exact" if now == printed else "differs"
        reason = ""
        if now != printed:
            reason = (
                f"{len(turned)} printed significance labels flip, {len(unexplained)} without a cause"
                + (f" ({', '.join(unexplained[:3])})" if unexplained else "")
            )
    return _verdict(
        claim,
        f"{printed} of {total} significant",
        f"{now} of {checkable}",
        f"{new}",
        verdict,
        reason,
        "tests with adjusted p below 0.05 under the correction printed in the paper",
        BY_CELLS if verdict == "differs" and turned and not unexplained else "",
        f"{checkable} of {total} printed yes/no; {len(cells) - total} print none",
    )

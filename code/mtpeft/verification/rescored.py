"""Tier T2: archived outputs scored again, against the archived scores.

An instance is equal where every metric is; a run is `exact` where all its archived instances are. A
difference is explained where every value that differs has a reason that scoring found.
"""

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from mtpeft.core.records import Verdict, format_value
from mtpeft.core.rescored import Difference, Line


def judge_rescored(lines: Iterable[Line], differences: Iterable[Difference]) -> list[Verdict]:
    """One verdict for each tool, evaluation set and run whose scores are archived."""
    reasons: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for difference in differences:
        key = (difference.tool, difference.evaluation, difference.run)
        reasons[key].add(difference.reason)
    return [
        judge_line(line, reasons[line.tool, line.evaluation, line.run])
        for line in lines
        if line.answers_to and line.instances != line.not_archived
    ]


def judge_line(line: Line, reasons: AbstractSet[str] = frozenset()) -> Verdict:
    """The verdict on one line of the summary: `exact` where every archived instance has every value
    again.

    Args:
        line: Counts of one run.
        reasons: Those of its differences; they are the cause where every difference has one.
    """
    compared = line.equal + line.within_tolerance + line.different
    reason = line.reason
    if reason.startswith("cannot run here"):
        kind = "cannot run here"
    elif reason.startswith("not reproducible"):
        kind = "not reproducible"
    elif not compared:
        kind = "not run"
    elif line.different or line.no_output:
        kind = "differs"
    else:
        kind = "within tolerance" if line.within_tolerance else "exact"
    return Verdict(
        id="/".join(filter(None, ["score", line.tool, line.evaluation, line.run])),
        tier="T2",
        kind="score",
        published="",
        archived=f"{compared + line.no_output + line.cannot_run_here} instances",
        regenerated=f"{line.equal} equal, {line.within_tolerance} within tolerance, "
        f"{line.different} different",
        tolerance=format_value(line.tolerance),
        tolerance_source="counts must be equal" if not line.tolerance else "order of summation",
        verdict=kind,
        reason=reason,
        command="make rescore",
        cause="; ".join(sorted(reasons)) if kind == "differs" and "" not in reasons else "",
        rests_on=f"{compared} of {line.instances} instances; {line.no_output} without an output, "
        f"{line.cannot_run_here} cannot run here, {line.not_archived} not archived",
    )

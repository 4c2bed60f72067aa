"""Counting verdicts: how many of each, which groups, and whether every difference is accounted for."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mtpeft.core.records import OWN, VERDICTS, PublishedCell, Test, Verdict, unaccounted
from mtpeft.statistics.printed import adjusted, significant

# A table cell can stand for several printed renderings of one value; it shows the verdict that
# needs most attention.
_ATTENTION = (
    "differs",
    "not reproducible",
    "cannot run here",
    "not run",
    "within tolerance",
    "exact",
)

KIND_TITLES = {
    "claim": "Claims",
    "cell": "Printed values",
    "typed": "Typed values",
    "file": "Files",
    "complete": "Tables and outputs, complete",
    "score": "Scores per instance",
    "recovered": "Printed values from rescored outputs",
    "answers": "Predictions made again",
    "trained": "Means of runs trained again",
    "trained claim": "Claims, from runs trained again",
}


def count(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Number of each verdict, every verdict listed, in the order of the ladder."""
    found = Counter(v.verdict for v in verdicts)
    return {name: found.get(name, 0) for name in VERDICTS}


def count_by_kind(verdicts: Iterable[Verdict]) -> dict[str, dict[str, int]]:
    """Counts per kind of thing that was verified, known kinds first, kinds without verdicts left
    out.
    """
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.kind, []).append(verdict)
    order = [*KIND_TITLES, *sorted(groups.keys() - KIND_TITLES.keys())]
    return {kind: count(groups[kind]) for kind in order if kind in groups}


def exit_code(verdicts: list[Verdict]) -> int:
    """The exit code that the verdicts mean: 0 everything is accounted for; 1 a difference is
    unexplained; 2 nothing was verified.
    """
    if not verdicts:
        return 2
    return 1 if unaccounted(verdicts) else 0


OUTCOMES = {
    "holds": ("exact", "within tolerance"),
    "does not hold as worded": ("differs",),
    "cannot be checked": ("not reproducible", "cannot run here"),
    "not checked yet": ("not run",),
}
"""What a verdict of the ladder means for a claim."""


def outcome(verdict: str) -> str:
    """Whether a claim with this verdict holds."""
    return next(name for name, members in OUTCOMES.items() if verdict in members)


def count_outcomes(verdicts: Iterable[str]) -> dict[str, int]:
    """How many claims hold, do not, cannot be checked; every outcome listed.

    Args:
        verdicts: The verdict of each claim.
    """
    found = Counter(map(outcome, verdicts))
    return {name: found.get(name, 0) for name in OUTCOMES}


def headline(outcomes: dict[str, int]) -> str:
    """The counts of the claims in one sentence; empty where there is no claim."""
    total = sum(outcomes.values())
    if not total:
        return ""
    hold, fail, unknown, open_ = outcomes.values()
    parts = [f"{hold} of {total} claim{'' if total == 1 else 's'} hold{'s' if hold == 1 else ''}"]
    if fail:
        parts.append(f"{fail} {'does' if fail == 1 else 'do'} not as worded")
    if unknown:
        parts.append(f"{unknown} cannot be checked")
    if open_:
        parts.append(f"{open_} {'is' if open_ == 1 else 'are'} not checked yet")
    return ", ".join(parts)


def turned_by_recomputing(
    cells: Iterable[PublishedCell], verdict_of: dict[tuple[str, str], Verdict]
) -> list[PublishedCell]:
    """The printed yes/no that the recomputed value contradicts.

    Args:
        cells: The printed values.
        verdict_of: The verdicts by (kind, id).
    """
    words = {"Yes", "No"}
    return [
        cell
        for cell in cells
        if cell.quantity == "significant"
        and (verdict := verdict_of.get(("cell", cell.id)))
        and {cell.printed, verdict.regenerated} == words
    ]


def conclusion_turns(published: Test | None, corrected: Test | None, adjustment: str) -> bool:
    """Whether the corrected protocol comes to another yes/no than the recomputed one. `NA` is no
    conclusion.

    Args:
        published: The recomputed test as the study does it.
        corrected: The same test under the corrected protocol.
        adjustment: The correction that the study uses.
    """
    if published is None or corrected is None:
        return False
    words = {significant(adjusted(test, adjustment)) for test in (published, corrected)}
    return words == {"Yes", "No"}


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict that needs most attention; an unexplained difference before an explained one."""
    ranked = sorted(verdicts, key=lambda v: (_ATTENTION.index(v.verdict), bool(v.cause)))
    return ranked[0] if ranked else None


@dataclass(frozen=True)
class Group:
    """Verdicts that are not clean and share a cause.

    Attributes:
        key: The audited cause, or the reason where there is none.
        title: What the group is called on the page.
        verdicts: Its members.
        cause: The audit's record of the cause; None where there is none.
    """

    key: str
    title: str
    verdicts: list[Verdict]
    cause: dict[str, str] | None

    @property
    def unexplained(self) -> bool:
        """Whether any of them differs without a cause."""
        return any(v.unexplained for v in self.verdicts)

    @property
    def audited(self) -> bool:
        """Whether the audit found their cause."""
        return self.cause is not None and self.cause.get("kind") != "unexplained"

    @property
    def changed(self) -> int:
        """In how many of its members the conclusion changes."""
        return sum(v.conclusion_changes == "yes" for v in self.verdicts)


def group_by_cause(
    verdicts: Iterable[Verdict], causes: dict[str, dict[str, str]] | None
) -> list[Group]:
    """Everything shipped that is not exact and not within tolerance, grouped: unexplained first,
    then differences, then the largest. A user's own answers and runs stand apart.
    """
    members: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.verdict not in ("exact", "within tolerance") and verdict.kind not in OWN:
            # What follows the first semicolon of a reason is particular to the cell.
            reason = verdict.reason.partition(";")[0]
            label = verdict.cause or ("" if verdict.unexplained else reason or verdict.verdict)
            members.setdefault((label, "cause" if verdict.cause else ""), []).append(verdict)
    groups = []
    for (label, by_cause), found in members.items():
        cause = (causes or {}).get(label) if by_cause else None
        title = cause["title"] if cause else label or "No cause found"
        groups.append(Group(label or "unexplained", title, found, cause))
    return sorted(
        groups,
        key=lambda g: (
            not g.unexplained,
            all(v.verdict != "differs" for v in g.verdicts),
            -len(g.verdicts),
            g.key,
        ),
    )

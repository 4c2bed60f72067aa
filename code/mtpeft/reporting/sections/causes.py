"""What differs or cannot be reproduced, and why: one card for equal causes."""

from collections import Counter
from collections.abc import Sequence

from mtpeft.core.records import PublishedCell, Verdict
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import Group, group_by_cause

KINDS = {
    "wrong label": "The output names another correction than the one it applied",
    "other evaluation set": "Scores of another evaluation set were read",
    "numbers of another comparison": "The numbers of another comparison are printed",
    "other tool version": "One side was scored by another version of the tool",
    "unexplained": "No cause found",
}
"""What a kind of cause means, as the heading of its card."""


def audited_groups(inputs: Inputs) -> list[Group]:
    """The causes that the audit found for what was verified, one group for each."""
    return [g for g in _groups(inputs) if g.audited]


def _groups(inputs: Inputs) -> list[Group]:
    return group_by_cause((v for v in inputs.verdicts if v.verdict != "not run"), inputs.causes)


def section(inputs: Inputs) -> Section:
    """Cards of every audited cause, equal ones together; then what has a stated reason."""
    places = {cell.id: cell for cell in inputs.cells}
    turned = {cell.id for cell in inputs.turned_by_recomputing()}
    together: dict[str, list[Group]] = {}
    reasons: list[dict[str, object]] = []
    for group in _groups(inputs):
        if group.cause or group.unexplained:
            kind = group.cause.get("kind", "") if group.cause else ""
            together.setdefault(kind or group.key, []).append(group)
        elif any(v.kind != "claim" for v in group.verdicts):
            # What became of a claim, and why, stands with the claim.
            reasons.append(_reason(inputs, group, places))
    number = len(audited_groups(inputs))
    return Section(
        "causes",
        "What differs, and why",
        render(
            "causes.html",
            cards=[_card(inputs, kind, found, places, turned) for kind, found in together.items()],
            reasons=reasons,
            audited=inputs.causes is not None,
            verified=bool(inputs.verdicts),
        ),
        f"{number} cause{'' if number == 1 else 's'}",
        summary=True,
    )


def _card(
    inputs: Inputs,
    kind: str,
    groups: Sequence[Group],
    places: dict[str, PublishedCell],
    turned: set[str],
) -> dict[str, object]:
    names = inputs.names
    verdicts = [v for group in groups for v in group.verdicts]
    members = []
    for group in groups:
        cause = group.cause or {}
        members.append(
            {
                "key": group.key,
                "title": names.comparison(cause["comparison"])
                if cause.get("comparison")
                else names.words(group.title),
                "hypothesis": names.words(cause.get("hypothesis", "")),
                "explanation": names.words(cause.get("explanation", "")),
                "reproduced": cause.get("reproduced", ""),
                "evidence": [
                    names.words(line) for line in cause.get("evidence", "").split(" | ") if line
                ],
                "verdicts": dict(sorted(Counter(v.verdict for v in group.verdicts).items())),
                "turned": sum(v.id in turned for v in group.verdicts),
                "values": _values(inputs, group.verdicts, places),
            }
        )
    found = Counter(names.words(v.reason) for v in verdicts)
    return {
        "title": KINDS.get(kind, "") or names.words(groups[0].title),
        "members": members,
        "same": members[0]["hypothesis"]
        if len({str(m["hypothesis"]) for m in members}) == 1
        else "",
        "verdicts": dict(sorted(Counter(v.verdict for v in verdicts).items())),
        "unexplained": sum(v.unexplained for v in verdicts),
        "explained": all(group.cause for group in groups),
        "reasons": [text for text, _ in found.most_common(4) if text],
        "turned": sum(v.id in turned for v in verdicts),
        "conclusions": any(v.conclusion_changes in ("yes", "no") for v in verdicts),
    }


def _values(
    inputs: Inputs, verdicts: Sequence[Verdict], places: dict[str, PublishedCell]
) -> list[dict[str, object]]:
    """What each verdict is about, in words, and where it is printed."""
    rows = []
    for verdict in verdicts:
        cell = places.get(verdict.id)
        rows.append(
            {
                "verdict": verdict,
                "what": inputs.names.cell(cell) if cell else inputs.names.words(verdict.id),
                "where": f"{cell.source}:{cell.line}" if cell else "",
            }
        )
    return rows


def _reason(inputs: Inputs, group: Group, places: dict[str, PublishedCell]) -> dict[str, object]:
    where = Counter(
        inputs.names.comparison(places[v.id].comparison) for v in group.verdicts if v.id in places
    )
    more = Counter(v.reason.partition("; ")[2] for v in group.verdicts)
    return {
        "key": group.key,
        "title": inputs.names.words(group.title),
        "verdicts": dict(sorted(Counter(v.verdict for v in group.verdicts).items())),
        "where": list(where.items()),
        "more": [(inputs.names.words(text), n) for text, n in more.most_common() if text],
    }

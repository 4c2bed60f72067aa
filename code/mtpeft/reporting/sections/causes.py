"""What differs or cannot be reproduced, and why: one card per cause."""

from collections import Counter

from mtpeft.core.records import Verdict
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import Group, group_by_cause


def section(inputs: Inputs) -> Section:
    """Cards of every audited cause, by kind of cause; then what has a reason and needs no cause."""
    groups = group_by_cause((v for v in inputs.verdicts if v.verdict != "not run"), inputs.causes)
    place = {cell.id: cell.comparison for cell in inputs.cells}
    kinds: dict[str, list[dict[str, object]]] = {}
    others = []
    for group in groups:
        if group.cause or group.unexplained:
            kind = group.cause.get("kind", "") if group.cause else ""
            kinds.setdefault(kind, []).append(_card(group, place))
        else:
            others.append(_card(group, place))
    return Section(
        "causes",
        "What differs, and why",
        render(
            "causes.html",
            kinds=kinds,
            others=others,
            audited=inputs.causes is not None,
            verified=bool(inputs.verdicts),
        ),
        str(len(groups) - len(others)),
    )


def _card(group: Group, place: dict[str, str]) -> dict[str, object]:
    verdicts = Counter(v.verdict for v in group.verdicts)
    where: dict[str, list[Verdict]] = {}
    for verdict in group.verdicts:
        where.setdefault(place.get(verdict.id, verdict.kind), []).append(verdict)
    reasons = Counter(v.reason.removeprefix(group.title).removeprefix("; ") for v in group.verdicts)
    return {
        "group": group,
        "verdicts": dict(sorted(verdicts.items())),
        "reasons": [(text, n) for text, n in reasons.most_common() if text],
        "where": {name: found[:200] for name, found in sorted(where.items())},
        "sizes": {name: len(found) for name, found in where.items()},
        "conclusions": sum(v.conclusion_changes in ("yes", "no") for v in group.verdicts),
    }

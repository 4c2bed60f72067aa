"""The front page: what holds, what differs, and whether everything is accounted for."""

from mtpeft.core.records import unaccounted
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import KIND_TITLES, count_by_kind, exit_code, group_by_cause

HEADLINES = {
    0: "Everything is accounted for",
    1: "Not everything is accounted for",
    2: "Nothing is verified yet",
}


def section(inputs: Inputs) -> Section:
    """Counts of every verdict per kind, and the answer in one sentence."""
    kinds = count_by_kind(inputs.verdicts)
    cells = inputs.verdicts_of_kind("cell")
    groups = group_by_cause(cells, inputs.causes)
    return Section(
        "verdicts",
        "Verdicts",
        render(
            "verdicts.html",
            code=exit_code(inputs.verdicts),
            headlines=HEADLINES,
            kinds=kinds,
            titles=KIND_TITLES,
            total=len(cells),
            cells=kinds.get("cell", {}),
            unexplained=len(unaccounted(inputs.verdicts)),
            causes=sum(
                g.cause is not None and any(v.verdict == "differs" for v in g.verdicts)
                for g in groups
            ),
            changed=sum(v.conclusion_changes == "yes" and v.verdict == "differs" for v in cells),
            causes_run=inputs.causes is not None,
        ),
    )

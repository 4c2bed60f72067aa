"""How many printed values come out, by verdict, and how much else was checked."""

from mtpeft.core.records import unaccounted
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.sections.causes import audited_groups
from mtpeft.reporting.summary import KIND_TITLES, count_by_kind, exit_code


def section(inputs: Inputs) -> Section:
    """Counts of every verdict per kind."""
    kinds = count_by_kind(inputs.verdicts)
    cells = inputs.verdicts_of_kind("cell")
    recovered = kinds.get("recovered", {})
    return Section(
        "values",
        "Values in numbers",
        render(
            "values.html",
            code=exit_code(inputs.verdicts),
            kinds=kinds,
            titles=KIND_TITLES,
            total=len(cells),
            cells=kinds.get("cell", {}),
            unexplained=len(unaccounted(cells)),
            causes=len(audited_groups(inputs)),
            recovered=sum(recovered.values()),
            turned_by_recomputing=len(inputs.turned_by_recomputing()),
            turned_by_correcting=len(inputs.turned_by_correcting()),
            causes_run=inputs.causes is not None,
        ),
        f"{len(cells):,}" if cells else "not run",
        summary=True,
    )

"""T3 and T4: predictions made again, and runs trained again with several seeds."""

from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import KIND_TITLES

KINDS = ("answers", "trained claim", "trained")


def section(inputs: Inputs) -> Section | None:
    """Every verdict of the two tiers, those that need attention first. None where nothing was
    predicted or trained here.
    """
    found = {kind: inputs.verdicts_of_kind(kind) for kind in KINDS}
    total = sum(map(len, found.values()))
    if not total:
        return None
    return Section(
        "trained",
        "Predictions and training (T3, T4)",
        render("trained.html", found=found, titles=KIND_TITLES, names=inputs.names),
        str(total),
    )

"""A part of the report of its own."""

from markupsafe import Markup
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section


def section(inputs: Inputs) -> Section:
    """How many toy runs there are."""
    number = len(list(inputs.known.of("runs", "toy")))
    return Section("shouting", "Shouting", Markup("<p>{} runs shout.</p>").format(number))

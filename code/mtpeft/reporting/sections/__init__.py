"""The parts of the report, in reading order. A part is a module here with `section(inputs) ->
Section | None`.

Adding a part (another tier, another study) is one module and its name in `ORDER`.
"""

from dataclasses import dataclass
from importlib import import_module

from markupsafe import Markup

from mtpeft.reporting.inputs import Inputs

ORDER = (
    "verdicts",
    "causes",
    "claims",
    "multitask",
    "tables",
    "figures",
    "instances",
    "printed",
    "files",
    "rescored",
    "trained",
    "audit",
    "provenance",
)


@dataclass(frozen=True)
class Section:
    """One part of the report. note: a few words for the table of contents (a count, say)."""

    id: str
    title: str
    body: Markup
    note: str = ""


def build_all(inputs: Inputs, order: tuple[str, ...] = ORDER) -> list[Section]:
    """Every part that has something to say. Names with a dot are imported as they stand."""
    found = (
        import_module(name if "." in name else f"{__name__}.{name}").section(inputs)
        for name in order
    )
    return [section for section in found if section is not None]

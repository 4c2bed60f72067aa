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
    "claims",
    "values",
    "causes",
    "conclusions",
    "repeated",
    "tables",
    "figures",
    "multitask",
    "instances",
    "printed",
    "files",
    "rescored",
    "trained",
    "proofs",
    "audit",
    "provenance",
)


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Attributes:
        id: Its name in addresses.
        title: Its heading.
        body: What it shows.
        note: A few words for the table of contents, a count for example.
        summary: Whether it is part of the summary that is printed on paper.
    """

    id: str
    title: str
    body: Markup
    note: str = ""
    summary: bool = False


def build_all(inputs: Inputs, order: tuple[str, ...] = ORDER) -> list[Section]:
    """Every part that has something to say. Names with a dot are imported as they stand."""
    found = (
        import_module(name if "." in name else f"{__name__}.{name}").section(inputs)
        for name in order
    )
    return [section for section in found if section is not None]

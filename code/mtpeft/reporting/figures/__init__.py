"""Figures: a catalog entry names its kind, the module of that name here draws it (a dotted name is
imported as it is).

A kind is a module with `draw(figure, inputs) -> Drawing`. Equal inputs give equal bytes.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from mtpeft.catalog import Figure
from mtpeft.core.errors import UnknownName
from mtpeft.reporting.inputs import Inputs

KINDS = ("slope", "forest", "sizes")


@dataclass(frozen=True)
class Drawing:
    """A drawn figure, the values in it as a table (for those who cannot see it), and the files they
    came from.
    """

    figure: Figure
    canvas: Canvas
    columns: list[str]
    rows: list[list[object]]
    inputs: list[Path]

    @property
    def command(self) -> str:
        return f"make {self.figure.id}"


def draw(figure: Figure, inputs: Inputs) -> Drawing:
    """One figure."""
    if "." in figure.kind:
        return import_module(figure.kind).draw(figure, inputs)
    if figure.kind not in KINDS:
        raise UnknownName(f"kind of {figure.id}", figure.kind, KINDS)
    return import_module(f"{__name__}.{figure.kind}").draw(figure, inputs)

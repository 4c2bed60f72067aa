"""Figures: a catalog entry names its kind, the module of that name here draws it.

A kind is a module with `draw(figure, inputs) -> Drawing`; a dotted name is a module next to the
study's `study.yaml`, or an installed one. Equal inputs give equal bytes.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.catalog import Figure
from mtpeft.reporting.inputs import Inputs
from mtpeft.studies import own_part

if TYPE_CHECKING:  # who only shows a drawing need not wait for matplotlib
    from matplotlib.figure import Figure as Canvas


def parts_of(folder: Path, name: str) -> list[Path]:
    """The drawings of a figure in a folder, in order: `NAME.svg`, else `NAME-PART.svg` for each."""
    whole = folder / f"{name}.svg"
    return [whole] if whole.is_file() else sorted(folder.glob(f"{name}-[1-9]*.svg"))


@dataclass(frozen=True)
class Drawing:
    """A drawn figure, the values in it as a table (for those who cannot see it), and the files they
    came from.

    Attributes:
        figure: What the catalog says of it.
        parts: Title and canvas of each part, each with its own legend; one without title is whole.
        columns: Headings of the values.
        rows: The values.
        inputs: The files that they come from.
    """

    figure: Figure
    parts: "list[tuple[str, Canvas]]"
    columns: list[str]
    rows: list[list[object]]
    inputs: list[Path]

    def names(self) -> list[str]:
        """The file names of the parts, without suffix: `figure-1`, or `figure-3-1-generation` and so
        on.
        """
        if len(self.parts) == 1:
            return [self.figure.id]
        return [
            f"{self.figure.id}-{number}-{title.lower().replace(' ', '-')}"
            for number, (title, _) in enumerate(self.parts, start=1)
        ]

    @property
    def command(self) -> str:
        """The command that makes it."""
        return f"make {self.figure.id}"


def draw(figure: Figure, inputs: Inputs) -> Drawing:
    """One figure."""
    draw_it = (
        own_part(figure, inputs.known)
        if "." in figure.kind
        else import_module(f"{__name__}.{figure.kind}").draw
    )
    drawing: Drawing = draw_it(figure, inputs)
    return drawing

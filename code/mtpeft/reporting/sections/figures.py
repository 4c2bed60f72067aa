"""Every figure, placed inside the page, with its values as a table."""

import base64

from mtpeft.core.records import read_frame
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section


def section(inputs: Inputs) -> Section:
    """Figures as written by the figures stage; one that is missing is named with its command."""
    figures = []
    for figure in inputs.known.figures.values():
        drawing, values = (
            inputs.regenerated / "figures" / f"{figure.id}{suffix}" for suffix in (".svg", ".csv")
        )
        entry: dict[str, object] = {"figure": figure, "image": "", "frame": None}
        if drawing.is_file() and values.is_file():
            inputs.used |= {drawing, values}
            entry["image"] = (
                "data:image/svg+xml;base64," + base64.b64encode(drawing.read_bytes()).decode()
            )
            entry["frame"] = read_frame(values)
        figures.append(entry)
    return Section("figures", "Figures", render("figures.html", figures=figures), str(len(figures)))

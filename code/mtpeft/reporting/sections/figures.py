"""Every figure, placed inside the page, with its values as a table."""

import base64

from mtpeft.core.records import read_rows
from mtpeft.reporting.figures import parts_of
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section


def section(inputs: Inputs) -> Section:
    """Figures as written by the figures stage; one that is missing is named with its command."""
    figures = []
    for figure in inputs.known.figures.values():
        folder = inputs.regenerated / "figures"
        values = folder / f"{figure.id}.csv"
        entry: dict[str, object] = {"figure": figure, "images": [], "rows": None, "files": []}
        drawings = parts_of(folder, figure.id)
        if drawings and values.is_file():
            inputs.used |= {*drawings, values}
            entry["images"] = [
                {
                    "title": path.stem.removeprefix(figure.id).strip("-").replace("-", " "),
                    "data": "data:image/svg+xml;base64,"
                    + base64.b64encode(path.read_bytes()).decode(),
                }
                for path in drawings
            ]
            entry["rows"] = read_rows(values)
            entry["files"] = [
                file.name
                for path in drawings
                for file in (path, path.with_suffix(".png"))
                if file.is_file()
            ] + [values.name]
        figures.append(entry)
    return Section("figures", "Figures", render("figures.html", figures=figures), str(len(figures)))

"""`mtpeft tables`, `mtpeft figures`, `mtpeft report`: which files are written, from what."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mtpeft.catalog import Table, catalog
from mtpeft.catalog.places import waiting
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text
from mtpeft.reporting.console import show_summary, show_table
from mtpeft.reporting.crate import write_crate
from mtpeft.reporting.figures import draw
from mtpeft.reporting.figures.style import png_bytes, svg_bytes
from mtpeft.reporting.html import render as render_page
from mtpeft.reporting.html import style
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.machine import junit_xml, verdict_json
from mtpeft.reporting.sections import build_all
from mtpeft.reporting.tables import build, render


def _chosen(known: dict[str, Any], kind: str, only: Iterable[str]) -> list[Any]:
    for name in only:
        if name not in known:
            study = getattr(getattr(catalog(), f"{kind}s").get(name), "study", "")
            if study in {s.id for s in waiting(catalog())}:
                raise MtpeftError(
                    f"{kind} {name} belongs to {study}, which is not imported",
                    "the figures of the study",
                    f"mtpeft archive import {study}",
                )
            raise UnknownName(kind, name, known, f"mtpeft list {kind}s")
    return [item for name, item in known.items() if not only or name in only]


def write_tables(only: list[str], show: bool = False, inputs: Inputs | None = None) -> list[Path]:
    """Render tables as `<regenerated>/tables/<id>.{md,csv,tex}` with provenance; `only`: ids, empty
    for all.
    """
    inputs = inputs or Inputs.default()
    written: list[Path] = []
    tables: list[Table] = _chosen(inputs.known.tables, "table", only)
    for table in tables:
        data = build(table, inputs)
        path = inputs.regenerated / "tables" / f"{table.id}.csv"
        for suffix, content in (
            (".csv", render.csv(data)),
            (".md", render.markdown(data, inputs.shown)),
            (".tex", render.latex(data, inputs.shown)),
        ):
            target = path.with_suffix(suffix)
            write_atomic(target, content)
            write_provenance(target, data.inputs)
            written.append(target)
        if show:
            show_table(data)
    return written


def write_figures(only: list[str], inputs: Inputs | None = None) -> list[Path]:
    """Render figures as `<regenerated>/figures/<id>.{svg,png}`, their values as `.csv`; `only`:
    ids, empty for all.
    """
    inputs = inputs or Inputs.default()
    written: list[Path] = []
    for figure in _chosen(inputs.known.figures, "figure", only):
        drawing = draw(figure, inputs)
        path = inputs.regenerated / "figures" / f"{figure.id}.svg"
        for target, content in (
            (path, svg_bytes(drawing.canvas, figure.id)),
            (path.with_suffix(".png"), png_bytes(drawing.canvas)),
            (path.with_suffix(".csv"), csv_text(drawing.columns, drawing.rows)),
        ):
            write_atomic(target, content)
            write_provenance(target, drawing.inputs)
            written.append(target)
    return written


def write_report(inputs: Inputs | None = None) -> Path:
    """Write `<regenerated>/report/{index.html,verdict.json,junit.xml}` and the RO-Crate's metadata;
    print the verdict.

    Returns the path of the page. Verification and audit need not have run: the page then says so.
    """
    inputs = inputs or Inputs.default()
    folder = inputs.regenerated / "report"
    sections = build_all(inputs)
    page = folder / "index.html"
    write_atomic(page, render_page("report.html", sections=sections, style=style()))
    write_atomic(folder / "verdict.json", verdict_json(inputs))
    write_atomic(folder / "junit.xml", junit_xml(inputs))
    write_provenance(page, sorted(path for path in inputs.used if path.is_file()))
    write_crate(inputs)
    show_summary(inputs, page)
    return page

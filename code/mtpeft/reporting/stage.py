"""`mtpeft tables`, `mtpeft figures`, `mtpeft report`: which files are written, from what."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.catalog import Figure, Table, catalog
from mtpeft.catalog.places import waiting
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.parallel import in_order
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text
from mtpeft.reporting.console import show_summary, show_table
from mtpeft.reporting.figures import draw
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.machine import junit_xml, verdict_json
from mtpeft.reporting.names import abbreviations
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
    """Render tables as `<regenerated>/tables/<id>.{md,csv,tex}` with provenance.

    Args:
        only: Ids of tables; empty for all.
        show: Whether to print each table as well.
        inputs: What is read; default: the shipped studies and the folders that `paths` names.

    Returns:
        The files.
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
    """Render figures as `<regenerated>/figures/<id>.{svg,png}`, or one pair for each part; their
    values as `.csv`.

    Args:
        only: Ids of figures; empty for all.
        inputs: What is read; default: the shipped studies and the folders that `paths` names.

    Returns:
        The files.
    """
    from mtpeft.reporting.figures import style  # with matplotlib, before processes are forked

    chosen = inputs or Inputs.default()
    figures = _chosen(chosen.known.figures, "figure", only)
    return [
        p for written in in_order(partial(_write_figure, chosen, style), figures) for p in written
    ]


def _write_figure(inputs: Inputs, style: Any, figure: Figure) -> list[Path]:
    folder = inputs.regenerated / "figures"
    drawing = draw(figure, inputs)
    contents: dict[Path, str | bytes] = {}
    for name, (_, canvas) in zip(drawing.names(), drawing.parts, strict=True):
        contents[folder / f"{name}.svg"] = style.svg_bytes(canvas, name)
        contents[folder / f"{name}.png"] = style.png_bytes(canvas)
    contents[folder / f"{figure.id}.csv"] = csv_text(drawing.columns, drawing.rows)
    for old in folder.glob(f"{figure.id}*"):
        # Parts of an earlier drawing; figure-1 is no part of figure-10.
        whole = old.name.removesuffix(".provenance.json")
        if whole[len(figure.id)] in "-." and folder / whole not in contents:
            old.unlink()
    for target, content in contents.items():
        write_atomic(target, content)
        write_provenance(target, drawing.inputs)
    return list(contents)


_LINK = re.compile(r'<a href="\.\./([^"#]+)">(.*?)</a>')


def carry_files(page: str, results: Path, folder: Path) -> str:
    """Copy every file that the page links to below the report, so that the folder can be moved.

    Args:
        page: The page, whose links start with `../`.
        results: What `../` means.
        folder: The report's folder; the copies go to `files/` in it, what was there goes.

    Returns:
        The page with links to the copies; a file that is not there is named without a link.
    """
    target = folder / "files"
    if target.is_dir():
        shutil.rmtree(target)

    def carried(match: re.Match[str]) -> str:
        name, text = match.groups()
        if not (results / name).is_file():
            return text
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(results / name, target / name)
        return f'<a href="files/{name}">{text}</a>'

    return _LINK.sub(carried, page)


TIERS = {
    "T0": "tier 0: files as they were shipped",
    "T1": "tier 1: from archived scores to tests, tables and figures",
    "T2": "tier 2: from archived outputs to scores",
    "T3": "tier 3: from trained adapters to outputs",
    "T4": "tier 4: from base models and corpora to adapters",
}


def tiers_and_abbreviations(inputs: Inputs) -> dict[str, str]:
    """What the page explains where it first stands: tiers, questions, editions, tasks, regimes."""
    found = dict(TIERS)
    for study in inputs.known.studies.values():
        found |= {question.id: question.title for question in study.questions}
        found |= {edition.id: edition.title for edition in study.editions}
        found |= dict(abbreviations(inputs.known, study))
    return found


def write_report(inputs: Inputs | None = None) -> Path:
    """Write `<regenerated>/report/{index.html,verdict.json,junit.xml}` and the RO-Crate's metadata;
    print the verdict.

    Verification and audit need not have run: the page then says so.

    Args:
        inputs: What is read; default: the shipped studies and the folders that `paths` names.

    Returns:
        The path of the page.
    """
    from mtpeft.reporting.crate import write_crate
    from mtpeft.reporting.html import explained, script, style
    from mtpeft.reporting.html import render as render_page

    inputs = inputs or Inputs.default()
    folder = inputs.regenerated / "report"
    sections = build_all(inputs)
    page = folder / "index.html"
    meanings = tiers_and_abbreviations(inputs)
    sections = [replace(s, body=explained(s.body, meanings)) for s in sections]
    content = render_page("report.html", sections=sections, style=style(), script=script())
    write_atomic(page, carry_files(content, inputs.regenerated, folder))
    write_atomic(folder / "verdict.json", verdict_json(inputs))
    write_atomic(folder / "junit.xml", junit_xml(inputs))
    write_provenance(page, sorted(path for path in inputs.used if path.is_file()))
    write_crate(inputs)
    show_summary(inputs, page)
    return page

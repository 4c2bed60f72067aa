"""`mtpeft study check`: everything that is wrong with a study, each with file, line and fix."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mtpeft.catalog import Catalog, Study, catalog, load
from mtpeft.catalog.loader import STUDY, look_for_modules_in, outside
from mtpeft.catalog.places import archived, published, waiting
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import no_folder
from mtpeft.core.paths import CATALOG, STUDIES
from mtpeft.core.records import PublishedCell, read_records, read_scores
from mtpeft.studies import own_part

_MODULES = ("tasks", "tools", "methods")
"""Kinds of items that may name a module."""
Needed = dict[tuple[str, str, str], str]
"""(tool, evaluation set, run) → the comparison that needs its scores."""


def check_study(folder: Path) -> tuple[list[Study], list[MtpeftError]]:
    """Read a study, or a folder of studies, as every command does, and look further than loading.

    Args:
        folder: The folder, or the id of a study that the catalog has.

    Returns:
        The studies that were found, and what is wrong with them.
    """
    found: list[MtpeftError] = []
    if not folder.is_dir() and str(folder) in catalog().studies:
        folder = catalog().studies[str(folder)].folder
    if not folder.is_dir():
        missing = no_folder(folder, f"a folder with {STUDY}", "mtpeft study new NAME")
        return [], [missing]
    where, places = folder.resolve(), [CATALOG, STUDIES, *outside()]
    inside = any(where.is_relative_to(place.resolve()) for place in places)
    if not inside:
        look_for_modules_in(folder)
    known = load([*places, *([] if inside else [folder])], found.append)
    found = list({str(error): error for error in found}.values())  # a matrix repeats its errors
    mine = [s for s in known.studies.values() if s.folder.resolve().is_relative_to(where)]
    if not found:
        for study in mine:
            found += _of(study, known)
    return mine, found


def _of(study: Study, known: Catalog) -> Iterator[MtpeftError]:
    path = study.folder / STUDY
    for key, example in (("title", '"…"'), ("authors", "[…]")):
        if not getattr(study, key):
            yield BadInput(path, f"no {key}", f"{key}: {example}", f"add it to {path.name}")
    if study.arxiv and not re.fullmatch(r"\d{4}\.\d{4,5}", study.arxiv):
        yield known.bad(
            "studies", study.id, study.arxiv, f"arxiv is {study.arxiv!r}", 'such as "2601.15094"'
        )
    yield from _modules(study, known)
    if study not in waiting(known):
        yield from _scores(study, known)
        yield from _printed(study, known)


def _modules(study: Study, known: Catalog) -> Iterator[MtpeftError]:
    """Modules that are not there, and dotted kinds that name no function."""
    for kind in ("tables", "figures", "claims"):
        for item in known.of(kind, study.id):
            if "." in item.kind:
                try:
                    own_part(item, known)
                except BadInput as error:
                    yield error
    here = study.folder.resolve()
    named = [(kind, i.id, i.module) for kind in _MODULES for i in getattr(known, kind).values()]
    named += [("studies", study.id, corpus.module) for corpus in study.corpora]
    for kind, name, module in named:
        if not known.file_of(kind, name).resolve().is_relative_to(here):
            continue
        if module and not _importable(module):
            yield known.bad(
                kind,
                name,
                module,
                f"module {module} cannot be found",
                f"{module.replace('.', '/')}.py in {study.folder} or in another folder of the "
                "catalog, or an installed module",
                f"mtpeft study check {study.folder}",
            )


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _scores(study: Study, known: Catalog) -> Iterator[MtpeftError]:
    """Score tables that cannot be read or name what is unknown, and scores that are missing."""
    root = archived(study)
    there: set[tuple[str, str, str]] = set()
    evaluations = known.evaluations()
    for path in sorted((root / "scores").glob("*/*.csv")):
        tool, evaluation = path.parent.name, path.stem
        if tool not in known.tools or evaluation not in evaluations:
            yield BadInput(
                path,
                f"no tool {tool} or no evaluation set {evaluation}",
                "scores/TOOL/EVALUATION.csv",
                "mtpeft list tools",
            )
            continue
        try:
            frame = read_scores(path)
        except MtpeftError as error:
            yield error
            continue
        yield from _of_table(path, frame, known, tool, evaluations[evaluation].instances)
        yield from _of_scale(path, frame, known, evaluation)
        there |= {(tool, evaluation, str(run)) for run in frame["run"].unique()}
    for place, comparison in _needed(study, known).items():
        tool, evaluation, run = place
        if place not in there and not _said_absent(study, place):
            file = root / "scores" / tool / f"{evaluation}.csv"
            yield known.bad(
                "comparisons",
                comparison,
                run,
                f"no scores of {run} in {file}",
                f"rows of {run}, or an entry under absent: in {STUDY}",
                f"add them to {file}",
            )


def _of_table(
    path: Path, frame: pd.DataFrame, known: Catalog, tool: str, instances: int
) -> Iterator[MtpeftError]:
    metrics = {m.id for m in known.tools[tool].metrics}
    for column in frame.columns[4:]:
        if column not in metrics:
            yield BadInput(
                path,
                f"column {column} is no metric of {tool}",
                ", ".join(sorted(metrics)),
                f"mtpeft list tools, or add it to {known.file_of('tools', tool)}",
                line=1,
            )
    for run, rows in frame.groupby("run", sort=False):
        line = int(rows.index[0]) + 2
        if run not in known.runs:
            yield BadInput(path, f"unknown run {run}", "a run of mtpeft list runs", line=line)
        elif len(rows) > instances:
            found = f"{len(rows)} rows of {run}"
            yield BadInput(path, found, f"at most {instances}, the instances of the set", line=line)


def _of_scale(
    path: Path, frame: pd.DataFrame, known: Catalog, evaluation: str
) -> Iterator[MtpeftError]:
    """Values that the test of a comparison is not made for."""
    for comparison in known.comparisons.values():
        blocks = [b for b in comparison.blocks if (b.task or comparison.task) == evaluation]
        if comparison.test != "mcnemar" or not blocks:
            continue
        rows = frame[frame["run"].isin({run for b in blocks for run in (b.a, b.b)})]
        for metric in set(comparison.metrics) & set(frame.columns):
            wrong = rows[metric].dropna()
            wrong = wrong[~wrong.isin([0, 1])]
            if len(wrong):
                yield BadInput(
                    path,
                    f"{metric} is {wrong.iloc[0]:g}, and {comparison.id} tests it by mcnemar",
                    "0 and 1 alone",
                    f"test: wilcoxon in {known.file_of('comparisons', comparison.id)}",
                    line=int(wrong.index[0]) + 2,
                )


def _needed(study: Study, known: Catalog) -> Needed:
    metrics = known.metrics()
    return {
        (metrics[metric][0].id, block.task or comparison.task, run): comparison.id
        for comparison in known.of("comparisons", study.id)
        for block in comparison.blocks
        for metric in comparison.metrics
        for run in filter(None, (block.a, block.b))
    }


def _said_absent(study: Study, place: tuple[str, str, str]) -> bool:
    tool, evaluation, run = place
    return any(
        (a.tool, a.evaluation) == (tool, evaluation) and (not a.runs or run in a.runs)
        for a in study.absent
    )


def _printed(study: Study, known: Catalog) -> Iterator[MtpeftError]:
    """Printed values of comparisons, blocks or metrics that are not there."""
    path = published(study) / "statistics.csv"
    if not path.is_file():
        return
    try:
        cells = read_records(path, PublishedCell)
    except MtpeftError as error:
        yield error
        return
    comparisons = {c.id: c for c in known.of("comparisons", study.id)}
    for line, cell in enumerate(cells, start=2):
        comparison = comparisons.get(cell.comparison)
        if comparison is None:
            expected = ", ".join(comparisons) or "a comparison of this study"
            yield BadInput(path, f"unknown comparison {cell.comparison}", expected, line=line)
        elif cell.block and cell.block not in {b.id for b in comparison.blocks}:
            expected = ", ".join(b.id for b in comparison.blocks)
            yield BadInput(path, f"unknown block {cell.block}", expected, line=line)
        elif cell.metric and cell.metric not in comparison.metrics:
            expected = ", ".join(comparison.metrics)
            yield BadInput(path, f"unknown metric {cell.metric}", expected, line=line)

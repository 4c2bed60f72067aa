"""`mtpeft archive-b`: the two tables of study B's figures → tidy canonical tables."""

import csv
import gzip
import io
import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mtpeft.archive.sources import Source
from mtpeft.archive.study_b import names
from mtpeft.core.checksums import write_sums
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.paths import PUBLISHED, shown
from mtpeft.core.provenance import sha256
from mtpeft.core.records import write_records
from mtpeft.statistics.published import (
    EvaluationSet,
    LossWeight,
    PrintedCell,
    PublishedFigure,
    PublishedRun,
)

FACTS = Path(__file__).with_name("facts.toml")
_RUN_COLUMNS = (
    "study",
    "source_log",
    "setting",
    "backbone",
    "peft",
    "loss_weighting",
    "sampler",
    "tasks_in_run",
    "epochs_run",
    "batch_size",
    "trainable_params",
    "total_params",
    "trainable_params_source",
    "wall_time_s",
    "peak_memory_gb",
    "hub_client",
    "status",
)
_FIGURE_COLUMNS = ("task", "split", "selection", "metric", "value", "epoch_or_step")
_IGNORED = ("log_start",)


def import_study_b(figures: Path, tables: Path, published: Path = PUBLISHED) -> None:
    """Write `<published>/multitask-peft/*.csv` and the checksums of `published`; the same input gives the
    same bytes.

    figures: gzipped CSV, one line a number, with run-level columns repeated; tables: JSON of the
    typed tables. Raises `BadInput` with file and line for what is unknown, repeated or
    contradictory; then nothing is written.
    """
    rows = _read_figures(figures)
    runs = _runs(figures, rows)
    found = sorted({f: None for f in _figures(figures, rows)}, key=_figure_key)
    if len(found) != len(rows):
        raise BadInput(figures, f"{len(rows) - len(found)} numbers occur twice", "each number once")
    cells = list(_printed(tables))
    sets, weights = _facts(runs)
    _check_printed(tables, cells, found, runs)
    folder = published / "multitask-peft"
    write_records(folder / "runs.csv", [runs[name] for name in sorted(runs)], PublishedRun)
    write_records(folder / "figures.csv", found, PublishedFigure)
    write_records(folder / "printed.csv", cells, PrintedCell)
    write_records(folder / "sets.csv", sets, EvaluationSet)
    write_records(folder / "weights.csv", weights, LossWeight)
    write_records(
        folder / "sources.csv",
        [
            Source(p.name, sha256(p), p.stat().st_size, n)
            for p, n in (
                (figures, len(rows)),
                (tables, len(cells)),
                (FACTS, len(sets) + len(weights)),
            )
        ],
        Source,
    )
    write_sums(published)
    print(
        f"archive-b: {len(rows)} figures of {len(runs)} runs, {len(cells)} typed cells -> {shown(folder)}"
    )


def _figure_key(f: PublishedFigure) -> tuple[Any, ...]:
    return f.generation, f.run, f.task, f.split, f.selection, f.metric


def _read_figures(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line, fields) of every row."""
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
    except FileNotFoundError as error:
        raise BadInput(
            path, "no such file", "the table of study B's figures", "name it with --figures"
        ) from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadInput(path, f"not gzipped UTF-8 text: {error}", "a gzipped CSV table") from error
    reader = csv.DictReader(io.StringIO(text))
    expected = {*_RUN_COLUMNS, *_FIGURE_COLUMNS, *_IGNORED}
    if set(reader.fieldnames or ()) != expected:
        raise BadInput(
            path,
            f"columns {', '.join(reader.fieldnames or ())}",
            ", ".join(sorted(expected)),
            line=1,
        )
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise BadInput(
                path, "too many or too few fields", f"{len(expected)} fields", line=reader.line_num
            )
        rows.append((reader.line_num, row))
    return rows


def _run_id(row: dict[str, str]) -> str:
    """A training log is one run; a log of prompting or a typed table holds one per setting,
    backbone, method and tasks.
    """
    source = row["source_log"]
    if "/" in source and row["peft"] != "none":
        return f"{names.generation(row['study'])}/{source}"
    tasks = "+".join(names.task(t) for t in row["tasks_in_run"].split("+"))
    return "/".join(
        [
            names.generation(row["study"]),
            source.replace(" ", "-"),
            row["setting"],
            names.backbone(row["backbone"]),
            names.method(row["peft"])[0],
            tasks,
        ]
    )


def _runs(path: Path, rows: list[tuple[int, dict[str, str]]]) -> dict[str, PublishedRun]:
    runs: dict[str, PublishedRun] = {}
    for line, row in rows:
        try:
            run = _run(row)
        except (UnknownName, ValueError) as error:
            raise BadInput(path, str(error), "a name or number that is known", line=line) from error
        if runs.setdefault(run.id, run) != run:
            raise BadInput(
                path, f"run {run.id} is described in two ways", "one description per run", line=line
            )
    return runs


def _run(row: dict[str, str]) -> PublishedRun:
    method, variant = names.method(row["peft"])
    transfer = names.transfer(row["setting"])
    return PublishedRun(
        id=_run_id(row),
        generation=names.generation(row["study"]),
        basis=names.basis(row["status"]),
        source=row["source_log"],
        setting="single" if transfer else row["setting"],
        backbone=names.backbone(row["backbone"]),
        method=method,
        variant="; ".join(filter(None, [variant, transfer])),
        weighting=names.weighting(row["loss_weighting"]),
        sampler=names.sampler(row["sampler"]),
        tasks="+".join(names.task(t) for t in row["tasks_in_run"].split("+")),
        epochs=_number(row["epochs_run"]),
        batch_size=_number(row["batch_size"]),
        trainable_params=_number(row["trainable_params"]),
        total_params=_number(row["total_params"]),
        params_basis=row["trainable_params_source"],
        seconds=_number(row["wall_time_s"]),
        peak_memory_gb=_number(row["peak_memory_gb"]),
        stack=row["hub_client"],
        status=row["status"],
    )


def _figures(path: Path, rows: list[tuple[int, dict[str, str]]]) -> Iterator[PublishedFigure]:
    for line, row in rows:
        try:
            yield PublishedFigure(
                generation=names.generation(row["study"]),
                basis=names.basis(row["status"]),
                run=_run_id(row),
                task=names.task(row["task"]),
                split=names.split(row["split"]),
                selection=names.selection(row["selection"]),
                metric=names.metric(row["metric"]),
                value=float(row["value"]),
                epoch=_number(row["epoch_or_step"]),
            )
        except (UnknownName, ValueError) as error:
            raise BadInput(path, str(error), "a name or number that is known", line=line) from error


def _number(text: str) -> float | None:
    return float(text) if text else None


# ---------------------------------------------------------------- typed tables

_COLUMNS = (
    "trainable_percent",
    *(names.task(t) for t in ("clone", "vulnerability", "flakiness", "search")),
)


def _printed(path: Path) -> Iterator[PrintedCell]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(
            path, "no such file", "the typed tables of study B", "name it with --tables"
        ) from error
    except json.JSONDecodeError as error:
        raise BadInput(
            path, f"malformed JSON: {error}", "the typed tables", line=error.lineno
        ) from error
    if set(data) != {"paper", "paperpair", "revt"}:
        raise BadInput(path, f"tables {', '.join(data)}", "paper, paperpair, revt")
    paper = {
        key.split("|", 1)[1]: values
        for key, values in data["paper"].items()
        if key.startswith("SFT|")
    }
    settings = {"MFT": "multi", "SFT": "single", "multi": "multi", "single": "single"}
    try:
        for key, values in [*data["paper"].items(), *data["revt"].items()]:
            kind, backbone, method = key.split("|")
            revision = key in data["revt"]
            copied = revision and paper.get(f"{backbone}|{method}") == values
            for column, value in zip(_COLUMNS, values, strict=True):
                if value is not None:
                    yield PrintedCell(
                        "mft_results_table.tex" if revision else "Plots.ipynb",
                        "revision" if revision else "paper",
                        "G2" if revision and not copied else "G1",
                        settings[kind],
                        names.backbone(backbone),
                        names.method(method)[0],
                        "+".join(_COLUMNS[1:]) if kind in ("MFT", "multi") else "each",
                        column,
                        float(value),
                    )
        for key, value in data["paperpair"].items():
            backbone, method, one, other, column = key.split("|")
            yield PrintedCell(
                "Plots.ipynb",
                "pairs",
                "G1",
                "pair",
                names.backbone(backbone),
                names.method(method)[0],
                f"{names.task(one)}+{names.task(other)}",
                names.task(column),
                float(value),
            )
    except (ValueError, KeyError, UnknownName) as error:
        raise BadInput(
            path, f"{key}: {error}", "backbone, method and tasks that are known, five numbers a row"
        ) from error


def _check_printed(
    path: Path,
    cells: Iterable[PrintedCell],
    figures: Iterable[PublishedFigure],
    runs: dict[str, PublishedRun],
) -> None:
    """Both inputs hold the typed numbers: refuse them where they contradict each other."""
    typed = {}
    for f in figures:
        run = runs[f.run]
        if f.basis == "reported" and run.setting in ("multi", "single", "pair"):
            typed[
                run.generation,
                run.setting,
                run.backbone,
                run.method,
                frozenset(run.tasks.split("+")),
                f.task,
            ] = f.value * 100
    for c in cells:
        if c.column == "trainable_percent":
            continue
        tasks = frozenset([c.column]) if c.setting == "single" else frozenset(c.tasks.split("+"))
        found = typed.get((c.generation, c.setting, c.backbone, c.method, tasks, c.column))
        if found is None or abs(found - c.printed) > 1e-6:
            raise BadInput(
                path,
                f"{c.table} {c.setting} {c.backbone} {c.method} {c.column} is {c.printed}",
                f"{found} as in the table of figures",
            )


# ---------------------------------------------------------------- facts


def _facts(runs: dict[str, PublishedRun]) -> tuple[list[EvaluationSet], list[LossWeight]]:
    data = tomllib.loads(FACTS.read_text(encoding="utf-8"))
    sets = [
        EvaluationSet(
            s["task"],
            s["split"],
            s["examples"],
            s.get("positives"),
            s["positives"] / s["examples"] if "positives" in s else s.get("positive_share"),
            s["basis"],
        )
        for s in data["set"]
    ]
    weights = []
    for entry in data["weights"]:
        run = f"G1/{entry['source']}"
        if run not in runs:
            raise BadInput(
                FACTS, f"loss weights of {run}, which has no figures", "a log among the figures"
            )
        weights += [
            LossWeight(
                run,
                task,
                first or None,
                entry["last"][task] or None,
                "yes" if entry["collapsed"] else "no",
            )
            for task, first in entry["first"].items()
        ]
    return sets, weights

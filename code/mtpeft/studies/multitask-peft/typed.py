"""Numbers that the study typed by hand: a notebook (the paper's tables) and a LaTeX table (the
revision's).

Every typed number keeps the line it stands on: of the notebook as a file (each source line of a
cell is one line of the JSON), with the number of its cell from 0, and of the LaTeX source.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput, UnknownName

from . import names
from .reading import number, numbered

COLUMNS = (
    "trainable_percent",
    "clone-detection",
    "vulnerability-detection",
    "flaky-detection",
    "code-search",
)
NOTEBOOK, LATEX = "Plots.ipynb", "mft_results_table.tex"
PROMPTS_CELL, PAIRS_CELL, TABLE_CELL = 2, 3, 4


@dataclass(frozen=True)
class TypedCell:
    """One typed number.

    Attributes:
        file: The file that it stands in, as upstream names it.
        cell: The notebook's cell, from 0.
        line: Of the file, from 1.
        setting: `multi`, `single`, `pair` or `zero-shot`.
        backbone: The backbone or prompted model.
        method: The method.
        tasks: Of the run, as typed.
        column: The column of the table.
        value: In percent.
    """

    file: str
    cell: int | None
    line: int
    setting: str
    backbone: str
    method: str
    tasks: tuple[str, ...]
    column: str
    value: float


# ---------------------------------------------------------------- notebook

_ROW = re.compile(r'add\("(MFT|SFT)","([^"]+)","([^"]+)",([\d., ]+)\)')
_PROMPT = re.compile(r'\s*\("([^"]+)",\s*\d+,([\d., ]+)\)')
_PAIR = re.compile(r"(\w+) = \{$")
_PAIR_BACKBONE = re.compile(r'\s*"([^"]+)" ?: ?\{')
_PAIR_VALUES = re.compile(r'"2tasks-(Adapter|LoRA)":\[([\d.]+) ?, ?([\d.]+) ?\]')
_PAIR_TASK = {
    "vul": "vulnerability-detection",
    "clone": "clone-detection",
    "search": "code-search",
    "flaky": "flaky-detection",
}


def read_notebook(path: Path, content: bytes) -> list[TypedCell]:
    """The typed numbers of the paper: four-task and single-task table, task pairs, prompting.

    Args:
        path: Where the notebook lies, for messages.
        content: Its bytes.

    Raises:
        BadInput: It is not a notebook, or a table's cell holds none of its rows.
    """
    found: list[TypedCell] = []
    for cell, reader in (
        (TABLE_CELL, _table),
        (PAIRS_CELL, _pairs),
        (PROMPTS_CELL, _prompts),
    ):
        rows = list(reader(path, cell, list(_source(path, content, cell))))
        if not rows:
            raise BadInput(
                path,
                f"cell {cell} holds no typed row",
                "the paper's tables",
                "restore the upstream checkout",
            )
        found += rows
    return found


def _source(path: Path, content: bytes, cell: int) -> Iterator[tuple[int, str]]:
    """A cell's source lines with their lines in the file: each is found again, in order, as a JSON
    string on its line.
    """
    try:
        sources = [c["source"] for c in json.loads(content)["cells"]]
        wanted = [text for source in sources[: cell + 1] for text in source]
        first = sum(map(len, sources[:cell]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            path, f"not a notebook: {error}", "cells with sources", "restore the upstream checkout"
        ) from error
    lines = numbered(content)
    for position, text in enumerate(wanted):
        for line, raw in lines:
            if raw.strip().rstrip(",").startswith('"') and _string(raw) == text:
                if position >= first:
                    yield line, text.rstrip("\n")
                break
        else:
            raise BadInput(
                path,
                f"source {text!r} of cell {cell} is not a line of the file",
                "a notebook with one line of JSON per source line",
                "restore the upstream checkout",
            )


def _string(raw: str) -> str | None:
    try:
        value = json.loads(raw.strip().rstrip(","))
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _table(path: Path, cell: int, source: list[tuple[int, str]]) -> Iterator[TypedCell]:
    for line, text in source:
        if found := _ROW.match(text):
            setting = {"MFT": "multi", "SFT": "single"}[found[1]]
            values = [number(v.strip(), path, line) for v in found[4].split(",")]
            yield from _row(path, NOTEBOOK, cell, line, setting, found[2], found[3], values)


def _pairs(path: Path, cell: int, source: list[tuple[int, str]]) -> Iterator[TypedCell]:
    tasks: tuple[str, ...] = ()
    backbone = ""
    for line, text in source:
        if found := _PAIR.match(text):
            words = found[1].split("_")
            tasks = tuple(_PAIR_TASK[w] for w in words) if set(words) <= _PAIR_TASK.keys() else ()
        if not tasks:
            continue
        if text.startswith("}"):
            tasks = ()
        elif found := _PAIR_BACKBONE.match(text):
            backbone = found[1]
        for method, *values in _PAIR_VALUES.findall(text):
            for task, value in zip(tasks, values, strict=True):
                yield TypedCell(
                    NOTEBOOK,
                    cell,
                    line,
                    "pair",
                    _known(path, line, names.typed_backbone, backbone),
                    _known(path, line, names.typed_method, method),
                    tasks,
                    task,
                    number(value, path, line),
                )


def _prompts(path: Path, cell: int, source: list[tuple[int, str]]) -> Iterator[TypedCell]:
    for line, text in source:
        if found := _PROMPT.match(text):
            model = _known(path, line, names.backbone, found[1])
            values = [number(v.strip(), path, line) for v in found[2].split(",")]
            for column, value in zip(COLUMNS[1:], values, strict=True):
                yield TypedCell(
                    NOTEBOOK, cell, line, "zero-shot", model, "none", (column,), column, value
                )


def _row(
    path: Path,
    file: str,
    cell: int | None,
    line: int,
    setting: str,
    backbone: str,
    method: str,
    values: list[float | None] | list[float],
) -> Iterator[TypedCell]:
    """The cells of one row of a table: the share of trainable parameters, then the four tasks."""
    if len(values) != len(COLUMNS):
        raise BadInput(
            path,
            f"{len(values)} numbers",
            f"{len(COLUMNS)}: {', '.join(COLUMNS)}",
            "restore the upstream checkout",
            line=line,
        )
    for column, value in zip(COLUMNS, values, strict=True):
        if value is not None:
            yield TypedCell(
                file,
                cell,
                line,
                setting,
                _known(path, line, names.typed_backbone, backbone),
                _known(path, line, names.typed_method, method),
                COLUMNS[1:] if setting == "multi" else (column,),
                column,
                value,
            )


def _known(path: Path, line: int, rule: "names.Rule", text: str) -> str:
    try:
        return rule(text)
    except UnknownName as error:
        raise BadInput(
            path, str(error), "a name that is known", "restore the upstream checkout", line=line
        ) from error


# ---------------------------------------------------------------- LaTeX

_PART = {"MFT (multi-task)": "multi", "SFT (single-task)": "single"}
_GROUP = re.compile(r"\\multirow\{\d+\}\{\*\}\{\\bfseries (.+?)\}\s*$")
_CELL = re.compile(r"^(\d+\.\d+|--)$")
_WRAPPED = re.compile(r"\\(?:multicolumn\{\d+\}\{[^}]*\}|textcolor\{red\})\{(.*)\}$")


def read_latex(path: Path, content: bytes) -> list[TypedCell]:
    """The typed numbers of the revision's table; a dash is no number, arrows with differences are
    left out.

    Args:
        path: Where the table lies, for messages.
        content: Its bytes.

    Raises:
        BadInput: A row holds another number of cells, or names that are not known.
    """
    found: list[TypedCell] = []
    setting = backbone = ""
    for line, text in numbered(content):
        for part, name in _PART.items():
            setting = name if part in text else setting
        if group := _GROUP.match(text):
            backbone = group[1]
        elif text.startswith("& ") and setting and backbone:
            method, *cells = [c.strip() for c in text.rstrip().removesuffix("\\\\").split("&")[1:]]
            values = [v for v in map(_number, cells) if v is not None]
            numbers = [None if v == "--" else number(v, path, line) for v in values]
            found += _row(path, LATEX, None, line, setting, backbone, method, numbers)
    if not found:
        raise BadInput(
            path, "no row of numbers", "the revision's table", "restore the upstream checkout"
        )
    return found


def _number(cell: str) -> str | None:
    """A cell's number or dash, without its LaTeX wrappers; None where the cell is empty or a
    difference.
    """
    while wrapped := _WRAPPED.match(cell):
        cell = wrapped[1]
    cell = cell.removeprefix("{").removesuffix("}") if cell.startswith("{") else cell
    return cell if _CELL.match(cell) else None

"""The study's per-instance CSV files → wide score tables.

Everything about a file follows from its place: the folder names tool and evaluation set
(catalog/tools), the name names the run. Values are carried over as they are, also those that the
audit later questions.
"""

import csv
import math
import re
from pathlib import Path

import pandas as pd

from mtpeft.archive.sources import STUDY
from mtpeft.catalog import Catalog, Evaluation, Tool
from mtpeft.core.errors import BadInput

_NAME = re.compile(
    r"(?P<size>0[._]5|1[._]5|3)b?[-_](?:(?P<pair>c[gs]_c[st])_)?(?P<arm>st|mt)[-_](?P<method>qlora|fft)$"
)


def run_of(path: Path, evaluation: Evaluation, known: Catalog) -> str:
    """The run whose scores a file holds, from its name."""
    match = _NAME.search(path.stem)
    if not match:
        raise BadInput(
            path, "the name tells no run", "…SIZE_ARM_METHOD.csv, as in cs_qwen0_5_st_qlora.csv"
        )
    run = f"qwen2.5-coder-{match['size'].replace('_', '.')}b/{match['arm']}-{match['method']}"
    if match["pair"]:
        abbreviations = {t.abbreviation.lower(): t.id for t in known.of("tasks", STUDY)}
        run += "/" + "+".join(abbreviations[part] for part in match["pair"].split("_"))
    elif match["arm"] == "st":
        run += "/" + known.task_of(evaluation.id).id
    known.get("runs", run)
    return run


def instance_id(text: str, evaluation: Evaluation) -> str:
    """The canonical id of an instance; translations are numbered, with or without their prefix."""
    return f"translation_{text}" if evaluation.source_language and text.isdigit() else text


def read_scores_file(path: Path, tool: Tool, evaluation: Evaluation, run: str) -> pd.DataFrame:
    """One upstream file as rows of a wide score table.

    Refused by line: malformed CSV, a wrong header, a field that is no number, an id that is empty
    or comes twice, more rows than the evaluation set has instances, no end of the last line.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadInput(path, f"not UTF-8: {error}", "UTF-8 text") from error
    rows = list(csv.reader(text.splitlines()))
    if not rows:
        raise BadInput(path, "the file is empty", "a header and one row per instance")
    if not text.endswith("\n"):
        raise BadInput(
            path,
            f"the last line has no end ({rows[-1]}): the file is truncated",
            "every line ended",
            line=len(rows),
        )
    header = rows[0]
    metrics = [m for m in tool.metrics if m.column in header]
    wanted = {tool.id_column, *(m.column for m in metrics)}
    if set(header) != wanted or len(header) != len(wanted) or not metrics:
        raise BadInput(
            path,
            f"header is {','.join(header)}",
            ",".join([tool.id_column, *(m.column for m in tool.metrics)]),
            line=1,
        )
    seen: dict[str, int] = {}
    result = []
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise BadInput(
                path, f"{len(row)} fields", f"{len(header)} fields as in the header", line=line
            )
        fields = dict(zip(header, row, strict=True))
        name = instance_id(fields[tool.id_column].strip(), evaluation)
        if not name:
            raise BadInput(path, "an empty instance id", "an id", line=line)
        if name in seen:
            raise BadInput(
                path,
                f"instance {name} again (first on line {seen[name]})",
                "one row per instance",
                line=line,
            )
        seen[name] = line
        result.append(
            [
                run,
                line - 1,
                name,
                "ok",
                *(_number(path, line, m.column, fields[m.column]) for m in metrics),
            ]
        )
    if not 0 < len(result) <= evaluation.instances:
        raise BadInput(
            path, f"{len(result)} instances", f"1 to {evaluation.instances} of {evaluation.id}"
        )
    return pd.DataFrame(
        result, columns=["run", "row", "instance_id", "status", *(m.id for m in metrics)]
    )


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(path, f"{column} is {text!r}", "a finite number", line=line)
    return value


def read_all(
    folder: Path, known: Catalog
) -> tuple[dict[tuple[str, str], pd.DataFrame], list[tuple[Path, int]]]:
    """Every per-instance file below `folder`: tables by (tool, evaluation), and (file, rows) in
    order.

    Refused: a file in a folder that the catalog does not know, two files for one run, a folder
    without files.
    """
    evaluations = known.evaluations()
    tables: dict[tuple[str, str], pd.DataFrame] = {}
    files: list[tuple[Path, int]] = []
    for tool in known.tools.values():
        for place, name in tool.archive.items():
            evaluation = evaluations[name]
            parts: list[pd.DataFrame] = []
            owner: dict[str, Path] = {}
            for path in sorted((folder / place).glob("*.csv")):
                run = run_of(path, evaluation, known)
                if run in owner:
                    raise BadInput(
                        path,
                        f"scores of {run}, which {owner[run].name} holds already",
                        "one file per run",
                    )
                owner[run] = path
                parts.append(read_scores_file(path, tool, evaluation, run))
                files.append((path, len(parts[-1])))
            if not parts:
                raise BadInput(
                    folder / place, "no CSV file", f"the {tool.title} scores of {evaluation.title}"
                )
            tables[tool.id, name] = pd.concat(parts, ignore_index=True)
    strays = sorted(set(folder.rglob("*.csv")) - {path for path, _ in files})
    if strays:
        raise BadInput(
            strays[0],
            "a per-instance file in a folder that no tool of the catalog claims",
            "folders named under `archive:` in catalog/tools",
        )
    return tables, files

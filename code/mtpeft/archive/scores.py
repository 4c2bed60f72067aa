"""The study's per-instance CSV files → wide score tables.

Everything about a file follows from its place: the folder names tool and evaluation set
(catalog/tools), the name names the run. Values are carried over as they are, also those that the
audit later questions.
"""

import csv
import math
from pathlib import Path

import pandas as pd

from mtpeft.archive.dialect import ScoreDialect
from mtpeft.catalog import Catalog, Evaluation, Tool
from mtpeft.core.errors import BadInput


def run_of(path: Path, evaluation: Evaluation, known: Catalog, dialect: ScoreDialect) -> str:
    """The run whose scores a file holds, from its name.

    Raises:
        BadInput: The name tells no run.
        UnknownName: The catalog has no such run.
    """
    run = dialect.run_of_file(path.stem, known.task_of(evaluation.id).id)
    if run is None:
        raise BadInput(path, "the name tells no run", dialect.FILE_NAME)
    known.get("runs", run)
    return run


def read_scores_file(
    path: Path, tool: Tool, evaluation: Evaluation, run: str, dialect: ScoreDialect
) -> pd.DataFrame:
    """One upstream file as rows of a wide score table.

    Args:
        path: The file.
        tool: The tool whose columns it has.
        evaluation: The evaluation set whose instances it has.
        run: The run that was scored.
        dialect: What tells the canonical ids of the instances.

    Raises:
        BadInput: Malformed CSV, a wrong header, a field that is no number, an id that is empty or
            comes twice, more rows than the evaluation set has instances, or no end of the last
            line; the error names the line.
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
        name = dialect.instance_id(fields[tool.id_column].strip(), bool(evaluation.source_language))
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
    folder: Path, known: Catalog, dialect: ScoreDialect
) -> tuple[dict[tuple[str, str], pd.DataFrame], list[tuple[Path, int]]]:
    """Every per-instance file below a folder.

    Args:
        folder: The folder.
        known: The catalog, which says whose scores lie in which folder.
        dialect: What tells runs and instances from names.

    Returns:
        The tables by (tool, evaluation), and how many rows each file holds, in order.

    Raises:
        BadInput: A file lies in a folder that the catalog does not know, two files are of one run,
            or a folder has no files.
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
                run = run_of(path, evaluation, known, dialect)
                if run in owner:
                    raise BadInput(
                        path,
                        f"scores of {run}, which {owner[run].name} holds already",
                        "one file per run",
                    )
                owner[run] = path
                parts.append(read_scores_file(path, tool, evaluation, run, dialect))
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

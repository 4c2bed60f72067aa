"""Logs of prompted models: each ends in a summary table of fixed-width columns, one row a task."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput

from .reading import number, numbered

TASKS = {
    "vulnerability_detection": "vulnerability-detection",
    "flaky_tests": "flaky-detection",
    "clone_detection": "clone-detection",
    "code_search": "code-search",
}
_COLUMN = {
    "Accuracy": "acc",
    "Macro_F1": "macro_f1",
    "MCC": "mcc",
    "Macro_P": "macro_precision",
    "Macro_R": "macro_recall",
    "MRR@K": "mrr",
}
_POSITIVE = re.compile(r"'1': (\{[^}]*\})")
_ELAPSED = re.compile(r"samples: 100%[^\[]*\[(\d+):(\d+)<")


@dataclass(frozen=True)
class PromptedRow:
    """One task's row of the last summary.

    Attributes:
        task: The task.
        model: The prompted model.
        samples: How many examples were asked about.
        line: Of the row.
        values: The scores by metric.
        candidates: Size of the pool that a search ranked, where the log says it.
    """

    task: str
    model: str
    samples: int
    line: int
    values: dict[str, float]
    candidates: int | None


@dataclass(frozen=True)
class PromptedLog:
    """The last summary of one log and the seconds that its progress bar shows, where it has one."""

    rows: list[PromptedRow]
    seconds: float | None


def read_prompted_log(path: Path, content: bytes) -> PromptedLog:
    """Read the summaries of a log: a later one repeats the rows of those before it, and counts.

    Args:
        path: Where the log lies, for messages.
        content: Its uncompressed bytes.

    Raises:
        BadInput: There is no summary, or a row does not fit its header.
    """
    rows: dict[str, PromptedRow] = {}
    header: list[str] = []
    seconds: float | None = None
    for line, text in numbered(content):
        for minutes, rest in _ELAPSED.findall(text):
            seconds = float(60 * int(minutes) + int(rest))
        words = text.split()
        if words[:2] == ["Task", "Model"]:
            header = words
        elif header and words and words[0] in TASKS:
            rows[words[0]] = _row(path, line, header, text)
    if not rows:
        raise BadInput(
            path, "no summary", "a table of tasks and scores", "restore the upstream checkout"
        )
    return PromptedLog(list(rows.values()), seconds)


def _row(path: Path, line: int, header: list[str], text: str) -> PromptedRow:
    plain = text.partition("{")[0].split()
    columns = header[: len(plain)]
    cells = dict(zip(columns, plain, strict=True))
    values = {
        name: number(cells[column], path, line)
        for column, name in _COLUMN.items()
        if cells.get(column, "NaN") != "NaN"
    }
    if found := _POSITIVE.search(text):
        values |= {k: float(v) for k, v in ast.literal_eval(found[1]).items()}
    pool = cells.get("CandidatePool", "NaN")
    return PromptedRow(
        TASKS[cells["Task"]],
        cells["Model"],
        int(cells["Samples"]),
        line,
        values,
        None if pool == "NaN" else int(number(pool, path, line)),
    )

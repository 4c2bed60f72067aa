"""What came of `mtpeft apply`, as text for people and as JSON for programs.

The JSON document, format `mtpeft-apply-1`: `results`, one object for each `Result` without what is
not its own; `calibrations` (run, task, and either `calibration` or `uncalibrated`, the reason);
`skipped` (run, task, reason); `notes`; `errors` (found, expected, fix, and file and line where one
is to blame). A piece of code is file, name (empty: the whole file), line and language.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.text import one_line, printable
from mtpeft.corpora.functions import Function
from mtpeft.inference.apply.results import Report, Result
from mtpeft.inference.calibration import Calibration, described

FORMAT = "mtpeft-apply-1"
MOST = 20
"""Pairs without a yes that are listed in a text."""
_LOG_WIDTH = 200


def as_json(report: Report) -> str:
    """The document described above."""
    calibrations = []
    for (run, task), found in report.calibrations.items():
        said: dict[str, Any] = {"uncalibrated": found}
        if isinstance(found, Calibration):
            said = {"calibration": asdict(found)}
        calibrations.append({"run": run, "task": task, **said})
    document = {
        "format": FORMAT,
        "results": [_result(result) for result in report.results],
        "calibrations": calibrations,
        "skipped": [{"run": r, "task": t, "reason": why} for r, t, why in report.skipped],
        "notes": report.notes,
        "errors": [_error(error) for error in report.errors],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _result(result: Result) -> dict[str, Any]:
    said = {f.name: getattr(result, f.name) for f in fields(result)}
    said["function"] = _piece(result.function)
    said["other"] = _piece(result.other) if result.other else None
    return {name: value for name, value in said.items() if value is not None}


def _piece(function: Function) -> dict[str, Any]:
    return {
        "file": str(function.path),
        "name": function.name,
        "line": function.line,
        "language": function.language,
    }


def _error(error: MtpeftError) -> dict[str, Any]:
    said: dict[str, Any] = {"found": error.found, "expected": error.expected, "fix": error.fix}
    if isinstance(error, BadInput):
        said["file"] = str(error.path)
        said["line"] = error.line
    return said


def show(report: Report, console: Console | None = None) -> None:
    """Print a report.

    Args:
        report: The report.
        console: Where to; default: standard output.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    for (run, task), some in groupby(report.results, key=lambda r: (r.run, r.task)):
        results = list(some)
        console.print(f"\n{task}  ({run})", style="bold", markup=False)
        {"label": _labels, "ranking": _ranking}.get(results[0].output, _texts)(results, console)
        if (found := report.calibrations.get((run, task))) is not None:
            if isinstance(found, str):
                _line(console, f"uncalibrated, threshold 0.5: {found}")
            else:
                _line(console, f"calibrated on {described(found)}")
    for run, task, why in report.skipped:
        _line(console, f"{task} ({run}) was not asked: {why}")
    for note in report.notes:
        _line(console, note)


def _line(console: Console, text: str) -> None:
    console.print(f"  {printable(text)}", style="dim", markup=False, soft_wrap=True)


def _name(function: Function) -> str:
    name = f" {function.name}" if function.name else ""
    return one_line(f"{function.path}:{function.line}{name}")


def _table(columns: Sequence[str], results: list[Result]) -> Table:
    """A table with one more column where something of the code was cut off."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    cut = ["read"] if any(r.cut for r in results) else []
    for column in ("", *columns, *cut):
        number = column in ("probability", "similarity", "rank")
        table.add_column(
            column, justify="right" if number else "left", overflow="fold", no_wrap=number
        )
    return table


def _rows(table: Table, rows: Iterable[tuple[Result, list[str]]]) -> None:
    for result, cells in rows:
        table.add_row("", *cells, *([result.cut] if len(table.columns) > len(cells) + 1 else []))


def _labels(results: list[Result], console: Console) -> None:
    pairs = any(r.other for r in results)
    table = _table(("probability", "verdict", "code", *(["other code"] if pairs else [])), results)
    if pairs:
        results = sorted(results, key=lambda r: -(r.probability or 0))
    rest = [r for r in results if pairs and not r.verdict]
    listed = [*(r for r in results if r.verdict or not pairs), *rest[:MOST]]
    _rows(
        table,
        (
            (
                r,
                [
                    f"{r.probability:.3f}",
                    "yes" if r.verdict else "no",
                    *(_name(f) for f in (r.function, r.other) if f),
                ],
            )
            for r in listed
        ),
    )
    console.print(table)
    if len(rest) > MOST:
        _line(console, f"and {len(rest) - MOST} more pairs: no")


def _ranking(results: list[Result], console: Console) -> None:
    for query, some in groupby(results, key=lambda r: r.query):
        found = list(some)
        console.print(f"  {one_line(query or '')}", style="italic", markup=False)
        table = _table(("rank", "similarity", "code"), found)
        _rows(table, ((r, [str(r.rank), f"{r.similarity:.3f}", _name(r.function)]) for r in found))
        console.print(table)


def _texts(results: list[Result], console: Console) -> None:
    for r in results:
        score = r.mean_log_probability
        said = "empty answer" if score is None else f"mean log-probability {score:.2f} a token"
        if r.language:
            said = f"in {r.language}, {said}"
        ended = (
            "; the answer was cut off at its limit of tokens" if r.finish_reason == "length" else ""
        )
        console.print(f"  {_name(r.function)}  ({said}{ended})", markup=False, soft_wrap=True)
        answer = printable(r.answer or "")
        if r.language and console.is_terminal:
            console.print(Syntax(answer, r.language, background_color="default"))
        else:
            text = "\n".join(f"    {line}" for line in answer.split("\n"))
            console.print(text, markup=False, soft_wrap=True)
        if r.cut:
            _line(console, f"read {r.cut}")

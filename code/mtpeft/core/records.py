"""The records that pass between stages: their fields, and how they are written, read and validated.

Four records make the contract of the house: `Prediction`, `Score`, `Test` and `Verdict`. Tables of
them are canonical CSV (sorted, LF, shortest round-trip floats, empty field = missing), so that
equal results are equal bytes. Predictions are append-only JSON lines, so that a killed run loses at
most the line being written.

Scores are stored wide, one file per (tool, task): `<root>/scores/<tool>/<task>.csv` with the
columns `run,row,instance_id,status,<metric>…`. `row` is the 1-based position in the file the scores
came from; some published tests pair by it. A filled field is a value, and its status is `ok`;
`status` says why the empty fields of the row are empty, and `ok` where none is. Where their reasons
differ, the exceptions follow the first, each with its metric: `unparseable;side=cannot run here`.
`ScoreSet` is the reading side, indexed by (run, task, metric).
"""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import (
    append_lines,
    no_file,
    no_folder,
    record_lines,
    repair_last_line,
    unique,
    write_atomic,
)
from mtpeft.core.names import safe_name

if TYPE_CHECKING:  # pandas takes longer to import than an up-to-date `make` takes to say so
    import numpy as np
    import pandas as pd

SCORE_KEYS = ["run", "row", "instance_id", "status"]
STATUSES = ("ok", "unparseable", "empty", "infrastructure", "cannot run here")
# Of several statuses in one row, the one that says most about what went wrong comes first.
SEVERITY = ("infrastructure", "cannot run here", "unparseable", "empty", "ok")

# The verdicts of the ladder; never merged, and always listed in this order.
VERDICTS = (
    "exact",
    "within tolerance",
    "differs",
    "not run",
    "cannot run here",
    "not reproducible",
)


@dataclass(frozen=True)
class Prediction:
    """One model output.

    Attributes:
        run: The run that wrote it.
        task: The evaluation set.
        instance_id: The instance.
        prompt_sha256: Hash of the prompt as the model read it.
        raw_output: What the model wrote.
        output: The answer in it.
        finish_reason: Why it ended: `stop`, `length` or `error`.
        seconds: Wall time of this instance's share of its batch.
        error: What went wrong; empty where nothing did.
        rule: The rule that took `output` out of `raw_output`; empty in older files.
        prompt_cut: What a prompt that was too long has lost; empty where nothing.
    """

    run: str
    task: str
    instance_id: str
    prompt_sha256: str
    raw_output: str
    output: str
    finish_reason: str
    seconds: float
    error: str = ""
    rule: str = ""
    prompt_cut: str = ""


@dataclass(frozen=True)
class Score:
    """One value of one metric for one instance.

    Attributes:
        run: The run that wrote the output.
        task: The evaluation set.
        instance_id: The instance.
        tool: The tool that gave the value.
        tool_version: Its version.
        metric: The metric.
        value: None exactly when `status` is not `ok`.
        status: Why there is no value.
        detail: The tool's messages.
    """

    run: str
    task: str
    instance_id: str
    tool: str
    tool_version: str
    metric: str
    value: float | None
    status: str = "ok"
    detail: str = ""


@dataclass(frozen=True)
class Test:
    """One paired comparison of run A with run B on one metric under one protocol.

    Effects are A minus B. Missing values are NaN.

    Attributes:
        comparison: The study's script.
        block: The model size or task pair inside it.
        protocol: `as-published` or `corrected`.
        p_holm: `p` adjusted within `family` (of `m` tests with a defined p) by Holm.
        p_bh: The same by Benjamini and Hochberg.
    """

    __test__ = False  # not a pytest class

    comparison: str
    block: str
    task: str
    run_a: str
    run_b: str
    metric: str
    protocol: str
    test: str
    pairing: str
    n_a: int
    n_b: int
    n_pairs: int
    n_dropped: int
    dropped_ids: str
    mean_a: float
    mean_b: float
    statistic: float
    p: float
    family: str
    m: int
    p_holm: float
    p_bh: float
    cliffs_delta: float
    cliffs_delta_low: float
    cliffs_delta_high: float
    rank_biserial: float
    rank_biserial_low: float
    rank_biserial_high: float
    both_pass: float
    a_only: float
    b_only: float
    both_fail: float
    odds_ratio: float
    note: str = ""
    odds_ratio_low: float = math.nan
    odds_ratio_high: float = math.nan

    @property
    def share_left(self) -> float:
        """The share of the instances that are in a pair; NaN where there is none."""
        every = self.n_pairs + self.n_dropped
        return self.n_pairs / every if every else math.nan


@dataclass(frozen=True)
class Mean:
    """The mean of one metric over the instances of an evaluation set that have a value.

    Attributes:
        run: The run.
        task: The evaluation set.
        metric: The metric.
        n: Instances with a value.
        mean: Their mean.
        low: Lower end of its 95 % interval, by the bootstrap over instances.
        high: Upper end.
    """

    run: str
    task: str
    metric: str
    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PublishedCell:
    """One printed value of a study, exactly as printed.

    Attributes:
        source: Output file in the study's repository.
        line: 1-based.
        variant: Which rendering of the same result (for example `CLEAN` table or `RAW`
            console output, with the correction in its name).
    """

    id: str
    source: str
    line: int
    variant: str
    comparison: str
    block: str
    metric: str
    quantity: str
    adjustment: str
    printed: str


@dataclass(frozen=True)
class Verdict:
    """What became of one published cell, claim or file.

    Attributes:
        kind: `cell`, `typed`, `claim`, `file`, `complete`, `score`, `recovered`, `answers`,
            `trained`, `trained claim`.
        published: The printed value as text, at the compared precision.
        archived: The archived value, likewise.
        regenerated: The recomputed value, likewise.
        cause: Key of the audited cause where one is known.
        corrected: The value under the corrected protocol.
        conclusion_changes: `yes`, `no` or empty where the cell carries no conclusion.
        rests_on: How many instances, and what became of the others.
    """

    id: str
    tier: str
    kind: str
    published: str
    archived: str
    regenerated: str
    tolerance: str
    tolerance_source: str
    verdict: str
    reason: str = ""
    cause: str = ""
    corrected: str = ""
    conclusion_changes: str = ""
    command: str = ""
    rests_on: str = ""

    @property
    def unexplained(self) -> bool:
        """A difference without a cause, or something called not reproducible without a reason."""
        return (self.verdict == "differs" and not self.cause) or (
            self.verdict == "not reproducible" and not (self.cause or self.reason)
        )


RECORDS: dict[str, type] = {
    c.__name__: c for c in (Prediction, Score, Test, Mean, PublishedCell, Verdict)
}


OWN = ("answers", "trained", "trained claim")
"""Kinds of verdicts on a user's own answers and runs: they have exit codes of their own and say
nothing about what is shipped.
"""


def unaccounted(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts on what is shipped that nothing explains."""
    return [v for v in verdicts if v.unexplained and v.kind not in OWN]


# ---------------------------------------------------------------- writing


def format_value(value: Any) -> str:
    """Canonical text of a cell: shortest float that reads back equal, integers without point,
    missing = ''.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Canonical CSV text of `rows` (LF, minimal quoting)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([format_value(value) for value in row])
    return buffer.getvalue()


def write_frame(path: Path, frame: "pd.DataFrame") -> None:
    """Write a data frame as canonical CSV, rows in the order given."""
    write_atomic(
        path, csv_text(list(frame.columns), frame.astype(object).itertuples(index=False, name=None))
    )


def records_text(records: Iterable[Any], record: type) -> str:
    """Records of one type as canonical CSV, in the order given."""
    columns = [f.name for f in fields(record)]
    return csv_text(columns, ([getattr(r, c) for c in columns] for r in records))


def write_records(path: Path, records: Iterable[Any], record: type) -> None:
    """Write records of one type as canonical CSV, in the order given."""
    write_atomic(path, records_text(records, record))


# ---------------------------------------------------------------- reading


def read_frame(
    path: Path, columns: Sequence[str] | None = None, numeric: Iterable[str] = ()
) -> "pd.DataFrame":
    """Read canonical CSV as text columns (numeric ones as float64), refusing what is malformed by
    file and line.

    Args:
        path: The file.
        columns: The exact header expected, where known.
        numeric: Columns whose every non-empty field is a number.
    """
    header, rows = _rows(path, columns)
    return _frame(path, header, rows, set(numeric))


def read_rows(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Read canonical CSV as text, row by row, refusing what is malformed as `read_frame` does.

    Args:
        path: The file.
        columns: The exact header expected, where known.
    """
    header, rows = _rows(path, columns)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _frame(
    path: Path, header: list[str], rows: list[list[str]], numeric: set[str]
) -> "pd.DataFrame":
    import pandas as pd

    texts = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    return pd.DataFrame(
        {
            name: _numbers(path, name, column)
            if name in numeric
            else pd.Series(column, dtype=object)
            for name, column in zip(header, texts, strict=True)
        }
    )


def _rows(path: Path, columns: Sequence[str] | None) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a canonical CSV file as text."""
    if not path.is_file():
        raise no_file(path, "a table written by an earlier stage", "make verify")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(path, f"not UTF-8: {error}", "UTF-8 text") from error
    if text and not text.endswith("\n"):
        raise BadInput(
            path,
            "the last line has no end: the file is truncated",
            "every line ended by LF",
            "restore the file (git checkout), or run the stage that writes it again",
        )
    reader = csv.reader(io.StringIO(text))
    try:
        header = next(reader, [])
        if not header:
            raise BadInput(path, "the file is empty", "a header line")
        if columns is not None and header != list(columns):
            raise BadInput(path, f"header is {','.join(header)}", ",".join(columns), line=1)
        width = len(header)
        if len(set(header)) < width:
            raise BadInput(path, f"header is {','.join(header)}", "each column once", line=1)
        rows = []
        for row in reader:
            if len(row) != width:
                raise BadInput(
                    path,
                    f"{len(row)} fields",
                    f"{width} fields as in the header",
                    line=reader.line_num,
                )
            rows.append(row)
    except csv.Error as error:
        raise BadInput(path, f"not CSV: {error}", "CSV", line=reader.line_num) from error
    return header, rows


def _numbers(path: Path, name: str, texts: Sequence[str]) -> "np.ndarray":
    """A text column as float64, empty fields as NaN."""
    import numpy as np

    try:
        if not set("".join(texts)) <= _DIGITS:
            raise ValueError
        values: np.ndarray = np.array(
            [float(text) if text else math.nan for text in texts], dtype="float64"
        )
        if np.isinf(values).any():
            raise ValueError
        return values
    except ValueError:
        row = next(i for i, text in enumerate(texts) if text and not _number(text))
        raise BadInput(
            path,
            f"{name} is {texts[row]!r}",
            "a number in decimal digits, or an empty field",
            line=row + 2,
        ) from None


# Python's own parser also takes `1_0`, ` 1`, `nan` and `Infinity`; none of them is a score.
_DIGITS = set("0123456789.+-eE")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ROW = re.compile(r"[1-9]\d{0,8}", re.ASCII)


def _number(text: str) -> bool:
    """Whether a field is a number that a float can hold."""
    return bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text))


def read_records(path: Path, record: type) -> list[Any]:
    """Read a table of records of one type; fields are converted to the record's types.

    Raises:
        BadInput: A column or a field is not what the record has; the error names file and line.
    """
    hints = get_type_hints(record)
    names = [f.name for f in fields(record)]
    convert = [_conversion(hints[name]) for name in names]
    result = []
    for number, row in enumerate(_rows(path, names)[1], start=2):
        try:
            result.append(record(*[to(text) for to, text in zip(convert, row, strict=True)]))
        except ValueError as error:
            raise BadInput(path, str(error), f"a {record.__name__} record", line=number) from error
    return result


def _conversion(hint: Any) -> Callable[[str], Any]:
    if hint in (str, int):
        return hint  # type: ignore[no-any-return]
    if hint is float:
        return lambda text: float(text) if text else math.nan
    if type(None) in get_args(hint):
        return lambda text: float(text) if text else None
    raise TypeError(f"record field of unsupported type {hint}")


# ---------------------------------------------------------------- predictions


def append_predictions(path: Path, records: Iterable[Prediction]) -> None:
    """Append records to a JSON-lines file and flush them to the disk before returning."""
    append_lines(path, (_line(record) for record in records))


def write_predictions(path: Path, records: Iterable[Prediction]) -> None:
    """Write a whole file of records in one step, in place of the one that may be there."""
    write_atomic(path, "".join(_line(record) + "\n" for record in records))


def arrange_predictions(path: Path, ids: Iterable[str]) -> None:
    """Bring a file of records into an order in one step, where it has another. No file is no record.

    Args:
        path: The file.
        ids: Instances in the order; records of others come last, as they stood.

    Raises:
        BadInput: Of the first line that cannot be used.
    """
    place: dict[str, int] = {}
    for name in ids:
        place.setdefault(name, len(place))
    records = resume_predictions(path)
    ordered = sorted(records, key=lambda record: place.get(record.instance_id, len(place)))
    if ordered != records:
        write_predictions(path, ordered)


def _line(record: Prediction) -> str:
    """One line; half a surrogate pair, which a server may send, is written as an escape."""
    line = json.dumps(asdict(record), ensure_ascii=False, sort_keys=True)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(asdict(record), ensure_ascii=True, sort_keys=True)
    return line


def resume_predictions(path: Path) -> list[Prediction]:
    """The records of a file that a run may have left unfinished.

    A last line that a kill has cut off is removed. No file is no record.

    Raises:
        BadInput: Of the first line that cannot be used.
    """
    if not path.exists():
        return []
    repair_last_line(path)
    records = []
    for record in read_predictions(path):
        if not isinstance(record, Prediction):
            raise record
        records.append(record)
    return records


def drop_predictions(path: Path, unwanted: Callable[[Prediction], bool]) -> int:
    """Take the unwanted records out of a file in one step; every other line keeps its bytes.

    Returns how many went.
    """
    if not path.is_file():
        return 0
    every = path.read_bytes().split(b"\n")
    gone = {
        number - 1
        for number, record in numbered_predictions(path)
        if isinstance(record, Prediction) and unwanted(record)
    }
    if gone:
        # Never emptied and filled again: a kill in between would cost every answer.
        kept = (line for number, line in enumerate(every) if number not in gone)
        write_atomic(path, b"\n".join(kept))
    return len(gone)


def read_predictions(path: Path) -> Iterator[Prediction | BadInput]:
    """Every record of a JSON-lines file, as `numbered_predictions` yields them, without the lines'
    numbers.
    """
    return (record for _, record in numbered_predictions(path))


def numbered_predictions(path: Path) -> Iterator[tuple[int, Prediction | BadInput]]:
    """Yield every record of a JSON-lines file with its line; a line that cannot be used is yielded
    as the error that names it.

    A malformed line must not cost the good ones: the caller decides whether to raise or to go on
    and report. Errors: malformed JSON, missing or unknown field, wrong type, NUL byte, invalid
    UTF-8, a name that cannot be shown, duplicate instance. A name ending in `.gz` is unpacked.
    """
    if not path.is_file():
        raise no_file(path, "predictions in JSON lines", "mtpeft infer --help")
    hints = get_type_hints(Prediction)
    required = {f.name for f in fields(Prediction) if f.default is MISSING}
    seen: dict[tuple[str, str, str], int] = {}
    for number, raw in record_lines(path):
        try:
            record = _prediction(raw, hints, required)
        except Exception as error:  # whatever is wrong with one line, it is that line's error
            reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
            yield (
                number,
                BadInput(
                    path,
                    reason,
                    "one JSON object per line with the fields of a prediction",
                    "remove the line; `mtpeft infer` computes the instance again",
                    line=number,
                ),
            )
            continue
        key = (record.run, record.task, record.instance_id)
        if key in seen:
            yield (
                number,
                BadInput(
                    path,
                    f"instance {record.instance_id} again (first on line {seen[key]})",
                    "one record per run, task and instance",
                    "remove one of the lines",
                    line=number,
                ),
            )
            continue
        seen[key] = number
        yield number, record


MOST_SECONDS = 1e9
"""An answer takes less; NaN and infinity are none."""
# Fields that reach tables, reports and the terminal: no control character, no half of a surrogate
# pair.
_SHOWN = ("run", "task", "instance_id", "prompt_sha256", "finish_reason")


def _prediction(raw: bytes, hints: dict[str, Any], required: set[str]) -> Prediction:
    if b"\0" in raw:
        raise ValueError("a NUL byte")
    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except UnicodeDecodeError as error:
        raise ValueError(f"invalid UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"malformed JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"a JSON {type(data).__name__}, not an object")
    missing, unknown = required - data.keys(), data.keys() - hints.keys()
    if missing or unknown:
        raise ValueError(
            "; ".join(
                filter(
                    None,
                    [
                        f"missing {', '.join(sorted(missing))}" if missing else "",
                        f"unknown {', '.join(sorted(unknown))}" if unknown else "",
                    ],
                )
            )
        )
    for name, value in data.items():
        wanted = (int, float) if hints[name] is float else hints[name]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"{name} is a {type(value).__name__}")
        if isinstance(value, str) and name in _SHOWN and not value.isprintable():
            raise ValueError(f"{name} {value[:80]!a} holds what no name does")
    if not 0 <= data.get("seconds", 0) < MOST_SECONDS:
        raise ValueError(f"seconds {str(data['seconds'])[:20]} is no time")
    return Prediction(**data)


# ---------------------------------------------------------------- scores


def score_path(root: Path, tool: str, task: str) -> Path:
    """Where the scores of one tool on one task's evaluation set lie below `root`."""
    return root / "scores" / safe_name(tool, "tool") / f"{safe_name(task, 'evaluation set')}.csv"


def row_status(statuses: Mapping[str, str]) -> str:
    """The `status` field of a row from the status of each of its metrics: `ok`, or why its empty
    fields are empty.

    The reason that says most about what went wrong comes first; metrics with another reason are
    named after it.
    """
    lost = {metric: status for metric, status in statuses.items() if status != "ok"}
    if not lost:
        return "ok"
    first = min(lost.values(), key=SEVERITY.index)
    return ";".join(
        [first, *(f"{metric}={status}" for metric, status in lost.items() if status != first)]
    )


def statuses_of(text: str) -> tuple[str, dict[str, str]]:
    """A row's `status` field taken apart: the reason of its empty fields, and metric → reason where
    that is another.
    """
    first, *others = text.split(";")
    return first, dict(other.rpartition("=")[::2] for other in others)


def _unlike(frame: "pd.DataFrame") -> "np.ndarray":
    """Rows whose `status` is no status, or says something else than their fields do."""
    empty = frame[list(frame.columns[4:])].isna()
    wrong: np.ndarray = (frame["status"] == "ok").to_numpy() == empty.any(axis=1).to_numpy()
    for text in frame["status"].unique():
        first, others = statuses_of(text)
        if (
            first not in STATUSES
            or len(others) != text.count(";")
            or any(s not in STATUSES[1:] or s == first for s in others.values())
            or (others and (first == "ok" or not others.keys() <= set(empty.columns)))
        ):
            wrong |= (frame["status"] == text).to_numpy()
        elif others:
            # The exceptions are empty, and the first reason is that of a further empty field.
            said = empty[list(others)].all(axis=1) & (empty.sum(axis=1) > len(others))
            wrong |= (frame["status"] == text).to_numpy() & ~said.to_numpy()
    return wrong


def write_scores(root: Path, tool: str, task: str, frame: "pd.DataFrame") -> Path:
    """Write a wide score table, sorted by run and row.

    Args:
        root: The folder that holds `scores/`.
        tool: The tool that gave the scores.
        task: The evaluation set.
        frame: Columns `SCORE_KEYS` and one for each metric.

    Returns:
        The path of the table.

    Raises:
        MtpeftError: A column is missing, an instance comes twice, or a status contradicts its row.
    """
    missing = [name for name in SCORE_KEYS if name not in frame.columns]
    if missing:
        raise MtpeftError(
            f"score table {tool}/{task} lacks {', '.join(missing)}", ", ".join(SCORE_KEYS)
        )
    duplicated = frame.duplicated(["run", "instance_id"])
    if duplicated.any():
        first = frame[duplicated].iloc[0]
        raise MtpeftError(
            f"score table {tool}/{task}: {first['run']} has {first['instance_id']} twice",
            "one row per run and instance",
        )
    unlike = _unlike(frame)
    if unlike.any():
        first = frame[unlike].iloc[0]
        raise MtpeftError(
            f"score table {tool}/{task}: {first['run']} / {first['instance_id']} has the status {first['status']!r}",
            "`ok` exactly where every field has a value",
        )
    path = score_path(root, tool, task)
    write_frame(path, frame.sort_values(["run", "row"], kind="stable"))
    return path


def read_scores(path: Path) -> "pd.DataFrame":
    """Read one wide score table: `run`, `instance_id`, `status` text, `row` int, metrics float (NaN
    = no value).

    Raises:
        BadInput: With file and line, for a run or an id that is no name, a row that is not numbered
            by a whole number from 1, a value that is no finite decimal number, an unknown status, a
            status that its row's fields contradict (`ok` with an empty field, another without one),
            an instance that comes twice, and rows of a run out of order.
    """
    import pandas as pd

    header, rows = _score_rows(path)
    name = "a name", lambda text: text and text == text.strip() and text.isprintable()
    number = "a number without a point, counted from 1", _ROW.fullmatch
    checks: list[tuple[str, Callable[[str], object]]] = [name, number, name]
    for place, (expected, right) in enumerate(checks):
        wrong = {text for text in {row[place] for row in rows} if not right(text)}
        for line, row in enumerate(rows if wrong else (), start=2):
            if row[place] in wrong:
                found = f"{header[place]} is {row[place]!a}"
                raise BadInput(path, found, expected, line=line)
    frame = _frame(path, header, rows, {"row", *header[4:]})
    frame["row"] = frame["row"].astype("int64")
    for problem, expected in (
        (
            pd.Series(_unlike(frame), index=frame.index),
            f"a status out of {', '.join(STATUSES)}; `ok` exactly where every field has a value",
        ),
        (frame.duplicated(["run", "instance_id"]), "one row per run and instance"),
        (
            frame.groupby("run", sort=False)["row"].diff() <= 0,
            "rows of a run in ascending order",
        ),
    ):
        if problem.any():
            at = int(problem.to_numpy().argmax())
            raise BadInput(
                path,
                f"{frame['run'].iloc[at]} / {frame['instance_id'].iloc[at]} "
                f"(status {frame['status'].iloc[at]}, row {frame['row'].iloc[at]})",
                expected,
                line=at + 2,
            )
    return frame


def _score_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    header, rows = _rows(path, None)
    if header[:4] != SCORE_KEYS or len(header) < 5:
        raise BadInput(
            path, f"header is {','.join(header)}", ",".join(SCORE_KEYS) + ",<metric>…", line=1
        )
    return header, rows


def count_scores(path: Path) -> tuple[list[str], Counter[str]]:
    """The metrics of a wide score table and how many rows each run has; no value is looked at.

    Raises:
        BadInput: With file and line, for a file that is no such table.
    """
    header, rows = _score_rows(path)
    return header[4:], Counter(row[0] for row in rows)


@dataclass(frozen=True)
class Column:
    """The scores of one run on one metric in row order, in arrays of equal length.

    Attributes:
        ids: Of the instances; shape [n].
        status: Of the values; shape [n].
        value: float64, NaN where there is none; shape [n].
    """

    ids: "np.ndarray"
    status: "np.ndarray"
    value: "np.ndarray"


def _status(rows: "np.ndarray", metric: str, value: "np.ndarray") -> "np.ndarray":
    """The status of each value of a metric, from the rows' statuses."""
    result = rows.copy()
    for number in (rows != "ok").nonzero()[0]:
        first, others = statuses_of(rows[number])
        result[number] = "ok" if value[number] == value[number] else others.get(metric, first)
    return result


@dataclass
class ScoreSet:
    """All scores below a root, read once and indexed by (run, task, metric)."""

    root: Path
    tables: "dict[tuple[str, str], pd.DataFrame]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tool: dict[tuple[str, str], str] = {}
        self._rows: dict[tuple[str, str, str], np.ndarray] = {}
        self._columns: dict[tuple[str, str, str], Column] = {}
        for (tool, task), frame in self.tables.items():
            for metric in frame.columns[4:]:
                self._tool[task, metric] = tool
            for run, rows in frame.groupby("run", sort=False).indices.items():
                self._rows[tool, task, str(run)] = rows

    @classmethod
    def load(cls, *roots: Path, fix: str = "git checkout results/archived") -> "ScoreSet":
        """Read every `<root>/scores/<tool>/<task>.csv`; tables of one name are put together.

        Args:
            roots: The folders.
            fix: What makes such tables, for the message.

        Raises:
            MtpeftError: There are none.
        """
        import pandas as pd

        for root in roots:
            if root.exists() and not root.is_dir():
                raise no_folder(root, "a folder with scores/<tool>/<task>.csv", fix)

        parts: dict[tuple[str, str], list[pd.DataFrame]] = {}
        for path in [p for root in roots for p in sorted((root / "scores").glob("*/*.csv"))]:
            parts.setdefault((path.parent.name, path.stem), []).append(read_scores(path))
        if not parts:
            raise MtpeftError(
                "no score tables below "
                + (" or ".join(str(root / "scores") for root in roots) or "any study's folder"),
                "<tool>/<task>.csv files",
                fix,
            )
        tables = {
            name: frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
            for name, frames in parts.items()
        }
        return cls(roots[0], tables)

    def tool_of(self, task: str, metric: str) -> str:
        """The tool whose table for `task` has a column `metric`.

        Raises:
            UnknownName: None has it.
        """
        if (task, metric) not in self._tool:
            raise UnknownName(f"metric of {task}", metric, {m for t, m in self._tool if t == task})
        return self._tool[task, metric]

    def has(self, run: str, task: str, metric: str) -> bool:
        """Whether any score of this run, task and metric is there."""
        return (task, metric) in self._tool and (self._tool[task, metric], task, run) in self._rows

    def column(self, run: str, task: str, metric: str) -> Column:
        """Scores of one run on one metric, in row order (empty where the run is absent)."""
        key = (run, task, metric)
        if key not in self._columns:
            tool = self.tool_of(task, metric)
            part = self.tables[tool, task].iloc[self._rows.get((tool, task, run), [])]
            value = part[metric].to_numpy(dtype="float64")
            self._columns[key] = Column(
                part["instance_id"].to_numpy(),
                _status(part["status"].to_numpy(), metric, value),
                value,
            )
        return self._columns[key]

    def vector(self, run: str, task: str, metric: str) -> "pd.DataFrame":
        """The same as a frame with the columns `instance_id, status, value`."""
        import pandas as pd

        column = self.column(run, task, metric)
        return pd.DataFrame(
            {"instance_id": column.ids, "status": column.status, "value": column.value}
        )

    def runs(self, task: str, metric: str) -> list[str]:
        """The runs that have this metric on this task, sorted."""
        tool = self.tool_of(task, metric)
        return sorted(run for t, name, run in self._rows if (t, name) == (tool, task))

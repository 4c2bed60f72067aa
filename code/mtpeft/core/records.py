"""The records that pass between stages: their fields, and how they are written, read and validated.

Four records make the contract of the house: `Prediction`, `Score`, `Test` and `Verdict`. Tables of
them are canonical CSV (sorted, LF, shortest round-trip floats, empty field = missing), so that
equal results are equal bytes. Predictions are append-only JSON lines, so that a killed run loses at
most the line being written.

Scores are stored wide, one file per (tool, task): `<root>/scores/<tool>/<task>.csv` with the
columns `run,row,instance_id,status,<metric>…`. `row` is the 1-based position in the file the scores
came from; some published tests pair by it. `ScoreSet` is the reading side, indexed by (run, task,
metric).
"""

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.output import claim

if TYPE_CHECKING:  # pandas takes longer to import than an up-to-date `make` takes to say so
    import numpy as np
    import pandas as pd

SCORE_KEYS = ["run", "row", "instance_id", "status"]
STATUSES = ("ok", "unparseable", "empty", "infrastructure", "cannot run here")

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
    """One model output. `seconds` is wall time of this instance's share of its batch."""

    run: str
    task: str
    instance_id: str
    prompt_sha256: str
    raw_output: str
    output: str
    finish_reason: str
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Score:
    """One value of one metric for one instance. `value` is None exactly when `status` is not `ok`."""

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

    comparison/block: the study's script and the model size or task pair inside it; protocol:
    `as-published` or `corrected`; p_holm and p_bh: `p` adjusted within `family` (of `m` tests with
    a defined p). Effects are A minus B. Missing values are NaN.
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


@dataclass(frozen=True)
class PublishedCell:
    """One printed value of a study, exactly as printed.

    source: output file in the study's repository; line: 1-based; variant: which rendering of the
    same result (for example `CLEAN` table or `RAW` console output, with the correction in its
    name).
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

    kind: `cell`, `claim`, `file`, `score`, `recovered`, `answers`, `trained`, `trained claim`;
    published/archived/regenerated: the values as text at the compared precision; cause: key of the
    audited cause where one is known; corrected: the value under the corrected protocol;
    conclusion_changes: `yes`, `no` or empty where the cell carries no conclusion.
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

    @property
    def unexplained(self) -> bool:
        """A difference without a cause, or something called not reproducible without a reason."""
        return (self.verdict == "differs" and not self.cause) or (
            self.verdict == "not reproducible" and not (self.cause or self.reason)
        )


RECORDS: dict[str, type] = {
    c.__name__: c for c in (Prediction, Score, Test, PublishedCell, Verdict)
}


# ---------------------------------------------------------------- writing


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write `content` under a temporary name, flush it to the disk, then rename: a reader sees old
    or new, never half.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        claim(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MtpeftError(
            f"cannot write {path}: {error.strerror}",
            "a writable folder with free space",
            f"df -h {path.parent}; ls -ld {path.parent}",
        ) from error


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

    columns: the exact header expected, where known; numeric: columns whose every non-empty field is
    a number.
    """
    header, rows = _rows(path, columns)
    return _frame(path, header, rows, set(numeric))


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
        raise BadInput(path, "no such file", "a table written by an earlier stage", "make verify")
    try:
        text = path.read_bytes().decode("utf-8")
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
    header = next(reader, [])
    if not header:
        raise BadInput(path, "the file is empty", "a header line")
    if columns is not None and header != list(columns):
        raise BadInput(path, f"header is {','.join(header)}", ",".join(columns), line=1)
    if len(set(header)) < len(header):
        raise BadInput(path, f"header is {','.join(header)}", "each column once", line=1)
    rows = []
    for row in reader:
        if len(row) != len(header):
            raise BadInput(
                path,
                f"{len(row)} fields",
                f"{len(header)} fields as in the header",
                line=reader.line_num,
            )
        rows.append(row)
    return header, rows


def _numbers(path: Path, name: str, texts: Sequence[str]) -> "np.ndarray":
    """A text column as float64, empty fields as NaN."""
    import numpy as np

    try:
        return np.array([float(text) if text else math.nan for text in texts], dtype="float64")
    except ValueError:
        row = next(i for i, text in enumerate(texts) if text and not _is_number(text))
        raise BadInput(
            path, f"{name} is {texts[row]!r}", "a number or an empty field", line=row + 2
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_records(path: Path, record: type) -> list[Any]:
    """Read a table of records of one type; fields are converted to the record's types and
    validated.
    """
    hints = get_type_hints(record)
    names = [f.name for f in fields(record)]
    result = []
    for number, row in enumerate(_rows(path, names)[1], start=2):
        try:
            result.append(
                record(
                    *(_convert(text, hints[name]) for name, text in zip(names, row, strict=True))
                )
            )
        except ValueError as error:
            raise BadInput(path, str(error), f"a {record.__name__} record", line=number) from error
    return result


def _convert(text: str, hint: Any) -> Any:
    if hint is str:
        return text
    if hint is int:
        return int(text)
    if hint is float:
        return float(text) if text else math.nan
    if type(None) in get_args(hint):
        return float(text) if text else None
    raise TypeError(f"record field of unsupported type {hint}")


def frame_of(records: Sequence[Any], record: type) -> "pd.DataFrame":
    """The records as a data frame with the record's columns, also when there are none."""
    import pandas as pd

    return pd.DataFrame([asdict(r) for r in records], columns=[f.name for f in fields(record)])


# ---------------------------------------------------------------- predictions


def append_predictions(path: Path, records: Iterable[Prediction]) -> None:
    """Append records to a JSON-lines file and flush them to the disk before returning."""
    text = "".join(_line(record) for record in records)
    try:
        claim(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise MtpeftError(
            f"cannot write {path}: {error.strerror}",
            "a writable folder with free space",
            f"df -h {path.parent}; ls -ld {path.parent}",
        ) from error


def write_predictions(path: Path, records: Iterable[Prediction]) -> None:
    """Write a whole file of records in one step, in place of the one that may be there."""
    write_atomic(path, "".join(_line(record) for record in records))


def _line(record: Prediction) -> str:
    """One line; half a surrogate pair, which a server may send and UTF-8 cannot hold, is written as
    an escape.
    """
    line = json.dumps(asdict(record), ensure_ascii=False, sort_keys=True)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        line = json.dumps(asdict(record), ensure_ascii=True, sort_keys=True)
    return line + "\n"


def resume_predictions(path: Path) -> list[Prediction]:
    """The records of a file that a run may have left unfinished: a last line cut off by a kill is
    removed.

    Raises the `BadInput` of the first line that cannot be used. No file is no record.
    """
    if not path.is_file():
        return []
    _mend_last_line(path)
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
    lines = path.read_bytes().split(b"\n")
    gone = {
        number - 1
        for number, record in numbered_predictions(path)
        if isinstance(record, Prediction) and unwanted(record)
    }
    if gone:
        # Never emptied and filled again: a kill in between would cost every answer.
        write_atomic(
            path, b"\n".join(line for number, line in enumerate(lines) if number not in gone)
        )
    return len(gone)


def _mend_last_line(path: Path) -> None:
    """Cut off a last line without its end, or end it where it is a whole record."""
    data = path.read_bytes()
    last = data[data.rfind(b"\n") + 1 :]
    if not last:
        return
    try:
        whole = isinstance(json.loads(last.decode("utf-8")), dict)
    except (ValueError, RecursionError):
        whole = False
    with open(path, "r+b") as stream:
        if whole:
            stream.seek(0, os.SEEK_END)
            stream.write(b"\n")
        else:
            stream.truncate(len(data) - len(last))
        stream.flush()
        os.fsync(stream.fileno())


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
    UTF-8, duplicate instance.
    """
    if not path.is_file():
        raise BadInput(path, "no such file", "predictions in JSON lines", "mtpeft infer --help")
    hints = get_type_hints(Prediction)
    required = {f.name for f in fields(Prediction)} - {"error"}
    seen: dict[tuple[str, str, str], int] = {}
    with open(path, "rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                record = _prediction(raw, hints, required)
            except ValueError as error:
                yield (
                    number,
                    BadInput(
                        path,
                        str(error),
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


def _prediction(raw: bytes, hints: dict[str, Any], required: set[str]) -> Prediction:
    if b"\0" in raw:
        raise ValueError("a NUL byte")
    try:
        data = json.loads(raw.decode("utf-8"))
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
    return Prediction(**data)


# ---------------------------------------------------------------- scores


def score_path(root: Path, tool: str, task: str) -> Path:
    """Where the scores of one tool on one task's evaluation set lie below `root`."""
    return root / "scores" / tool / f"{task}.csv"


def write_scores(root: Path, tool: str, task: str, frame: "pd.DataFrame") -> Path:
    """Write a wide score table (columns `SCORE_KEYS` + metrics), sorted by run and row. Returns its
    path.
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
    path = score_path(root, tool, task)
    write_frame(path, frame.sort_values(["run", "row"], kind="stable"))
    return path


def read_scores(path: Path) -> "pd.DataFrame":
    """Read one wide score table: `run`, `instance_id`, `status` text, `row` int, metrics float (NaN
    = no value).

    Refused, by file and line: unknown status, duplicate instance, rows of a run out of order.
    """
    header, rows = _rows(path, None)
    if header[:4] != SCORE_KEYS or len(header) < 5:
        raise BadInput(
            path, f"header is {','.join(header)}", ",".join(SCORE_KEYS) + ",<metric>…", line=1
        )
    frame = _frame(path, header, rows, {"row", *header[4:]})
    frame["row"] = frame["row"].astype("int64")
    for problem, expected in (
        (~frame["status"].isin(STATUSES), f"a status out of {', '.join(STATUSES)}"),
        (frame.duplicated(["run", "instance_id"]), "one row per run and instance"),
        (
            (frame["run"] == frame["run"].shift()) & (frame["row"] <= frame["row"].shift()),
            "rows of a run in ascending order",
        ),
    ):
        if problem.any():
            row = int(problem.to_numpy().argmax())
            raise BadInput(
                path,
                f"{frame['run'].iloc[row]} / {frame['instance_id'].iloc[row]} "
                f"(status {frame['status'].iloc[row]}, row {frame['row'].iloc[row]})",
                expected,
                line=row + 2,
            )
    return frame


@dataclass(frozen=True)
class Column:
    """The scores of one run on one metric in row order: equal-length arrays of ids, statuses and
    values (float64).
    """

    ids: "np.ndarray"
    status: "np.ndarray"
    value: "np.ndarray"


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
    def load(cls, root: Path) -> "ScoreSet":
        """Read every `<root>/scores/<tool>/<task>.csv`."""
        paths = sorted((root / "scores").glob("*/*.csv"))
        if not paths:
            raise MtpeftError(
                f"no score tables below {root / 'scores'}",
                "<tool>/<task>.csv files",
                "git checkout results/archived",
            )
        return cls(root, {(path.parent.name, path.stem): read_scores(path) for path in paths})

    def tool_of(self, task: str, metric: str) -> str:
        """The tool whose table for `task` has a column `metric`."""
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
            self._columns[key] = Column(
                *(part[name].to_numpy() for name in ("instance_id", "status", metric))
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

"""Predictions → items to score: the archived outputs of studies, and prediction records of new runs.

A line that cannot be used never costs the good ones: it becomes an error that names file and line,
and reading goes on.
"""

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.catalog.places import score_files
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import no_file
from mtpeft.core.outputs import PredictionSet
from mtpeft.core.records import Prediction, numbered_predictions, read_frame
from mtpeft.core.text import one_line
from mtpeft.scoring.interface import Item
from mtpeft.scoring.wrapping import NotWrapped, unframed
from mtpeft.studies.outputs import dialect_of_set, prediction_sets

# Outputs are at most 512 tokens in the study; what is a thousand times longer is no answer but an
# accident.
MAX_OUTPUT_BYTES = 1 << 20
FIELDS = ("task_id", "model", "method", "language", "code", "source")


def sets() -> dict[str, PredictionSet]:
    """Every archived set of outputs that a study of the catalog declares, by evaluation set."""
    return prediction_sets(catalog())


@dataclass
class Predictions:
    """Items that can be scored, and the errors of the lines that cannot.

    Attributes:
        path: The file.
        items: What can be scored.
        problems: The errors of lines that cannot be used.
        rejected: Status and reason of instances whose record is sound but whose output no tool can
            be given (its text is left out here); they keep a row of their own in score tables.
        rows: The position of each of these and of the items in its run, in the order of the file,
            by (run, task, instance).
    """

    path: Path
    items: list[Item] = field(default_factory=list)
    problems: list[BadInput] = field(default_factory=list)
    rejected: dict[Item, tuple[str, str]] = field(default_factory=dict)
    rows: dict[tuple[str, str, str], int] = field(default_factory=dict)


def instance_order(instance_id: str) -> tuple[str, int, str]:
    """Sort key of instance ids: translations by number, all others as text."""
    stem, _, number = instance_id.rpartition("_")
    return (stem, int(number), "") if stem and number.isdigit() else ("", 0, instance_id)


def known_ids(evaluation: str) -> frozenset[str]:
    """The instance ids of an evaluation set, from the archived score tables; empty where none is
    there.
    """
    tables = [path for path in score_files(catalog()) if path.stem == evaluation]
    return frozenset(name for path in tables for name in read_frame(path)["instance_id"])


def archived_path(evaluation: str) -> Path:
    """Where the archived outputs lie: the mirror, else what the builder made.

    Raises:
        BadInput: Neither has them.
    """
    name = f"{evaluation}.jsonl.gz"
    mirror = paths.mirror()
    for folder in ([mirror / "derived" / "predictions"] if mirror else []) + [
        paths.CACHE / "predictions"
    ]:
        if (folder / name).is_file():
            return folder / name
    raise BadInput(
        paths.CACHE / "predictions" / name,
        "the archived outputs are not here",
        "the canonical file of model outputs",
        "make predictions  (or set MTPEFT_MIRROR)",
    )


def read_archived(evaluation: str, path: Path | None = None) -> Predictions:
    """The archived outputs of one evaluation set, unwrapped, in canonical order, each with its run.

    A file whose content is not the pinned one is read all the same, and the difference is the first
    problem.
    """
    target = sets()[evaluation]
    path = path or archived_path(evaluation)
    result = read_archived_file(path, target, known_ids(evaluation))
    digest = hashlib.sha256(content(path)).hexdigest()
    if digest != target.sha256:
        result.problems.insert(
            0, BadInput(path, f"content has SHA-256 {digest}", target.sha256, "make predictions")
        )
    return result


def content(path: Path) -> bytes:
    """The bytes of a file, decompressed where its name ends in .gz.

    Raises:
        BadInput: The archive is broken.
    """
    if not path.is_file():
        raise no_file(path, "predictions in JSON lines", "mtpeft infer --help")
    data = path.read_bytes()
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(
            path,
            f"not a whole gzip file: {error}",
            "gzip-compressed JSON lines",
            "fetch the file again",
        ) from error


def read_archived_file(
    path: Path, target: PredictionSet, known: AbstractSet[str] = frozenset()
) -> Predictions:
    """Read outputs in the archive's form (`FIELDS`, one JSON object a line).

    Args:
        path: The file.
        target: The set that it holds.
        known: The ids that may occur (empty: any).

    Returns:
        The outputs, and problems, each naming its line: malformed JSON, invalid UTF-8, wrong
        fields, unknown run or instance, an instance twice in a run, a NUL byte or other text that
        no file can hold, an output above `MAX_OUTPUT_BYTES`, a text without the study's frame.

    Raises:
        MtpeftError: No study declares the set.
    """
    result = Predictions(path)
    names = dialect_of_set(catalog(), target.evaluation)
    if names is None:
        raise MtpeftError(
            f"no study declares archived outputs of {target.evaluation}",
            "PREDICTIONS in the study's dialect.py",
            "mtpeft list studies",
        )
    runs = {(run.model, run.method): run.run for run in target.runs}
    seen: dict[tuple[str, str], int] = {}
    for number, raw in enumerate(content(path).split(b"\n"), start=1):
        if not raw:
            continue
        try:
            record = _object(raw)
            called = (record["model"], record["method"])
            if called not in runs:
                raise UnknownName("run", " ".join(called), [" ".join(pair) for pair in runs])
            name, language = record["task_id"], record["language"]
            _check_instance(runs[called], name, known, seen, number)
            unit = names.unit_of(name, language)
            if not unit.replace("_", "").isalnum():
                raise ValueError(f"instance {name[:80]!a} names no file of the study")
            frame = names.FRAMES.get(language, ("", ""))
            item = Item(runs[called], target.evaluation, name, language, "", unit=unit, frame=frame)
            _admit(result, item, record["code"], number)
        except (ValueError, MtpeftError, RecursionError) as error:
            found = error.found if isinstance(error, MtpeftError) else str(error)
            result.problems.append(
                BadInput(
                    path,
                    found,
                    getattr(error, "expected", "") or "a line as in the archive",
                    "the other lines are scored; correct or remove this one",
                    line=number,
                )
            )
    result.items.sort(key=lambda i: (i.run, instance_order(i.instance_id)))
    return result


def _admit(result: Predictions, item: Item, code: str, line: int) -> None:
    """Put the item among those to be scored, or among the rejected where its text cannot be given
    to any tool.

    Args:
        result: What was read so far.
        item: The item, without its output.
        code: The output.
        line: Of the file.
    """
    try:
        check_output(code)
        output = unframed(code, item.frame or ("", ""), item.unit)
    except ValueError as error:
        result.rejected[item] = ("unparseable", str(error))
        raise
    except NotWrapped as error:
        result.rejected[item] = ("unparseable", error.found)
        raise
    result.items.append(replace(item, output=output))


def _object(raw: bytes) -> dict[str, str]:
    try:
        data = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"invalid UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"malformed JSON: {error}") from error
    if not isinstance(data, dict) or set(data) != set(FIELDS):
        raise ValueError(
            f"fields {', '.join(sorted(data)) if isinstance(data, dict) else type(data).__name__}"
        )
    for name, value in data.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is a {type(value).__name__}")
    return data


def _check_instance(
    run: str, name: str, known: AbstractSet[str], seen: dict[tuple[str, str], int], line: int
) -> None:
    if known and name not in known:
        raise ValueError(f"unknown instance {name!r}")
    if (run, name) in seen:
        raise ValueError(f"instance {name} of {run} again (first on line {seen[run, name]})")
    seen[run, name] = line


def check_output(text: str) -> None:
    """Make sure that a text can be put into a source file.

    Raises:
        ValueError: It cannot, or it is absurdly large.
    """
    if "\0" in text:
        raise ValueError(f"a NUL byte at character {text.index(chr(0))} of the output")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the output is no valid Unicode (lone surrogate at character {error.start})"
        ) from error
    if size > MAX_OUTPUT_BYTES:
        raise ValueError(f"an output of {size:,} bytes (limit {MAX_OUTPUT_BYTES:,})")


def sample_of(instance_id: str) -> tuple[str, int]:
    """The problem of `PROBLEM#7`, and the number of the sample; without a number it is sample 0."""
    problem, mark, number = instance_id.rpartition("#")
    return (problem, int(number)) if mark and number.isdecimal() else (instance_id, 0)


def read_new(path: Path, ids_of: Callable[[str], AbstractSet[str]] = known_ids) -> Predictions:
    """Prediction records of a new run as items; `task` of a record names its evaluation set.

    Args:
        path: The file.
        ids_of: The ids that may occur in an evaluation set (none: any); asked once for each set
            that occurs. Default: those of the archived tables, where there are any.

    Raises:
        MtpeftError: A run is withdrawn.
    """
    evaluations = catalog().evaluations()
    result = Predictions(path)
    counts: Counter[tuple[str, str]] = Counter()
    ids_of, studied = cache(ids_of), cache(known_ids)
    dialects = cache(partial(dialect_of_set, catalog()))
    for line, record in _records(path, result):
        try:
            if record.task not in evaluations:
                raise ValueError(
                    f"unknown evaluation set {record.task!r} (one of {', '.join(evaluations)})"
                )
            ids = ids_of(record.task)
            own_ids = studied(record.task)
            if ids and not {record.instance_id, sample_of(record.instance_id)[0]} & ids:
                raise ValueError(f"unknown instance {record.instance_id!r}")
            language = evaluations[record.task].language
            # A run on a study's own instances is compared with its archive, and so is shown to
            # tools under the study's names. These all have one form, so that none is favoured.
            names = dialects(record.task) if record.instance_id in own_ids else None
            unit = names.unit_of(record.instance_id, language) if names else ""
            item = Item(
                record.run, record.task, record.instance_id, language, record.output, unit=unit
            )
            counts[record.run, record.task] += 1
            result.rows[record.run, record.task, record.instance_id] = counts[
                record.run, record.task
            ]
            _admit_new(result, item, record.error)
        except ValueError as error:
            result.problems.append(
                BadInput(
                    path,
                    f"{record.run} / {record.instance_id}: {error}",
                    "an output of a known instance",
                    "the other instances are scored",
                    line=line,
                )
            )
    for run in sorted({i.run for i in [*result.items, *result.rejected]} & catalog().runs.keys()):
        catalog().usable_run(run)
    result.items.sort(key=lambda i: (i.task, i.run, instance_order(i.instance_id)))
    return result


def _admit_new(result: Predictions, item: Item, failed: str) -> None:
    if failed:
        # The model was never heard: no fault of its answer.
        result.rejected[replace(item, output="")] = (
            "infrastructure",
            f"no answer: {one_line(failed)}",
        )
        raise ValueError(f"inference failed: {one_line(failed)}")
    try:
        check_output(item.output)
    except ValueError as error:
        result.rejected[replace(item, output="")] = ("unparseable", str(error))
        raise
    result.items.append(item)


def _records(path: Path, result: Predictions) -> Iterator[tuple[int, Prediction]]:
    for line, record in numbered_predictions(path):
        if isinstance(record, BadInput):
            result.problems.append(record)
        else:
            yield line, record

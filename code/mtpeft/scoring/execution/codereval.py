"""CoderEval: what its own environment reads and writes, and how to run it where a user has that
environment.

CoderEval's tests live in a container image with the 43 Python and 10 Java projects under test; they
are published nowhere else. So nothing is executed here: predictions become its input file, its
container does the work, and its result file becomes score records.

- Input: one JSON object a line, {"_id": task, "generate_results": [code, …]}.
- Output: FILE_out.jsonl, one JSON object a line with `_id` and `generate_results`, which is now a
  list of {"generate_code", "is_pass", …}. Python adds `return_code` to a result and `file_path`,
  `project`, `name`, `level` to a line; Java adds `errormessage`, `error_detail_message` to a result
  and `project_name`, `method_name`, `code_level` to a line.
- Source: the result files that CoderEval publishes
  (experimental-results/GenerateResult{Python,Java}).
"""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mtpeft.core.errors import BadInput, MtpeftError, Unavailable
from mtpeft.core.files import no_file, unique, write_atomic
from mtpeft.core.processes import run
from mtpeft.core.records import SCORE_KEYS, Prediction, Score, read_predictions
from mtpeft.core.text import one_line
from mtpeft.sandbox.outcome import evidence_of
from mtpeft.scoring.execution.pass_at_k import mean_pass_at_k
from mtpeft.scoring.merge import add_runs

TOOL, METRIC, VERSION = "codereval_execution", "pass", "upstream"
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_PROGRAMS = {"python": "PythonExec.py", "java": "JavaExec.py"}


@dataclass(frozen=True)
class Sample:
    """One executed sample.

    Attributes:
        task_id: The task.
        number: The position of its code among those that were sent, from 0; None where the file
            does not say what was sent. CoderEval leaves samples out, so that its place among the
            results says nothing.
        code: What was executed.
        passed: Whether its tests passed.
        level: How far the task depends on its project.
        project: The project under test.
        reason: What CoderEval said of a failure.
    """

    task_id: str
    number: int | None
    code: str
    passed: bool
    level: str
    project: str
    reason: str


def _split(instance_id: str) -> tuple[str, int]:
    task_id, _, number = instance_id.partition("#")
    if number and not number.isdigit():
        raise MtpeftError(f"instance {instance_id}", "<_id> or <_id>#<number>")
    return task_id, int(number or 0)


def _program(prediction: Prediction) -> str:
    """The output as a file can hold it: half a surrogate pair becomes the replacement character, as
    one odd output must not keep the others from being sent.
    """
    return _HALF_PAIR.sub("\ufffd", prediction.output)


def write_input(path: Path, predictions: Iterable[Prediction]) -> int:
    """Write CoderEval's input from predictions.

    Samples of one task (`<_id>` or `<_id>#<n>`) become one line, in ascending n; tasks are sorted
    by id. A failed inference is no program and is left out.

    Returns:
        The number of tasks.

    Raises:
        MtpeftError: Tasks have different numbers of samples (CoderEval takes one number for all),
            or an id has another form.
    """
    samples: dict[str, dict[int, str]] = defaultdict(dict)
    for prediction in predictions:
        if prediction.error:
            continue
        task_id, index = _split(prediction.instance_id)
        if index in samples[task_id]:
            raise MtpeftError(f"instance {prediction.instance_id} twice", "every sample once")
        samples[task_id][index] = _program(prediction)
    counts = {len(codes) for codes in samples.values()}
    if len(counts) > 1:
        raise MtpeftError(
            f"tasks with {sorted(counts)} samples",
            "the same number of samples for every task",
            "predict failed instances again: mtpeft infer run RUN --retry",
        )
    lines = [
        json.dumps(
            {"_id": task_id, "generate_results": [codes[n] for n in sorted(codes)]},
            ensure_ascii=False,
        )
        for task_id, codes in sorted(samples.items())
    ]
    write_atomic(path, "".join(line + "\n" for line in lines))
    return len(lines)


def read_results(path: Path) -> Iterator[Sample | BadInput]:
    """Yield every sample of a result file; a line that cannot be used is yielded as the error that
    names it.
    """
    if not path.is_file():
        raise no_file(path, "a result file of CoderEval (…_out.jsonl)")
    seen: dict[str, int] = {}
    with open(path, "rb") as stream:
        for number, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                samples = _samples(raw)
            except ValueError as error:
                yield BadInput(
                    path,
                    str(error),
                    "a JSON object with _id and generate_results [{generate_code, is_pass}]",
                    "run CoderEval on this task again",
                    line=number,
                )
                continue
            task_id = samples[0].task_id
            if task_id in seen:
                yield BadInput(
                    path,
                    f"task {task_id} again (first on line {seen[task_id]})",
                    "every task once",
                    "remove one of the lines",
                    line=number,
                )
                continue
            seen[task_id] = number
            yield from samples


def _samples(raw: bytes) -> list[Sample]:
    try:
        fields = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except UnicodeDecodeError as error:
        raise ValueError(f"invalid UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"malformed JSON: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("_id"), str):
        raise ValueError("no text field _id")
    results = fields.get("generate_results")
    if not isinstance(results, list) or not results:
        raise ValueError("no list generate_results")
    level = str(fields.get("level", fields.get("code_level", "")))
    project = str(fields.get("project", fields.get("project_name", "")))
    sent = fields.get("code", fields.get("codes"))
    if not isinstance(sent, list) or not all(isinstance(code, str) for code in sent):
        sent = None
    samples = [
        _sample(fields["_id"], n, result, level, project) for n, result in enumerate(results)
    ]
    if sent is None:
        return samples
    numbers = _matched([sample.code for sample in samples], sent)
    if None in numbers:
        raise ValueError(
            f"the code of sample {numbers.index(None)} is none of those that were sent"
        )
    return [replace(s, number=number) for s, number in zip(samples, numbers, strict=True)]


def _matched(results: Sequence[str], sent: Sequence[str]) -> list[int | None]:
    """The position of each result's code among those that were sent; of equal ones in their order."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, code in enumerate(sent):
        places[code].append(place)
    return [places[code].pop(0) if places[code] else None for code in results]


def _sample(task_id: str, number: int, result: Any, level: str, project: str) -> Sample:
    if not isinstance(result, dict) or not isinstance(result.get("generate_code"), str):
        raise ValueError(f"sample {number} has no text field generate_code: it was not executed")
    if not isinstance(result.get("is_pass"), bool):
        raise ValueError(
            f"sample {number} has is_pass {result.get('is_pass')!r}, not true or false"
        )
    reason = result.get("errormessage") or (
        f"return code {result['return_code']}" if "return_code" in result else ""
    )
    return Sample(
        task_id,
        None,
        result["generate_code"],
        result["is_pass"],
        level,
        project,
        "" if result["is_pass"] else str(reason),
    )


def scores(
    samples: Iterable[Sample], run: str, task: str, predictions: Iterable[Prediction] = ()
) -> list[Score]:
    """One score per sample that was sent; the id of sample n > 0 is `<_id>#<n>`.

    A sample without a result, and a prediction that failed, has no value.

    Args:
        samples: The executed samples.
        run: That the scores name.
        task: The evaluation set that the scores name.
        predictions: What was sent, where the result file does not say so itself.

    Raises:
        MtpeftError: Nothing says which sample a result belongs to, or a code was never sent.
    """
    by_task: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_task[sample.task_id].append(sample)
    sent: dict[str, dict[int, Prediction]] = defaultdict(dict)
    for prediction in predictions:
        name, number = _split(prediction.instance_id)
        sent[name][number] = prediction
    return [
        score
        for name in sorted(by_task.keys() | sent.keys())
        for score in _of_task(name, by_task[name], sent.get(name, {}), run, task)
    ]


def _of_task(
    name: str, samples: list[Sample], sent: dict[int, Prediction], run: str, task: str
) -> list[Score]:
    numbers = [sample.number for sample in samples]
    if sent:
        known = sorted(n for n, prediction in sent.items() if not prediction.error)
        places = _matched([s.code for s in samples], [_program(sent[n]) for n in known])
        numbers = [None if place is None else known[place] for place in places]
    if None in numbers:
        raise MtpeftError(
            f"task {name}: nothing says which sample result {numbers.index(None) + 1} belongs to",
            "a code that was sent, in the file's own list or in the predictions",
            "hand over the predictions that the input was written from",
        )
    done = dict(zip(numbers, samples, strict=True))
    every = sorted(sent) if sent else range(max((n or 0 for n in numbers), default=-1) + 1)
    result = []
    for number in every:
        sample = done.get(number)
        failed = f"no answer: {one_line(sent[number].error)}" if sent and sent[number].error else ""
        result.append(
            Score(
                run,
                task,
                f"{name}#{number}" if number else name,
                TOOL,
                VERSION,
                METRIC,
                float(sample.passed) if sample else None,
                "ok" if sample else "infrastructure",
                evidence_of(sample.reason) if sample else failed or "CoderEval gave no result",
            )
        )
    return result


def pass_at_k(samples: Iterable[Sample], k: int) -> float:
    """Mean pass@k over the tasks of a result file."""
    passed: dict[str, list[bool]] = defaultdict(list)
    for sample in samples:
        passed[sample.task_id].append(sample.passed)
    return mean_pass_at_k(passed, k)


def engine() -> str:
    """The container engine of this machine, podman before docker.

    Raises:
        Unavailable: None answers.
    """
    tried = []
    for name in ("podman", "docker"):
        program = shutil.which(name)
        if program is None:
            tried.append(f"no {name}")
            continue
        try:
            done = run([program, "info"], seconds=60)
        except MtpeftError as error:
            tried.append(error.found)
            continue
        if done.code == 0:
            return program
        tried.append(f"{name} does not answer: {done.problem or 'no message'}")
    raise Unavailable(
        f"CoderEval's environment cannot run here: {'; '.join(tried)}",
        "a container engine",
        "import a result file made on another machine",
    )


def execute(
    predictions: Path,
    language: str,
    samples: int,
    image: str,
    folder: str,
    timeout_seconds: float = 24 * 3600,
) -> Path:
    """Run CoderEval's own program on its input file inside the user's image.

    The container has no network and its own limits.

    Args:
        predictions: The file that `write_input` wrote.
        language: `python` or `java`.
        samples: How many each task has.
        image: The user's image of CoderEval's environment.
        folder: Where its program lies inside that image.
        timeout_seconds: For all samples together.

    Returns:
        The result file.

    Raises:
        Unavailable: The engine or the image is missing.
        MtpeftError: CoderEval fails.
    """
    if language not in _PROGRAMS:
        raise MtpeftError(f"language {language!r}", " or ".join(_PROGRAMS))
    program = engine()
    if run([program, "image", "inspect", image], seconds=60).code != 0:
        raise Unavailable(
            f"CoderEval's environment cannot run here: no image {image!r}",
            "the image that CoderEval's authors give out",
            f"{program} load < coder-eval.tar; {program} tag <id> {image}",
        )
    work = predictions.resolve().parent
    inside = f"/mtpeft/{predictions.name}"
    command = [
        program,
        "run",
        "--rm",
        "--network",
        "none",
        "--pids-limit",
        "512",
        "--memory",
        "8g",
        "--volume",
        f"{work}:/mtpeft",
        "--workdir",
        folder,
        image,
        "python",
        _PROGRAMS[language],
        inside,
        str(samples),
    ]
    done = run(command, seconds=timeout_seconds)
    result = predictions.with_name(predictions.name + "_out.jsonl")
    if done.code != 0 or not result.is_file():
        raise MtpeftError(
            f"CoderEval ended with exit code {done.code}: {done.problem}",
            f"a result file {result.name}",
            "run the command by hand: " + " ".join(command),
        )
    return result


def export(predictions: Path, path: Path, evaluation: str) -> int:
    """Write CoderEval's input from a file of predictions.

    Args:
        predictions: The file.
        path: CoderEval's input.
        evaluation: The evaluation set whose predictions are written.

    Returns:
        The number of tasks.

    Raises:
        MtpeftError: The file holds several runs of the set, or none; as `write_input`.
        BadInput: A line of the file cannot be used.
    """
    return write_input(path, _of_one_run(predictions, evaluation))


def import_results(results: Path, predictions: Path, evaluation: str, place: Path) -> Path:
    """Write CoderEval's verdicts as a score table, among those of other runs.

    Args:
        results: CoderEval's result file.
        predictions: The predictions that were sent.
        evaluation: Their evaluation set.
        place: Below which score tables lie.

    Returns:
        The table.

    Raises:
        BadInput: A line of either file cannot be used.
        MtpeftError: As `scores`.
    """
    sent = _of_one_run(predictions, evaluation)
    samples = []
    for sample in read_results(results):
        if isinstance(sample, BadInput):
            raise sample
        samples.append(sample)
    found = scores(samples, sent[0].run, evaluation, sent)
    rows = [
        [s.run, number, s.instance_id, s.status, s.value] for number, s in enumerate(found, start=1)
    ]
    table = pd.DataFrame(rows, columns=[*SCORE_KEYS, "pass@1"])
    return add_runs(place, "codereval", evaluation, table, source=results, version=VERSION)


def _of_one_run(predictions: Path, evaluation: str) -> list[Prediction]:
    records = []
    for record in read_predictions(predictions):
        if isinstance(record, BadInput):
            raise record
        if record.task == evaluation:
            records.append(record)
    runs = sorted({record.run for record in records})
    if len(runs) != 1:
        raise MtpeftError(
            f"{predictions} holds {', '.join(runs) or 'nothing'} of {evaluation}",
            "the predictions of one run",
            "write each run into a file of its own",
        )
    return records

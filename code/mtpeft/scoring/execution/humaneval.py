"""HumanEval: read the benchmark, prove the runner on its canonical solutions, score predictions."""

import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import lines
from mtpeft.core.records import Prediction, Score
from mtpeft.sandbox import outcome
from mtpeft.sandbox.instances import FunctionInstance
from mtpeft.sandbox.limits import Limits
from mtpeft.sandbox.outcome import Outcome
from mtpeft.sandbox.runner import Pool, Sandbox
from mtpeft.scoring.execution.pass_at_k import mean_pass_at_k
from mtpeft.scoring.execution.results import ResultLog, key_of

RELATIVE = "openai/human-eval/6d43fb980f9fee3c892a914eda09951f772ad10d/data/HumanEval.jsonl.gz"
SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
PROBLEMS = 164
TOOL, METRIC = "humaneval_execution", "pass"
# The version names what can change a verdict apart from the interpreter: the judge, the wire, the
# limits.
VERSION = "1"
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
_SAMPLE = re.compile(r"(.+)#(\d+)")


@dataclass(frozen=True)
class Problem:
    """One problem of the benchmark.

    Attributes:
        task_id: `HumanEval/N`.
        prompt: Ends where the completion begins.
        entry_point: Name of the function.
        canonical_solution: A right completion.
        test: Defines `check(candidate)`.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str

    def instance(self, completion: str, limits: Limits) -> FunctionInstance:
        """Prompt and completion joined without anything between, as the benchmark's authors do."""
        return FunctionInstance(
            self.task_id,
            self.prompt + completion,
            self.entry_point,
            self.test,
            prelude=self.prompt,
            limits=limits,
        )


def default_path() -> Path:
    """The benchmark below MTPEFT_MIRROR or in the cache.

    Raises:
        MtpeftError: It is in neither.
    """
    folders = [folder for folder in (paths.mirror(), paths.CACHE) if folder is not None]
    for folder in folders:
        if (folder / RELATIVE).is_file():
            return folder / RELATIVE
    raise MtpeftError(
        f"HumanEval is not below {' or '.join(map(str, folders))}",
        RELATIVE,
        "set MTPEFT_MIRROR to a local mirror, or run `make data`",
    )


def read_problems(path: Path | None = None) -> dict[str, Problem]:
    """The 164 problems by task id, in file order.

    Args:
        path: JSON lines, gzipped or not (default: `default_path()`, which is checked by SHA-256).

    Raises:
        BadInput: The file is malformed; the error names the line.
    """
    source = path or default_path()
    if not source.is_file():
        raise BadInput(source, "no such file", "HumanEval.jsonl or HumanEval.jsonl.gz")
    data = source.read_bytes()
    if path is None and hashlib.sha256(data).hexdigest() != SHA256:
        raise BadInput(
            source,
            f"SHA-256 {hashlib.sha256(data).hexdigest()}",
            SHA256,
            "fetch the file again from openai/human-eval at the pinned commit",
        )
    try:
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise BadInput(source, f"damaged gzip: {error}", "a whole gzip file") from error
    problems: dict[str, Problem] = {}
    for number, line in enumerate(lines(text), start=1):
        try:
            fields = json.loads(line)
            problem = Problem(**{name: fields[name] for name in _FIELDS})
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                source, f"no HumanEval problem: {error!r}", ", ".join(_FIELDS), line=number
            ) from error
        if problem.task_id in problems:
            raise BadInput(source, f"{problem.task_id} again", "every task id once", line=number)
        problems[problem.task_id] = problem
    if len(problems) != PROBLEMS and path is None:
        raise BadInput(source, f"{len(problems)} problems", f"{PROBLEMS}")
    return problems


def gold_gate(pool: Pool, problems: Mapping[str, Problem], limits: Limits | None = None) -> None:
    """Run every canonical solution. No model is scored before this returned: a runner that fails a
    right answer would fail models for nothing.

    Args:
        pool: The sandboxes.
        problems: The problems.
        limits: What a solution may use.

    Raises:
        MtpeftError: A solution does not pass.
    """
    limits = limits or Limits()

    def run(sandbox: Sandbox, problem: Problem) -> tuple[str, Outcome]:
        return problem.task_id, sandbox.run(problem.instance(problem.canonical_solution, limits))

    failed = sorted(
        (task_id, result)
        for task_id, result in pool.map(run, problems.values())
        if result.status != outcome.PASSED
    )
    if failed:
        shown = "; ".join(
            f"{task_id} {result.status}: {result.evidence}" for task_id, result in failed[:5]
        )
        raise MtpeftError(
            f"{len(failed)} of {len(problems)} canonical solutions do not pass: {shown}",
            "every canonical solution passes before a model is scored",
            "python -m mtpeft.sandbox.selftest; raise the limits on a slow machine",
        )


@dataclass(frozen=True)
class Scored:
    """What became of predictions.

    Attributes:
        scores: One per usable prediction, in input order.
        refused: The errors of the others.
    """

    scores: list[Score]
    refused: list[BadInput] = field(default_factory=list)

    def pass_at_k(self, k: int) -> dict[str, float]:
        """Mean pass@k by run.

        Raises:
            MtpeftError: A problem has fewer than k scored samples.
        """
        passed: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
        for score in self.scores:
            samples = passed[score.run][split_sample(score.instance_id)[0]]
            if score.status == "ok":
                samples.append(score.value == 1.0)
        return {run: mean_pass_at_k(problems, k) for run, problems in sorted(passed.items())}


def split_sample(instance_id: str) -> tuple[str, int]:
    """`HumanEval/3#7` is sample 7 of HumanEval/3; without a number it is sample 0."""
    match = _SAMPLE.fullmatch(instance_id)
    return (match[1], int(match[2])) if match else (instance_id, 0)


def score_execution(
    predictions: Iterable[Prediction | BadInput],
    log: Path,
    pool: Pool,
    problems: Mapping[str, Problem] | None = None,
    limits: Limits | None = None,
) -> Scored:
    """Run each prediction's output as the completion of its problem's prompt: 1 where all tests
    pass, else 0.

    The gold gate runs first. An infrastructure failure is a score without value and with that
    status, tried twice.

    Args:
        predictions: As `records.read_predictions` yields them; errors among them, and ids that
            HumanEval does not have, are handed back in `refused` and cost no other instance.
        log: Where outcomes are kept (resumable).
        pool: The sandboxes.
        problems: The problems (default: all).
        limits: What a program may use.

    Raises:
        MtpeftError: A canonical solution does not pass.
    """
    problems = problems if problems is not None else read_problems()
    limits = limits or Limits()
    usable: list[Prediction] = []
    refused: list[BadInput] = []
    for item in predictions:
        if isinstance(item, BadInput):
            refused.append(item)
        elif split_sample(item.instance_id)[0] not in problems:
            refused.append(
                BadInput(
                    f"{item.run}/{item.task}",
                    f"instance {item.instance_id} is not in HumanEval",
                    "HumanEval/<number> or HumanEval/<number>#<sample>",
                )
            )
        else:
            usable.append(item)
    results = ResultLog(log)
    runtime = f"python {pool.sandbox.python.version} {VERSION}"
    keyed = []
    for item in usable:
        problem = problems[split_sample(item.instance_id)[0]]
        instance = replace(problem.instance(item.output, limits), id=item.instance_id)
        keyed.append((key_of(instance, runtime), instance))
    # equal outputs run once
    waiting = {key: instance for key, instance in keyed if results.get(key) is None}
    if waiting:
        gold_gate(pool, problems, limits)
    failures: dict[str, Outcome] = {}
    for key, instance, result in pool.map(_twice, waiting.items()):
        results.append(key, instance.id, result)
        if result.status == outcome.INFRASTRUCTURE:
            failures[key] = result
    scores = [
        _score(item, results.get(key) or failures[key], runtime)
        for item, (key, _) in zip(usable, keyed, strict=True)
    ]
    return Scored(scores, refused)


def _twice(
    sandbox: Sandbox, item: tuple[str, FunctionInstance]
) -> tuple[str, FunctionInstance, Outcome]:
    key, instance = item
    result = sandbox.run(instance)
    return (
        key,
        instance,
        result if result.status != outcome.INFRASTRUCTURE else sandbox.run(instance),
    )


def _score(prediction: Prediction, result: Outcome, runtime: str) -> Score:
    scored = result.status in outcome.VERDICTS
    return Score(
        prediction.run,
        prediction.task,
        prediction.instance_id,
        TOOL,
        runtime,
        METRIC,
        float(result.status == outcome.PASSED) if scored else None,
        "ok" if scored else "infrastructure",
        f"{result.status}: {result.evidence}",
    )


def summary(scores: Sequence[Score]) -> dict[str, int]:
    """How many scores there are by status of the execution, sorted by name."""
    counts: dict[str, int] = defaultdict(int)
    for score in scores:
        counts[score.detail.split(":")[0]] += 1
    return dict(sorted(counts.items()))

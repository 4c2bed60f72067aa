"""HumanEval: read the benchmark, prove the runner on its canonical solutions, score predictions."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.records import Prediction, Score
from mtpeft.core.text import one_line
from mtpeft.corpora.humaneval import PROBLEMS, RELATIVE, SHA256, default_path, read_rows
from mtpeft.sandbox import outcome
from mtpeft.sandbox.instances import FunctionInstance, Instance
from mtpeft.sandbox.limits import Limits
from mtpeft.sandbox.outcome import Outcome
from mtpeft.sandbox.runner import Pool, Sandbox
from mtpeft.scoring.execution.pass_at_k import mean_pass_at_k
from mtpeft.scoring.execution.results import ResultLog, key_of
from mtpeft.scoring.predictions import sample_of
from mtpeft.tasks.source_text import parsed

__all__ = ["PROBLEMS", "RELATIVE", "SHA256", "default_path"]

TOOL, METRIC = "humaneval_execution", "pass"
# The version names what can change a verdict apart from the interpreter: the judge, the wire, the
# limits.
VERSION = "1"
_TRIES, _LONGEST = 50, 100_000


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
            self.prompt + ended(self.prompt, completion)[0],
            self.entry_point,
            self.test,
            prelude=self.prompt,
            limits=limits,
        )


def ended(prompt: str, completion: str) -> tuple[str, str]:
    """A completion up to where it stops being one.

    The benchmark's authors stop generation at a new statement of the module. An answer that was
    generated without stop strings may end in the middle of one: what counts then is the longest
    part that ends before a line of the module and parses.

    Args:
        prompt: What is continued.
        completion: The continuation.

    Returns:
        The part, and the rule that cut it; empty where nothing was cut.
    """
    if len(completion) > _LONGEST or parsed(prompt + completion) is not None:
        return completion, ""
    rows = completion.replace("\r\n", "\n").split("\n")
    tops = [n for n, row in enumerate(rows) if n and row[:1] not in ("", " ", "\t", "#", ")")]
    for end in reversed(tops[-_TRIES:]):
        part = "\n".join(rows[:end]) + "\n"
        if parsed(prompt + part) is not None:
            return part, "up to the first statement of the module that is not whole"
    return completion, ""


def read_problems(path: Path | None = None) -> dict[str, Problem]:
    """The 164 problems by task id, in file order.

    Args:
        path: As in `corpora.humaneval.read_rows`.

    Raises:
        BadInput: The file is malformed; the error names the line.
    """
    return {name: Problem(**row) for name, row in read_rows(path).items()}


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
            samples = passed[score.run][sample_of(score.instance_id)[0]]
            if score.status == "ok":
                samples.append(score.value == 1.0)
        return {run: mean_pass_at_k(problems, k) for run, problems in sorted(passed.items())}


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
        elif sample_of(item.instance_id)[0] not in problems:
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
    keyed: list[tuple[str, FunctionInstance | None]] = []
    for item in usable:
        if item.error:  # the model was never heard
            keyed.append(("", None))
            continue
        problem = problems[sample_of(item.instance_id)[0]]
        instance = replace(problem.instance(item.output, limits), id=item.instance_id)
        keyed.append((key_of(instance, runtime), instance))
    # equal outputs run once
    waiting = {key: instance for key, instance in keyed if instance and results.get(key) is None}
    if waiting:
        gold_gate(pool, problems, limits)
    failures: dict[str, Outcome] = {}
    for key, instance, result in pool.map(_twice, waiting.items()):
        results.append(key, instance.id, result)
        if result.status == outcome.INFRASTRUCTURE:
            failures[key] = result
    scores = [
        _score(
            item,
            (results.get(key) or failures[key])
            if instance
            else outcome.infrastructure(f"no answer: {one_line(item.error)}"),
            runtime,
        )
        for item, (key, instance) in zip(usable, keyed, strict=True)
    ]
    return Scored(scores, refused)


def _twice(
    sandbox: Sandbox, item: tuple[str, FunctionInstance]
) -> tuple[str, FunctionInstance, Outcome]:
    key, instance = item
    return key, instance, run_twice(sandbox, instance)


def run_twice(sandbox: Sandbox, instance: Instance) -> Outcome:
    """The outcome of an instance; a failure of the runner is tried once more, and a second one said
    aloud: a candidate that can cause it would never be scored.
    """
    result = sandbox.run(instance)
    if result.status == outcome.INFRASTRUCTURE:
        result = sandbox.run(instance)
        if result.status == outcome.INFRASTRUCTURE:
            print(
                f"mtpeft: {instance.id}: the runner failed twice: {result.evidence}",
                file=sys.stderr,
            )
    return result


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

"""Does an output pass the tests of its instance? Runs it in the sandbox.

The right answers of the corpus run first: a runner that fails them would fail models for nothing.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mtpeft.core.errors import Unavailable
from mtpeft.core.records import Score
from mtpeft.sandbox import outcome
from mtpeft.sandbox.errors import SandboxRefused
from mtpeft.sandbox.outcome import Outcome
from mtpeft.sandbox.runner import Pool, Sandbox
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.execution import java
from mtpeft.scoring.execution.tested import ended, instance
from mtpeft.scoring.interface import Item

METRICS = ("execution_pass",)
# Names what can change a verdict besides the interpreters: judge, wire, harness, limits.
_VERSION = "4"
# What the harness of a Java output says in place of a value that may lie.
_UNTOLD = re.compile(
    rb"^Exception in thread \"main\" [\w.]+: (" + outcome.NOT_CARRIED.encode() + rb".{1,300})$",
    re.MULTILINE,
)
_Problem = tuple[str, str, tuple[str, ...], str, str]


class Execution:
    """1 where all tests pass, else 0, an empty output included."""

    tool = "execution"
    metrics = METRICS
    service = True
    """It runs what a model wrote, and so only where it is asked for by name."""
    measures_blank = True
    keeps_messages = True

    def __init__(self) -> None:
        self._known = ""
        self._right: dict[_Problem, str] = {}

    def version(self) -> str:
        """As `Scorer.version`."""
        if not self._known:
            try:
                with Sandbox() as box:
                    self._known = f"{_VERSION} python {box.python.version}"
            except SandboxRefused as error:
                raise Unavailable(error.found, error.expected, error.fix) from error
        return self._known

    def fails_unreadable(self, item: Item) -> bool:
        """As `Scorer`: what no interpreter takes passes no test."""
        return bool(item.tests and item.asked)

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        version = self.version()
        tested = [item for item in items if item.tests and item.asked]
        with Pool() as pool:
            self._try_right_answers(pool, tested)
            runnable = [item for item in tested if not self._right[_problem(item)]]
            found = dict(pool.map(_run, enumerate(runnable)))
        done = {id(item): found[number] for number, item in enumerate(runnable)}
        for item in items:
            result = done.get(id(item))
            if result is None:
                why = self._right.get(_problem(item)) or "no tests of this instance are known"
                yield from unmeasured(
                    self.tool, version, item, METRICS, "cannot run here", f"{why}; see --corpus"
                )
            elif result.status == outcome.INFRASTRUCTURE:
                yield from unmeasured(
                    self.tool, version, item, METRICS, "infrastructure", result.evidence
                )
            else:
                rule = ended(item.prompt, item.output, item.asked)[1] if item.prompt else ""
                said = f"{result.status}: {result.evidence}" + (f"; cut {rule}" if rule else "")
                value = {METRICS[0]: float(result.status == outcome.PASSED)}
                yield from measured(self.tool, version, item, value, {METRICS[0]: said})

    def _try_right_answers(self, pool: Pool, items: Sequence[Item]) -> None:
        """Run the right answer of every problem once.

        Raises:
            Unavailable: One does not pass, so that no output can be judged.
        """
        new = {p: item for item in items if (p := _problem(item)) not in self._right}
        known = [(p, item) for p, item in new.items() if item.reference]
        self._right |= dict.fromkeys(new, "")
        wrong = []
        for (problem, item), result in pool.map(_run_right, known):
            if outcome.NOT_CARRIED in result.evidence:
                self._right[problem] = f"the right answer is not carried: {result.evidence}"
            elif result.status != outcome.PASSED:
                wrong.append(f"{item.instance_id} {result.status}: {result.evidence}")
        if wrong:
            raise Unavailable(
                f"{len(wrong)} of {len(known)} right answers do not pass: {'; '.join(wrong[:3])}",
                "every right answer passes before a model is scored",
                "mtpeft score selftest-sandbox; a corpus whose tests fit its targets",
            )


def _problem(item: Item) -> _Problem:
    return item.language, item.asked, item.tests, item.prompt, item.reference


def _run(sandbox: Sandbox, numbered: tuple[int, Item]) -> tuple[int, Outcome]:
    number, item = numbered
    return number, _outcome(sandbox, item, item.output)


def _run_right(
    sandbox: Sandbox, known: tuple[_Problem, Item]
) -> tuple[tuple[_Problem, Item], Outcome]:
    return known, _outcome(sandbox, known[1], known[1].reference)


def _outcome(sandbox: Sandbox, item: Item, output: str) -> Outcome:
    """What became of an output.

    A failure of the runner is tried once more, and a second one said aloud: a candidate that can
    cause it would never be scored.
    """
    if item.language == "java" and (name := java.taken(item, output)):
        return Outcome(
            outcome.FAILED, f"it declares {name}, which means another thing in the tests"
        )
    program = instance(item, output)
    try:
        result = sandbox.run(program)
        if result.status == outcome.INFRASTRUCTURE:
            result = sandbox.run(program)
    except SandboxRefused as error:  # no JDK, say
        raise Unavailable(error.found, error.expected, error.fix) from error
    if result.status == outcome.INFRASTRUCTURE:
        print(
            f"mtpeft: {item.instance_id}: the runner failed twice: {result.evidence}",
            file=sys.stderr,
        )
    if result.status == outcome.CRASHED and (said := _UNTOLD.search(result.stderr)):
        return replace(result, status=outcome.FAILED, evidence=said[1].decode("utf-8", "replace"))
    return result


def scorer() -> Execution:
    """The scorer of catalog/tools/execution.yaml."""
    return Execution()

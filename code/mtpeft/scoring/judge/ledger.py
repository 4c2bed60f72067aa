"""Answers and costs on disk: append-only JSON lines, flushed to the disk one by one, so that
nothing paid for is lost.

A line is an answer (`key`, `ratings` or null, `reply`) or a charge (an answer that could not be
read, or a request whose answer never came). The cost of a judge is the sum over its lines. A broken
last line (a killed run) is left behind.
"""

import hashlib
import json
import threading
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from mtpeft.core.errors import BadInput, MtpeftError, Unavailable
from mtpeft.core.files import append_lines, record_lines
from mtpeft.core.http import RequestFailed
from mtpeft.core.locks import held
from mtpeft.core.objects import typed
from mtpeft.scoring.judge.criteria import CRITERIA, Ratings
from mtpeft.scoring.judge.settings import Settings


@dataclass(frozen=True)
class Answer:
    """One rating of one summary.

    Attributes:
        key: Hash of everything that the answer depends on.
        repeat: Which of the ratings of this summary.
        instance_id: The instance.
        prompt_sha256: Hash of the prompt.
        ratings: None where no answer could be read.
        reply: What the judge wrote.
        input_tokens: Of the prompt, where the server counted.
        output_tokens: Of the answer, where the server counted.
        cost: In the settings' currency.
    """

    key: str
    repeat: int
    instance_id: str
    prompt_sha256: str
    ratings: Ratings | None
    reply: str
    input_tokens: int | None
    output_tokens: int | None
    cost: float


@dataclass(frozen=True)
class Charge:
    """A cost without an answer.

    Attributes:
        cost: In the settings' currency.
        reason: Why there is no answer.
    """

    cost: float
    reason: str = ""


class BudgetExhausted(MtpeftError):
    """The next request could cost more than what is left."""


def answer_key(settings: Settings, prompt: str, repeat: int) -> str:
    """Hash of everything that an answer depends on.

    Args:
        settings: The judge.
        prompt: The prompt.
        repeat: Which of the ratings.
    """
    text = json.dumps([settings.identity, prompt, repeat], ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def most_expensive(settings: Settings, prompt: str) -> float:
    """What one request can cost at most: no tokenizer makes more tokens than bytes (plus the chat's
    frame).
    """
    return _cost(
        settings, len(prompt.encode("utf-8", "surrogatepass")) + 100, settings.max_output_tokens
    )


def cost(
    settings: Settings, prompt: str, input_tokens: int | None, output_tokens: int | None
) -> float:
    """What one answer cost; the most that it can have cost where the server did not count.

    Args:
        settings: The judge.
        prompt: The prompt.
        input_tokens: Of the prompt, or None.
        output_tokens: Of the answer, or None.

    Returns:
        In the settings' currency.
    """
    if input_tokens is None or output_tokens is None:
        return most_expensive(settings, prompt)
    return _cost(settings, input_tokens, output_tokens)


def _cost(settings: Settings, input_tokens: int, output_tokens: int) -> float:
    return (input_tokens * settings.price_input + output_tokens * settings.price_output) / 1e6


def read_ledger(path: Path) -> tuple[dict[str, Answer], float]:
    """What a ledger holds.

    A line that is no JSON is what a killed run left of its last one.

    Returns:
        The answers by key, and the cost of all lines.

    Raises:
        BadInput: A line is JSON, but neither an answer nor a charge, or costs less than nothing.
    """
    answers: dict[str, Answer] = {}
    spent = 0.0
    for number, line in record_lines(path) if path.is_file() else ():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        try:
            answered = isinstance(record, dict) and "key" in record
            answer = typed(Answer, record) if answered else typed(Charge, record)
            if answer.cost < 0:
                raise ValueError(f"cost is {answer.cost}")
            spent += answer.cost
            if isinstance(answer, Answer):
                rated = answer.ratings
                if rated is not None and (
                    set(rated) != set(CRITERIA) or not set(rated.values()) <= {1, 2, 3, 4, 5}
                ):
                    raise ValueError(f"ratings {ascii(rated)[:80]}")
                answers[answer.key] = answer
        except ValueError as error:
            raise BadInput(
                path,
                f"not a ledger line: {error}",
                "an answer or a charge",
                "move the file away; its answers will be asked for again",
                line=number,
            ) from error
    return answers, spent


class Ledger:
    """One file of answers and charges.

    Used by several threads of one process; a second process is refused.

    Args:
        path: The file.
        budget: What all lines together may cost (None: any amount).
    """

    def __init__(self, path: Path, budget: float | None = None) -> None:
        self.path, self._budget = path, budget
        self._changed = threading.Condition()
        self._reserved: dict[int, float] = defaultdict(float)  # by thread
        self._held = ExitStack()
        self._held.enter_context(held(path, wait=False, again=False))
        try:
            self._answers, self.spent = read_ledger(path)
        except BaseException:
            self._held.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._held.close()

    def get(self, key: str) -> Answer | None:
        """The answer already there."""
        return self._answers.get(key)

    def reserve(self, most: float) -> None:
        """Set aside what a request can cost at most.

        What other requests have only reserved may be freed again, so that this one waits for them
        before the budget counts as exhausted.

        Raises:
            BudgetExhausted: What is spent and `most` are more than the budget.
        """
        with self._changed:
            me = threading.get_ident()
            while self._budget is not None and (
                self.spent + sum(self._reserved.values()) + most > self._budget
            ):
                if self.spent + self._reserved[me] + most > self._budget:
                    raise BudgetExhausted(
                        f"budget: {self.spent:.4f} of {self._budget:.4f} spent, and the next "
                        f"request may cost {most:.4f}",
                        "enough for one more request",
                        "raise MTPEFT_JUDGE_BUDGET",
                    )
                self._changed.wait()
            self._reserved[me] += most

    def release(self, most: float) -> None:
        """Give back a reservation whose request cost nothing."""
        with self._changed:
            self._freed(most)

    def charge(self, most: float, cost: float, reason: str) -> None:
        """Turn a reservation into a cost without an answer.

        Args:
            most: What was reserved.
            cost: What it cost.
            reason: Why there is no answer.
        """
        self._append(asdict(Charge(cost, reason)), most, cost)

    def answer(self, most: float, answer: Answer) -> None:
        """Turn a reservation into an answer."""
        self._append(asdict(answer), most, answer.cost)
        self._answers[answer.key] = answer

    def _append(self, record: dict[str, object], most: float, cost: float) -> None:
        with self._changed:
            try:
                line = json.dumps(record, ensure_ascii=True, sort_keys=True)
                append_lines(self.path, [line])
                self.spent += cost
            except MtpeftError as error:
                # Whatever is asked next would be paid for and lost as well.
                raise Unavailable(error.found, error.expected, error.fix) from error
            finally:
                self._freed(most)

    def _freed(self, most: float) -> None:
        me = threading.get_ident()
        self._reserved[me] -= most
        if self._reserved[me] < 1e-12:  # what sums of decimal fractions leave
            del self._reserved[me]
        self._changed.notify_all()


@dataclass(frozen=True)
class LedgerMeter:
    """Keeps a ledger's account of the requests for one prompt (the client's `Meter`).

    Attributes:
        ledger: The ledger.
        most: What one request can cost at most.
        stop: Set where nothing more shall be asked.
    """

    ledger: Ledger
    most: float
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Reserve the most that the request can cost.

        Raises:
            RequestFailed: Nothing more shall be asked.
        """
        if self.stop.is_set():
            raise RequestFailed(
                "not asked: the run was stopped",
                "a run that goes on",
                "run the same command again: what was answered is kept",
            )
        self.ledger.reserve(self.most)

    def free(self) -> None:
        """Give the reservation back."""
        self.ledger.release(self.most)

    def doubtful(self, reason: str) -> None:
        """Count the request at its most."""
        self.ledger.charge(self.most, self.most, reason)

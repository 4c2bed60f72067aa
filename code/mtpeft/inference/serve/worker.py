"""Who computes: one thread, which answers what waits in batches and can be stopped between tokens.

Torch models are not safe to use from several threads, and on one device several would not be
faster.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from mtpeft.core.errors import MtpeftError
from mtpeft.inference.generate import Generated
from mtpeft.inference.resident import Resident
from mtpeft.models.device import DeviceLost, stop_where_lost


class Stopped(MtpeftError):
    """The answer is not wanted any more, or the server stops."""


class Full(MtpeftError):
    """Too many questions wait."""


@dataclass
class Job:
    """One question.

    Attributes:
        weights: Position of the model among the worker's.
        adapter: As in `Resident.answers`.
        new_tokens: The most tokens of the answer.
        prompt: The text, chat template included.
        tokens: Of the prompt.
        piece: Called from the worker's thread with every new piece of the text; None: the answer is
            wanted as a whole.
        answer: What the model wrote.
        unwanted: Set where nobody waits for the answer any more.
    """

    weights: int
    adapter: str
    new_tokens: int
    prompt: str
    tokens: int
    piece: Callable[[str], None] | None = None
    answer: "Future[Generated]" = field(default_factory=Future)
    unwanted: bool = False
    _said: str = ""

    def tell(self, text: str) -> None:
        """Hand over what `text` has more than before; the half of a character waits."""
        text = text.rstrip("\ufffd")
        if self.piece and len(text) > len(self._said) and text.startswith(self._said):
            self.piece(text[len(self._said) :])
            self._said = text


class Worker:
    """Answers jobs, those of one adapter and length together.

    Args:
        residents: The models.
        tokens_in_flight: What (longest prompt + new tokens) × jobs may reach in a batch.
        most: Jobs that may wait.

    Attributes:
        lost: Why the device does not answer any more; None where it does.
        at_loss: Called when that happens.
    """

    def __init__(
        self, residents: Sequence[Resident], tokens_in_flight: int = 16384, most: int = 256
    ) -> None:
        self._residents, self._in_flight, self._most = residents, tokens_in_flight, most
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self.lost: DeviceLost | None = None
        self.at_loss: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._work, name="answers", daemon=True)
        self._thread.start()

    def ask(self, job: Job) -> None:
        """Let a job wait for its turn.

        Raises:
            Full: Too many wait.
            Stopped: The worker has ended.
        """
        with self._changed:
            if self._ended:
                raise Stopped("the server is stopping")
            if len(self._waiting) >= self._most:
                raise Full(f"{self._most} requests are waiting", "fewer at a time", "try again")
            self._waiting.append(job)
            self._changed.notify()

    def stop(self, seconds: float = 5.0) -> None:
        """End after the next few tokens; what waits is not answered."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(seconds)

    def _work(self) -> None:
        while batch := self._next():
            try:
                self._answer(batch)
            except DeviceLost as error:
                self.lost = error
                self.at_loss()
                self._fail(batch, error)
                with self._changed:
                    self._ended = True
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
        self._fail(left, self.lost or Stopped("the server is stopping"))

    def _next(self) -> list[Job]:
        """The oldest job and those that can be answered together with it; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._waiting)
            if self._ended:
                return []
            first = self._waiting[0]
            mixes = self._residents[first.weights].mixes
            longest = 0
            batch: list[Job] = []
            for job in list(self._waiting):
                if (job.weights, job.new_tokens) != (first.weights, first.new_tokens):
                    continue
                if job.adapter != first.adapter and not mixes:
                    continue
                longest = max(longest, job.tokens)
                if batch and (longest + job.new_tokens) * (len(batch) + 1) > self._in_flight:
                    break
                batch.append(job)
                self._waiting.remove(job)
            return batch

    def _answer(self, batch: list[Job]) -> None:
        """Answer jobs together; where that fails, each by itself, so that one bad prompt is one bad
        answer.
        """
        batch = [j for j in batch if j.answer.running() or j.answer.set_running_or_notify_cancel()]
        if not batch:
            return
        resident, first = self._residents[batch[0].weights], batch[0]

        def told(made: list[list[int]]) -> None:
            if self._ended:
                raise Stopped("the server is stopping")
            if all(job.unwanted for job in batch):
                raise Stopped("nobody waits for the answer")
            for job, tokens in zip(batch, made, strict=True):
                if job.piece:
                    job.tell(resident.tokenizer.decode(tokens, skip_special_tokens=True))

        try:
            found = resident.answers(
                [job.adapter for job in batch],
                [job.prompt for job in batch],
                first.new_tokens,
                told,
            )
        except Stopped as error:
            self._fail(batch, error)
        except Exception as error:
            stop_where_lost(error)
            if len(batch) > 1:
                for job in batch:
                    self._answer([job])
            else:
                self._fail(batch, error)
        else:
            for job, answer in zip(batch, found, strict=True):
                job.answer.set_result(answer)

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        for job in jobs:
            waiting = not job.answer.done()
            if waiting and (job.answer.running() or job.answer.set_running_or_notify_cancel()):
                job.answer.set_exception(error)

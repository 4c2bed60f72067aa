"""CodeBLEU of many pairs: each distinct pair once, in worker processes, none able to lose the
others.

The library's data-flow extraction visits every loop body twice, so that nested loops cost 2^depth:
a degenerate output can keep it busy without end. Each pair therefore has a deadline, and a worker
that dies takes only its own pair with it.
"""

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from mtpeft.core.processes import die_with_parent
from mtpeft.scoring.codebleu.analysis import grammar
from mtpeft.scoring.codebleu.components import codebleu

DEADLINE_SECONDS = 60.0
LONGEST_OUTPUT = 200_000  # characters; the subtrees' text grows with the square of the output
_CHUNK = 100
_WORTH_A_POOL = 2 * _CHUNK

Pair = tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """The value of one pair, or why there is none.

    Attributes:
        value: CodeBLEU in [0, 1], or None.
        status: As in a score record.
        detail: The reason.
    """

    value: float | None
    status: str = "ok"
    detail: str = ""


class _Late(BaseException):
    """Raised by the alarm; not an Exception, so that the extractor's catch-all cannot swallow it."""


def score_pairs(
    pairs: Sequence[Pair],
    language: str,
    corrected: bool = False,
    processes: int | None = None,
    deadline: float = DEADLINE_SECONDS,
) -> list[Outcome]:
    """CodeBLEU of each pair, in order.

    Args:
        pairs: Reference and output.
        language: `java`, `csharp` or `python`.
        corrected: Whether to compute the corrected variant.
        processes: Worker processes (default: the CPUs that this process may use; 1 computes here).
        deadline: Seconds per pair.

    Raises:
        Unavailable: The library is missing.
    """
    grammar(language, corrected)
    # Neighbours share their reference, so that a worker analyses it once.
    distinct = sorted(set(pairs))
    workers = processes or len(os.sched_getaffinity(0))
    if workers == 1 or len(distinct) < _WORTH_A_POOL or multiprocessing.current_process().daemon:
        known = dict(
            zip(distinct, score_here(distinct, language, corrected, deadline), strict=True)
        )
    else:
        chunks = [distinct[i : i + _CHUNK] for i in range(0, len(distinct), _CHUNK)]
        known = _pooled(chunks, language, corrected, deadline, workers)
        # A worker that dies breaks the pool for all that wait: chunks apart first, then the pairs
        # of the guilty one.
        for chunk in chunks:
            if chunk[0] not in known:
                known |= _pooled([chunk], language, corrected, deadline, 1)
        for pair in distinct:
            if pair not in known:
                known |= _pooled([[pair]], language, corrected, deadline, 1)
    died = Outcome(None, "infrastructure", "the worker process died")
    return [known.get(pair, died) for pair in pairs]


def _pooled(
    chunks: list[list[Pair]], language: str, corrected: bool, deadline: float, workers: int
) -> dict[Pair, Outcome]:
    """What worker processes could compute; pairs of a chunk whose worker died are absent."""
    known: dict[Pair, Outcome] = {}
    # Forked workers share this process's hash seed, on which the released variant depends.
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context("fork"), initializer=_begin
    ) as pool:
        futures = [
            pool.submit(score_here, chunk, language, corrected, deadline) for chunk in chunks
        ]
        for chunk, future in zip(chunks, futures, strict=True):
            try:
                known.update(zip(chunk, future.result(), strict=True))
            except BrokenProcessPool:
                continue
    return known


def _begin() -> None:
    """In each worker: it makes no reference cycles worth collecting, and does not outlive its parent."""
    gc.disable()
    die_with_parent()


def score_here(
    pairs: Sequence[Pair], language: str, corrected: bool, deadline: float = DEADLINE_SECONDS
) -> list[Outcome]:
    """`score_pairs` in this process: one after the other, in order."""
    result = []
    for pair in pairs:
        try:
            with _alarm(deadline):
                result.append(_outcome(pair, language, corrected))
        except _Late:
            result.append(Outcome(None, "infrastructure", f"no result after {deadline:g} s"))
    return result


def _outcome(pair: Pair, language: str, corrected: bool) -> Outcome:
    reference, output = pair
    if len(output) > LONGEST_OUTPUT:
        return Outcome(
            None,
            "unparseable",
            f"{len(output)} characters; CodeBLEU is computed up to {LONGEST_OUTPUT}",
        )
    try:
        return Outcome(codebleu(reference, output, language, corrected))
    except UnicodeEncodeError as error:
        return Outcome(None, "unparseable", f"not encodable as UTF-8: {error.reason}")
    except MemoryError:
        return Outcome(None, "infrastructure", "out of memory")


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `_Late` after `seconds`; without effect outside the main thread, where Python delivers
    no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, ring)
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining)
        signal.signal(signal.SIGALRM, before)

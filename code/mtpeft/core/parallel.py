"""Work spread over the processors of this machine, its results in order."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context
from typing import Any, TypeVar

from mtpeft.core.processes import die_with_parent

T = TypeVar("T")
R = TypeVar("R")

# What the forked processes find in the memory that they share: the work and its items, by number.
_shared: dict[int, tuple[Callable[[Any], Any], Sequence[Any]]] = {}
_numbers = count()


def in_order(
    work: Callable[[T], R], items: Sequence[T], processes: int | None = None
) -> Iterator[R]:
    """Do the same to every item, in forked processes where there is more than one processor.

    The processes are forked by this call, which should come before the caller starts a thread (a
    progress bar), and end with this process, however it ends. Only results travel between them.

    Args:
        work: What is done to an item; of its side effects nothing is kept.
        items: The items.
        processes: How many at most (default: the CPUs that this process may use).

    Returns:
        The results in the order of the items, each as soon as it and those before it are there.

    Raises:
        MtpeftError: As `work` raised it, at the place of its item.
    """
    workers = min(processes or len(os.sched_getaffinity(0)), len(items))
    if workers < 2:
        return map(work, items)
    number = next(_numbers)
    _shared[number] = (work, items)
    pool = ProcessPoolExecutor(workers, get_context("fork"), die_with_parent)
    results = pool.map(partial(_done, number), range(len(items)))
    del _shared[number]
    pool.shutdown(wait=False)
    return results


def _done(number: int, place: int) -> Any:
    work, items = _shared[number]
    return work(items[place])

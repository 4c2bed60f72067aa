"""Work spread over the processors of this machine, or over the answers of a server."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context
from queue import SimpleQueue
from threading import Thread
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


def side_by_side(work: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """Do the same to every item, in threads of which as many are busy as there may be: for work
    that waits for somebody else.

    Items are taken when their turn comes. Whoever stops asking for results (Ctrl-C) waits for no
    thread: what is still on its way is given up.

    Args:
        work: What is done to an item.
        items: The items.
        at_once: How many at the same time.

    Returns:
        The results, each as soon as it is there.

    Raises:
        BaseException: As `work` raised it.
    """
    todo: SimpleQueue[tuple[T] | None] = SimpleQueue()
    done: SimpleQueue[tuple[R] | BaseException] = SimpleQueue()

    def worker() -> None:
        while (item := todo.get()) is not None:
            try:
                done.put((work(*item),))
            except BaseException as error:  # raised where the results are taken
                done.put(error)

    def result() -> R:
        got = done.get()
        if isinstance(got, BaseException):
            raise got
        return got[0]

    threads = busy = 0
    try:
        for item in items:
            ready = [result()] if busy == at_once else []
            if threads < at_once:
                # Not waited for when the process ends, as those of an executor are.
                Thread(target=worker, daemon=True).start()
                threads += 1
            todo.put((item,))
            busy += 1 - len(ready)
            yield from ready
        for _ in range(busy):
            yield result()
    finally:
        for _ in range(threads):
            todo.put(None)

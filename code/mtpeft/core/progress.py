"""Progress for people: a bar with the time left on a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """`with Progress("statistics", 25) as p: p.step("what was done")`.

    In a log (no terminal) a line is written at most every `interval` seconds, so that logs stay
    short.
    """

    def __init__(self, title: str, total: int, interval: float = 10.0) -> None:
        self._title, self._total, self._interval = title, total, interval
        self._done, self._start, self._last = 0, time.monotonic(), time.monotonic()
        self._bar: RichProgress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._bar.add_task(self._title, total=self._total)
        return self

    def step(self, name: str = "", count: int = 1) -> None:
        """Count `count` more units as done."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
            return
        now = time.monotonic()
        if now - self._last >= self._interval:
            self._last = now
            left = (now - self._start) / self._done * (self._total - self._done)
            at = f"{self._done} of {self._total}" + (f" ({name})" if name else "")
            print(f"{self._title}: {at}, about {left:.0f} s left", file=sys.stderr)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

"""Drawing from one task without end: one shuffled pass through its examples after the other."""

from collections.abc import Sequence

import numpy as np


class Cycle:
    """`next()` gives the global index of the next example of one task.

    Args:
        start: Global index of its first example.
        size: Its examples.
        rng: Shuffles every pass.
    """

    def __init__(self, start: int, size: int, rng: np.random.Generator) -> None:
        self._start, self._size, self._rng = start, size, rng
        self._pass: np.ndarray = np.empty(0, dtype=np.int64)
        self._at = 0

    @classmethod
    def each(cls, sizes: Sequence[int], rng: np.random.Generator) -> list["Cycle"]:
        """One cycle a task."""
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
        return [cls(int(start), size, rng) for start, size in zip(starts, sizes, strict=True)]

    def next(self) -> int:
        """The next global index."""
        if self._at == len(self._pass):
            self._pass, self._at = self._rng.permutation(self._size), 0
        self._at += 1
        return self._start + int(self._pass[self._at - 1])

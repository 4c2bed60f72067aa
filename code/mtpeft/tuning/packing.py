"""How examples become rows (blocks) of at most `length` tokens.

A row is a list of segments (example, start, end). `wrapped` cuts one endless stream into rows,
through the middle of examples, as the study's library did. `isolated` puts whole examples into rows
by best fit; attention and positions start again at each. `none` makes one row of each example.

Each is a function of `order` (the examples as they are drawn, shape [n]), `lengths` (tokens of each
example), `length` (the most tokens of a row) and a generator of random numbers.
"""

from bisect import bisect_left, insort
from collections.abc import Callable

import numpy as np

Rows = list[list[tuple[int, int, int]]]
WINDOW = 2048  # examples that are packed together: far fewer than an epoch, so that packing does not undo the mixing


def wrapped(order: np.ndarray, lengths: np.ndarray, length: int, rng: np.random.Generator) -> Rows:
    """The stream of all examples cut into full rows; the tail is dropped; rows are shuffled."""
    rows: Rows = []
    row: list[tuple[int, int, int]] = []
    free = length
    for example in order.tolist():
        start, size = 0, int(lengths[example])
        while start < size:
            taken = min(free, size - start)
            row.append((example, start, start + taken))
            start, free = start + taken, free - taken
            if free == 0:
                rows.append(row)
                row, free = [], length
    return [rows[i] for i in rng.permutation(len(rows))]


def isolated(order: np.ndarray, lengths: np.ndarray, length: int, rng: np.random.Generator) -> Rows:
    """Best-fit decreasing within windows of the order; rows of a window are shuffled, none is
    longer than `length`.
    """
    rows: Rows = []
    for begin in range(0, len(order), WINDOW):
        window = order[begin : begin + WINDOW]
        packed = _best_fit(
            window[np.argsort(-lengths[window], kind="stable")].tolist(), lengths, length
        )
        rows += [
            [(example, 0, int(lengths[example])) for example in packed[i]]
            for i in rng.permutation(len(packed))
        ]
    return rows


def _best_fit(examples: list[int], lengths: np.ndarray, length: int) -> list[list[int]]:
    rows: list[list[int]] = []
    space: list[tuple[int, int]] = []  # (tokens left, row), sorted
    for example in examples:
        size = int(lengths[example])
        at = bisect_left(space, (size, -1))
        if at == len(space):
            rows.append([])
            left, row = length, len(rows) - 1
        else:
            left, row = space.pop(at)
        rows[row].append(example)
        insort(space, (left - size, row))
    return rows


def unpacked(order: np.ndarray, lengths: np.ndarray, length: int, rng: np.random.Generator) -> Rows:
    """One row an example, in order."""
    return [[(example, 0, int(lengths[example]))] for example in order.tolist()]


PACKINGS: dict[str, Callable[[np.ndarray, np.ndarray, int, np.random.Generator], Rows]] = {
    "wrapped": wrapped,
    "isolated": isolated,
    "none": unpacked,
}

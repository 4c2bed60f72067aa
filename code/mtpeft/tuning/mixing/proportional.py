"""Proportional interleaving: every stretch of an epoch holds each task in proportion to its size.

Like concatenate-and-shuffle on average, without its variance: no batch lacks a task by chance. Task
k's j-th example is placed at (j + u_k) / n_k of the epoch, where u_k in [0, 1) is drawn once an
epoch.
"""

from collections.abc import Iterator, Sequence

import numpy as np


def order(
    sizes: Sequence[int], epochs: int, rng: np.random.Generator, temperature: float
) -> Iterator[np.ndarray]:
    """Every example once an epoch, tasks evenly interleaved. `temperature` is not used."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    for _ in range(epochs):
        shuffled = [
            start + rng.permutation(size) for start, size in zip(starts, sizes, strict=True)
        ]
        places = [(np.arange(size) + rng.random()) / max(size, 1) for size in sizes]
        yield np.concatenate(shuffled)[np.argsort(np.concatenate(places), kind="stable")].astype(
            np.int64
        )

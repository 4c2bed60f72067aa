"""Concatenate all tasks and shuffle: what the study did. A task's share is its share of the
examples.
"""

from collections.abc import Iterator, Sequence

import numpy as np


def order(
    sizes: Sequence[int], epochs: int, rng: np.random.Generator, temperature: float
) -> Iterator[np.ndarray]:
    """Every example once an epoch, in uniformly random order. `temperature` is not used."""
    for _ in range(epochs):
        yield rng.permutation(sum(sizes))

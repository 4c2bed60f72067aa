"""Temperature sampling: each draw takes task k with probability n_k^(1/T) / sum_j n_j^(1/T).

T = 1 samples in proportion to size, T → ∞ uniformly over tasks (Arivazhagan et al. 2019,
arXiv:1907.05019, section 4). Within a task no example comes again before all others have come, also
across epochs.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.mixing.cycle import Cycle


def probabilities(sizes: Sequence[int], temperature: float) -> np.ndarray:
    """The probability of each task.

    Args:
        sizes: Examples of each task.
        temperature: T.

    Returns:
        Shape [K].

    Raises:
        MtpeftError: The temperature is not above 0.
    """
    if not temperature > 0:
        raise MtpeftError(
            f"mixing temperature {temperature}", "a number above 0", "mixing_temperature=2"
        )
    weights = np.array([0.0 if n == 0 else n ** (1.0 / temperature) for n in sizes])
    result: np.ndarray = weights / weights.sum()
    return result


def order(
    sizes: Sequence[int], epochs: int, rng: np.random.Generator, temperature: float
) -> Iterator[np.ndarray]:
    """As many draws an epoch as there are examples."""
    p = probabilities(sizes, temperature)
    cycles = Cycle.each(sizes, rng)
    for _ in range(epochs):
        tasks = rng.choice(len(sizes), size=sum(sizes), p=p)
        yield np.array([cycles[task].next() for task in tasks], dtype=np.int64)

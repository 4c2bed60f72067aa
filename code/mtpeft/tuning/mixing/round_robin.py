"""Round robin: the tasks take turns, one example each; small tasks start over, large ones are not
finished in an epoch.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mtpeft.tuning.mixing.cycle import Cycle


def order(
    sizes: Sequence[int], epochs: int, rng: np.random.Generator, temperature: float
) -> Iterator[np.ndarray]:
    """As many draws an epoch as there are examples; turns go on across epochs. `temperature` is not
    used.
    """
    cycles = [c for c, size in zip(Cycle.each(sizes, rng), sizes, strict=True) if size]
    turn = 0
    for _ in range(epochs):
        drawn: np.ndarray = np.empty(sum(sizes), dtype=np.int64)
        for position in range(len(drawn)):
            drawn[position] = cycles[turn % len(cycles)].next()
            turn += 1
        yield drawn

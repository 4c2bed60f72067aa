"""In which order a run sees the examples of its tasks: one small module per strategy.

Where rows of several tasks make up a batch, a strategy orders examples (below); where every batch
belongs to one task, it draws batches (`batches`).

A strategy is `order(sizes, epochs, rng, temperature)`: sizes holds the number of examples of each
task; it yields, for each epoch, an int64 array of as many global indices as there are examples
(task k's examples are numbered from sum(sizes[:k])). The order of a whole run is known before the
first step and is part of its provenance.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mtpeft.core.errors import UnknownName
from mtpeft.tuning.mixing import concatenate, proportional, round_robin, temperature

Strategy = Callable[[Sequence[int], int, np.random.Generator, float], Iterator[np.ndarray]]

STRATEGIES: dict[str, Strategy] = {
    "concatenate": concatenate.order,
    "proportional": proportional.order,
    "temperature": temperature.order,
    "round-robin": round_robin.order,
}


def strategy(name: str) -> Strategy:
    """A strategy by name.

    Raises:
        UnknownName: There is no such strategy; the error lists the nearest ones.
    """
    if name not in STRATEGIES:
        raise UnknownName("mixing strategy", name, STRATEGIES)
    return STRATEGIES[name]

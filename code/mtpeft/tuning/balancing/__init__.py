"""How much each task's loss counts: one small module per rule.

A rule turns the number of supervised tokens of each task in the whole batch (over all accumulation
steps and all processes) into the factor with which a token's cross entropy enters the loss. Rules
are plain numbers: every process computes the same ones. `after_step` and `after_validation` tell a
rule what it may adapt to.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from mtpeft.core.errors import UnknownName
from mtpeft.tuning.balancing.coba import CoBa
from mtpeft.tuning.balancing.fixed import MicroBatchMean, TaskEqual, TokenEqual
from mtpeft.tuning.balancing.learnable import LearnableSoftmax


class Balancing(Protocol):
    """A rule for K tasks."""

    needs_validation: bool

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """Factor of one token's cross entropy by task, shape [K].

        counts: supervised tokens of each task in the whole batch, shape [K]; micro_count:
        supervised tokens of this micro-batch; micro_batches: how many make up the whole batch, over
        all processes.
        """
        ...

    def weights(self) -> np.ndarray:
        """The current weight of each task, shape [K]; NaN where the rule has none."""
        ...

    def after_step(self, losses: np.ndarray, learning_rate: float) -> None:
        """Mean cross entropy of each task in the batch just trained on (NaN where a task was
        absent), shape [K].
        """
        ...

    def after_validation(self, losses: np.ndarray) -> None:
        """Mean validation cross entropy of each task, shape [K]."""
        ...

    def state(self) -> dict[str, Any]:
        """What a resumed run needs, as JSON."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        ...


RULES: dict[str, Callable[..., Balancing]] = {
    "none": MicroBatchMean,
    "token-equal": TokenEqual,
    "task-equal": TaskEqual,
    "learnable": LearnableSoftmax,
    "coba": CoBa,
}


def balancing(name: str, tasks: int, **options: Any) -> Balancing:
    """A rule by name. Raises `UnknownName` with the nearest known ones."""
    if name not in RULES:
        raise UnknownName("loss balancing", name, RULES)
    return RULES[name](tasks, **options)

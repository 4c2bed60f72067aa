"""The rules that adapt to nothing."""

from typing import Any

import numpy as np


class TokenEqual:
    """Every supervised token of the whole batch counts the same: tasks with long targets weigh
    more.

    The loss does not depend on how the batch is cut into micro-batches or processes.
    """

    needs_validation = False

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """1 / number of supervised tokens in the whole batch."""
        return np.full(self.tasks, 1.0 / max(counts.sum(), 1))

    def weights(self) -> np.ndarray:
        """None: the data decide."""
        return np.full(self.tasks, np.nan)

    def after_step(self, losses: np.ndarray, learning_rate: float) -> None:
        """Nothing to learn."""

    def after_validation(self, losses: np.ndarray) -> None:
        """Nothing to learn."""

    def state(self) -> dict[str, Any]:
        """Stateless."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Stateless."""


class MicroBatchMean(TokenEqual):
    """No balancing, as in the study's library: the mean over micro-batches of each one's mean over
    its tokens.

    With blocks of equal length and loss on every token this is `TokenEqual`; otherwise it depends
    on the micro-batch.
    """

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """1 / (tokens of the micro-batch × micro-batches)."""
        return np.full(self.tasks, 1.0 / (max(micro_count, 1) * micro_batches))


class TaskEqual(TokenEqual):
    """Every task present in the batch counts the same, whatever its number of tokens."""

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """1 / (tasks present × tokens of the task)."""
        return shared(np.ones(self.tasks), counts)

    def weights(self) -> np.ndarray:
        """1 / K."""
        return np.full(self.tasks, 1.0 / self.tasks)


def shared(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Token factors for task weights: the weights of the tasks present are rescaled to sum to 1."""
    present = counts > 0
    total = weights[present].sum()
    if not total > 0:
        return np.zeros_like(weights)
    return np.where(present, weights / total / np.maximum(counts, 1), 0.0)

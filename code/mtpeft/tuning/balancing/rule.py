"""What every rule of loss balancing is: plain numbers, the same on every process."""

from typing import Any

import numpy as np


class Rule:
    """A rule for K tasks; as it stands, every task that is present counts the same.

    A rule says which share each task's mean loss has in the loss of a step. It is told what the
    losses were, and may adapt to that. Losses are of shape [K], NaN where a task was absent.

    Args:
        tasks: K.
    """

    needs_validation = False

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """Factor of each task's mean loss, shape [K].

        Args:
            counts: Supervised tokens (or examples) of each task in the whole step, shape [K].
        """
        return rescaled(self.weights(), counts)

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """Factor of one token's (or example's) loss by task, shape [K].

        Args:
            counts: As in `shares`.
            micro_count: Those of this micro-batch.
            micro_batches: How many make up the whole step, over all processes.
        """
        result: np.ndarray = self.shares(counts) / np.maximum(counts, 1)
        return result

    def weights(self) -> np.ndarray:
        """What the rule thinks each task is worth, shape [K]; NaN where it has no opinion."""
        return np.full(self.tasks, 1.0 / self.tasks)

    def after_step(self, losses: np.ndarray, learning_rate: float) -> None:
        """Told the mean loss of each task in the step just taken.

        Args:
            losses: Shape [K].
            learning_rate: The model's, in that step.
        """

    def after_epoch(self, losses: np.ndarray) -> None:
        """Told the mean training loss of each task in the epoch just ended (where a run has
        epochs).
        """

    def after_validation(self, losses: np.ndarray) -> None:
        """Told the mean validation loss of each task."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs, as JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""


def rescaled(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The weights of the tasks present, rescaled to sum to 1; 0 for the others."""
    present = counts > 0
    total = weights[present].sum()
    if not total > 0:
        return np.zeros(len(weights))
    result: np.ndarray = np.where(present, weights / total, 0.0)
    return result


def averaged(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """weight / number of tasks present; 0 for the others."""
    present = counts > 0
    result: np.ndarray = np.where(present, weights / max(int(present.sum()), 1), 0.0)
    return result


class Adam:
    """One Adam step at a time on a vector (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1)."""

    def __init__(self, size: int) -> None:
        self.value, self._m, self._v, self._t = np.zeros(size), np.zeros(size), np.zeros(size), 0

    def step(self, gradient: np.ndarray, learning_rate: float) -> np.ndarray:
        """The change that the step makes: to be subtracted."""
        self._t += 1
        self._m = 0.9 * self._m + 0.1 * gradient
        self._v = 0.999 * self._v + 0.001 * gradient**2
        m, v = self._m / (1 - 0.9**self._t), self._v / (1 - 0.999**self._t)
        result: np.ndarray = np.asarray(learning_rate * m / (np.sqrt(v) + 1e-8))
        return result

    def state(self) -> dict[str, Any]:
        """Value and moments."""
        return {
            "value": self.value.tolist(),
            "m": self._m.tolist(),
            "v": self._v.tolist(),
            "t": self._t,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.value, self._m, self._v = (
            np.array(state[k], dtype=float) for k in ("value", "m", "v")
        )
        self._t = int(state["t"])

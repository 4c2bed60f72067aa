"""Weights in proportion to the losses of the epoch before: harder tasks get more."""

from typing import Any

import numpy as np

from mtpeft.tuning.balancing.rule import Rule, averaged


class LossProportional(Rule):
    """w = n L / sum of L with the mean losses of the previous epoch, 1 in the first. Weights sum to
    the number of tasks.
    """

    def __init__(self, tasks: int) -> None:
        super().__init__(tasks)
        self._weights = [1.0] * tasks

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """w / number of tasks present."""
        return averaged(self.weights(), counts)

    def weights(self) -> np.ndarray:
        """w."""
        result: np.ndarray = np.array(self._weights)
        return result

    def after_epoch(self, losses: np.ndarray) -> None:
        """New weights; a task without loss in the epoch keeps its own, and the others share the
        rest.
        """
        known = [k for k in range(self.tasks) if not np.isnan(losses[k])]
        total = sum(float(losses[k]) for k in known)
        if total > 0:
            rest = sum(self._weights[k] for k in known)
            for k in known:
                self._weights[k] = rest * float(losses[k]) / total

    def state(self) -> dict[str, Any]:
        """w."""
        return {"weights": self._weights}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._weights = list(state["weights"])

"""Uncertainty weights: exp(−s) L + s / 2 with one learned s = log of a variance per task (Kendall et
al. 2018, arXiv:1705.07115), |s| ≤ 1.
"""

from typing import Any

import numpy as np

from mtpeft.tuning.balancing.rule import Adam, Rule, averaged


class Uncertainty(Rule):
    """As in the study's revision, s learns ten times as fast as the model. Gradient of s:
    1/2 − exp(−s) L, Adam with the usual betas.
    """

    RATE = 10.0

    def __init__(self, tasks: int) -> None:
        super().__init__(tasks)
        self._s = Adam(tasks)

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """exp(−s) / number of tasks present."""
        return averaged(self.weights(), counts)

    def weights(self) -> np.ndarray:
        """exp(−s)."""
        result: np.ndarray = np.asarray(np.exp(-self._s.value))
        return result

    def after_step(self, losses: np.ndarray, learning_rate: float) -> None:
        """One Adam step on s; tasks absent from the step do not move."""
        present = ~np.isnan(losses)
        loss = np.where(present, losses, 0.0)
        gradient = np.where(present, 0.5 - np.exp(-self._s.value) * loss, 0.0)
        change = self._s.step(gradient, self.RATE * learning_rate)
        self._s.value = np.clip(self._s.value - np.where(present, change, 0.0), -1.0, 1.0)

    def state(self) -> dict[str, Any]:
        """s and Adam's moments."""
        return self._s.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._s.restore(state)

"""FAMO (Liu et al. 2023, arXiv:2306.03792, algorithm 1): equal rates of improvement at the cost of
one task.

w = softmax(z); the factor of task i is c w_i / L_i with c = sum(w) / sum(w / L) over the tasks of
the step; after the step z moves by the softmax's gradient with the drop of log L. The paper
measures the drop on the same batch before and after the step; here, as in the study that used it,
between two visits of a task, so that no second pass is needed.
"""

import math
from typing import Any

import numpy as np

from mtpeft.tuning.balancing.rule import Rule


class Famo(Rule):
    """Task weights from the drop of the log losses.

    Args:
        tasks: How many there are.
        rate: Step of z.
        decay: Of z.
    """

    def __init__(self, tasks: int, rate: float = 0.025, decay: float = 0.001) -> None:
        super().__init__(tasks)
        self._z, self.rate, self.decay = np.zeros(tasks), rate, decay
        self._last = np.full(tasks, np.nan)

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """c w / L with the losses seen last, over the tasks present; w where a task was never seen."""
        present, weights = counts > 0, self.weights()
        raw = weights / np.maximum(np.where(np.isnan(self._last), 1.0, self._last), 1e-8)
        total = raw[present].sum()
        scale = weights[present].sum() / total if total > 0 else 0.0
        result: np.ndarray = np.where(present, scale * raw, 0.0)
        return result

    def weights(self) -> np.ndarray:
        """softmax(z)."""
        e = np.exp(self._z - self._z.max())
        result: np.ndarray = np.asarray(e / e.sum())
        return result

    def after_step(self, losses: np.ndarray, learning_rate: float) -> None:
        """A task whose log loss fell less than the others' gains weight."""
        drop = np.array(
            [
                math.log(max(a, 1e-8)) - math.log(max(b, 1e-8))
                if not (math.isnan(a) or math.isnan(b))
                else 0.0
                for a, b in zip(self._last, losses, strict=True)
            ]
        )
        w = self.weights()
        self._z = (1 - self.rate * self.decay) * self._z - self.rate * w * (drop - (w * drop).sum())
        self._last = np.where(np.isnan(losses), self._last, losses)

    def state(self) -> dict[str, Any]:
        """z and the losses seen last (null where a task was never seen)."""
        last = [None if math.isnan(x) else float(x) for x in self._last]
        return {"z": self._z.tolist(), "last": last}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._z = np.array(state["z"])
        self._last = np.array([math.nan if x is None else x for x in state["last"]])

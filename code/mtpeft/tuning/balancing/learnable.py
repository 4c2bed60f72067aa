"""Learnable softmax weights: loss = sum_k softmax(s)_k L_k, with s trained by Adam together with
the model (s starts at 0).

There is no regulariser, so s drifts towards the task with the smallest loss until nothing is left
for the others: a known footgun, kept because a study used it; `collapsed` says when. The gradient
is dL/ds_j = w_j (L_j - sum_k w_k L_k), w = softmax(s), at the model's current learning rate.
"""

from typing import Any

import numpy as np

from mtpeft.tuning.balancing.rule import Adam, Rule, rescaled


class LearnableSoftmax(Rule):
    """Task weights that are trained with the model.

    Args:
        tasks: How many there are.
        as_they_are: What becomes of the weight of tasks that a step lacks: it goes to those
            present, or (true) to nobody.
    """

    def __init__(self, tasks: int, as_they_are: bool = False) -> None:
        super().__init__(tasks)
        self._logits, self._as_they_are = Adam(tasks), as_they_are

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """softmax(s) of the tasks present."""
        if self._as_they_are:
            result: np.ndarray = np.where(counts > 0, self.weights(), 0.0)
            return result
        return rescaled(self.weights(), counts)

    def weights(self) -> np.ndarray:
        """softmax(s)."""
        e = np.exp(self._logits.value - self._logits.value.max())
        result: np.ndarray = np.asarray(e / e.sum())
        return result

    def after_step(self, losses: np.ndarray, learning_rate: float) -> None:
        """One Adam step on s; tasks absent from the step have no gradient."""
        w, present = self.weights(), ~np.isnan(losses)
        loss = np.where(present, losses, 0.0)
        mean = (w * loss).sum() / max(w[present].sum(), 1e-12)
        gradient = np.where(present, w * (loss - mean), 0.0)
        self._logits.value = self._logits.value - self._logits.step(gradient, learning_rate)

    def state(self) -> dict[str, Any]:
        """s and Adam's moments."""
        return self._logits.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._logits.restore(state)


def collapsed(weights: dict[str, float], limit: float = 0.99) -> str:
    """The task that holds more than `limit` of all weight; empty where there is none."""
    total = sum(weights.values())
    return next((task for task, value in weights.items() if value > limit * total), "")

"""Learnable softmax weights: loss = sum_k softmax(s)_k L_k, with s trained by Adam beside the model
(s starts at 0).

There is no regulariser, so s drifts towards the task with the smallest loss: a known footgun, kept
because study B used it. The gradient is dL/ds_j = w_j (L_j - sum_k w_k L_k), w = softmax(s); Adam
as in Kingma and Ba 2015 (arXiv:1412.6980, algorithm 1), betas 0.9 and 0.999, at the model's current
learning rate.
"""

from typing import Any

import numpy as np

from mtpeft.tuning.balancing.fixed import TokenEqual, shared


class LearnableSoftmax(TokenEqual):
    """Task weights that are trained with the model."""

    def __init__(self, tasks: int) -> None:
        super().__init__(tasks)
        self._logits, self._m, self._v, self._t = (
            np.zeros(tasks),
            np.zeros(tasks),
            np.zeros(tasks),
            0,
        )

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """softmax(s)_k / tokens of task k; absent tasks leave their weight to the others."""
        return shared(self.weights(), counts)

    def weights(self) -> np.ndarray:
        """softmax(s)."""
        e = np.exp(self._logits - self._logits.max())
        return e / e.sum()

    def after_step(self, losses: np.ndarray, learning_rate: float) -> None:
        """One Adam step on s; tasks absent from the batch do not move."""
        w, present = self.weights(), ~np.isnan(losses)
        loss = np.where(present, losses, 0.0)
        mean = (w * loss).sum() / max(w[present].sum(), 1e-12)
        gradient = np.where(present, w * (loss - mean), 0.0)
        self._t += 1
        self._m = 0.9 * self._m + 0.1 * gradient
        self._v = 0.999 * self._v + 0.001 * gradient**2
        m, v = self._m / (1 - 0.9**self._t), self._v / (1 - 0.999**self._t)
        self._logits = self._logits - learning_rate * m / (np.sqrt(v) + 1e-8)

    def state(self) -> dict[str, Any]:
        """s and Adam's moments."""
        return {
            "logits": self._logits.tolist(),
            "m": self._m.tolist(),
            "v": self._v.tolist(),
            "t": self._t,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._logits, self._m, self._v = (
            np.array(state[k], dtype=float) for k in ("logits", "m", "v")
        )
        self._t = int(state["t"])

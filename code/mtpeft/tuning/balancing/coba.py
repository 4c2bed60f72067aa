"""CoBa, the convergence balancer (Gong et al. 2024, EMNLP, arXiv:2410.06741, section 3).

Let L_i(t) be task i's validation loss divided by its first one, and a_i(t) the slope of the
least-squares line through its last N values (K tasks, softmax over tasks where the index is i):

    RCS_i(t) = softmax_i( K a_i(t) / sum_j |a_j(t)| )               slower tasks get more
    ACS_i(t) = softmax_i( -N a_i(t) / sum_{s=t-N+1..t} |a_i(s)| )   diverging tasks get less
    DF(t)    = min(1, t softmax_t( -tau t a_max(t) / sum_{s<=t} |a_max(s)| ))
               with a_max(s) = max_i a_i(s), the softmax over the steps s <= t, taken at its last
    w_i(t)   = DF(t) RCS_i(t) + (1 - DF(t)) ACS_i(t)

The weights sum to 1. During the warm-up W they are 1/K. Steps are counted in validations.

Reprints of DF sum a_max(s) without the bars. While every task still learns, all a_max are negative
and that sum turns the sign: the step that learns fastest would get the smallest factor, against the
paper's words. The authors' code (codefuse-ai/MFTCoder, loss_utils.py) takes the bars, and so does
this module. That code differs elsewhere: a further softmax over w, a floor, no minimum with 1, and
a_max as the slope of the largest loss.
"""

from typing import Any

import numpy as np

from mtpeft.tuning.balancing.rule import Rule


class CoBa(Rule):
    """Task weights from validation slopes.

    Args:
        tasks: How many there are.
        window: N, in validations.
        warm_up: W, in validations; at least 2.
        tau: Sharpness of the divergence factor.
    """

    needs_validation = True

    def __init__(self, tasks: int, window: int = 20, warm_up: int = 5, tau: float = 5.0) -> None:
        super().__init__(tasks)
        self.window, self.warm_up, self.tau = window, max(2, warm_up), tau
        self._losses: list[list[float]] = []
        self._slopes: list[list[float]] = []
        self._weights = np.full(tasks, 1.0 / tasks)

    def weights(self) -> np.ndarray:
        """w, shape [K]."""
        return self._weights

    def after_validation(self, losses: np.ndarray) -> None:
        """Add one validation loss a task and recompute the weights."""
        self._losses.append([float(x) for x in losses])
        if len(self._losses) < self.warm_up:
            return
        history = np.array(self._losses) / np.array(self._losses[0])
        self._slopes.append([slope(history[-self.window :, i]) for i in range(self.tasks)])
        self._weights = weights(np.array(self._slopes), self.window, self.tau)

    def state(self) -> dict[str, Any]:
        """Loss and slope history and the weights."""
        return {"losses": self._losses, "slopes": self._slopes, "weights": self._weights.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._losses, self._slopes = state["losses"], state["slopes"]
        self._weights = np.array(state["weights"], dtype=float)


def slope(values: np.ndarray) -> float:
    """Slope of the least-squares line through equally spaced values; 0 for fewer than two."""
    if len(values) < 2:
        return 0.0
    x = np.arange(len(values)) - (len(values) - 1) / 2
    return float((x * (values - values.mean())).sum() / (x**2).sum())


def weights(slopes: np.ndarray, window: int, tau: float) -> np.ndarray:
    """The weights w(t) of the last step.

    Args:
        slopes: a(s) for every s up to t, shape [t, K].
        window: N.
        tau: Sharpness of the divergence factor.

    Returns:
        Shape [K].
    """
    now, recent, t = slopes[-1], slopes[-window:], len(slopes)
    rcs = softmax(len(now) * _ratio(now, np.abs(now).sum()))
    acs = softmax(-len(recent) * _ratio(now, np.abs(recent).sum(axis=0)))
    fastest = slopes.max(axis=1)
    df = min(1.0, float(t * softmax(-tau * t * _ratio(fastest, np.abs(fastest).sum()))[-1]))
    result: np.ndarray = df * rcs + (1 - df) * acs
    return result


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax of a vector."""
    e = np.exp(x - x.max())
    result: np.ndarray = e / e.sum()
    return result


def _ratio(a: np.ndarray, b: np.ndarray | float) -> np.ndarray:
    """a / b, and 0 where nothing has moved (b = 0)."""
    b = np.broadcast_to(b, a.shape)
    result: np.ndarray = np.divide(a, b, out=np.zeros_like(a), where=b > 0)
    return result

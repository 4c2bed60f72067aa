"""How the losses of several tasks become one: rules on plain numbers, so that they can be tested
without a model.

A rule gives the factor of each loss of a step. After the step it learns what the losses were, after
an epoch their means.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from mtpeft.core.errors import UnknownName
from mtpeft.tuning.balancing.learnable import LearnableSoftmax

Losses = Mapping[str, float]


class Weighting(Protocol):
    """A rule for named tasks."""

    def factors(self, present: list[str]) -> dict[str, float]:
        """Factor of each loss of a step that holds the tasks `present`."""
        ...

    def weights(self) -> dict[str, float]:
        """What the rule currently thinks each task is worth."""
        ...

    def after_step(self, losses: Losses, learning_rate: float) -> None:
        """Losses of the step just taken, before factors."""
        ...

    def after_epoch(self, losses: Losses) -> None:
        """Mean loss of each task in the epoch."""
        ...

    def state(self) -> dict[str, Any]:
        """As JSON."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state."""
        ...


class Uniform:
    """The mean of the losses present."""

    def __init__(self, tasks: list[str]) -> None:
        self.tasks = tasks

    def factors(self, present: list[str]) -> dict[str, float]:
        """weight / number of tasks present."""
        weights = self.weights()
        return {task: weights[task] / len(present) for task in present}

    def weights(self) -> dict[str, float]:
        """1 each."""
        return dict.fromkeys(self.tasks, 1.0)

    def after_step(self, losses: Losses, learning_rate: float) -> None:
        """Nothing to learn."""

    def after_epoch(self, losses: Losses) -> None:
        """Nothing to learn."""

    def state(self) -> dict[str, Any]:
        """Stateless."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Stateless."""


class Learnable(Uniform):
    """total = sum of softmax(s) L, s trained with the model by Adam at its learning rate, no
    regulariser: the paper's rule.

    Its gradient pulls weight to the task with the smallest loss until nothing is left for the
    others; `collapsed` says when.
    """

    def __init__(self, tasks: list[str]) -> None:
        super().__init__(tasks)
        self._rule = LearnableSoftmax(len(tasks))

    def factors(self, present: list[str]) -> dict[str, float]:
        """The weights of the tasks present, not rescaled."""
        weights = self.weights()
        return {task: weights[task] for task in present}

    def weights(self) -> dict[str, float]:
        """softmax(s)."""
        return dict(zip(self.tasks, map(float, self._rule.weights()), strict=True))

    def after_step(self, losses: Losses, learning_rate: float) -> None:
        """One Adam step on s."""
        self._rule.after_step(
            np.array([losses.get(task, math.nan) for task in self.tasks]), learning_rate
        )

    def state(self) -> dict[str, Any]:
        """s and Adam's moments."""
        return self._rule.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state."""
        self._rule.restore(dict(state))


class LossProportional(Uniform):
    """w = n L / sum of L with the mean losses of the previous epoch, 1 in the first: the revision's
    rule. Weights sum to n.
    """

    def __init__(self, tasks: list[str]) -> None:
        super().__init__(tasks)
        self._weights = dict.fromkeys(tasks, 1.0)

    def weights(self) -> dict[str, float]:
        """w."""
        return dict(self._weights)

    def after_epoch(self, losses: Losses) -> None:
        """New weights; a task without loss in the epoch keeps its own, and the others share the
        rest.
        """
        known = {task: losses[task] for task in self.tasks if task in losses}
        total = sum(known.values())
        if total > 0:
            rest = sum(self._weights[task] for task in known)
            self._weights |= {task: rest * loss / total for task, loss in known.items()}

    def state(self) -> dict[str, Any]:
        """w."""
        return {"weights": self._weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state."""
        self._weights = dict(state["weights"])


class Uncertainty(Uniform):
    """exp(−s) L + s / 2 with one learned s = log of a variance per task (Kendall et al. 2018,
    arXiv:1705.07115), |s| ≤ 1.

    As in the revision, s learns ten times as fast as the model. Gradient: 1/2 − exp(−s) L, Adam
    with the usual betas.
    """

    RATE = 10.0

    def __init__(self, tasks: list[str]) -> None:
        super().__init__(tasks)
        self._s, self._m, self._v, self._t = (
            np.zeros(len(tasks)),
            np.zeros(len(tasks)),
            np.zeros(len(tasks)),
            0,
        )

    def weights(self) -> dict[str, float]:
        """exp(−s)."""
        return dict(zip(self.tasks, map(float, np.exp(-self._s)), strict=True))

    def after_step(self, losses: Losses, learning_rate: float) -> None:
        """One Adam step on s; tasks absent from the step do not move."""
        present = np.array([task in losses for task in self.tasks])
        loss = np.array([losses.get(task, 0.0) for task in self.tasks])
        gradient = np.where(present, 0.5 - np.exp(-self._s) * loss, 0.0)
        self._t += 1
        self._m = 0.9 * self._m + 0.1 * gradient
        self._v = 0.999 * self._v + 0.001 * gradient**2
        change = self._m / (1 - 0.9**self._t) / (np.sqrt(self._v / (1 - 0.999**self._t)) + 1e-8)
        self._s = np.clip(
            self._s - np.where(present, self.RATE * learning_rate * change, 0.0), -1.0, 1.0
        )

    def state(self) -> dict[str, Any]:
        """s and Adam's moments."""
        return {"s": self._s.tolist(), "m": self._m.tolist(), "v": self._v.tolist(), "t": self._t}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state."""
        self._s, self._m, self._v = (np.array(state[k]) for k in ("s", "m", "v"))
        self._t = int(state["t"])


class Famo(Uniform):
    """FAMO (Liu et al. 2023, arXiv:2306.03792, algorithm 1): equal rates of improvement at the cost
    of one task.

    w = softmax(z); the factor of task i is c w_i / L_i with c = 1 / sum(w / L); after the step z
    moves by the softmax's gradient with the drop of log L. The paper measures the drop on the same
    batch before and after the step; here, as in the study, between two visits of a task, so that no
    second pass is needed. decay: of z; rate: step of z.
    """

    def __init__(self, tasks: list[str], rate: float = 0.025, decay: float = 0.001) -> None:
        super().__init__(tasks)
        self._z, self.rate, self.decay = np.zeros(len(tasks)), rate, decay
        self._last: dict[str, float] = {}

    def weights(self) -> dict[str, float]:
        """softmax(z)."""
        e = np.exp(self._z - self._z.max())
        return dict(zip(self.tasks, map(float, e / e.sum()), strict=True))

    def factors(self, present: list[str]) -> dict[str, float]:
        """c w / L with the losses seen last; w where a task was never seen."""
        weights = self.weights()
        raw = {task: weights[task] / max(self._last.get(task, 1.0), 1e-8) for task in present}
        scale = sum(weights[task] for task in present) / sum(raw.values())
        return {task: scale * value for task, value in raw.items()}

    def after_step(self, losses: Losses, learning_rate: float) -> None:
        """A task whose log loss fell less than the others' gains weight."""
        drop = np.array(
            [
                math.log(max(self._last[task], 1e-8)) - math.log(max(losses[task], 1e-8))
                if task in losses and task in self._last
                else 0.0
                for task in self.tasks
            ]
        )
        w = np.array(list(self.weights().values()))
        self._z = (1 - self.rate * self.decay) * self._z - self.rate * w * (drop - (w * drop).sum())
        self._last |= losses

    def state(self) -> dict[str, Any]:
        """z and the losses seen last."""
        return {"z": self._z.tolist(), "last": self._last}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state."""
        self._z, self._last = np.array(state["z"]), dict(state["last"])


RULES: dict[str, Callable[[list[str]], Uniform]] = {
    "uniform": Uniform,
    "learnable-softmax": Learnable,
    "loss-proportional": LossProportional,
    "uncertainty": Uncertainty,
    "famo": Famo,
}


def weighting(name: str, tasks: list[str]) -> Uniform:
    """A rule by name. Raises `UnknownName` with the nearest known ones."""
    if name not in RULES:
        raise UnknownName("loss weighting", name, RULES)
    return RULES[name](tasks)


def collapsed(weights: Mapping[str, float], limit: float = 0.99) -> str:
    """The task that holds more than `limit` of all weight, or ''."""
    total = sum(weights.values())
    return next((task for task, value in weights.items() if value > limit * total), "")

"""Which batches an optimizer step sees, where every batch belongs to one task.

A sampler yields steps without end; a step maps tasks to the positions of their examples. `state`
and `restore` keep the place, so that a resumed run goes on with the very next batch. Everything
follows from the seed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.tuning.mixing.temperature import probabilities

Step = dict[str, list[int]]
Lengths = Mapping[str, Sequence[int]]
POOL = 50
"""Batches that are sorted by length together, where that is asked for: enough to save padding, few
enough to stay random.
"""


class Passes:
    """Batches of one task without end: one shuffled pass through all examples after the other, none
    twice in a pass.

    A batch never crosses the end of a pass: the last one of a pass can be smaller.

    Args:
        task: The task.
        size: Its examples.
        batch: Examples of a batch.
        seed: Of the shuffling.
        lengths: Of the examples; where given, batches hold examples of like length.
    """

    def __init__(
        self, task: str, size: int, batch: int, seed: int, lengths: Sequence[int] | None = None
    ) -> None:
        if size < 1 or batch < 1:
            raise MtpeftError(
                f"task {task} has {size} examples in batches of {batch}", "at least one of each"
            )
        self._key, self.size, self.batch = [seed, *task.encode()], size, batch
        self._lengths = None if lengths is None else np.asarray(lengths)
        self.number, self.at = 0, 0
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        rng = np.random.default_rng([*self._key, self.number])
        order: np.ndarray = rng.permutation(self.size)
        whole = self.size - self.size % self.batch  # the smaller batch stays at the end
        if self._lengths is None or not whole:
            return order
        pools = [
            order[i : min(i + POOL * self.batch, whole)] for i in range(0, whole, POOL * self.batch)
        ]
        batches = np.concatenate(
            [p[np.argsort(self._lengths[p], kind="stable")] for p in pools]
        ).reshape(-1, self.batch)
        result: np.ndarray = np.concatenate(
            [batches[rng.permutation(len(batches))].ravel(), order[whole:]]
        )
        return result

    def next(self) -> list[int]:
        """The next batch."""
        if self.at == self.size:
            self.number, self.at = self.number + 1, 0
            self._order = self._shuffled()
        found = self._order[self.at : self.at + self.batch]
        self.at += len(found)
        return [int(i) for i in found]

    def state(self) -> dict[str, int]:
        """Pass and place."""
        return {"number": self.number, "at": self.at}

    def restore(self, state: Mapping[str, int]) -> None:
        """Go to a place."""
        self.number, self.at = state["number"], state["at"]
        self._order = self._shuffled()


class RoundRobin:
    """One batch of every task in every step. An epoch passes once through the largest task
    (ceil(largest / batch) steps).

    Args:
        sizes: Examples of each task.
        batch: Examples of a batch.
        seed: Of every draw.
        temperature: Used by samplers that draw tasks.
        lengths: Of every example, by task, where batches shall hold examples of like length.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        batch: int,
        seed: int,
        temperature: float = 1.0,
        lengths: Lengths | None = None,
    ) -> None:
        self.passes = {
            task: Passes(task, size, batch, seed, (lengths or {}).get(task))
            for task, size in sizes.items()
        }
        self.steps_per_epoch = max(-(-size // batch) for size in sizes.values())

    def next(self, stopped: frozenset[str] = frozenset()) -> Step:
        """One batch a task, in the order of the tasks."""
        return {task: passes.next() for task, passes in self.passes.items() if task not in stopped}

    def state(self) -> dict[str, Any]:
        """The place in every task's passes."""
        return {"passes": {task: passes.state() for task, passes in self.passes.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to a place."""
        for task, place in state["passes"].items():
            self.passes[task].restore(place)


class Drawn(RoundRobin):
    """One batch of one task in a step, drawn as `temperature.probabilities` says (the study's
    exponent 0.3 is a temperature of 1 / 0.3).

    An epoch has ceil(sum of sizes / batch) steps. The study draws the same tasks in every epoch;
    here draws go on.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        batch: int,
        seed: int,
        temperature: float = 1.0,
        lengths: Lengths | None = None,
    ) -> None:
        super().__init__(sizes, batch, seed, lengths=lengths)
        self.tasks = list(sizes)
        self.steps_per_epoch = -(-sum(sizes.values()) // batch)
        self.p = probabilities(list(sizes.values()), temperature)
        self._seed, self.drawn = seed, 0

    def _draw(self, stopped: frozenset[str]) -> str:
        p = np.where([task in stopped for task in self.tasks], 0.0, self.p)
        rng = np.random.default_rng([self._seed, self.drawn])
        self.drawn += 1
        return self.tasks[int(rng.choice(len(self.tasks), p=p / p.sum()))]

    def next(self, stopped: frozenset[str] = frozenset()) -> Step:
        """One batch of one task."""
        task = self._draw(stopped)
        return {task: self.passes[task].next()}

    def state(self) -> dict[str, Any]:
        """Number of draws and the place in every task's passes."""
        return {**super().state(), "drawn": self.drawn}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to a place."""
        super().restore(state)
        self.drawn = state["drawn"]


class Proportional(RoundRobin):
    """One batch of one task in a step; in an epoch every example of every task exactly once, tasks
    evenly interleaved.

    Batch j of a task with b batches is placed at (j + 1/2) / b of the epoch.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        batch: int,
        seed: int,
        temperature: float = 1.0,
        lengths: Lengths | None = None,
    ) -> None:
        super().__init__(sizes, batch, seed, lengths=lengths)
        batches = {task: -(-size // batch) for task, size in sizes.items()}
        places = sorted(((j + 0.5) / n, task) for task, n in batches.items() for j in range(n))
        self.order = [task for _, task in places]
        self.steps_per_epoch, self.at = len(self.order), 0

    def next(self, stopped: frozenset[str] = frozenset()) -> Step:
        """One batch of the task whose turn it is."""
        while True:
            task = self.order[self.at % len(self.order)]
            self.at += 1
            if task not in stopped:
                return {task: self.passes[task].next()}

    def state(self) -> dict[str, Any]:
        """The place in the order and in every task's passes."""
        return {**super().state(), "at": self.at}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to a place."""
        super().restore(state)
        self.at = state["at"]


SAMPLERS: dict[str, type[RoundRobin]] = {
    "round-robin": RoundRobin,
    "temperature": Drawn,
    "proportional": Proportional,
}


def sampler(
    name: str,
    sizes: Mapping[str, int],
    batch: int,
    seed: int,
    temperature: float = 1.0,
    lengths: Lengths | None = None,
) -> RoundRobin:
    """A sampler by name; the other parameters are those of `RoundRobin`.

    Raises:
        UnknownName: There is no such sampler; the error lists the nearest ones.
    """
    if name not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)
    return SAMPLERS[name](sizes, batch, seed, temperature, lengths)

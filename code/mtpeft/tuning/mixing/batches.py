"""Which batches an optimizer step sees, where every batch belongs to one task.

A sampler yields steps without end; a step maps tasks to the positions of their examples. `state`
and `restore` keep the place, so that a resumed run goes on with the very next batch. Everything
follows from the seed.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
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
        """The number of the pass and the position in it."""
        return {"number": self.number, "at": self.at}

    def restore(self, state: Mapping[str, int]) -> None:
        """Go to that position."""
        self.number, self.at = state["number"], state["at"]
        self._order = self._shuffled()


class Sampler:
    """Endless steps, each with a batch of every task that `turn` names.

    Args:
        sizes: Examples of each task.
        batch: Examples of a batch.
        seed: Of every shuffle and draw.
        temperature: As in `temperature.probabilities`; used by `Drawn`.
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
        self.batches = {task: -(-size // batch) for task, size in sizes.items()}
        self.seed, self.at = seed, 0
        self.p = probabilities(list(sizes.values()), temperature)

    def turn(self, stopped: frozenset[str]) -> list[str]:
        """The tasks of the next step, in order, none of them stopped; `at` is counted up."""
        raise NotImplementedError

    def epoch(self) -> dict[str, float]:
        """The batches of each task that an epoch is expected to hold."""
        raise NotImplementedError

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch, no task stopped."""
        return round(sum(self.epoch().values()))

    def next(self, stopped: frozenset[str] = frozenset()) -> Step:
        """The next step."""
        return {task: self.passes[task].next() for task in self.turn(stopped)}

    def state(self) -> dict[str, Any]:
        """The number of turns and the place in every task's passes."""
        places = {task: passes.state() for task, passes in self.passes.items()}
        return {"at": self.at, "passes": places}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where a sampler had this state."""
        self.at = state["at"]
        for task, place in state["passes"].items():
            self.passes[task].restore(place)


class RoundRobin(Sampler):
    """One batch of every task in every step. An epoch passes once through the largest task
    (ceil(largest / batch) steps).
    """

    def turn(self, stopped: frozenset[str]) -> list[str]:
        """Every task, in their order."""
        self.at += 1
        return [task for task in self.passes if task not in stopped]

    def epoch(self) -> dict[str, float]:
        """As many of each task as the largest has."""
        return dict.fromkeys(self.batches, max(self.batches.values()))

    @property
    def steps_per_epoch(self) -> int:
        """The batches of the largest task."""
        return max(self.batches.values())


class Drawn(Sampler):
    """One batch of one task in a step, drawn as `temperature.probabilities` says (the study's
    exponent 0.3 is a temperature of 1 / 0.3).

    An epoch has ceil(sum of sizes / batch) steps. The study draws the same tasks in every epoch;
    here draws go on.
    """

    def turn(self, stopped: frozenset[str]) -> list[str]:
        """A task at random, by the number of the turn."""
        tasks = list(self.passes)
        p = np.where([task in stopped for task in tasks], 0.0, self.p)
        rng = np.random.default_rng([self.seed, self.at])
        self.at += 1
        return [tasks[int(rng.choice(len(tasks), p=p / p.sum()))]]

    def epoch(self) -> dict[str, float]:
        """In proportion to the probabilities."""
        one = next(iter(self.passes.values()))
        steps = -(-sum(passes.size for passes in self.passes.values()) // one.batch)
        return {task: float(steps * p) for task, p in zip(self.passes, self.p, strict=True)}


class Proportional(Sampler):
    """One batch of one task in a step; in an epoch every example of every task exactly once, tasks
    evenly interleaved.

    Batch j of a task with b batches is placed at (j + 1/2) / b of the epoch.
    """

    @cached_property
    def order(self) -> list[str]:
        """The task of each step of an epoch."""
        return [
            task
            for _, task in sorted(
                ((j + 0.5) / n, task) for task, n in self.batches.items() for j in range(n)
            )
        ]

    def turn(self, stopped: frozenset[str]) -> list[str]:
        """The next task in the order."""
        while True:
            task = self.order[self.at % len(self.order)]
            self.at += 1
            if task not in stopped:
                return [task]

    def epoch(self) -> dict[str, float]:
        """One pass through each task."""
        return dict(self.batches)


SAMPLERS: dict[str, type[Sampler]] = {
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
) -> Sampler:
    """A sampler by name; the other parameters are those of `Sampler`.

    Raises:
        UnknownName: There is no such sampler; the error lists the nearest ones.
    """
    if name not in SAMPLERS:
        raise UnknownName("sampler", name, SAMPLERS)
    return SAMPLERS[name](sizes, batch, seed, temperature, lengths)

"""What a run costs: tokens, FLOPs, seconds, memory. A multiplication and an addition are two FLOPs."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from mtpeft.core import environment
from mtpeft.models.device import synchronize


@dataclass
class Ledger:
    """The bill of a run, by task.

    Attributes:
        counted_steps: Batches of each task whose FLOPs are counted; the others are extrapolated by
            padded tokens, since counting every step would slow the run down.
        tokens: Without padding.
        padded: Tokens with padding.
        supervised: Tokens with a loss of their own.
        steps: In which a task was seen.
        seconds: Of training steps: waiting for their data, forward and backward passes, the update.
            Neither evaluation nor checkpoints.
        cpu_seconds: Of the processor, likewise: what else runs on the machine hardly moves them.
        evaluation_seconds: Of validation and testing.
        counted: Padded tokens and FLOPs of each batch that was counted.
    """

    counted_steps: int = 2
    tokens: dict[str, int] = field(default_factory=dict)
    padded: dict[str, int] = field(default_factory=dict)
    supervised: dict[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    counted: dict[str, list[list[int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """No field, since it means nothing to a run that goes on: when the step began."""
        self._began = _now()

    def begin_step(self) -> None:
        """Before the data of a step are asked for."""
        self._began = _now()

    def end_step(self) -> None:
        """After its update."""
        synchronize()  # a GPU's work is queued, not done
        now = _now()
        self.seconds += now[0] - self._began[0]
        self.cpu_seconds += now[1] - self._began[1]

    def seen(self, task: str, tokens: int, padded: int = 0, supervised: int = 0) -> None:
        """Enter one step's tokens of a task; the parameters are as in the attributes."""
        for book, number in (
            (self.tokens, tokens),
            (self.padded, padded),
            (self.supervised, supervised),
            (self.steps, int(tokens > 0)),
        ):
            book[task] = book.get(task, 0) + number

    @contextmanager
    def counting(self, task: str, padded: int) -> Iterator[None]:
        """Around forward and backward pass of one task's batch; a process may have no part of it."""
        if not padded or len(self.counted.setdefault(task, [])) >= self.counted_steps:
            yield
            return
        with flop_counter() as counter:
            yield
        self.counted[task].append([padded, int(counter.get_total_flops())])

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Around validation and testing; what lies within a step is no part of it."""
        synchronize()
        start = _now()
        yield
        synchronize()
        wall, cpu = (after - before for after, before in zip(_now(), start, strict=True))
        self.evaluation_seconds += wall
        self._began = (self._began[0] + wall, self._began[1] + cpu)

    def flops(self) -> float:
        """Training FLOPs of all steps together, extrapolated by padded tokens."""
        total = 0.0
        for task, counted in self.counted.items():
            if counted:
                tokens, work = (sum(column) for column in zip(*counted, strict=True))
                total += work / tokens * self.padded[task]
        return total

    def state(self) -> dict[str, Any]:
        """The entries as plain values, for a run that goes on later."""
        return asdict(self)

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        for name, value in state.items():
            setattr(self, name, value)

    def summary(self, processes: int = 1) -> dict[str, Any]:
        """The bill as JSON: times in seconds, peak memory in MiB (of the process, or of the GPU
        where there is one); a cost only where MTPEFT_PRICE_PER_HOUR is set.

        Args:
            processes: How many trained together, for the hours of devices.
        """
        price = environment.amount(environment.PRICE)
        hours = (self.seconds + self.evaluation_seconds) / 3600 * processes
        return {
            "flops": self.flops() or None,
            "tokens": self.tokens,
            "padded_tokens": self.padded,
            "supervised_tokens": self.supervised,
            "steps_by_task": self.steps,
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "evaluation_seconds": round(self.evaluation_seconds, 3),
            "tokens_per_second": round(sum(self.tokens.values()) / max(self.seconds, 1e-9), 1),
            "peak_memory_mib": round(peak_memory() / 2**20, 1),
            "processes": processes,
            "device_hours": round(hours, 6),
            "cost": None if price is None else round(price * hours, 4),
        }


def _now() -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    return time.monotonic(), time.process_time()


def flop_counter() -> Any:
    """Torch's counter, told of the one attention kernel that it does not know: the CPU's."""
    import torch
    from torch.utils import flop_counter as known

    def forward(q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return int(known.sdpa_flop_count(q, k, v))

    def backward(gradient: Any, q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return int(known.sdpa_backward_flop_count(gradient, q, k, v))

    kernel = "_scaled_dot_product_flash_attention_for_cpu"
    named = {kernel: forward, f"{kernel}_backward": backward}
    mapping = {getattr(torch.ops.aten, name): formula for name, formula in named.items()}
    return known.FlopCounterMode(display=False, custom_mapping=mapping)


def peak_memory() -> int:
    """The most memory in use, in bytes: of the GPU where there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def saving(run: float, base: float) -> float:
    """The share of the base's FLOPs that a run saves: 1 − run / base.

    Args:
        run: FLOPs of the run.
        base: FLOPs of the base, over the same examples.
    """
    return 1.0 - run / base

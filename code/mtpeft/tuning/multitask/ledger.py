"""What a run costs: FLOPs, tokens, seconds, memory. FLOPs of one multiplication and addition: 2.

`Ledger` measures with PyTorch's counter; `forward_flops` and `training_flops` are closed forms for
the same work.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ledger:
    """The bill of a run. tokens: without padding; padded: with; seconds: training only (evaluation
    is kept apart).

    flops are counted on the first `counted_steps` steps of each task and extrapolated by padded
    tokens: counting every step would slow the run down.
    """

    counted_steps: int = 2
    tokens: dict[str, int] = field(default_factory=dict)
    padded: dict[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    _flops: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @contextmanager
    def step(self, task: str, mask: Any) -> Iterator[None]:
        """Around forward and backward pass of one task's batch; mask: its attention mask [B, L]."""
        real, padded = int(mask.sum()), int(mask.numel())
        count = self.steps.get(task, 0) < self.counted_steps
        start = time.monotonic()
        if count:
            from torch.utils.flop_counter import FlopCounterMode

            with FlopCounterMode(display=False) as counter:
                yield
            self._flops.setdefault(task, []).append((padded, int(counter.get_total_flops())))
        else:
            yield
        self.seconds += time.monotonic() - start
        for book, number in ((self.tokens, real), (self.padded, padded), (self.steps, 1)):
            book[task] = book.get(task, 0) + number

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Around validation and testing."""
        start = time.monotonic()
        yield
        self.evaluation_seconds += time.monotonic() - start

    def flops(self) -> float:
        """Training FLOPs of all steps together, extrapolated by padded tokens."""
        total = 0.0
        for task, counted in self._flops.items():
            tokens, work = (sum(column) for column in zip(*counted, strict=True))
            total += work / tokens * self.padded[task]
        return total

    def state(self) -> dict[str, Any]:
        """The books, as plain values, for a run that goes on later."""
        return {
            "tokens": self.tokens,
            "padded": self.padded,
            "steps": self.steps,
            "seconds": self.seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "flops": self._flops,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.tokens, self.padded, self.steps = state["tokens"], state["padded"], state["steps"]
        self.seconds, self.evaluation_seconds, self._flops = (
            state["seconds"],
            state["evaluation_seconds"],
            state["flops"],
        )

    def summary(self) -> dict[str, Any]:
        """The bill as JSON; peak memory in MiB (of the process, or of the GPU where there is one)."""
        import torch

        peak = (
            torch.cuda.max_memory_allocated() / 2**20
            if torch.cuda.is_available()
            else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        )
        return {
            "flops": self.flops(),
            "tokens": self.tokens,
            "padded_tokens": self.padded,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "evaluation_seconds": round(self.evaluation_seconds, 3),
            "peak_memory_mib": round(peak, 1),
        }


def forward_flops(config: Any, batch: int, length: int) -> int:
    """Matrix products of one forward pass of an encoder over [batch, length] tokens, eager
    attention, pooler included.

    A projection of n tokens from a to b: 2 n a b. Attention of one layer: 2 × 2 batch × length² ×
    width.
    """
    c, n = config, batch * length
    if c.model_type == "t5":
        inner = c.num_heads * c.d_kv
        layer = (
            2 * n * (4 * c.d_model * inner + 2 * c.d_model * c.d_ff) + 4 * batch * length**2 * inner
        )
        return int(c.num_layers * layer)
    h, f = c.hidden_size, c.intermediate_size
    if c.model_type == "roberta":
        layer = 2 * n * (4 * h * h + 2 * h * f) + 4 * batch * length**2 * h
        return int(c.num_hidden_layers * layer + 2 * batch * h * h)
    if c.model_type == "modernbert":
        return int(
            c.num_hidden_layers * (2 * n * (4 * h * h + 3 * h * f) + 4 * batch * length**2 * h)
        )
    size = h // c.num_attention_heads
    kv = c.num_key_value_heads * size
    return int(
        c.num_hidden_layers
        * (2 * n * (2 * h * h + 2 * h * kv + 3 * h * f) + 4 * batch * length**2 * h)
    )


def training_flops(config: Any, batch: int, length: int) -> int:
    """Forward and backward pass of the whole encoder: the backward pass has two products for each
    of the forward pass.
    """
    return 3 * forward_flops(config, batch, length)


def saving(run: float, base: float) -> float:
    """1 − run / base: the share of the base's FLOPs that the run saves. The base's work must be
    over the same examples.
    """
    return 1.0 - run / base

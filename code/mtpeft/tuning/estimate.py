"""`mtpeft train plan`: what training will take, before anything is spent. Estimates, from formulas
that stand here; nothing is measured.

Tokens: the catalog says how many examples a task's splits have, and assumes how long they are.
Runs of heads are counted over all their epochs, batches as their sampler mixes them, with the
validation after each epoch and the final test; runs of tokens with their evaluations, text that is
generated for them included.

Operations: 6 N a token for training every weight, 4 N for adapters (no weight gradients of the
base), plus 2 N where activations are recomputed, 2 N for validation (Kaplan et al. 2020,
arXiv:2001.08361, section 2.1), N without the embedding but with the output layer. Time: the longer
of operations / (peak × SHARE) and of starting them one by one (LAUNCH seconds each; a small model on
short rows waits for that). Both constants are from the table of speeds in the README of QwenLM/Qwen
(commit 03cd81f, LoRA with recomputed activations, one A100, rows of 256 to 8,192 tokens); a test
holds the formula against it.

Memory: weights + gradients + optimizer + what autograd keeps of a micro-batch, counted (see
`models.activations`; where activations are recomputed, the inputs of all layers and all of one) +
logits of as many tokens as the loss takes at a time. A GPU on which the micro-batch of the profile
does not fit gets the largest divisor of it that does, as training itself would try. Disk: the
result, and while a run lasts its checkpoints with the optimizer's state; the base model comes on
top, once for all runs.
"""

import json
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mtpeft.catalog import Backbone, Method, Run, Task, catalog
from mtpeft.core import text
from mtpeft.tasks.encoding import RANKING, head_of
from mtpeft.tuning.mixing.batches import sampler
from mtpeft.tuning.settings import (
    CHUNK_BYTES,
    HEADS,
    Settings,
    how,
    objective_of,
    profiles,
    resolve,
)
from mtpeft.tuning.watching import cost, passes

if TYPE_CHECKING:
    from mtpeft.models.activations import Kept
    from mtpeft.models.counts import Counts

SHARE, LAUNCH = 0.45, 4e-6
GIB = 2**30
OVERHEAD = 1.5 * GIB
"""The context of CUDA, temporary tensors and the gaps of the allocator."""
READ = (
    "weights",
    "compute_dtype",
    "mixed_precision",
    "attention",
    "gradient_checkpointing",
    "lora_rank",
    "lora_alpha",
    "lora_dropout",
    "lora_targets",
    "mlora_pool",
    "bottleneck",
    "virtual_tokens",
)
"""Settings that decide what autograd keeps."""


@dataclass(frozen=True)
class Gpu:
    """A class of GPU.

    Attributes:
        name: Its name.
        memory: In GiB.
        peak: Dense bf16 operations, in TFLOP/s.
        price: Assumed, in US dollars an hour.
    """

    name: str
    memory: float
    peak: float
    price: float


GPUS = [
    Gpu("RTX 4090 24 GB", 24, 165, 0.5),
    Gpu("A100 80 GB", 80, 312, 1.8),
    Gpu("H100 80 GB", 80, 989, 3.0),
    Gpu("H200 141 GB", 141, 989, 3.8),
]


@dataclass(frozen=True)
class Memory:
    """What training takes on one GPU, in bytes, `OVERHEAD` apart.

    Attributes:
        weights: Of the base model.
        states: Trained weights that come on top, gradients and the optimizer's state.
        copies: Of weights in the type of products, kept from forward to backward pass.
        activations: What else is kept of a micro-batch.
    """

    weights: float
    states: float
    copies: float
    activations: float

    @property
    def all(self) -> float:
        """Their sum."""
        return self.weights + self.states + self.copies + self.activations


@dataclass(frozen=True)
class Estimate:
    """What a run takes.

    Attributes:
        tokens: That are trained on; NaN where the catalog does not say how large a task is.
        operations: Floating-point ones, validation and test included.
        launches: Operations that are started one after the other.
        memory: GiB on one GPU; NaN where the method has no effect on the backbone, which training
            refuses.
        kept: GiB of them that grow with the micro-batch.
        batch: Rows of a micro-batch.
        disk: GiB while it runs.
    """

    tokens: float
    operations: float
    launches: float
    memory: float
    kept: float
    batch: int
    disk: float

    def rows(self, gpu: Gpu) -> int:
        """Rows of the largest micro-batch that fits on a GPU; 0 where one row does not."""
        fixed, each = self.memory - self.kept, self.kept / self.batch
        some = (n for n in range(self.batch, 0, -1) if self.batch % n == 0)
        return next((n for n in some if fixed + n * each <= gpu.memory), 0)

    def hours(self, gpu: Gpu) -> float:
        """Hours on one GPU, with the micro-batch that fits; infinite where none does."""
        rows = self.rows(gpu)
        if not rows:
            return math.nan if math.isnan(self.memory) else math.inf
        work = self.operations / (gpu.peak * 1e12 * SHARE)
        return max(work, self.launches * LAUNCH * self.batch / rows) / 3600


def counts(run: Run, settings: Settings) -> "Counts":
    """The weights of a run's model; heads of tasks are among the trained ones."""
    from mtpeft.models.base import config_of
    from mtpeft.models.counts import counted, heads_counted

    known = catalog()
    backbone, method = known.get("backbones", run.backbone), known.get("methods", run.method)
    causal = objective_of(run) != HEADS
    made = counted(backbone, method, {**how(settings), "tasks": len(run.tasks)}, causal)
    if causal:
        return made
    heads = heads_counted(config_of(backbone).hidden_size, map(head_of, run.tasks))
    return replace(made, trained=made.trained + heads)


def work(run: Run, settings: Settings) -> tuple[float, float]:
    """Tokens that are trained on, and tokens that are passed forward alone; NaN where unknown."""
    tasks: dict[str, Task] = {t: catalog().get("tasks", t) for t in run.tasks}
    if not all(task.sizes.get("train") and task.tokens for task in tasks.values()):
        return math.nan, math.nan
    sizes = {t: task.sizes["train"] for t, task in tasks.items()}
    if objective_of(run) != HEADS:
        tokens = float(settings.epochs * sum(n * tasks[t].tokens for t, n in sizes.items()))
        return tokens, cost(settings, int(tokens / settings.max_length), run.tasks)[0]
    whole = settings.batch_size * settings.gradient_accumulation
    mixed = sampler(settings.mixing, sizes, whole, settings.seed, settings.mixing_temperature)
    steps = mixed.steps_per_epoch
    share = min(steps, settings.limit_steps or steps) / steps
    trained = sum(
        share * batches * min(whole, sizes[t]) * tasks[t].tokens
        for t, batches in mixed.epoch().items()
    )
    valid = {t: task.sizes.get("valid", 0) for t, task in tasks.items()}
    if settings.valid_examples:
        valid = {t: min(n, settings.valid_examples) for t, n in valid.items()}
    passed = sum(
        (settings.epochs * valid[t] + task.sizes.get("test", 0)) * task.tokens
        for t, task in tasks.items()
    )
    return settings.epochs * trained, float(passed)


def estimate(run: Run, settings: Settings, counted: "Counts | None" = None) -> Estimate:
    """Tokens, operations, memory and disk space of a run.

    Args:
        run: The run.
        settings: Of it.
        counted: The weights of its model, where they were counted before.
    """
    from mtpeft.models.methods import trains_whole

    found = counted or counts(run, settings)
    backbone, method = (
        catalog().get("backbones", run.backbone),
        catalog().get("methods", run.method),
    )
    heads = objective_of(run) == HEADS
    trained, passed = work(run, settings)
    full = trains_whole(method)
    rate = (6 if full else 4) + (2 if settings.gradient_checkpointing else 0)
    length = settings.code_length if heads else settings.max_length
    pairs = heads and any(head_of(task) == RANKING for task in run.tasks)
    batch = settings.batch_size * (1 + pairs)  # queries and candidates, padded alike
    held = _held(run, settings, batch, length)
    needs = memory(backbone, method, settings, found, held, batch * length, causal=not heads)
    stored, state = _stored(settings, full), _state(settings, full)
    kept = 2 if heads else settings.save_total_limit
    # A checkpoint is written before the oldest is removed; heads keep their best epoch beside them.
    disk = found.trained * ((kept + 1) * (stored + state) + heads * stored)
    operations = found.used * (rate * trained + 2 * passed)
    known = not (heads or math.isnan(trained))
    steps = cost(settings, int(trained / settings.max_length), run.tasks)[1] if known else 0.0
    mean = length if not heads else sum(known_tokens(run)) / len(run.tasks)
    launches = held.operations * (
        (passes(settings) * trained + passed) / (mean * settings.batch_size) + steps
    )
    return Estimate(
        trained,
        operations,
        launches,
        (needs.all + OVERHEAD) / GIB,
        needs.activations / GIB,
        settings.batch_size,
        disk / GIB,
    )


def memory(
    backbone: Backbone,
    method: Method,
    settings: Settings,
    found: "Counts",
    held: "Kept",
    tokens: int,
    *,
    causal: bool,
) -> Memory:
    """What a model takes while it is trained.

    Args:
        backbone: The base model.
        method: What is trained.
        settings: Of the run.
        found: The model's weights.
        held: What autograd keeps of a micro-batch.
        tokens: Of the micro-batch, padding included.
        causal: Whether it is a language model.
    """
    from mtpeft.models import nf4
    from mtpeft.models.base import config_of
    from mtpeft.models.methods import trains_whole

    config, full = config_of(backbone), trains_whole(method)
    stored, state = _stored(settings, full), _state(settings, full)
    # Between layers, and of weights that are not quantized: of an encoder float32.
    four = settings.weights == "nf4"
    kind = (settings.compute_dtype if causal else "float32") if four else settings.weights
    plain = 4 if kind == "float32" else 2
    weights: float = found.every * plain
    if four:
        weights -= found.four_bit * (plain - nf4.bytes_each(double=settings.double_quantisation))
    states = found.trained * (stored + state + (0 if full else stored))
    copies, activations = held.copies, held.bytes - held.copies
    if settings.gradient_checkpointing:
        inputs = plain * tokens * config.hidden_size * config.num_hidden_layers
        copies, activations = 0.0, held.layer + inputs
    if causal:
        # Logits twice in float32 and twice in the type of products, of one chunk.
        activations += 12 * min(tokens * config.vocab_size, CHUNK_BYTES / 4)
    return Memory(weights, states, copies, activations)


def _stored(settings: Settings, full: bool) -> float:
    """Bytes of a trained weight; adapters are float32."""
    return 2 if full and settings.weights in ("bfloat16", "float16") else 4


def _state(settings: Settings, full: bool) -> float:
    """Bytes of a trained weight's state in the optimizer: two numbers of Adam, one of Lion. What
    Adafactor keeps is small, and SGD keeps nothing.
    """
    kept = {"adafactor": 0, "sgd": 0, "lion_32bit": 1, "lion_8bit": 1}.get(settings.optimizer, 2)
    return kept * (1 if "8bit" in settings.optimizer else _stored(settings, full))


def known_tokens(run: Run) -> list[float]:
    """Mean tokens of an example of each task of a run."""
    return [catalog().get("tasks", task).tokens or math.nan for task in run.tasks]


@lru_cache(maxsize=256)
def _held_of(
    backbone: str, method: str, how_json: str, rows: int, length: int, causal: bool
) -> "Kept":
    from mtpeft.models.activations import Kept, kept

    known, settings = catalog(), json.loads(how_json)
    one, other = known.get("backbones", backbone), known.get("methods", method)
    try:
        return kept(one, other, settings, rows, length, causal=causal)
    except RuntimeError:  # a method that has no effect on the backbone; training says so
        return Kept(math.nan, math.nan, math.nan, math.nan)


def _held(run: Run, settings: Settings, rows: int, length: int) -> "Kept":
    used = {k: v for k, v in how(settings).items() if k in READ or k in settings.options}
    causal = objective_of(run) != HEADS
    return _held_of(run.backbone, run.method, json.dumps(used), rows, length, causal)


def show(names: list[str], profile: str) -> None:
    """Print the estimates of runs on every GPU class, and the sum over the runs of each study.

    Args:
        names: Ids of runs; none: all that can be trained under the profile.
        profile: How they are trained.
    """
    known = catalog()
    runs = [known.usable_run(n) for n in names] or [
        r
        for r in known.runs.values()
        if not r.withdrawn
        and profile in profiles(objective_of(r))
        and (objective_of(r) == HEADS or known.methods[r.method].tuning)
    ]
    table = Table(
        title=f"Estimates (nothing here is measured): profile {profile}, one GPU",
        box=None,
    )
    for title in ("run", "M tokens", "GiB", "GiB disk", *(g.name for g in GPUS)):
        table.add_column(title, justify="left" if title == "run" else "right", no_wrap=True)
    seen: dict[tuple[object, ...], Counts] = {}
    by_study: dict[str, list[Estimate]] = {}
    refused = []
    for run in runs:
        settings = resolve(run, profile)
        # Runs of one model differ by their heads alone.
        key = (run.backbone, run.method, tuple(known.get("tasks", t).output for t in run.tasks))
        if key not in seen:
            seen[key] = counts(run, settings)
        made = estimate(run, settings, seen[key])
        by_study.setdefault(run.study, []).append(made)
        if math.isnan(made.memory):
            refused.append(run)
        table.add_row(run.id, *_cells([made]))
    table.add_row()
    for study, estimates in by_study.items():
        table.add_row(f"{study}, {text.counted(len(estimates), 'run')}", *_cells(estimates))
    Console(width=200).print(table)
    for run in refused:
        print(f"{run.id}: training refuses it, {run.method} has no effect on {run.backbone}")


def _cells(made: list[Estimate]) -> list[str]:
    """Of one estimate, or the sums of several: memory is that of the largest, the disk that of all
    runs. Runs that do not fit on a GPU are counted in place of their hours; of a smaller micro-batch
    than the profile's its rows are said. What training refuses adds nothing.
    """
    made = [e for e in made if not math.isnan(e.memory)]
    if not made:
        return ["refused"] + [""] * (2 + len(GPUS))
    tokens = sum(e.tokens for e in made)
    cells = [
        "unknown" if math.isnan(tokens) else f"{tokens / 1e6:,.0f}",
        f"{max(e.memory for e in made):.0f}",
        f"{sum(e.disk for e in made):,.1f}",
    ]
    for gpu in GPUS:
        fit = [e for e in made if e.rows(gpu)]
        hours = sum(e.hours(gpu) for e in fit)
        cell = f"{hours:,.{0 if hours >= 100 else 1}f} h, ${hours * gpu.price:,.0f}"
        if not fit:
            cell = "too small"
        elif math.isnan(hours):
            cell = "unknown"
        elif len(made) == 1 and fit[0].rows(gpu) < fit[0].batch:
            cell += f", {fit[0].rows(gpu)} rows"
        elif len(fit) < len(made):
            cell += f" + {text.counted(len(made) - len(fit), 'run')}"
        cells.append(cell)
    return cells

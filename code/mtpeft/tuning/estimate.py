"""`mtpeft train plan`: what training will take, before anything is spent. Estimates, from formulas
that stand here; nothing is measured.

Tokens: the catalog says how many examples a task's splits have, and assumes how long they are.
Runs of heads are counted over all their epochs, batches as their sampler mixes them, with the
validation after each epoch and the final test; runs of tokens without validation.

Operations: 6 N a token for training every weight, 4 N for adapters (no weight gradients of the
base), plus 2 N where activations are recomputed, 2 N for validation (Kaplan et al. 2020,
arXiv:2001.08361, section 2.1), N without the embedding but with the output layer. Time: operations
/ (peak × share); the shares are assumptions.

Memory: weights + gradients + optimizer + activations of a micro-batch (34 bytes × tokens × width ×
layers, and 5 × heads / width × length times as many where attention is eager; Korthikanti et al.
2022, arXiv:2205.05198) + logits (of every token: 4 + 2 bytes × tokens × vocabulary). Disk: the
result, and while a run lasts its checkpoints with the optimizer's state; the base model comes on
top, once for all runs.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mtpeft.catalog import Run, Task, catalog
from mtpeft.tasks.encoding import RANKING, head_of
from mtpeft.tuning.mixing.batches import sampler
from mtpeft.tuning.settings import HEADS, Settings, how, objective_of, profiles, resolve

if TYPE_CHECKING:
    from mtpeft.models.counts import Counts

# What share of the peak each profile is assumed to reach.
SHARE = {"faithful": 0.12, "fast": 0.40}
GIB = 2**30


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
class Estimate:
    """What a run takes.

    Attributes:
        tokens: That are trained on; NaN where the catalog does not say how large a task is.
        operations: Floating-point ones, validation and test included.
        memory: GiB on one GPU.
        disk: GiB while it runs.
    """

    tokens: float
    operations: float
    memory: float
    disk: float

    def hours(self, gpu: Gpu, share: float) -> float:
        """Hours on one GPU at a share of its peak."""
        return self.operations / (gpu.peak * 1e12 * share) / 3600


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
        return settings.epochs * sum(n * tasks[t].tokens for t, n in sizes.items()), 0.0
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
    from mtpeft.models.base import config_of
    from mtpeft.models.methods import trains_whole

    found = counted or counts(run, settings)
    full = trains_whole(catalog().get("methods", run.method))
    heads = objective_of(run) == HEADS
    trained, passed = work(run, settings)
    rate = (6 if full else 4) + (2 if settings.gradient_checkpointing else 0)
    bytes_each = {"nf4": 0.55, "bfloat16": 2, "float16": 2, "float32": 4}[settings.weights]
    stored = bytes_each if full else 4  # adapters are float32
    state = 2 * (1 if "8bit" in settings.optimizer else min(4, stored))
    config = config_of(catalog().get("backbones", run.backbone))
    width, layers = config.hidden_size, config.num_hidden_layers
    length = settings.code_length if heads else settings.max_length
    rows = settings.batch_size * length
    if heads and any(head_of(task) == RANKING for task in run.tasks):
        rows *= 2  # queries and candidates, padded alike
    each = 34.0
    if settings.attention == "eager":
        each += 5 * config.num_attention_heads * length / width
    activations = each * rows * width * (1 if settings.gradient_checkpointing else layers)
    if settings.gradient_checkpointing:
        activations += 2 * rows * width * layers
    logits = embedding = 0.0
    if not heads:
        logits = 6 * rows * config.vocab_size if settings.loss_on != "answer" else GIB
        embedding = config.vocab_size * width * 2 if settings.weights == "nf4" else 0
    gradients = found.trained * (stored + state + (0 if full else stored))
    memory = found.every * bytes_each + embedding + gradients + activations + logits + 1.5 * GIB
    kept = 2 if heads else settings.save_total_limit
    disk = found.trained * (stored + kept * (stored + state))
    operations = found.used * (rate * trained + 2 * passed)
    return Estimate(trained, operations, memory / GIB, disk / GIB)


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
    share = SHARE.get(profile, 0.2)
    table = Table(
        title=f"Estimates (nothing here is measured): profile {profile}, {share:.0%} of the bf16 peak, one GPU",
        box=None,
    )
    for title in ("run", "M tokens", "GiB", "GiB disk", *(g.name for g in GPUS)):
        table.add_column(title, justify="left" if title == "run" else "right", no_wrap=True)
    seen: dict[tuple[object, ...], Counts] = {}
    by_study: dict[str, list[Estimate]] = {}
    for run in runs:
        settings = resolve(run, profile)
        # Runs of one model differ by their heads alone.
        key = (run.backbone, run.method, tuple(known.get("tasks", t).output for t in run.tasks))
        if key not in seen:
            seen[key] = counts(run, settings)
        made = estimate(run, settings, seen[key])
        by_study.setdefault(run.study, []).append(made)
        table.add_row(run.id, *_cells([made], share))
    table.add_row()
    for study, estimates in by_study.items():
        table.add_row(f"{study}, {len(estimates)} runs", *_cells(estimates, share))
    Console(width=200).print(table)


def _cells(made: list[Estimate], share: float) -> list[str]:
    """Of one estimate, or the sums of several: memory is that of the largest, the disk that of all
    runs. Runs that do not fit on a GPU are counted in place of their hours.
    """
    tokens = sum(e.tokens for e in made)
    cells = [
        "unknown" if math.isnan(tokens) else f"{tokens / 1e6:,.0f}",
        f"{max(e.memory for e in made):.0f}",
        f"{sum(e.disk for e in made):,.1f}",
    ]
    for gpu in GPUS:
        fit = [e for e in made if e.memory <= gpu.memory]
        hours = sum(e.hours(gpu, share) for e in fit)
        cell = f"{hours:,.{0 if hours >= 100 else 1}f} h, ${hours * gpu.price:,.0f}"
        if not fit:
            cell = "too small"
        elif math.isnan(hours):
            cell = "unknown"
        elif len(fit) < len(made):
            cell += f" + {len(made) - len(fit)} runs"
        cells.append(cell)
    return cells

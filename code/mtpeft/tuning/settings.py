"""The settings of a training run: the method's (catalog), then a profile's, then what the caller
overrides. One type and one set of profiles for everything that trains.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from mtpeft.catalog import Run, catalog
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.tasks.encoding import has_heads
from mtpeft.tuning.balancing import RULES
from mtpeft.tuning.mixing import STRATEGIES
from mtpeft.tuning.mixing.batches import SAMPLERS

PROFILES = Path(__file__).resolve().parent / "profiles"
TOKENS, HEADS = "tokens", "heads"
CHUNK_BYTES = 1 << 29
"""Bytes of float32 logits that the loss of tokens takes at a time."""


@dataclass(frozen=True)
class Settings:
    """Every knob of a run, in one flat record that is written with the result.

    A run has one of two objectives: a causal language model on rows of tokens, or an encoder with a
    head per task on batches of one task each; a knob of one of them alone says so. Steps are
    optimizer steps. A step takes batch_size × gradient_accumulation rows (packed blocks) or
    examples, on any number of processes; batch_size is what a device takes at a time.
    """

    # what is trained
    weights: str = "float32"  # nf4, bfloat16, float16 or float32
    double_quantisation: bool = False
    compute_dtype: str = "bfloat16"  # of the 4-bit matrices
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.0
    lora_targets: list[str] = field(default_factory=list)  # where the backbone names none
    mlora_pool: int = 4  # Bs that the tasks mix
    bottleneck: int = 64  # width of serial and parallel adapters
    virtual_tokens: int = 20  # of prefix tuning
    gradient_checkpointing: bool = False  # a third more time, a fraction of the activations' memory
    mixed_precision: str = "no"  # bf16 or no
    attention: str = "auto"  # auto: flash attention where it is installed, else sdpa
    liger: bool = False  # tokens: fused kernels, where installed, on a GPU
    compile: str = "off"  # tokens: layers by torch.compile; off, on, or auto: where it is the same
    # on what
    wording: str = "own"  # tokens
    packing: str = "isolated"  # tokens: wrapped (as a study's library does), isolated, or none
    max_length: int = 2048  # tokens: length of a row
    loss_on: str = "answer"  # tokens: answer, or "prompt and answer"
    code_length: int = 512  # heads: tokens of an input text
    query_length: int = 128  # heads: tokens of a query
    mixing: str = "concatenate"
    mixing_temperature: float = 1.0
    group_by_length: bool = False  # heads: batches of like length: less padding, the same passes
    balancing: str = "token-equal"
    balancing_options: dict[str, Any] = field(default_factory=dict)
    conflict_every: int = (
        0  # steps from one look at the angles between tasks' gradients to the next (0: none)
    )
    # how
    optimizer: str = "adamw_torch"
    learning_rate: float = 1.0e-4
    head_learning_rate: float = 1.0e-4  # heads
    schedule: str = "cosine"
    warmup_steps: int = 0
    warmup_share: float = 0.0  # heads: of all steps, in place of warmup_steps
    epochs: int = 1
    max_steps: int = -1  # tokens: ends earlier where set; the schedule then spans these steps
    limit_steps: int = 0  # heads: steps of an epoch at most (0: all)
    batch_size: int = 1
    gradient_accumulation: int = 1
    weight_decay: float = 0.0
    adam_betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    gradient_clipping: float = 1.0
    # watching it
    eval_steps: int = 0  # tokens (0: never); heads are evaluated after each epoch
    evaluations: int = 0  # tokens: at most, evenly spaced (see `watching`), in place of eval_steps
    eval_samples: int = 500  # tokens: rows of each task
    valid_examples: int = 0  # heads: of each task, evenly spaced, that choose the epoch (0: all)
    selection: str = "none"  # tokens: none, loss, generation, or teacher-forced
    selection_samples: int = 50  # tokens: examples of each task that are generated for selection
    early_stopping_patience: int = 0  # evaluations; heads: without a better metric of a task
    early_stopping_threshold: float = 0.0
    stop_on_rising_loss: int = (
        0  # heads: the run ends where a label's validation loss rose this often in a row
    )
    per_task_stopping: bool = False  # tokens: stop supervising a task that no longer improves
    save_steps: int = 0  # 0: only at the end (tokens), after each epoch (heads)
    save_total_limit: int = 3
    logging_steps: int = 50
    counted_batches: int = 2  # heads: of each task, whose FLOPs are counted, at ten times the time
    seed: int = 42
    # what a method from outside has of its own
    options: dict[str, Any] = field(default_factory=dict)


CHOICES: dict[str, Any] = {
    "weights": ("nf4", "bfloat16", "float16", "float32"),
    "packing": ("wrapped", "isolated", "none"),
    "loss_on": ("answer", "prompt and answer"),
    "mixed_precision": ("bf16", "no"),
    "selection": ("none", "loss", "generation", "teacher-forced"),
    "wording": ("own", "published"),
    "attention": ("auto", "sdpa", "eager", "flash_attention_2"),
    "compile": ("off", "auto", "on"),
    "balancing": RULES,
    "compute_dtype": ("bfloat16", "float16", "float32"),
    # Those of transformers that need no package of their own.
    "optimizer": (
        *("adamw_torch", "adamw_torch_fused", "adamw_bnb_8bit", "paged_adamw_32bit"),
        *("paged_adamw_8bit", "lion_32bit", "lion_8bit", "adafactor", "sgd"),
    ),
}
# What the objective allows of a setting. Heads train with the rules that both editions had.
OF_OBJECTIVE: dict[str, dict[str, Any]] = {
    TOKENS: {
        "mixing": STRATEGIES,
        "schedule": (
            *("linear", "cosine", "cosine_with_restarts", "inverse_sqrt"),
            *("constant", "constant_with_warmup"),
        ),
    },
    HEADS: {"mixing": SAMPLERS, "schedule": ("linear",), "weights": ("float32", "nf4")},
}

MOST = sys.float_info.max
# The least and the most that a number may be.
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        (
            *("batch_size", "gradient_accumulation", "max_length", "code_length", "query_length"),
            *("epochs", "lora_rank", "lora_alpha", "mlora_pool", "bottleneck", "virtual_tokens"),
            *("logging_steps", "save_total_limit", "eval_samples", "selection_samples"),
        ),
        (1, MOST),
    ),
    **dict.fromkeys(
        (
            *("learning_rate", "head_learning_rate", "weight_decay", "gradient_clipping"),
            *("warmup_steps", "limit_steps", "conflict_every", "eval_steps", "evaluations"),
            *("valid_examples", "early_stopping_patience", "stop_on_rising_loss", "save_steps"),
            *("early_stopping_threshold", "counted_batches"),
        ),
        (0, MOST),
    ),
    "mixing_temperature": (1e-6, MOST),
    "lora_dropout": (0, 0.99),
    "warmup_share": (0, 1),
    "max_steps": (-1, MOST),
    "seed": (0, 2**32 - 1),  # NumPy's
}


def objective_of(run: Run) -> str:
    """Which objective trains a run: what its tasks' outputs are decides."""
    return HEADS if has_heads(run) else TOKENS


def profiles(objective: str = "") -> list[str]:
    """The names of the shipped profiles (those that serve an objective)."""
    served = f"\n{objective}:" if objective else ""
    return sorted(p.stem for p in PROFILES.glob("*.yaml") if served in p.read_text("utf-8"))


def resolve(run: Run, profile: str = "fast", overrides: dict[str, Any] | None = None) -> Settings:
    """The settings of a run under a profile.

    A key of the method that ends in `_translation_only` replaces the one without that ending when
    translation is the run's only task. A profile says what it changes for all runs, for a backbone,
    for a method, and for both (`BACKBONE+METHOD`), in this order.

    Args:
        run: The run.
        profile: Name of a shipped profile.
        overrides: Settings that replace all others.

    Raises:
        UnknownName: There is no such profile, setting or choice of one.
        MtpeftError: A value has another type, or the profile or the method does not serve the run's
            objective.
    """
    objective, method = objective_of(run), catalog().get("methods", run.method)
    if profile not in profiles(objective):
        raise UnknownName(f"profile for {run.id}", profile, profiles(objective))
    own = method.heads if objective == HEADS and method.heads else method.tuning
    if objective == TOKENS and not own:
        raise MtpeftError(
            f"method {method.id} has no settings for {', '.join(run.tasks)}",
            "a method with tuning: in its YAML",
            "mtpeft list methods",
        )
    suffix = "_translation_only"
    values = {key: value for key, value in own.items() if not key.endswith(suffix)}
    if list(run.tasks) == ["translation"]:
        values |= {k.removesuffix(suffix): v for k, v in own.items() if k.endswith(suffix)}
    hints = get_type_hints(Settings)
    options = {key: value for key, value in values.items() if key not in hints}
    values |= _profile(profile, objective, run) | (overrides or {})
    options |= {key: values.pop(key) for key in options}
    known = {**hints, **options}
    for key in values:
        if key not in known:
            raise UnknownName("training setting", key, known)
    checked = _checked(values)
    for key, allowed in (CHOICES | OF_OBJECTIVE[objective]).items():
        if getattr(checked, key) not in allowed:
            raise UnknownName(key, str(getattr(checked, key)), allowed)
    return replace(checked, options={**checked.options, **options})


def _profile(name: str, objective: str, run: Run) -> dict[str, Any]:
    path = PROFILES / f"{name}.yaml"
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))[objective]
    known = catalog()
    names = {"all", *known.methods, *known.backbones}
    for section in sections:
        if not set(section.split("+")) <= names:
            raise BadInput(
                path, f"unknown section {section!r}", "`all`, a backbone, a method, or both with +"
            )
    values: dict[str, Any] = {}
    for section in ("all", run.backbone, run.method, f"{run.backbone}+{run.method}"):
        values |= sections.get(section, {})
    return values


def _checked(values: dict[str, Any]) -> Settings:
    hints = get_type_hints(Settings)
    made = {}
    for key, given in values.items():
        kind, value = get_origin(hints[key]) or hints[key], given
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise MtpeftError(f"setting {key} is {value!r}", f"a {kind.__name__}", f"--set {key}=…")
        if kind is list and get_args(hints[key])[0] is float:
            value = [float(v) for v in value]
        made[key] = value
    return within_ranges(Settings(**made))


def within_ranges(settings: Settings) -> Settings:
    """The settings, where each number is one that it can be.

    Raises:
        MtpeftError: One is not.
    """
    for key, (low, high) in RANGES.items():
        if not low <= (value := getattr(settings, key)) <= high:
            expected = f"at least {low:g}" if high == MOST else f"{low:g} to {high:,.12g}"
            raise MtpeftError(f"setting {key} is {value}", expected, f"--set {key}={low:g}")
    betas = settings.adam_betas
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise MtpeftError(
            f"setting adam_betas is {betas}",
            "two numbers from 0 to below 1",
            "--set 'adam_betas=[0.9, 0.999]'",
        )
    return settings


def check(runs: Sequence[str], profile: str, seeds: Sequence[int], changes: list[str]) -> None:
    """Make sure that runs of the catalog can be trained so, before any is.

    Args:
        runs: Their ids.
        profile: How they are trained.
        seeds: Which.
        changes: Settings, `key=value`.

    Raises:
        MtpeftError: As `resolve` and `within_ranges`.
    """
    overrides = parse_overrides(changes)
    for name in runs:
        settings = resolve(catalog().usable_run(name), profile, overrides)
        for seed in seeds:
            within_ranges(replace(settings, seed=seed))


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """`key=value` texts of the command line; values are YAML, but a setting that is a word stays
    one (`mixed_precision=no`).

    Raises:
        MtpeftError: A text has another form.
    """
    hints, result = get_type_hints(Settings), {}
    for text in texts:
        key, separator, value = (part.strip() for part in text.partition("="))
        if not separator:
            raise MtpeftError(f"--set {text}", "key=value", "--set learning_rate=2e-4")
        parsed = value.strip("\"'") if hints.get(key) is str else yaml.safe_load(value)
        if isinstance(parsed, str) and hints.get(key) is not str:  # YAML reads 2e-4 as text
            try:
                parsed = float(parsed)
            except ValueError:
                parsed = value
        result[key] = parsed
    return result


def as_dict(settings: Settings) -> dict[str, Any]:
    """The settings as a plain mapping, in field order."""
    return {f.name: asdict(settings)[f.name] for f in fields(Settings)}


def how(settings: Settings) -> dict[str, Any]:
    """What a method reads: the settings and its own options, by name."""
    return {**as_dict(settings), **settings.options}

"""The settings of a training run: the method's (catalog), then a profile's, then what the caller
overrides.
"""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from mtpeft.catalog import Run, catalog
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName

PROFILES = Path(__file__).resolve().parent / "profiles"


@dataclass(frozen=True)
class Settings:
    """Every knob of a run, in one flat record that is written beside the result.

    Steps are optimizer steps. batch_size counts rows (packed blocks) of one micro-batch on one
    device; the effective batch is batch_size × gradient_accumulation × processes. max_length:
    tokens of a row.
    """

    # what is trained
    weights: str = "float32"  # nf4, bfloat16, float16 or float32
    double_quantisation: bool = False
    compute_dtype: str = "bfloat16"  # of the 4-bit matrices
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.0
    lora_targets: list[str] = field(default_factory=list)
    gradient_checkpointing: bool = (
        False  # a third more time, a fraction of the memory for activations
    )
    mixed_precision: str = "no"  # bf16 or no
    attention: str = "auto"  # auto: flash attention where it is installed, else sdpa
    liger: bool = False  # fused norm, rotary and SwiGLU kernels, where installed, on a GPU
    # on what
    wording: str = "own"
    packing: str = "isolated"  # wrapped (the study), isolated, or none
    max_length: int = 2048
    loss_on: str = "answer"  # answer, or "prompt and answer" (the study)
    mixing: str = "concatenate"
    mixing_temperature: float = 1.0
    balancing: str = "token-equal"
    balancing_options: dict[str, Any] = field(default_factory=dict)
    # how
    optimizer: str = "adamw_torch"
    learning_rate: float = 1.0e-4
    schedule: str = "cosine"
    warmup_steps: int = 0
    epochs: int = 1
    max_steps: int = -1  # ends earlier where set; the schedule then spans these steps
    batch_size: int = 1
    gradient_accumulation: int = 1
    weight_decay: float = 0.0
    adam_betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    gradient_clipping: float = 1.0
    # watching it
    eval_steps: int = 0  # 0: never
    eval_samples: int = 500
    selection: str = "none"  # none, loss, generation, or teacher-forced (the study)
    selection_samples: int = 50  # examples of each task that are generated for selection
    early_stopping_patience: int = 0  # 0: never
    early_stopping_threshold: float = 0.0
    per_task_stopping: bool = False  # stop supervising a task that no longer improves
    save_steps: int = 0  # 0: only at the end
    save_total_limit: int = 3
    logging_steps: int = 50
    seed: int = 42


CHOICES = {
    "weights": ("nf4", "bfloat16", "float16", "float32"),
    "packing": ("wrapped", "isolated", "none"),
    "loss_on": ("answer", "prompt and answer"),
    "mixed_precision": ("bf16", "no"),
    "selection": ("none", "loss", "generation", "teacher-forced"),
    "wording": ("own", "published"),
    "attention": ("auto", "sdpa", "eager", "flash_attention_2", "flex_attention"),
}


def profiles() -> list[str]:
    """The names of the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def resolve(run: Run, profile: str = "fast", overrides: dict[str, Any] | None = None) -> Settings:
    """The settings of a run under a profile. Raises `UnknownName` or `MtpeftError` for what is no
    setting or no value.

    A key of the method that ends in `_translation_only` replaces the one without that ending when
    translation is the run's only task.
    """
    if profile not in profiles():
        raise UnknownName("profile", profile, profiles())
    values: dict[str, Any] = {}
    suffix = "_translation_only"
    method = catalog().get("methods", run.method).tuning
    values.update({key: value for key, value in method.items() if not key.endswith(suffix)})
    if list(run.tasks) == ["translation"]:
        values.update(
            {
                key.removesuffix(suffix): value
                for key, value in method.items()
                if key.endswith(suffix)
            }
        )
    path = PROFILES / f"{profile}.yaml"
    shaped = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    values.update(shaped.get("all", {}))
    values.update(shaped.get(run.method, {}))
    if unknown := shaped.keys() - {"all", *catalog().methods}:
        raise BadInput(
            path, f"unknown section {sorted(unknown)[0]!r}", "`all` or the id of a method"
        )
    values.update(overrides or {})
    return _checked(values)


def _checked(values: dict[str, Any]) -> Settings:
    hints = get_type_hints(Settings)
    made = {}
    for key, value in values.items():
        if key not in hints:
            raise UnknownName("training setting", key, hints)
        kind = get_origin(hints[key]) or hints[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise MtpeftError(f"setting {key} is {value!r}", f"a {kind.__name__}", f"--set {key}=…")
        if key in CHOICES and value not in CHOICES[key]:
            raise UnknownName(key, str(value), CHOICES[key])
        if kind is list and get_args(hints[key])[0] is float:
            value = [float(v) for v in value]
        made[key] = value
    settings = Settings(**made)
    for key in ("batch_size", "gradient_accumulation", "max_length", "epochs"):
        if getattr(settings, key) < 1:
            raise MtpeftError(f"setting {key} is {getattr(settings, key)}", "at least 1")
    return settings


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """`key=value` texts of the command line; values are YAML."""
    result = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise MtpeftError(f"--set {text}", "key=value", "--set learning_rate=2e-4")
        parsed = yaml.safe_load(value)
        if isinstance(parsed, str):  # YAML reads 2e-4 as text
            try:
                parsed = float(parsed)
            except ValueError:
                parsed = value
        result[key.strip()] = parsed
    return result


def as_dict(settings: Settings) -> dict[str, Any]:
    """The settings as a plain mapping, in field order."""
    return {f.name: asdict(settings)[f.name] for f in fields(Settings)}

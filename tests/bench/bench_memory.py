"""What the plan says of memory against a count: the table of docs/guide/memory.md.

    python tests/bench/bench_memory.py [--only BACKBONE] [--out FILE]

Every backbone of the catalog with every method that it is trained with, under the settings of the
profiles `faithful` and `fast`. The count is that of one training step on the CPU: base and trained
weights as they lie in memory, gradients after the backward pass, the state that the named optimizer
makes, and the tensors that autograd keeps from forward to backward pass, by hooks, each storage
once. Where activations are recomputed, these are the inputs of all layers and what one layer keeps.
The prediction is that of `mtpeft train plan` for the same model, without its allowance for CUDA.

Models have the real shapes of every layer, random weights, 1,000 words, and five layers (seven of
ModernBERT, whose pattern repeats after three), more than the plan runs to extrapolate from; three
where weights and gradients of five would pass 2 GB. A micro-batch is one row of the profile's
length, at most 256 tokens: for an encoder with padding at its end, for a language model two packed
examples. Products are in the type that the settings name, as they are on a GPU. What is in the file
already is not counted again. 3 GB of memory; half an hour on one core.
"""

import argparse
import csv
import gc
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from mtpeft.catalog import Backbone, Method, Run, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.records import csv_text
from mtpeft.models import activations
from mtpeft.models.base import config_of, empty_causal, empty_encoder
from mtpeft.models.counts import counted, heads_counted
from mtpeft.models.shared import SharedModel
from mtpeft.tuning.estimate import GIB, memory
from mtpeft.tuning.loss import install
from mtpeft.tuning.objective.tokens import prepare
from mtpeft.tuning.settings import HEADS, Settings, how, objective_of, resolve

OUT = Path(__file__).resolve().parents[2] / "results" / "proofs" / "plan-memory" / "counts.csv"
COLUMNS = [
    *("backbone", "method", "profile", "attention", "recomputed", "layers", "tokens"),
    *("predicted_weights_and_states", "counted_weights_and_states"),
    *("predicted_kept", "counted_kept"),
]
WORDS, LONGEST, FEW, MOST = 1000, 256, 16, 2e9
TASK = "clone-detection"


@dataclass(frozen=True)
class Case:
    """A model of the plan.

    Attributes:
        backbone: With fewer layers and words.
        method: What is trained.
        settings: Of a run under a profile.
        causal: Whether it is a language model.
        layers: Of the model.
        tokens: Of the micro-batch.
    """

    backbone: Backbone
    method: Method
    settings: Settings
    causal: bool
    layers: int
    tokens: int


def cases(only: str) -> Iterator[tuple[str, Case]]:
    """Every backbone, method and profile, with the profile's name."""
    known = catalog()
    found: dict[tuple[str, str], Run] = {}
    for run in known.runs.values():
        trained = objective_of(run) == HEADS or known.methods[run.method].tuning
        if not run.withdrawn and trained and only in ("", run.backbone):
            found.setdefault((run.backbone, run.method), run)
    for profile in ("faithful", "fast"):
        for run in found.values():
            yield profile, case(run, profile)


def case(run: Run, profile: str) -> Case:
    """The model of a run, scaled down."""
    backbone, method = (
        catalog().get("backbones", run.backbone),
        catalog().get("methods", run.method),
    )
    settings, causal = resolve(run, profile), objective_of(run) != HEADS
    kinds = list(getattr(config_of(backbone), "layer_types", None) or [])
    period = next((n for n in range(2, len(kinds)) if kinds[n:] == kinds[:-n]), 2)
    layers = 2 * period + 1
    one, two = (_base(scaled(backbone, n), causal) for n in (1, 2))
    each = _weights(two) - _weights(one)
    if each * layers * (4 if settings.weights == "float32" else 2) * 2 > MOST:
        layers = 3
    small = scaled(backbone, layers)
    tokens = min(LONGEST, settings.max_length if causal else settings.code_length)
    return Case(small, method, settings, causal, layers, tokens)


def scaled(backbone: Backbone, layers: int) -> Backbone:
    """The backbone with so many layers and few words."""
    name = "num_layers" if "num_layers" in backbone.config else "num_hidden_layers"
    few = {name: layers, "vocab_size": WORDS, "pad_token_id": 0}
    return replace(backbone, config={**backbone.config, **few})


def _base(backbone: Backbone, causal: bool) -> Any:
    config = config_of(backbone)
    return empty_causal(config) if causal else empty_encoder(config, "meta")


def _weights(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())


def predicted(what: Case) -> tuple[float, float]:
    """Bytes of weights and states, and bytes that autograd keeps, as the plan has them."""
    settings = how(what.settings)
    found = counted(what.backbone, what.method, {**settings, "tasks": 1}, what.causal)
    if not what.causal:
        heads = heads_counted(config_of(what.backbone).hidden_size, ["label"])
        found = replace(found, trained=found.trained + heads)
    held = activations.kept(
        what.backbone, what.method, settings, 1, what.tokens, causal=what.causal
    )
    made = memory(
        *(what.backbone, what.method, what.settings, found, held, what.tokens), causal=what.causal
    )
    return made.weights + made.states, made.copies + made.activations


def measured(what: Case) -> tuple[float, float]:
    """The same of a real step."""
    with tempfile.TemporaryDirectory() as folder:
        model, step = (_language_model if what.causal else _encoder)(what, Path(folder))
    kept = _kept(what, model, step)
    step(*_batch(FEW)).backward()  # gradients are as large for any batch
    trained = [p for p in model.parameters() if p.requires_grad]
    stored = _bytes([*model.parameters(), *model.buffers(), *_scales(model)])
    gradients = _bytes([p.grad for p in trained if p.grad is not None])
    return stored + gradients + sum(_state(what.settings, p) for p in trained), kept


def _language_model(what: Case, folder: Path) -> tuple[Any, Callable[..., Any]]:
    from transformers import AutoModelForCausalLM

    config = config_of(what.backbone)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    model = prepare(what.method.id, str(folder), what.settings, "cpu", what.backbone)
    install(model)

    def step(ids: Any, positions: Any) -> Any:
        named = {"input_ids": ids, "position_ids": positions, "labels": ids}
        tasks, factors = torch.zeros_like(ids), torch.ones(1)
        return model(**named, token_tasks=tasks, task_factors=factors)["loss"]

    return model.train(), step


def _encoder(what: Case, _: Path) -> tuple[Any, Callable[..., Any]]:
    config = config_of(what.backbone)
    attention = what.settings.attention
    config._attn_implementation = "eager" if attention == "eager" else "sdpa"  # noqa: SLF001
    base = empty_encoder(config, "meta")
    activations._fill(base)  # noqa: SLF001 (no count depends on a value)
    outputs = {TASK: "label"}
    model = SharedModel(base, what.backbone, what.method, outputs, how(what.settings))

    def step(ids: Any, _: Any) -> Any:
        mask = torch.ones_like(ids)
        mask[:, 3 * ids.shape[1] // 4 :] = 0
        return model.loss(TASK, {"ids": ids, "mask": mask, "labels": torch.ones(1)})

    return model.train(), step


def _batch(tokens: int) -> tuple[Any, Any]:
    half = torch.arange(tokens // 2)
    return torch.ones((1, tokens), dtype=torch.long), torch.cat([half, half])[None]


def _kept(what: Case, model: Any, step: Callable[..., Any]) -> float:
    def count() -> float:
        bf16 = what.settings.mixed_precision == "bf16"
        return activations.saved(step, 1, what.tokens, bf16=bf16, modules=[model])[0]

    whole = count()
    if not what.settings.gradient_checkpointing:
        return whole
    body = model.get_decoder()
    every = body.layers
    body.layers = every[:-1]
    layer = whole - count()
    body.layers = every
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return count() + layer


def _bytes(tensors: list[Any]) -> float:
    found = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return float(sum(found.values()))


def _scales(model: Any) -> Iterator[Any]:
    """What 4-bit weights have beside them."""
    for p in model.parameters():
        state = getattr(p, "quant_state", None)
        for part in (state, getattr(state, "state2", None)):
            if part is not None:
                yield from (part.absmax, part.code)


def _state(settings: Settings, parameter: Any) -> float:
    """Bytes that the optimizer keeps of a weight after a step."""
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(output_dir="unused", optim=settings.optimizer, use_cpu=True)
    kind, named = Trainer.get_optimizer_cls_and_kwargs(arguments)
    optimizer = kind([parameter], **named)
    optimizer.step()
    return _bytes([t for t in optimizer.state[parameter].values() if isinstance(t, torch.Tensor)])


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="one backbone")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    rows: dict[tuple[str, ...], list[str]] = {}
    if given.out.is_file():
        with given.out.open(encoding="utf-8", newline="") as stream:
            rows = {tuple(row[:3]): row for row in list(csv.reader(stream))[1:]}
    for profile, what in cases(given.only):
        key = (what.backbone.id, what.method.id, profile)
        if key in rows:
            continue
        try:
            there = measured(what)
        except MtpeftError as error:  # as `mtpeft train` refuses it
            print(*key, error.found, flush=True)
            continue
        pairs = list(zip(predicted(what), there, strict=True))
        gc.collect()
        used = what.settings
        rows[key] = [*key, used.attention, str(used.gradient_checkpointing).lower()]
        rows[key] += map(str, [what.layers, what.tokens, *(int(n) for pair in pairs for n in pair)])
        print(*key, *(f"{said / GIB:.3f}/{there / GIB:.3f}" for said, there in pairs), flush=True)
        write_atomic(given.out, csv_text(COLUMNS, [rows[key] for key in sorted(rows)]))


if __name__ == "__main__":
    main()

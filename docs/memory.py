#!/usr/bin/env python3
"""Write docs/reference/memory.md: what `mtpeft train plan` predicts of memory, against counts.

For every backbone and method of the published studies a model of the real widths, but few layers, runs forward on
the CPU, and what autograd keeps is counted; the prediction never sees that model, and more layers than it was made
from. `python docs/memory.py` takes some minutes; tests/unit/test_models_activations.py holds the page against new counts.
"""

import gc
from dataclasses import replace
from pathlib import Path

from mtpeft.catalog import Backbone, Run, catalog
from mtpeft.models import activations
from mtpeft.tuning.estimate import estimate
from mtpeft.tuning.settings import HEADS, how, objective_of, resolve

PAGE = Path(__file__).resolve().parent / "reference" / "memory.md"
ROWS, LENGTH = 1, 128
NO_EFFECT = "has no effect on this backbone"
HEAD = """<!-- Written by docs/memory.py; do not edit. -->
# Memory: predicted and counted

What autograd keeps of one sequence of {length} tokens, in MB: as `mtpeft train plan` predicts it, from two small models without weights, and
counted by hooks in a forward pass on a CPU. The model has the backbone's real widths, {few} layers (modernbert-base: {more}), few words, and the
settings of the profile `faithful`. Both differ by less than 15 % in every row, or a test fails.

The last columns are the plan's figures for a whole multi-task run on one GPU, in GiB: weights, gradients, optimizer, activations and
logits of the micro-batch that the profile names. They are predicted only; no GPU has measured them yet.

| backbone | method | predicted, MB | counted, MB | difference | `faithful`, GiB | `fast`, GiB |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
"""


def layers(backbone: str) -> int:
    """More than the prediction is made from."""
    return 7 if backbone == "modernbert-base" else 5


def cases() -> dict[tuple[str, str], Run]:
    """A run of each backbone and method of the published studies, with as many tasks as there are."""
    known = catalog()
    found: dict[tuple[str, str], Run] = {}
    for run in known.runs.values():
        kind = objective_of(run) == HEADS or known.methods[run.method].tuning
        key = (run.backbone, run.method)
        if known.studies[run.study].arxiv and kind and not run.withdrawn:
            found[key] = max(found.get(key, run), run, key=lambda r: len(r.tasks))
    return dict(sorted(found.items()))


def small_words(backbone: Backbone) -> Backbone:
    """The real widths; few words, which no layer sees."""
    return replace(backbone, config={**backbone.config, "vocab_size": 60, "pad_token_id": 0})


def predicted_and_counted(run: Run) -> tuple[float, float]:
    """Bytes that the plan predicts, and bytes that a forward pass keeps."""
    known, settings = catalog(), how(resolve(run, "faithful"))
    base, kind = small_words(known.backbones[run.backbone]), known.methods[run.method]
    causal, number = objective_of(run) != HEADS, layers(run.backbone)
    predicted = activations.kept(
        base, kind, settings, ROWS, LENGTH, causal=causal, layers=number
    ).bytes
    modules, forward = activations._model(base, kind, settings, causal, number)  # noqa: SLF001
    for module in modules:
        activations._fill(module)  # noqa: SLF001
    bf16 = settings["mixed_precision"] == "bf16"
    counted = activations.saved(forward, ROWS, LENGTH, bf16=bf16, modules=modules)[0]
    return predicted, counted


def shown(run: Run, predicted: float, counted: float) -> str:
    """The first cells of a row."""
    return (
        f"| {run.backbone} | {run.method} | {predicted / 1e6:.2f} | {counted / 1e6:.2f} "
        f"| {100 * (predicted / counted - 1):+.1f} % |".replace("-0.0 %", "+0.0 %")
    )


def row(run: Run) -> str:
    """A row of the page."""
    try:
        made = shown(run, *predicted_and_counted(run))
    except RuntimeError:  # as the plan has it: training refuses such a run, too
        return f"| {run.backbone} | {run.method} | {NO_EFFECT} | | | | |\n"
    finally:
        gc.collect()  # models hold themselves in cycles
    whole = [estimate(run, resolve(run, profile)).memory for profile in ("faithful", "fast")]
    gc.collect()
    return f"{made} {whole[0]:.1f} | {whole[1]:.1f} |\n"


def main() -> None:
    """Write the page."""
    head = HEAD.format(length=LENGTH, few=layers(""), more=layers("modernbert-base"))
    PAGE.write_text(head + "".join(map(row, cases().values())), encoding="utf-8")


if __name__ == "__main__":
    main()

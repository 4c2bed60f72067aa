"""Every kind of backbone with every method on the project's own tiny sets, all four tasks in one
model: the smoke run of study B.

The backbones are tiny and know nothing. Two epochs show that everything runs, what is trained and
what it costs; one model of each kind then learns its training examples by heart, which shows that
training trains. A last run has learnable loss weights on two tasks, as the paper's generation had,
and shows where their weight goes.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.catalog import Backbone, Method, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.records import csv_text
from mtpeft.corpora.analysis import own
from mtpeft.tuning.multitask.backbones import config_of, empty_encoder
from mtpeft.tuning.multitask.counts import counted
from mtpeft.tuning.multitask.encoding import encode, shared_task
from mtpeft.tuning.multitask.loop import Options, Outcome, train_seeds
from mtpeft.tuning.multitask.model import SharedModel
from mtpeft.tuning.tiny import train_tokenizer

_WIDTHS: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 96,
}
_SPECIAL = {
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}
TINY = (
    Backbone(
        "tiny-roberta",
        "tiny encoder with a pooler",
        "tiny",
        "",
        "",
        "encoder",
        {"model_type": "roberta", **_WIDTHS},
    ),
    Backbone(
        "tiny-modernbert",
        "tiny encoder without a pooler",
        "tiny",
        "",
        "",
        "encoder",
        {"model_type": "modernbert", **_WIDTHS, **_SPECIAL},
    ),
    Backbone(
        "tiny-t5",
        "tiny encoder of an encoder-decoder",
        "tiny",
        "",
        "",
        "encoder-decoder",
        {
            "model_type": "t5",
            "vocab_size": 400,
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 64,
            "num_layers": 2,
            "num_heads": 4,
        },
    ),
    Backbone(
        "tiny-llama",
        "tiny decoder",
        "tiny",
        "",
        "",
        "decoder",
        {"model_type": "llama", **_WIDTHS, "num_key_value_heads": 4},
    ),
    Backbone(
        "tiny-qwen2",
        "tiny decoder with grouped queries",
        "tiny",
        "",
        "",
        "decoder",
        {"model_type": "qwen2", **_WIDTHS, "num_key_value_heads": 2},
    ),
)
LEARNING = ("tiny-roberta", "tiny-t5", "tiny-qwen2")
"""One backbone of each kind."""
BRIEF = Options(
    batch=4,
    epochs=2,
    learning_rate=5e-3,
    head_learning_rate=5e-3,
    sampler="round-robin",
    weighting="uniform",
    code_length=64,
    query_length=32,
)
SOFTMAX = replace(
    BRIEF,
    epochs=20,
    learning_rate=5e-2,
    head_learning_rate=1e-3,
    weighting="learnable-softmax",
    early_stopping_patience=20,
)
PAIR = ("vulnerability-detection", "code-search")
LONG = replace(
    BRIEF, epochs=36, learning_rate=1e-2, head_learning_rate=1e-2, early_stopping_patience=36
)


def run(folder: Path) -> list[dict[str, Any]]:
    """Train every pair of backbone and method, then the models that learn by heart; returns one row
    each, also in `smoke.csv`.

    A pair that cannot be trained is a row with the reason as status, not a missing one. `seen` is
    the mean selection metric over the tasks on training examples; `easiest_weight` the share of all
    loss weight on the task with the smallest loss.
    """
    tasks = [t.id for t in catalog().tasks.values() if t.output in ("label", "ranking")]
    tokenizer = train_tokenizer(
        (t for task in tasks for e in own(task, "train") for t in e.inputs.values()), 400
    )
    data = {
        split: {
            task: encode(task, own(task, split), tokenizer, BRIEF.code_length, BRIEF.query_length)
            for task in tasks
        }
        for split in ("train", "valid", "test")
    }
    rows = []
    for backbone in TINY:
        for known in (m for m in catalog().methods.values() if m.objective == "heads"):
            method = small(known.id)
            row: dict[str, Any] = {
                "run": f"{backbone.id}/mt-{method.id.removesuffix('-b')}",
                "status": "ok",
                "trained": counted(config_of(backbone), method),
            }
            try:
                outcome = _trained(backbone, method, tasks, data, BRIEF, folder / row["run"])
                row |= _figures(outcome) | {"mflops": outcome.cost["flops"] / 1e6}
            except MtpeftError as error:
                row["status"] = error.found
            rows.append(row)
        if backbone.id in LEARNING:
            seen, full = {**data, "valid": data["train"]}, catalog().get("methods", "fft-b")
            outcome = _trained(backbone, full, tasks, seen, LONG, folder / backbone.id / "by-heart")
            rows.append(
                {
                    "run": f"{backbone.id}/by-heart",
                    "status": "ok",
                    **_figures(outcome),
                    "seen": outcome.best_valid,
                }
            )
    outcome = _trained(
        TINY[3], small("serial_adapter"), list(PAIR), data, SOFTMAX, folder / TINY[3].id / "softmax"
    )
    rows.append({"run": f"{TINY[3].id}/learnable-softmax", "status": "ok", **_easiest(outcome)})
    columns = [
        "run",
        "status",
        "trained",
        "mflops",
        "first_loss",
        "last_loss",
        "seen",
        "easiest_weight",
    ]
    write_atomic(
        folder / "smoke.csv", csv_text(columns, [[row.get(c, "") for c in columns] for row in rows])
    )
    return rows


def small(method: str) -> Method:
    """A method of the catalog, cut to the tiny backbones."""
    known = catalog().get("methods", method)
    return replace(
        known, tuning={**known.tuning, "bottleneck": 4, "lora_rank": 2, "virtual_tokens": 4}
    )


def _trained(
    backbone: Backbone,
    method: Method,
    tasks: list[str],
    data: dict[str, Any],
    options: Options,
    place: Path,
) -> Outcome:
    heads = {task: shared_task(task).HEAD for task in tasks}

    def make(seed: int) -> SharedModel:
        return SharedModel(
            empty_encoder(config_of(backbone), seed=seed), backbone.kind, method, heads
        )

    some = {split: {task: by[task] for task in tasks} for split, by in data.items()}
    return train_seeds(make, some["train"], some["valid"], some["test"], options, place)[0]


def _figures(outcome: Outcome) -> dict[str, float]:
    """Mean training loss over tasks in the first and the last epoch."""
    first, last = (outcome.history[i]["train_loss"] for i in (0, -1))
    return {
        "first_loss": sum(first.values()) / len(first),
        "last_loss": sum(last.values()) / len(last),
    }


def _easiest(outcome: Outcome) -> dict[str, float]:
    losses = {task: sum(h["train_loss"][task] for h in outcome.history) for task in PAIR}
    last = outcome.history[-1]["weights"]
    return {"easiest_weight": last[min(losses, key=lambda task: losses[task])] / sum(last.values())}

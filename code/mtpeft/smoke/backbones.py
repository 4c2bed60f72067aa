"""Every kind of backbone with every method on the project's own tiny sets, all four tasks in one
model with a head per task.

The backbones are tiny and know nothing. Two epochs show that everything runs, what is trained and
what it costs; one model of each kind then memorizes its training examples, which shows that
training trains. A last run has learnable loss weights on two tasks, as a paper's generation had, and
shows where their weight goes.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.catalog import Backbone, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.records import csv_text
from mtpeft.corpora.analysis import own
from mtpeft.models.base import config_of, empty_encoder
from mtpeft.models.counts import counted
from mtpeft.models.shared import SharedModel
from mtpeft.smoke.base import smoke_catalog
from mtpeft.tasks.encoding import SELECTION, TaskData, encode, head_of
from mtpeft.tuning.objective.heads import Outcome, train_seeds
from mtpeft.tuning.settings import Settings, how
from mtpeft.tuning.tiny import train_tokenizer

TINY = ("tiny-roberta", "tiny-modernbert", "tiny-t5", "tiny-llama", "tiny-qwen2")
METHODS = ("fft", "lora", "mlora", "parallel_adapter", "prefix", "serial_adapter")
LEARNING = ("tiny-roberta", "tiny-t5", "tiny-qwen2")
"""One backbone of each kind."""
BRIEF = Settings(
    attention="eager",
    batch_size=4,
    epochs=2,
    learning_rate=5e-3,
    head_learning_rate=5e-3,
    weight_decay=0.01,
    schedule="linear",
    warmup_share=0.1,
    early_stopping_patience=4,
    mixing="round-robin",
    balancing="task-equal",
    code_length=64,
    query_length=32,
    lora_rank=2,
    lora_alpha=64,
    lora_dropout=0.1,
    bottleneck=4,
    virtual_tokens=4,
)
SOFTMAX = replace(
    BRIEF,
    epochs=20,
    learning_rate=5e-2,
    head_learning_rate=1e-3,
    balancing="learnable-softmax",
    early_stopping_patience=20,
)
PAIR = ("vulnerability-detection", "code-search")
LONG = replace(
    BRIEF, epochs=36, learning_rate=1e-2, head_learning_rate=1e-2, early_stopping_patience=36
)


def run(folder: Path) -> list[dict[str, Any]]:
    """Train every pair of backbone and method, then the models that memorize.

    A pair that cannot be trained is a row with the reason as status, not a missing one. `seen` is
    the mean selection metric over the tasks on training examples; `easiest_weight` the share of all
    loss weight on the task with the smallest loss.

    Returns:
        One row each, also in `smoke.csv`.
    """
    tasks = [task.id for task in catalog().tasks.values() if task.output in SELECTION]
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
    known, rows = smoke_catalog().backbones, []
    for name in TINY:
        for method in METHODS:
            row: dict[str, Any] = {
                "run": f"{name}/mt-{method}",
                "status": "ok",
                "trained": counted(
                    known[name], catalog().methods[method], {**how(BRIEF), "tasks": len(tasks)}
                ).trained,
            }
            try:
                outcome = _trained(known[name], method, tasks, data, BRIEF, folder / row["run"])
                row |= _figures(outcome) | {"mflops": outcome.cost["flops"] / 1e6}
            except MtpeftError as error:
                row["status"] = error.found
            rows.append(row)
        if name in LEARNING:
            seen, place = {**data, "valid": data["train"]}, folder / name / "by-heart"
            outcome = _trained(known[name], "fft", tasks, seen, LONG, place)
            rows.append(
                {
                    "run": f"{name}/by-heart",
                    "status": "ok",
                    **_figures(outcome),
                    "seen": outcome.best_valid,
                }
            )
    decoder, place = known["tiny-llama"], folder / "tiny-llama" / "softmax"
    outcome = _trained(decoder, "serial_adapter", list(PAIR), data, SOFTMAX, place)
    rows.append({"run": "tiny-llama/learnable-softmax", "status": "ok", **_easiest(outcome)})
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


def _trained(
    backbone: Backbone,
    method: str,
    tasks: list[str],
    data: Mapping[str, Mapping[str, TaskData]],
    settings: Settings,
    place: Path,
) -> Outcome:
    heads = {task: head_of(task) for task in tasks}

    def make(seed: int) -> SharedModel:
        encoder = empty_encoder(config_of(backbone), seed=seed)
        return SharedModel(encoder, backbone, catalog().methods[method], heads, how(settings))

    some = {split: {task: by[task] for task in tasks} for split, by in data.items()}
    return train_seeds(make, some["train"], some["valid"], some["test"], settings, place)[0]


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

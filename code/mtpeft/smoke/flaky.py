"""`make flaky-cpu`: a small model on the real flaky tests, on a CPU, in minutes; no download.

A tokenizer and a small decoder are made from the training texts alone (next-token prediction). From
that one backbone the configurations start: full fine-tuning and serial adapters, each on flaky
tests alone, on code search alone and on both together. In every configuration an epoch shows each
example once, so that configurations compare on the same work. The result is F1 on the test split,
next to what no model scores, and what each configuration cost.

Small on purpose: methods are cut at 64 tokens (the study: 512), two layers of width 64, four
epochs. Figures of this model say nothing about code models; they show data, training, selection and
accounting at work on a real task.
"""

import hashlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np

from mtpeft.catalog import Backbone, catalog
from mtpeft.core import paths
from mtpeft.core.files import write_atomic
from mtpeft.core.processes import die_with_parent
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text
from mtpeft.corpora import Example
from mtpeft.corpora.analysis import examples
from mtpeft.corpora.analysis.flakeflagger import leaks
from mtpeft.corpora.weights import fingerprint
from mtpeft.models.base import load_encoder
from mtpeft.models.device import described
from mtpeft.models.shared import SharedModel
from mtpeft.tasks.classification import binary_scores, random_ranking, trivial
from mtpeft.tasks.encoding import TaskData, encode
from mtpeft.tuning.ledger import saving
from mtpeft.tuning.objective.heads import Outcome, over_seeds, positive_weights, train_seeds
from mtpeft.tuning.seeding import seed_everything
from mtpeft.tuning.settings import Settings, how
from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer

FLAKY, SEARCH = "flaky-detection", "code-search"
SPLITS = ("train", "valid", "test")
Data = dict[str, dict[str, TaskData]]
BACKBONE = Backbone(
    "flaky-cpu", "", "", "", "", "decoder", modules={"adapters": ["self_attn", "mlp"]}
)


@dataclass(frozen=True)
class Size:
    """How large the model is and how long it trains.

    Attributes:
        vocabulary: Of the tokenizer.
        hidden: Width of the model.
        layers: Of the model.
        heads: Of attention.
        length: The most tokens of code.
        pretraining: Passes through the training texts.
        epochs: Of each configuration.
        batch: Examples of a batch.
        bottleneck: Width of the serial adapters.
        limit_steps: The most optimizer steps of a pretraining pass and of a configuration (0: any
            number).
        limit_examples: Examples of each split (0: all).
        seeds: Of each configuration.
    """

    vocabulary: int = 2000
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    length: int = 64
    pretraining: int = 3
    epochs: int = 4
    batch: int = 64
    bottleneck: int = 32
    limit_steps: int = 0
    limit_examples: int = 0
    seeds: list[int] = field(default_factory=lambda: [42])


CONFIGURATIONS = {
    f"{kind}, {title}": (method, tasks)
    for title, method in (("full", "fft"), ("serial adapter", "serial_adapter"))
    for kind, tasks in (
        ("both tasks", (FLAKY, SEARCH)),
        ("flaky tests", (FLAKY,)),
        ("code search", (SEARCH,)),
    )
}
LEARNING_RATES = {"fft": 1e-3, "serial_adapter": 2e-3}


def run(
    size: Size = Size(),
    folder: Path | None = None,
    load: Callable[[str, str], Sequence[Example]] | None = None,
    jobs: int = 2,
) -> list[dict[str, Any]]:
    """Train the configurations; writes `results.csv` and `run.json` to the folder.

    What is finished, the backbone or a seed of a configuration, is not made again, and a
    configuration that was cut off goes on where it was.

    Args:
        size: Of the model, and how long it trains.
        folder: Where everything goes.
        load: Examples by task and split (default: FlakeFlagger and the cloze set).
        jobs: Configurations at a time, each on one core.

    Returns:
        The rows of the table.
    """
    start = time.monotonic()
    folder = folder or paths.REGENERATED / "training" / "flaky-cpu"
    load = load or (
        lambda task, split: examples(task, split, "cloze" if task == SEARCH else "study")
    )
    texts = {
        task: {split: list(load(task, split))[: size.limit_examples or None] for split in SPLITS}
        for task in (FLAKY, SEARCH)
    }
    # What was made from other texts or sizes must not be taken up again. Further seeds change
    # neither.
    made_from = json.dumps(
        [
            asdict(size) | {"seeds": size.seeds[:1]},
            [[e.id for e in some] for by in texts.values() for some in by.values()],
        ]
    )
    place = folder / hashlib.sha256(made_from.encode()).hexdigest()[:12]
    tokenizer, losses = backbone(texts, size, place / "backbone")
    data: Data = {
        split: {
            task: encode(task, texts[task][split], tokenizer, size.length, size.length // 2)
            for task in texts
        }
        for split in SPLITS
    }
    outcomes = {}
    for configuration, found in _trained(data, size, place, jobs):
        outcomes[configuration] = found
        print(
            f"flaky-cpu: {time.monotonic() - start:4.0f} s  {configuration}",
            file=sys.stderr,
            flush=True,
        )
    rows = [
        *_baselines(texts),
        *(_row(configuration, outcomes) for configuration in CONFIGURATIONS),
    ]
    path = folder / "results.csv"
    write_atomic(path, csv_text(list(rows[0]), [list(r.values()) for r in rows]))
    write_atomic(
        folder / "run.json",
        json.dumps(
            {
                "size": asdict(size),
                "leaks": leaks(texts[FLAKY]),
                "pretraining_loss": losses,
                "seconds": round(time.monotonic() - start, 1),
                "device": described(),
                "configurations": {
                    configuration: [asdict(o) for o in outcomes[configuration]]
                    for configuration in CONFIGURATIONS
                },
            },
            indent=1,
            sort_keys=True,
        )
        + "\n",
    )
    write_provenance(path, [], seeds=size.seeds, device=described())
    return rows


def backbone(
    texts: dict[str, dict[str, list[Example]]], size: Size, folder: Path
) -> tuple[Any, list[float]]:
    """The backbone in a folder, made where it is not there.

    Args:
        texts: The examples by task and split.
        size: Of the model.
        folder: The folder.

    Returns:
        Its tokenizer, and the mean loss of each pass.
    """
    import torch
    from transformers import AutoTokenizer

    record = folder / "pretraining.json"
    if record.is_file():
        return AutoTokenizer.from_pretrained(folder), json.loads(record.read_text())
    seed_everything(size.seeds[0])
    tokenizer = train_tokenizer(
        (text for task in texts.values() for e in task["train"] for text in e.inputs.values()),
        size.vocabulary,
    )
    train = [
        encode(task, by["train"], tokenizer, size.length, size.length // 2)
        for task, by in texts.items()
    ]
    rows = [row for data in train for row in [*data.rows, *data.codes]]
    model = tiny_model(
        tokenizer,
        hidden=size.hidden,
        layers=size.layers,
        heads=size.heads,
        seed=size.seeds[0],
        context=size.length,
    ).train()
    optimizer, rng, losses = (
        torch.optim.AdamW(model.parameters(), lr=3e-3),
        np.random.default_rng(size.seeds[0]),
        [],
    )
    for _ in range(size.pretraining):
        # Rows of like length together: less padding.
        order = sorted(rng.permutation(len(rows)).tolist(), key=lambda i: len(rows[i]))
        batches = [order[i : i + size.batch] for i in range(0, len(order), size.batch)]
        total = []
        for number in rng.permutation(len(batches))[: size.limit_steps or None]:
            loss = _next_token_loss(
                model, [rows[i] for i in batches[number]], tokenizer.pad_token_id
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total.append(float(loss.detach()))
        losses.append(sum(total) / len(total))
    save_backbone(folder, tokenizer, model)
    write_atomic(record, json.dumps(losses) + "\n")
    return tokenizer, losses


def _next_token_loss(model: Any, rows: list[list[int]], padding: int) -> Any:
    """Mean cross entropy of every token after the first of its row."""
    import torch

    ids = torch.full((len(rows), max(map(len, rows))), padding)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    states = model.model(input_ids=ids, attention_mask=mask).last_hidden_state
    told = mask[:, 1:] == 1
    if not told.any():
        return states.sum() * 0.0
    return torch.nn.functional.cross_entropy(model.lm_head(states[:, :-1][told]), ids[:, 1:][told])


def _begin() -> None:
    """In each worker: Ctrl-C is the parent's business, and there is no life beyond it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()


def _trained(
    data: Data, size: Size, folder: Path, jobs: int
) -> Iterator[tuple[str, list[Outcome]]]:
    """Configurations and what came of them, as they end; one job: in this process."""
    work = partial(_configuration, data=data, size=size, folder=folder)
    if jobs == 1:
        yield from map(work, CONFIGURATIONS)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # of the workers: a configuration is too small for more
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin)
    try:
        for future in as_completed(
            [pool.submit(work, configuration) for configuration in CONFIGURATIONS]
        ):
            yield future.result()
    except BaseException:
        for worker in active_children():  # their last states are on the disk
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _configuration(
    configuration: str, data: Data, size: Size, folder: Path
) -> tuple[str, list[Outcome]]:
    """Train one configuration; its name and one outcome a seed."""
    import torch

    torch.set_num_threads(1)
    method, tasks = CONFIGURATIONS[configuration]
    settings = Settings(
        attention="eager",
        batch_size=size.batch,
        epochs=size.epochs,
        learning_rate=LEARNING_RATES[method],
        head_learning_rate=1e-3,
        weight_decay=0.01,
        schedule="linear",
        warmup_share=0.1,
        mixing="proportional",
        balancing="task-equal",
        early_stopping_patience=size.epochs,
        limit_steps=size.limit_steps,
        save_steps=50,
        code_length=size.length,
        query_length=size.length // 2,
        bottleneck=size.bottleneck,
    )
    chosen = {split: {t: data[split][t] for t in tasks} for split in SPLITS}
    heads = {task: data["train"][task].head for task in tasks}
    weights = positive_weights({FLAKY: data["train"][FLAKY]})

    def make(seed: int) -> SharedModel:
        return SharedModel(
            load_encoder(str(folder / "backbone")),
            BACKBONE,
            catalog().methods[method],
            heads,
            how(settings),
            weights,
        )

    return configuration, train_seeds(
        make,
        chosen["train"],
        chosen["valid"],
        chosen["test"],
        settings,
        folder / configuration.replace(", ", "-").replace(" ", "-"),
        size.seeds,
        {"method": method, **fingerprint(str(folder / "backbone"))},
    )


COLUMNS = (
    "configuration",
    "method",
    "tasks",
    "seeds",
    "f1",
    "f1_sd",
    "precision",
    "recall",
    "accuracy",
    "mrr",
    "flops",
    "flops_saved",
    "tokens",
    "seconds",
    "peak_memory_mib",
)


def _baselines(texts: dict[str, dict[str, list[Example]]]) -> list[dict[str, Any]]:
    """Always yes, always no, majority, a look-up of the same code among the training methods, a
    random ranking.
    """
    labels = [int(e.target) for e in texts[FLAKY]["test"]]
    known: dict[str, int] = {}
    for e in texts[FLAKY]["train"]:
        known[e.inputs["code"]] = max(known.get(e.inputs["code"], 0), int(e.target))
    scores = {
        **trivial(labels),
        "the same code was flaky in training": binary_scores(
            labels, [known.get(e.inputs["code"], 0) for e in texts[FLAKY]["test"]]
        ),
    }
    rows = [
        _line(
            configuration=name,
            tasks=FLAKY,
            f1=s["f1"],
            precision=s["precision"],
            recall=s["recall"],
            accuracy=s["acc"],
        )
        for name, s in scores.items()
    ]
    return [
        *rows,
        _line(
            configuration="random ranking",
            tasks=SEARCH,
            mrr=random_ranking(len(texts[SEARCH]["test"])),
        ),
    ]


def _row(configuration: str, outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    """One configuration's row. `flops_saved` is 1 − FLOPs of the configuration / FLOPs of full
    fine-tuning for the same tasks, one model for each task.
    """
    method, tasks = CONFIGURATIONS[configuration]
    mine, cost = outcomes[configuration], [o.cost for o in outcomes[configuration]]
    row = _line(
        configuration=configuration,
        method=method,
        tasks="+".join(tasks),
        seeds=len(mine),
        flops=_flops(mine),
        tokens=sum(sum(c["tokens"].values()) for c in cost) / len(cost),
        seconds=round(sum(c["seconds"] for c in cost) / len(cost), 1),
        peak_memory_mib=max(c["peak_memory_mib"] for c in cost),
    )
    base = sum(
        _flops(found)
        for other, found in outcomes.items()
        if CONFIGURATIONS[other][0] == "fft"
        and len(CONFIGURATIONS[other][1]) == 1
        and CONFIGURATIONS[other][1][0] in tasks
    )
    row["flops_saved"] = saving(row["flops"], base)
    if FLAKY in tasks:
        row["f1"], row["f1_sd"], _ = over_seeds(mine, FLAKY, "f1")
        row |= {
            column: over_seeds(mine, FLAKY, metric)[0]
            for column, metric in (
                ("precision", "precision"),
                ("recall", "recall"),
                ("accuracy", "acc"),
            )
        }
    if SEARCH in tasks:
        row["mrr"] = over_seeds(mine, SEARCH, "mrr")[0]
    return row


def _flops(outcomes: list[Outcome]) -> float:
    return float(sum(o.cost["flops"] for o in outcomes) / len(outcomes))


def _line(**known: Any) -> dict[str, Any]:
    return {
        column: known.get(
            column, "" if column in ("configuration", "method", "tasks") else math.nan
        )
        for column in COLUMNS
    }

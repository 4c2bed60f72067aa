"""`make flaky-cpu`: a small model on the real flaky tests, on a CPU, in minutes; no download.

A tokenizer and a small RoBERTa are made from the training texts alone (masked-language modelling, Devlin et al. 2019,
arXiv:1810.04805, section 3.1: 15 % of the tokens; of these 80 % masked, 10 % random, 10 % kept). From that one backbone
three arms start: full fine-tuning on flaky tests alone, full fine-tuning on flaky tests and code search together, and
serial adapters on both together. The result is F1 on the test split beside what no model scores.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import paths
from ...catalog import Method, catalog
from ...classification import binary_scores, trivial
from ...corpora import Example
from ...corpora.study_b import examples
from ...corpora.study_b.flakeflagger import leaks
from ...provenance import write_provenance
from ...records import csv_text, write_atomic
from ..seeding import describe_device, seed_everything
from ..tiny import train_tokenizer
from .encoding import TaskData, encode
from .heads import positive_weight
from .loop import Options, Outcome, over_seeds, train_seeds
from .model import SharedModel

FLAKY, SEARCH = "flaky-detection", "code-search"
SPLITS = ("train", "valid", "test")
IGNORED = -100


@dataclass(frozen=True)
class Size:
    """How large and how long. length: tokens of code; pretraining: passes through the training texts."""

    vocabulary: int = 2000
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    length: int = 64
    pretraining: int = 1
    epochs: int = 4
    batch: int = 64
    bottleneck: int = 32
    limit_steps: int = 0
    limit_examples: int = 0
    seeds: list[int] = field(default_factory=lambda: [42])


ARMS = {"single, full": ("fft-b", (FLAKY,)), "multi, full": ("fft-b", (FLAKY, SEARCH)),
        "multi, serial adapter": ("serial_adapter", (FLAKY, SEARCH))}


def run(size: Size = Size(), folder: Path | None = None,
        load: Callable[[str, str], Sequence[Example]] | None = None) -> list[dict[str, Any]]:
    """Train the arms; writes `results.csv` and `run.json` to the folder and returns the rows of the table.

    load: examples by task and split (default: FlakeFlagger and the cloze set). A finished seed of an arm is not redone.
    """
    start = time.monotonic()
    folder = folder or paths.REGENERATED / "study-b" / "flaky-cpu"
    load = load or (lambda task, split: examples(task, split, "cloze" if task == SEARCH else "study"))
    texts = {task: {split: list(load(task, split))[:size.limit_examples or None] for split in SPLITS}
             for task in (FLAKY, SEARCH)}
    # What was made from other texts or sizes must not be taken up again.
    made_from = json.dumps([asdict(size), [[e.id for e in some] for by in texts.values() for some in by.values()]])
    folder = folder / hashlib.sha256(made_from.encode()).hexdigest()[:12]
    seed_everything(size.seeds[0])
    tokenizer = make_tokenizer(texts, size.vocabulary)
    data = {split: {task: encode(task, texts[task][split], tokenizer, size.length, size.length // 2) for task in texts}
            for split in SPLITS}
    encoder_state, config, losses = pretrained(data["train"], tokenizer, size, folder)
    pretraining_seconds = time.monotonic() - start
    rows = _baselines(texts[FLAKY])
    outcomes: dict[str, list[Outcome]] = {}
    for arm, (method, tasks) in ARMS.items():
        outcomes[arm] = _arm(arm, method, tasks, encoder_state, config, data, size, folder)
        rows.append(_row(arm, method, tasks, outcomes[arm]))
    path = folder.parent / "results.csv"
    write_atomic(path, csv_text(list(rows[0]), [list(r.values()) for r in rows]))
    write_atomic(folder.parent / "run.json", json.dumps(
        {"size": asdict(size), "leaks": leaks(texts[FLAKY]), "pretraining_loss": losses,
         "pretraining_seconds": round(pretraining_seconds, 1), "seconds": round(time.monotonic() - start, 1),
         "device": describe_device(), "arms": {a: [asdict(o) for o in found] for a, found in outcomes.items()}},
        indent=1, sort_keys=True) + "\n")
    write_provenance(path, [], seeds=size.seeds, device=describe_device())
    return rows


def make_tokenizer(texts: dict[str, dict[str, list[Example]]], vocabulary: int) -> Any:
    """A tokenizer from the training texts, with a mask and a first token (the pooler reads position 0)."""
    from tokenizers.processors import TemplateProcessing

    words = (text for task in texts.values() for e in task["train"] for text in e.inputs.values())
    tokenizer = train_tokenizer(words, vocabulary)
    tokenizer.add_special_tokens({"mask_token": "<|mask|>", "cls_token": "<|first|>"})
    tokenizer.padding_side = "right"
    first = (tokenizer.cls_token, tokenizer.cls_token_id)
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single=f"{first[0]} $A", pair=f"{first[0]} $A $B", special_tokens=[first])
    return tokenizer


def pretrained(train: dict[str, TaskData], tokenizer: Any, size: Size, folder: Path) -> tuple[dict[str, Any], Any, list[float]]:
    """(weights of the encoder, its configuration, mean loss of each pass). Kept in `folder/backbone.safetensors`."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import RobertaConfig, RobertaForMaskedLM

    config = RobertaConfig(vocab_size=len(tokenizer), hidden_size=size.hidden, num_hidden_layers=size.layers,
                           num_attention_heads=size.heads, intermediate_size=4 * size.hidden, pad_token_id=tokenizer.pad_token_id,
                           max_position_embeddings=size.length + tokenizer.pad_token_id + 2, type_vocab_size=1)
    config._attn_implementation = "eager"
    kept, record = folder / "backbone.safetensors", folder / "pretraining.json"
    if kept.is_file() and record.is_file():
        return load_file(kept), config, json.loads(record.read_text())
    torch.manual_seed(size.seeds[0])
    model = RobertaForMaskedLM(config).train()
    rows = [row for data in train.values() for row in [*data.rows, *data.codes]]
    # Rows of like length together: less padding.
    rng = np.random.default_rng(size.seeds[0])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    losses = []
    for _ in range(size.pretraining):
        order = sorted(rng.permutation(len(rows)).tolist(), key=lambda i: len(rows[i]))
        batches = [order[i:i + size.batch] for i in range(0, len(order), size.batch)]
        total, steps = 0.0, 0
        for number in rng.permutation(len(batches))[:size.limit_steps or None]:
            inputs, mask, labels = masked([rows[i] for i in batches[number]], tokenizer, rng)
            hidden = model.roberta(input_ids=inputs, attention_mask=mask).last_hidden_state
            # Only chosen positions pass the output layer, which is most of the work.
            loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[labels != IGNORED]), labels[labels != IGNORED])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total, steps = total + float(loss.detach()), steps + 1
        losses.append(total / steps)
    state = {name.removeprefix("roberta."): tensor.contiguous() for name, tensor in model.state_dict().items()
             if name.startswith("roberta.")}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, kept)
    write_atomic(record, json.dumps(losses) + "\n")
    return state, config, losses


def masked(rows: list[list[int]], tokenizer: Any, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Inputs, attention mask and labels [B, L]; a label is −100 where nothing is to be told. At least one token is chosen."""
    import torch

    longest = max(map(len, rows))
    ids = np.full((len(rows), longest), tokenizer.pad_token_id)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, :len(row)], mask[number, :len(row)] = row, 1
    chosen = (rng.random(ids.shape) < 0.15) & (mask == 1)
    chosen[0, len(rows[0]) - 1] = True
    labels = np.where(chosen, ids, IGNORED)
    lot = rng.random(ids.shape)
    ids = np.where(chosen & (lot < 0.8), tokenizer.mask_token_id, ids)
    ids = np.where(chosen & (lot >= 0.9), rng.integers(0, len(tokenizer), ids.shape), ids)
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(labels)


def _arm(arm: str, method: str, tasks: tuple[str, ...], state: dict[str, Any], config: Any,
         data: dict[str, dict[str, TaskData]], size: Size, folder: Path) -> list[Outcome]:
    import torch
    from transformers import RobertaModel

    found: Method = catalog().get("methods", method)
    how = replace(found, tuning={**found.tuning, "bottleneck": size.bottleneck})
    labels = data["train"][FLAKY].labels

    def make(seed: int) -> SharedModel:
        torch.manual_seed(seed)
        encoder = RobertaModel(config)
        # The pooler is not part of masked-language modelling: it starts anew in every arm.
        missing = encoder.load_state_dict(state, strict=False).missing_keys
        if any(not name.startswith("pooler") for name in missing):
            raise RuntimeError(f"the backbone lacks {missing}")
        return SharedModel(encoder, "encoder", how, {t: data["train"][t].head for t in tasks}, {FLAKY: positive_weight(labels)})

    full = method == "fft-b"
    options = Options(batch=size.batch, epochs=size.epochs, learning_rate=5e-4 if full else 2e-3, head_learning_rate=1e-3,
                      sampler="temperature" if len(tasks) > 1 else "proportional", sampling_exponent=0.3, weighting="uniform",
                      early_stopping_patience=size.epochs, limit_steps=size.limit_steps, seeds=size.seeds)
    chosen = {split: {t: data[split][t] for t in tasks} for split in SPLITS}
    place = folder / arm.replace(", ", "-").replace(" ", "-")
    return train_seeds(make, chosen["train"], chosen["valid"], chosen["test"], options, place)


def _baselines(texts: dict[str, list[Example]]) -> list[dict[str, Any]]:
    """Always yes, always no, majority, and a look-up of the same code among the training methods."""
    labels = [int(e.target) for e in texts["test"]]
    known: dict[str, int] = {}
    for e in texts["train"]:
        known[e.inputs["code"]] = max(known.get(e.inputs["code"], 0), int(e.target))
    scores = {**trivial(labels), "the same code was flaky in training": binary_scores(
        labels, [known.get(e.inputs["code"], 0) for e in texts["test"]])}
    return [_line(name, "", "", s["f1"], math.nan, 0, s["precision"], s["recall"], s["acc"]) for name, s in scores.items()]


def _row(arm: str, method: str, tasks: tuple[str, ...], outcomes: list[Outcome]) -> dict[str, Any]:
    (f1, spread, n), (precision, _, _), (recall, _, _), (acc, _, _) = (over_seeds(outcomes, FLAKY, m)
                                                                       for m in ("f1", "precision", "recall", "acc"))
    mrr = over_seeds(outcomes, SEARCH, "mrr")[0] if SEARCH in tasks else math.nan
    line = _line(arm, method, "+".join(tasks), f1, spread, n, precision, recall, acc)
    cost = [o.cost for o in outcomes]
    return {**line, "mrr": mrr, "flops": sum(c["flops"] for c in cost) / n,
            "tokens": sum(sum(c["tokens"].values()) for c in cost) / n,
            "seconds": round(sum(c["seconds"] for c in cost) / n, 1), "peak_memory_mib": max(c["peak_memory_mib"] for c in cost)}


def _line(arm: str, method: str, tasks: str, f1: float, spread: float, seeds: int, precision: float, recall: float,
          acc: float) -> dict[str, Any]:
    return {"arm": arm, "method": method, "tasks": tasks, "seeds": seeds, "f1": f1, "f1_sd": spread, "precision": precision,
            "recall": recall, "accuracy": acc, "mrr": math.nan, "flops": math.nan, "tokens": math.nan, "seconds": math.nan,
            "peak_memory_mib": math.nan}

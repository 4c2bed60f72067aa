"""The tiny backbone: a tokenizer trained on the smoke corpora and a model that has read them as
plain text.

Adapters on a random base learn little, so the base is trained in full first, on documents of
summary and code: it then knows the functions, but neither the tasks nor the chat layout.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.catalog import Catalog
from mtpeft.catalog import load as read_catalog
from mtpeft.core import paths
from mtpeft.corpora import Example, load, smoke
from mtpeft.tasks import task_module, wording

TASKS = ("generation", "summarization", "translation")


@dataclass(frozen=True)
class Size:
    """How much the smoke run does.

    Attributes:
        functions: How many of the training functions are learned (evenly spaced).
        vocabulary: Of the tokenizer.
        hidden: Width of the model.
        layers: Of the model.
        heads: Of attention.
        epochs: Of pretraining.
        rows: Documents of a pretraining step.
        learning_rate: Of pretraining.
        length: The most tokens of a document.
    """

    functions: int = 12
    vocabulary: int = 1200
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    epochs: int = 26
    rows: int = 3
    learning_rate: float = 0.008
    length: int = 320


def smoke_catalog() -> Catalog:
    """The shipped catalog with the smoke run's own entries."""
    return read_catalog([paths.CATALOG, paths.STUDIES, paths.DATA / "smoke"])


def chosen(size: Size, split: str = "train") -> set[str]:
    """The ids of the functions that are learned."""
    names = sorted(smoke.functions(split))
    if split != "train" or size.functions >= len(names):
        return set(names)
    return {names[i * len(names) // size.functions] for i in range(size.functions)}


def examples(size: Size, split: str = "train") -> dict[str, list[Example]]:
    """The examples of each task that are learned (or, of another split, all)."""
    keep = chosen(size, split)
    return {task: [e for e in load("smoke", task, split) if e.id in keep] for task in TASKS}


def documents(size: Size) -> list[str]:
    """Plain texts: summary, the function in two languages, summary; for four pairs of languages."""
    known = smoke.functions("train")
    pairs = (("java", "csharp"), ("csharp", "java"), ("python", "java"), ("java", "python"))
    return [
        "\n".join([f["summary"], f[a]["code"].strip(), f[b]["code"].strip(), f["summary"]])
        for name in sorted(chosen(size))
        for f in [known[name]]
        for a, b in pairs
    ]


def make_base(folder: Path, size: Size, seed: int = 42) -> dict[str, float]:
    """Write tokenizer and pretrained model to a folder.

    Args:
        folder: The folder.
        size: Of the model and its pretraining.
        seed: Of its weights and of the order of documents.

    Returns:
        The first and last loss (mean of ten steps).
    """
    from mtpeft.tuning.seeding import seed_everything
    from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer

    seed_everything(seed)
    words, texts = wording(), []
    for task in TASKS:
        for example in load("smoke", task, "train"):
            texts += [m["content"] for m in task_module(task).messages(example, words)]
            texts.append(example.target)
    tokenizer = train_tokenizer(texts, size.vocabulary)
    model = tiny_model(
        tokenizer, hidden=size.hidden, layers=size.layers, heads=size.heads, seed=seed
    )
    losses = _pretrain(model, tokenizer, size, seed)
    save_backbone(folder, tokenizer, model)
    return {
        "first": sum(losses[:3]) / len(losses[:3]),
        "last": sum(losses[-10:]) / len(losses[-10:]),
        "steps": float(len(losses)),
    }


def _pretrain(model: Any, tokenizer: Any, size: Size, seed: int) -> list[float]:
    """Next-token training on the documents.

    Returns:
        The loss of every step.
    """
    import numpy as np
    import torch
    from transformers import get_cosine_schedule_with_warmup

    from mtpeft.tuning.loss import install
    from mtpeft.tuning.plan import collate, plan
    from mtpeft.tuning.settings import Settings
    from mtpeft.tuning.store import TokenStore

    pieces = [
        np.array(
            [*tokenizer(text)["input_ids"][: size.length - 1], tokenizer.eos_token_id],
            dtype=np.int32,
        )
        for text in documents(size)
    ]
    store = TokenStore(
        np.concatenate(pieces),
        np.cumsum([0] + [len(p) for p in pieces]),
        np.zeros(len(pieces), dtype=np.int32),
        np.zeros(len(pieces), dtype=np.int16),
        ["text"],
    )
    rows = plan(
        store,
        Settings(
            packing="isolated",
            loss_on="prompt and answer",
            max_length=size.length,
            epochs=size.epochs,
            seed=seed,
        ),
        size.rows,
    )
    install(model)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=size.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    steps = len(rows) // size.rows
    schedule = get_cosine_schedule_with_warmup(optimizer, min(20, steps // 4), steps)
    losses = []
    for step in range(steps):
        batch = collate(
            [rows[i] for i in range(step * size.rows, (step + 1) * size.rows)],
            tokenizer.pad_token_id,
        )
        count = int((batch["labels"][:, 1:] != -100).sum())
        loss = model(**batch, task_factors=torch.full((1,), 1.0 / count))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(float(loss.detach()))
    del model.forward  # the library's own again
    return losses

"""How good a shared model is on one task, and what it says about each example."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mtpeft.tasks.classification import binary_scores, ranks, reciprocal_rank
from mtpeft.tuning.multitask.encoding import TaskData
from mtpeft.tuning.multitask.heads import RETRIEVAL, SELECTION
from mtpeft.tuning.multitask.model import SharedModel


@dataclass(frozen=True)
class Said:
    """What a model says about the examples of a task, in their order. loss: mean over examples,
    positives not weighted.

    values: binary: probability of the positive class; retrieval: rank of the right code among the
    codes of the set, 0 for an example whose pair does not belong together (it only adds its code).
    Codes that read alike are one candidate.
    """

    loss: float
    values: np.ndarray


@torch.no_grad()
def predict(model: SharedModel, data: TaskData, batch: int = 64, device: str = "cpu") -> Said:
    """Pass every example through the model."""
    model.eval()
    losses, outputs = 0.0, []
    # Rows of like length together: less padding. No result depends on the order.
    order = np.argsort(data.lengths(), kind="stable")
    for start in range(0, len(order), batch):
        inputs = data.batch(order[start : start + batch].tolist(), device)
        output = model(data.task, inputs)
        losses += float(model.loss_of(data.task, output, inputs["labels"], training=False)) * len(
            inputs["labels"]
        )
        outputs.append(torch.stack(output, 1) if data.head == RETRIEVAL else output.sigmoid())
    values = torch.cat(outputs).float().cpu().numpy()[np.argsort(order)]
    return Said(losses / len(data), _ranked(values, data) if data.head == RETRIEVAL else values)


def _ranked(pairs: np.ndarray, data: TaskData) -> np.ndarray:
    """pairs [n, 2, h]: vectors of query and code."""
    first: dict[tuple[int, ...], int] = {}
    candidate = np.array([first.setdefault(tuple(code), len(first)) for code in data.codes])
    _, kept = np.unique(candidate, return_index=True)
    asked = np.flatnonzero(data.labels)
    found = np.zeros(len(data), dtype=int)
    found[asked] = ranks(pairs[asked, 0], pairs[kept, 1], candidate[asked])
    return found


def evaluate(
    model: SharedModel, data: TaskData, batch: int = 64, device: str = "cpu"
) -> dict[str, float]:
    """binary: loss and the scores of `classification.binary_scores` at the threshold 0.5;
    retrieval: loss and mrr.
    """
    said = predict(model, data, batch, device)
    if data.head == RETRIEVAL:
        return {
            "loss": said.loss,
            "mrr": float(reciprocal_rank(said.values[said.values > 0]).mean()),
        }
    return {"loss": said.loss, **binary_scores(data.labels, classes(said))}


def classes(said: Said) -> list[int]:
    """1 where the probability exceeds one half."""
    return [int(p > 0.5) for p in said.values]


def selected(data: TaskData, scores: dict[str, Any]) -> float:
    """The value that chooses the epoch."""
    return float(scores[SELECTION[data.head]])

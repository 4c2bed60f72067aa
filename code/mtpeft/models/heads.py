"""One head per task, by what the task's output is: a logit for a label, a unit vector for a ranking.
Sizes as in the study's revision.
"""

import torch
from torch import nn

SCALE = 20.0
"""Factor on cosine scores before the softmax of the retrieval loss."""


class LabelHead(nn.Module):
    """Linear(h, h/2), GELU, dropout, Linear(h/2, 1): pooled [B, h] → logits [B]."""

    def __init__(self, hidden: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden, hidden // 2)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(hidden // 2, 1)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.outer(self.dropout(nn.functional.gelu(self.inner(pooled)))).squeeze(-1)


class RankingHead(nn.Module):
    """LayerNorm, Linear(h, h), then length 1: pooled [B, h] → [B, h]."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.project = nn.Linear(hidden, hidden)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """Vectors of length 1."""
        return nn.functional.normalize(self.project(self.norm(pooled)), dim=-1)


HEADS: dict[str, type[nn.Module]] = {"label": LabelHead, "ranking": RankingHead}


def label_loss(
    logits: torch.Tensor, labels: torch.Tensor, positive_weight: float = 1.0
) -> torch.Tensor:
    """Mean binary cross entropy.

    Args:
        logits: Shape [B].
        labels: 0 or 1, shape [B].
        positive_weight: How many times a positive counts (in training only; validation leaves it at
            1).
    """
    weight = torch.tensor(positive_weight, dtype=logits.dtype, device=logits.device)
    return nn.functional.binary_cross_entropy_with_logits(
        logits, labels.to(logits.dtype), pos_weight=weight
    )


def ranking_loss(queries: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Cross entropy over the batch: query i belongs to code i, the other codes are its negatives.

    Args:
        queries: Vectors of unit length, shape [B, h].
        codes: Vectors of unit length, shape [B, h].
    """
    return nn.functional.cross_entropy(
        SCALE * queries @ codes.T, torch.arange(len(queries), device=queries.device)
    )


def positive_weight(labels: list[int]) -> float:
    """negatives / positives where that exceeds 2, else 1 (the revision's rule)."""
    positives = sum(labels)
    ratio = (len(labels) - positives) / positives if positives else 1.0
    return ratio if ratio > 2 else 1.0

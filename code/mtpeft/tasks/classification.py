"""Metrics of yes/no tasks and of retrieval, as proportions: training selects and scoring reports by
them.

F1 without any true positive is 0, as counting says; nothing here is NaN.
"""

from collections.abc import Sequence

import numpy as np

CUT = 1000
"""Ranks beyond this one score nothing in the study."""


def binary_scores(labels: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of the positive class, macro F1.

    Args:
        labels: 1 or 0 for each example.
        predictions: 1 or 0 for each example.

    Raises:
        ValueError: There are no examples, or not as many predictions as labels.
    """
    y, p = np.asarray(labels), np.asarray(predictions)
    if not len(y) or len(y) != len(p):
        raise ValueError(f"{len(y)} labels and {len(p)} predictions")
    f1 = [
        _f1(
            int(((y == c) & (p == c)).sum()),
            int(((y != c) & (p == c)).sum()),
            int(((y == c) & (p != c)).sum()),
        )
        for c in (0, 1)
    ]
    hit, claimed, real = int(((y == 1) & (p == 1)).sum()), int((p == 1).sum()), int((y == 1).sum())
    return {
        "acc": float((y == p).mean()),
        "precision": hit / claimed if claimed else 0.0,
        "recall": hit / real if real else 0.0,
        "f1": f1[1],
        "macro_f1": sum(f1) / 2,
    }


def _f1(hit: int, false: int, missed: int) -> float:
    return 2 * hit / (2 * hit + false + missed) if hit else 0.0


def ranks(queries: np.ndarray, codes: np.ndarray, right: Sequence[int] | None = None) -> np.ndarray:
    """The rank of each query's right code among all codes, from 1.

    Ties count against the model: a code as near as the right one ranks before it.

    Args:
        queries: Vectors of unit length, shape [q, h].
        codes: Vectors of unit length, shape [n, h].
        right: The position of each query's code (default: query i belongs to code i).

    Returns:
        Shape [q].
    """
    scores = queries @ codes.T
    at = np.arange(len(queries)) if right is None else np.asarray(right)
    found: np.ndarray = (scores >= scores[np.arange(len(queries)), at][:, None]).sum(axis=1)
    return found


def reciprocal_rank(rank: np.ndarray, cut: int = CUT) -> np.ndarray:
    """1 / rank, 0 beyond `cut` (as the study counts)."""
    found: np.ndarray = np.where(rank <= cut, 1.0 / rank, 0.0)
    return found


def random_ranking(candidates: int) -> float:
    """The expected mean reciprocal rank of a random order of n candidates: the harmonic number H(n)
    / n.
    """
    return sum(1 / k for k in range(1, candidates + 1)) / candidates


def trivial(labels: Sequence[int]) -> dict[str, dict[str, float]]:
    """Scores of always yes, always no and the majority class."""
    n = len(labels)
    majority = int(2 * sum(labels) > n)
    return {
        "always yes": binary_scores(labels, [1] * n),
        "always no": binary_scores(labels, [0] * n),
        "majority": binary_scores(labels, [majority] * n),
    }

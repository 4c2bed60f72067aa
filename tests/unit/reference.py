"""Statistics worked out without R and without the package: what its results are held against."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

NAN = math.nan


def cliff(a: Sequence[float], b: Sequence[float], quirk: bool) -> list[float]:
    """Cliff's delta with Feng and Cliff's interval, straight from the dominance matrix.

    quirk: the column mean of a value of b above every value of a is -1/n instead of -1, as in the
    study's outputs.
    """
    matrix, n, m = (
        np.sign(np.subtract.outer(np.asarray(a, float), np.asarray(b, float))),
        len(a),
        len(b),
    )
    delta = matrix.mean()
    if n < 2 or m < 2:
        return [delta, NAN, NAN]
    rows, cols = matrix.mean(1), matrix.mean(0)
    if quirk:
        cols = np.where(np.asarray(b) > np.max(a), -1 / n, cols)
    d = delta * (n * m - 1) / (n * m) if abs(delta) == 1 else delta
    variance = (
        m**2 * ((rows - d) ** 2).sum() + n**2 * ((cols - d) ** 2).sum() - ((matrix - d) ** 2).sum()
    ) / (n * m * (n - 1) * (m - 1))
    t = stats.t.ppf(0.975, n + m - 2)
    with np.errstate(invalid="ignore"):
        half = t * np.sqrt(variance) * np.sqrt((1 - d**2) ** 2 + t**2 * variance)
    low, high = ((d - d**3 + sign * half) / (1 - d**2 + t**2 * variance) for sign in (-1, 1))
    return [delta, -1 if delta == -1 else low, 1 if delta == 1 else high]


def rank_biserial(a: Sequence[float], b: Sequence[float]) -> float:
    """(W+ - W-) / (W+ + W-) over the ranks of non-zero differences."""
    difference = np.asarray(a, float) - np.asarray(b, float)
    difference = difference[difference != 0]
    ranks = stats.rankdata(np.abs(difference))
    return (ranks[difference > 0].sum() - ranks[difference < 0].sum()) / ranks.sum()


def wilcoxon(a: np.ndarray, b: np.ndarray, correction: bool = False) -> float:
    """Two-sided p by the normal approximation; missing where the study's scripts print NA."""
    if (len(set(a)) < 2 and len(set(b)) < 2) or (a == b).all():
        return NAN
    return float(
        stats.wilcoxon(
            a, b, zero_method="wilcox", correction=correction, method="asymptotic"
        ).pvalue
    )


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction of p-values without gaps."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    result, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, (len(p) - rank) * p[i])
        result[i] = min(1.0, largest)
    return result


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's step-up correction of p-values without gaps."""
    order = sorted(range(len(p)), key=lambda i: -p[i])
    result, smallest = [0.0] * len(p), 1.0
    for rank, i in enumerate(order):
        smallest = min(smallest, len(p) / (len(p) - rank) * p[i])
        result[i] = smallest
    return result


CORRECTIONS = {"holm": holm, "bh": benjamini_hochberg, "none": list}


def adjust(p: Sequence[float], correction: str) -> list[float]:
    """One family; missing values stay missing and do not count."""
    there = iter(CORRECTIONS[correction]([x for x in p if x == x]))
    return [next(there) if x == x else NAN for x in p]

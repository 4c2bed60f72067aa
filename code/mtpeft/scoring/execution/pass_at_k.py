"""pass@k: the probability that at least one of k samples of a problem passes its tests.

Source of the estimator: Chen et al., "Evaluating Large Language Models Trained on Code", 2021,
section 2.1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mtpeft.core.errors import MtpeftError
from mtpeft.scoring.predictions import sample_of

if TYPE_CHECKING:
    import pandas as pd


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of pass@k: 1 - C(n-c, k) / C(n, k).

    Computed as 1 - prod_{i=n-c+1}^{n} (1 - k/i), in which nothing overflows, through expm1 and
    log1p, which keep small values exact.

    Args:
        n: Samples of one problem.
        c: Those of them that passed.
        k: At most n: from fewer samples than k the probability cannot be estimated.

    Raises:
        MtpeftError: N, c or k make no sense, or k > n.
    """
    for name, value, low in (("n", n, 1), ("c", c, 0), ("k", k, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise MtpeftError(f"pass@k of {name} = {value!r}", f"an integer of at least {low}")
    if c > n:
        raise MtpeftError(f"{c} of {n} samples passed", "at most as many passes as samples")
    if k > n:
        raise MtpeftError(
            f"pass@{k} from {n} samples per problem",
            f"at least {k} samples of every problem",
            f"generate {k} samples, or ask for pass@{n} at most",
        )
    if n - c < k:
        return 1.0
    return -math.expm1(math.fsum(math.log1p(-k / i) for i in range(n - c + 1, n + 1)))


def mean_pass_at_k(passed: Mapping[str, Sequence[bool]], k: int) -> float:
    """The mean of pass@k over problems.

    Args:
        passed: By problem, one truth value per sample.
        k: As in `pass_at_k`.

    Raises:
        MtpeftError: There is no problem, or one with fewer than k samples (named).
    """
    if not passed:
        raise MtpeftError("pass@k over no problems", "at least one problem with results")
    short = sorted(name for name, samples in passed.items() if len(samples) < k)
    if short:
        raise MtpeftError(
            f"{len(short)} problems have fewer than {k} scored samples, for example {short[0]}",
            f"{k} scored samples of every problem",
            "run instances with status infrastructure again, or ask for a smaller k",
        )
    return math.fsum(pass_at_k(len(samples), sum(samples), k) for samples in passed.values()) / len(
        passed
    )


def by_problem(passed: Mapping[str, Sequence[bool]], k: int) -> list[float]:
    """pass@k of every problem; empty where one of them has fewer than k samples."""
    if any(len(samples) < k for samples in passed.values()):
        return []
    return [pass_at_k(len(samples), sum(samples), k) for samples in passed.values()]


def samples_of(table: "pd.DataFrame") -> dict[str, dict[str, list[bool]]]:
    """Run → problem → whether each scored sample passed, from a score table of execution."""
    found: dict[str, dict[str, list[bool]]] = {}
    for run, name, value in zip(
        table["run"], table["instance_id"], table["execution_pass"], strict=True
    ):
        samples = found.setdefault(run, {}).setdefault(sample_of(name)[0], [])
        if value == value:
            samples.append(value == 1)
    return found

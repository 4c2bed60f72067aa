"""pass@k must be the unbiased estimator, and must refuse what cannot be estimated."""

from fractions import Fraction
from math import comb

import pytest
from mtpeft.core.errors import MtpeftError
from mtpeft.scoring.execution.pass_at_k import mean_pass_at_k, pass_at_k


def exact(n: int, c: int, k: int) -> Fraction:
    return 1 - Fraction(comb(n - c, k), comb(n, k))


def test_estimator_differs_from_the_exact_binomial_form():
    for n in range(1, 31):
        for c in range(n + 1):
            for k in range(1, n + 1):
                assert pass_at_k(n, c, k) == pytest.approx(float(exact(n, c, k)), rel=1e-13, abs=0)


@pytest.mark.parametrize(
    "n, c, k", [(10**6, 1, 1), (10**5, 3, 100), (2000, 1, 1999), (200, 199, 100)]
)
def test_estimator_overflows_or_loses_digits_for_many_samples(n, c, k):
    assert pass_at_k(n, c, k) == pytest.approx(float(exact(n, c, k)), rel=1e-12)


def test_estimator_is_the_biased_one():
    # 1 - (1 - c/n)^k, which underestimates, gives 0.75 here
    assert pass_at_k(2, 1, 2) == 1.0


@pytest.mark.parametrize(
    "n, c, k", [(5, 2, 6), (5, 6, 1), (0, 0, 1), (5, -1, 1), (5, 1, 0), (5.0, 1, 1), (True, 1, 1)]
)
def test_nonsense_or_too_few_samples_give_a_number(n, c, k):
    with pytest.raises(MtpeftError):
        pass_at_k(n, c, k)


def test_problem_with_too_few_samples_is_not_named():
    with pytest.raises(MtpeftError, match="short"):
        mean_pass_at_k({"long": [True, False], "short": [True]}, 2)


def test_mean_over_no_problem_is_a_number():
    with pytest.raises(MtpeftError):
        mean_pass_at_k({}, 1)


def test_mean_is_weighted_by_samples_instead_of_problems():
    assert mean_pass_at_k({"a": [True], "b": [False, False, False]}, 1) == 0.5

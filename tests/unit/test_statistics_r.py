"""R's results against values worked out independently: scipy, brute force over all pairs, and cases
done by hand.
"""

import math
import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mtpeft.statistics import r_session
from mtpeft.statistics.r_session import call
from reference import cliff, rank_biserial
from scipy import stats

NAN = math.nan
SCORES = st.integers(0, 5).map(float) | st.floats(0, 1, allow_subnormal=False)
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=25)


def columns(pairs):
    return tuple(np.array(side) for side in zip(*pairs, strict=True))


# ---------------------------------------------------------------- Wilcoxon signed-rank


def constant(values):
    return len(set(values)) < 2


@given(PAIRS)
def test_signed_rank_agrees_with_scipy(pairs):
    a, b = columns(pairs)
    assume(not (constant(a) and constant(b)) and (a != b).any())
    statistic, p = call("signed_rank", a, b, published=True)
    reference = stats.wilcoxon(a, b, zero_method="wilcox", correction=False, method="asymptotic")
    assert p == pytest.approx(reference.pvalue, rel=1e-9)
    ranks = stats.rankdata(np.abs((a - b)[a != b]))
    assert statistic == pytest.approx(ranks[(a - b)[a != b] > 0].sum())
    assert min(statistic, ranks.sum() - statistic) == pytest.approx(reference.statistic)


@pytest.mark.parametrize(
    "a, b, statistic, p",
    [
        # Ranks of |1, 2, -3|: V = 1 + 2; mean 3, variance 3.5.
        ([2, 4, 0], [1, 2, 3], 3, 1.0),
        # A zero leaves; ranks of |2, 2, -2| tie at 2: V = 4, mean 3, variance 3.5 - (27 - 3) / 48 = 3.
        ([3, 3, 1, 5], [1, 1, 3, 5], 4, 2 * stats.norm.sf(1 / math.sqrt(3))),
        # One pair is constant on both sides: the study's scripts print NA, and so do we.
        ([2], [1], NAN, NAN),
        ([0, 1], [0, 0], 1, 2 * stats.norm.sf(1)),
        ([1, 2, 3], [1, 2, 3], NAN, NAN),
        ([1, 1, 1], [2, 2, 2], NAN, NAN),
        ([], [], NAN, NAN),
    ],
)
def test_signed_rank_by_hand(a, b, statistic, p):
    assert call("signed_rank", a, b, published=True) == pytest.approx([statistic, p], nan_ok=True)


NOISY = [4.8, 4.6, 4.4, 3.2, 5, 4.2, 3, 2.8], [4.6, 4.8, 4.2, 3.4, 4.8, 4, 3.2, 2.6]


@pytest.mark.parametrize(
    "noisy, clean",
    [
        (
            ([0.1 + 0.2] * 10 + [0.5, 0.6, 0.7], [0.3] * 10 + [0.4] * 3),
            ([3] * 10 + [5, 6, 7], [3] * 10 + [4] * 3),
        ),
        (
            NOISY,
            tuple(
                [10 * x for x in side]
                for side in (
                    [4.8, 4.6, 4.4, 3.2, 5, 4.2, 3, 2.8],
                    [5 - 0.4, 4.8, 4.2, 3.4, 4.8, 4, 3.2, 2.6],
                )
            ),
        ),
    ],
)
def test_differences_equal_on_paper_are_ties_and_zeros_in_p_and_effect(noisy, clean):
    clean = [np.round(side) for side in clean]
    assert call("signed_rank", *noisy) == pytest.approx(call("signed_rank", *clean))
    assert call("rank_biserial", *noisy, resamples=20, seed=1) == pytest.approx(
        call("rank_biserial", *clean, resamples=20, seed=1), nan_ok=True
    )


def test_eight_equal_differences_share_one_rank():
    # eight ranks of 4.5, five of them positive: V = 22.5; P(5 or more of 8 heads) = 93/256, twice
    # that 0.7265625
    assert call("signed_rank", *NOISY) == pytest.approx([22.5, 0.7265625])
    assert call("rank_biserial", *NOISY, resamples=20, seed=1)[0] == 0.25


def test_as_published_keeps_the_noise_that_the_printed_values_carry():
    assert call("signed_rank", *NOISY, published=True)[0] == 23.5


def test_a_difference_that_is_zero_on_paper_is_no_difference():
    a, b = [0.1 + 0.2] * 10, [0.3] * 10
    assert (
        np.isnan(call("signed_rank", a, b)).all()
        and np.isnan(call("rank_biserial", a, b, resamples=20, seed=1)).all()
    )


@pytest.mark.parametrize("n, p", [(4, 1 / 8), (5, 1 / 16), (9, 1 / 256)])
def test_few_differences_of_one_sign_have_the_smallest_p_that_there_is(n, p):
    # nine constant pairs have one, too: the study's NA for constant sides is no property of the
    # test
    assert call("signed_rank", [2] * n + [0] * 100, [1] * n + [0] * 100) == pytest.approx(
        [n * (n + 1) / 2, p]
    )
    assert call("signed_rank", [2] * n, [1] * n)[1] == pytest.approx(p)


@given(st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=10))
def test_the_exact_p_is_that_of_all_signs(differences):
    ranks = stats.rankdata(np.abs(differences))
    v = ranks[np.array(differences) > 0].sum()
    sums = np.array(
        [ranks[np.array(signs, dtype=bool)].sum() for signs in product((0, 1), repeat=len(ranks))]
    )
    wanted = min(1, 2 * min((sums <= v + 1e-9).mean(), (sums >= v - 1e-9).mean()))
    assert call("signed_rank", differences, [0] * len(differences)) == pytest.approx([v, wanted])


def test_from_25_differences_on_the_normal_approximation_serves():
    generator = np.random.default_rng(4)
    a, b = generator.normal(0.3, 1, 25), generator.normal(0, 1, 25)
    assert call("signed_rank", a, b)[1] == pytest.approx(
        stats.wilcoxon(a, b, correction=False, method="asymptotic").pvalue
    )
    assert call("signed_rank", a[:24], b[:24])[1] == pytest.approx(
        stats.wilcoxon(a[:24], b[:24], method="exact").pvalue
    )


@pytest.mark.parametrize(
    "function, more", [("signed_rank", {}), ("rank_biserial", {"resamples": 10, "seed": 1})]
)
def test_infinite_values_are_refused_and_not_ranked(function, more):
    from rpy2.rinterface_lib.embedded import RRuntimeError

    with pytest.raises(RRuntimeError, match="not finite"):
        call(function, [1, 2, math.inf], [2, 1, 3], **more)


def test_signed_rank_is_without_continuity_correction():
    a, b = np.arange(1.0, 21), np.r_[np.arange(0.0, 15), np.arange(17.0, 22)]
    assert call("signed_rank", a, b, published=True)[1] == pytest.approx(
        stats.wilcoxon(a, b, correction=False, method="asymptotic").pvalue
    )
    assert call("variant_p", a, b, kind="continuity")[0] == pytest.approx(
        stats.wilcoxon(a, b, correction=True, method="asymptotic").pvalue
    )


@pytest.mark.parametrize("kind", ["less", "greater"])
def test_one_sided_variants_agree_with_scipy(kind):
    generator = np.random.default_rng(1)
    a, b = generator.normal(0.3, 1, 30), generator.normal(0, 1, 30)
    reference = stats.wilcoxon(a, b, alternative=kind, correction=False, method="asymptotic").pvalue
    assert call("variant_p", a, b, kind=kind)[0] == pytest.approx(reference)


def test_exact_and_unpaired_variants_agree_with_scipy():
    generator = np.random.default_rng(2)
    a, b = generator.normal(0.3, 1, 12), generator.normal(0, 1, 12)
    assert call("variant_p", a, b, kind="exact")[0] == pytest.approx(
        stats.wilcoxon(a, b, method="exact").pvalue
    )
    assert call("variant_p", a, b, kind="unpaired")[0] == pytest.approx(
        stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic").pvalue
    )


# ---------------------------------------------------------------- Cliff's delta


@pytest.mark.parametrize("quirk", [False, True])
@given(st.lists(SCORES, min_size=1, max_size=20), st.lists(SCORES, min_size=1, max_size=20))
def test_cliffs_delta_agrees_with_the_dominance_matrix(quirk, a, b):
    assert call("cliffs_delta", a, b, quirk=quirk) == pytest.approx(
        cliff(a, b, quirk), abs=1e-9, nan_ok=True
    )


@pytest.mark.parametrize(
    "a, b, delta",
    [
        ([1, 2, 3], [1, 2, 3], 0),
        ([4, 5], [1, 2], 1),
        ([1, 2], [4, 5], -1),
        ([1, 2, 3], [2], 0),
        ([1, 1], [1, 1], 0),
        ([2, 3], [1, 2], 0.75),
    ],
)
def test_cliffs_delta_by_hand(a, b, delta):
    assert call("cliffs_delta", a, b, quirk=False)[0] == pytest.approx(delta)


def test_the_quirk_moves_the_interval_and_never_the_delta():
    a, b = [1, 2, 3, 4], [0, 2, 5, 9, 3]
    textbook, published = (
        call("cliffs_delta", a, b, quirk=False),
        call("cliffs_delta", a, b, quirk=True),
    )
    assert textbook[0] == published[0]
    assert np.abs(textbook[1:] - published[1:]).min() > 1e-3
    without_larger = [0, 2, 3, 1, 3]
    textbook, published = (
        call("cliffs_delta", a, without_larger, quirk=quirk) for quirk in (False, True)
    )
    assert (textbook == published).all()


@given(st.lists(SCORES, min_size=2, max_size=15), st.lists(SCORES, min_size=2, max_size=15))
def test_cliffs_delta_turns_its_sign_with_the_sides(a, b):
    forward, back = call("cliffs_delta", a, b, quirk=False), call("cliffs_delta", b, a, quirk=False)
    assert forward == pytest.approx([-back[0], -back[2], -back[1]], abs=1e-12, nan_ok=True)


def test_no_values_have_no_delta():
    assert np.isnan(call("cliffs_delta", [], [1, 2], quirk=True)).all()


# ---------------------------------------------------------------- matched-pairs rank-biserial correlation


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_rank_biserial_agrees_with_brute_force(pairs):
    a, b = columns(pairs)
    assume((a != b).any())
    estimate, low, high = call("rank_biserial", a, b, resamples=50, seed=1)
    assert estimate == pytest.approx(rank_biserial(a, b))
    assert math.isnan(low) and math.isnan(high)  # fewer than 20 differences


def test_rank_biserial_without_a_difference_is_missing():
    assert np.isnan(call("rank_biserial", [1, 2], [1, 2], resamples=10, seed=1)).all()
    assert np.isnan(call("rank_biserial", [], [], resamples=10, seed=1)).all()


@pytest.mark.parametrize(
    "a, b, expected",
    [([1] + [0] * 169, [0] * 170, 1), ([0, 0], [1, 2], -1), ([1] * 40, [0] * 40, 1)],
)
def test_no_interval_without_width_and_none_of_few_differences(a, b, expected):
    assert call("rank_biserial", a, b, resamples=50, seed=3) == pytest.approx(
        [expected, NAN, NAN], nan_ok=True
    )


def test_twenty_differences_both_ways_have_an_interval():
    estimate, low, high = call(
        "rank_biserial", [1] * 15 + [0] * 5, [0] * 15 + [1] * 5, resamples=200, seed=3
    )
    assert estimate == 0.5 and -1 < low < 0.5 < high < 1


def test_differences_equal_on_paper_tie():
    # In binary, 2.6 - 2.4 and 2.4 - 2.2 are not the same number.
    assert call("rank_biserial", [2.6, 2.2], [2.4, 2.4], resamples=10, seed=1)[0] == 0


@pytest.mark.parametrize("n, grid, shift", [(30, 1.0, 0.5), (120, 0.2, 0.1), (80, 0.001, 0.0)])
def test_the_bootstrap_interval_is_that_of_drawing_pairs(n, grid, shift):
    generator = np.random.default_rng(n)
    a, b = (np.round(generator.normal(mean, 1, n) / grid) * grid for mean in (shift, 0))
    _, low, high = call("rank_biserial", a, b, resamples=4000, seed=7)
    difference = np.round(a - b, 9)[generator.integers(0, n, (4000, n))]
    sizes = np.where(difference == 0, np.nan, np.abs(difference))
    ranks = np.nan_to_num(stats.rankdata(sizes, axis=1, nan_policy="omit"))
    drawn = (ranks * np.sign(difference)).sum(1) / ranks.sum(1)
    # The standard error of a 2.5 % quantile of 4000 draws is below a tenth of the interval's half
    # width.
    assert [low, high] == pytest.approx(
        np.quantile(drawn, [0.025, 0.975]), abs=0.1 * (high - low) / 2
    )


def test_the_bootstrap_is_the_same_twice_and_differs_by_seed():
    generator = np.random.default_rng(5)
    a, b = generator.normal(size=40), generator.normal(size=40)
    one, two, other = (call("rank_biserial", a, b, resamples=200, seed=s) for s in (1, 1, 2))
    assert (one == two).all()
    assert (one[1:] != other[1:]).any()


# ---------------------------------------------------------------- McNemar


@pytest.mark.parametrize(
    "both, only_a, only_b, neither",
    [*product((0, 3), (0, 1, 7), (0, 1, 12), (1, 5)), (46, 9, 13, 116)],
)
def test_discordance_agrees_with_chi_squared(both, only_a, only_b, neither):
    cells = ((1, 1, both), (1, 0, only_a), (0, 1, only_b), (0, 0, neither))
    pairs = [(x, y) for x, y, n in cells for _ in range(n)]
    chi, p, *counts, odds = call("discordance", *columns(pairs))
    assert counts == [both, only_a, only_b, neither]
    assert odds == pytest.approx((only_a + 0.5) / (only_b + 0.5))
    if only_a + only_b == 0:
        assert math.isnan(chi) and math.isnan(p)
        return
    # Where the counts are equal there is nothing to correct.
    wanted = (abs(only_a - only_b) - 1) ** 2 / (only_a + only_b) if only_a != only_b else 0
    assert chi == pytest.approx(wanted)
    assert p == pytest.approx(stats.chi2.sf(wanted, 1))


def test_a_value_that_is_neither_0_nor_1_is_refused_and_not_left_out():
    from rpy2.rinterface_lib.embedded import RRuntimeError

    with pytest.raises(RRuntimeError, match="other than 0 and 1"):
        call("discordance", [1, 0, 0.5, 0.5], [1, 1, 0, 1])


# ---------------------------------------------------------------- intervals


def test_the_prediction_interval_by_hand():
    # mean 2, s 1, t(0.975, 2) = 4.302653, times the root of 4/3: 4.968275
    assert call("prediction_interval", [1, 2, 3]) == pytest.approx([-2.968275, 6.968275], abs=1e-6)
    assert np.isnan(call("prediction_interval", [5])).all()


@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_the_interval_of_a_mean_is_students(level):
    d = [0.5, -1, 2, 0, 0, 3]
    wanted = stats.t.interval(level, 5, np.mean(d), stats.sem(d))
    assert call("mean_interval", d, level=level) == pytest.approx(wanted)


def test_the_interval_of_paired_proportions_by_hand():
    # 10 of 100 fall: (1 - 11) / 102 = -0.098039; root of (12/102 - 0.098039^2) / 102 = 0.032545,
    # times 1.959964
    got = call("paired_proportions_interval", [1] * 100, [1] * 90 + [0] * 10)
    assert got == pytest.approx([-0.161839, -0.034240], abs=3e-5)


# ---------------------------------------------------------------- the session


def test_r_errors_are_raised_not_swallowed():
    from rpy2.rinterface_lib.embedded import RRuntimeError

    with pytest.raises(RRuntimeError, match="unknown variant"):
        call("variant_p", [1, 2], [2, 1], kind="mood")


def test_missing_values_cross_as_nan():
    assert np.isnan(call("adjust_family", [NAN, NAN])).all()


def test_the_version_of_r_is_known():
    assert [int(part) for part in r_session.version().split(".")] >= [4, 0, 0]


def test_a_machine_without_r_is_told_how_to_get_it():
    code = (
        "import sys; sys.modules['rpy2'] = None\n"
        "from mtpeft.core.errors import Unavailable\n"
        "from mtpeft.statistics import r_session\n"
        "try:\n    r_session.version()\n"
        "except Unavailable as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert "R cannot be started" in done.stdout
    assert "to fix:   docker/setup/r.sh" in done.stdout


def test_starting_r_changes_the_libraries_of_child_processes():
    before = os.environ.get("LD_LIBRARY_PATH")
    assert r_session.version()
    assert os.environ.get("LD_LIBRARY_PATH") == before


def test_the_bootstrap_interval_of_a_rate_is_near_the_binomial_one():
    """40 of 184: resampled rates follow the binomial distribution with that share."""
    values = np.repeat([1.0, 0.0], [40, 144])
    mean, low, high = call("bootstrap_mean", values, resamples=4000, seed=1)
    expected = stats.binom.ppf([0.025, 0.975], 184, 40 / 184) / 184
    assert mean == 40 / 184
    assert [low, high] == pytest.approx(expected, abs=1.5 / 184)
    assert list(call("bootstrap_mean", values, resamples=4000, seed=1)) == [mean, low, high]


def test_a_mean_of_one_value_has_no_interval():
    assert np.isnan(call("bootstrap_mean", [3.0], resamples=10, seed=1)).tolist() == [
        False,
        True,
        True,
    ]

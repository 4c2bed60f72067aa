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
    assert call("rank_biserial", *noisy) == pytest.approx(
        call("rank_biserial", *clean), nan_ok=True
    )


def test_eight_equal_differences_share_one_rank():
    # eight ranks of 4.5, five of them positive: V = 22.5; P(5 or more of 8 heads) = 93/256, twice
    # that 0.7265625
    assert call("signed_rank", *NOISY) == pytest.approx([22.5, 0.7265625])
    assert call("rank_biserial", *NOISY)[0] == 0.25


def test_as_published_keeps_the_noise_that_the_printed_values_carry():
    assert call("signed_rank", *NOISY, published=True)[0] == 23.5


def test_a_difference_that_is_zero_on_paper_is_no_difference():
    a, b = [0.1 + 0.2] * 10, [0.3] * 10
    assert np.isnan(call("signed_rank", a, b)).all() and np.isnan(call("rank_biserial", a, b)).all()


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
    "function", ["mean_interval", "prediction_interval", "detectable_difference"]
)
def test_an_interval_of_an_infinite_value_is_refused(function):
    from rpy2.rinterface_lib.embedded import RRuntimeError

    with pytest.raises(RRuntimeError, match="not finite"):
        call(function, [1, 2, math.inf])


@pytest.mark.parametrize(
    "a, b, as_whole",
    [  # differences of thirds, and of values with other digits before the point
        (np.array([4.6, 4.4, 4.2, 4.0]) / 3, np.array([4.4, 4.2, 4.0, 3.8]) / 3, [1, 1, 1, 1]),
        ([100.1, 100.2, 100.3, 50.7], [100, 100.1, 100.2, 50.6], [1, 1, 1, 1]),
        ([1e6 + 0.1 + 0.2, 1e6, 3, 4], [1e6 + 0.3, 1e6, 2, 2], [0, 0, 1, 2]),
    ],
)
def test_equal_is_equal_whatever_the_scale(a, b, as_whole):
    zero = np.zeros(len(as_whole))
    assert call("signed_rank", a, b) == pytest.approx(call("signed_rank", as_whole, zero))
    assert call("rank_biserial", a, b)[0] == call("rank_biserial", as_whole, zero)[0]


@pytest.mark.parametrize(
    "function, more", [("signed_rank", {}), ("rank_biserial", {}), ("cliffs_delta", {})]
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
    if not quirk:
        a, b = np.round(a, 9), np.round(b, 9)
    delta, low, high = cliff(a, b, quirk)
    if not quirk and not low < high:
        low = high = NAN  # an interval without width is none
    assert call("cliffs_delta", a, b, quirk=quirk) == pytest.approx(
        [delta, low, high], abs=1e-9, nan_ok=True
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


def test_the_corrected_delta_compares_what_is_equal_on_paper_as_equal():
    noisy, clean = [0.1 + 0.2] * 6 + [0.5, 0.1], [0.3] * 6 + [0.2, 0.4]
    assert call("cliffs_delta", noisy, clean, quirk=False) == pytest.approx(
        call("cliffs_delta", [3] * 6 + [5, 1], [3] * 6 + [2, 4], quirk=False)
    )
    assert call("cliffs_delta", noisy, clean, quirk=True)[0] > 0.5  # as published: 36 wins


def test_a_delta_without_any_dominance_has_no_interval_of_width_0():
    assert call("cliffs_delta", [1, 1, 1], [1, 1], quirk=False) == pytest.approx(
        [0, NAN, NAN], nan_ok=True
    )


# ---------------------------------------------------------------- matched-pairs rank-biserial correlation


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_rank_biserial_agrees_with_brute_force(pairs):
    a, b = columns(pairs)
    assume((a != b).any())
    estimate, low, high = call("rank_biserial", a, b)
    assert estimate == pytest.approx(rank_biserial(a, b))
    few = (a != b).sum() < 10 or abs(estimate) == 1
    assert math.isnan(low) == math.isnan(high) == few
    assert few or -1 < low < estimate < high < 1


def test_rank_biserial_without_a_difference_is_missing():
    assert np.isnan(call("rank_biserial", [1, 2], [1, 2])).all()
    assert np.isnan(call("rank_biserial", [], [])).all()


@pytest.mark.parametrize(
    "a, b, expected",
    [([1] + [0] * 169, [0] * 170, 1), ([0, 0], [1, 2], -1), ([1] * 40, [0] * 40, 1)],
)
def test_no_interval_without_width_and_none_of_few_differences(a, b, expected):
    assert call("rank_biserial", a, b) == pytest.approx([expected, NAN, NAN], nan_ok=True)


@pytest.mark.parametrize("n, grid, shift", [(14, 0.5, 0.3), (30, 1.0, 0.5), (80, 0.001, 0.0)])
def test_the_interval_of_the_correlation_is_fishers_z_with_the_jackknifes_error(n, grid, shift):
    generator = np.random.default_rng(n)
    a, b = (np.round(generator.normal(mean, 1, n) / grid) * grid for mean in (shift, 0))
    difference = np.round((a - b)[np.abs(a - b) > 1e-9], 9)
    m = len(difference)
    left = [rank_biserial(np.delete(difference, i), np.zeros(m - 1)) for i in range(m)]
    error = math.sqrt((m - 1) / m * ((left - np.mean(left)) ** 2).sum())
    r = rank_biserial(difference, np.zeros(m))
    half = stats.t.ppf(0.95, m - 1) * error / (1 - r * r)
    assert call("rank_biserial", a, b, level=0.9) == pytest.approx(
        [r, np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)]
    )


@pytest.mark.parametrize("n, estimable", [(9, False), (10, True)])
def test_ten_differences_both_ways_have_an_interval(n, estimable):
    _, low, high = call(
        "rank_biserial", [*range(1, n), 0] + [0] * 50, [0] * (n - 1) + [n] + [0] * 50
    )
    assert (-1 < low < high < 1) if estimable else math.isnan(low)


def test_differences_equal_on_paper_tie():
    # In binary, 2.6 - 2.4 and 2.4 - 2.2 are not the same number.
    assert call("rank_biserial", [2.6, 2.2], [2.4, 2.4])[0] == 0


# ---------------------------------------------------------------- McNemar


@pytest.mark.parametrize(
    "both, only_a, only_b, neither",
    [*product((0, 3), (0, 1, 7), (0, 1, 12), (1, 5)), (46, 9, 13, 116)],
)
def test_discordance_agrees_with_chi_squared(both, only_a, only_b, neither):
    cells = ((1, 1, both), (1, 0, only_a), (0, 1, only_b), (0, 0, neither))
    pairs = [(x, y) for x, y, n in cells for _ in range(n)]
    chi, p, *counts, odds = call("discordance", *columns(pairs), published=True)
    assert counts == [both, only_a, only_b, neither]
    assert odds == pytest.approx((only_a + 0.5) / (only_b + 0.5))
    if only_a + only_b == 0:
        assert math.isnan(chi) and math.isnan(p)
        return
    # Where the counts are equal there is nothing to correct.
    wanted = (abs(only_a - only_b) - 1) ** 2 / (only_a + only_b) if only_a != only_b else 0
    assert chi == pytest.approx(wanted)
    assert p == pytest.approx(stats.chi2.sf(wanted, 1))


@pytest.mark.parametrize(
    "only_a, only_b", [(4, 0), (0, 1), (3, 9), (12, 12), (20, 4), (13, 12), (40, 21)]
)
def test_the_corrected_mcnemar_is_exact_below_25_discordant_pairs(only_a, only_b):
    a = [1] * only_a + [0] * only_b + [1, 0]
    b = [0] * only_a + [1] * only_b + [1, 0]
    chi, p = call("discordance", a, b)[:2]
    if only_a + only_b < 25:
        assert math.isnan(chi)
        assert p == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    else:
        assert chi == pytest.approx((abs(only_a - only_b) - 1) ** 2 / (only_a + only_b))
        assert p == pytest.approx(stats.chi2.sf(chi, 1))


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


@pytest.mark.parametrize("power, level", [(0.8, 0.95), (0.9, 0.99)])
def test_the_detectable_difference_is_the_sum_of_two_quantiles_of_t_in_standard_errors(
    power, level
):
    d = [0.5, -1, 2, 0, 0, 3]
    wanted = (stats.t.ppf((1 + level) / 2, 5) + stats.t.ppf(power, 5)) * stats.sem(d)
    assert call("detectable_difference", d, level=level, power=power)[0] == pytest.approx(wanted)


@pytest.mark.parametrize("d", [[0.1 + 0.2, 0.3, 0.3], [0, 0], [5], []])
def test_without_spread_no_difference_is_called_detectable(d):
    assert np.isnan(call("detectable_difference", d)).all()


# ---------------------------------------------------------------- clusters

OF = [1, 1, 1, 2, 2, 3, 3, 3, 3]
D = np.array([1, 2, 3, -1, -2, 4, 5, -6, 7.0])


def test_an_error_of_a_mean_robust_to_clusters_is_that_of_a_regression_on_a_constant():
    # by hand: mean 13/9; residual sums 6 - 3m, -3 - 2m, 10 - 4m; root of 3/2 times their squares, over 9
    mean = 13 / 9
    sums = np.array([6 - 3 * mean, -3 - 2 * mean, 10 - 4 * mean])
    error = math.sqrt(1.5 * (sums**2).sum()) / 9
    assert call("mean_error", D, OF)[0] == pytest.approx(error)
    half = stats.t.ppf(0.975, 2) * error
    assert call("mean_interval", D, OF) == pytest.approx([mean - half, mean + half])
    assert call("mean_error", D)[0] == pytest.approx(stats.sem(D))


def test_one_cluster_has_no_interval():
    assert np.isnan(call("mean_interval", [1, 2, 3], [1, 1, 1])).all()
    assert np.isnan(call("detectable_difference", [1, 2, 3], [1, 1, 1])).all()


def test_the_signs_of_a_cluster_are_one_draw():
    # Signed ranks 1.5 3.5 5, -1.5 -3.5, 6 7 -8 9: cluster sums 10, -5, 14; V = 32. Of the 8 ways to
    # sign 10, 5, 14 those with a positive sum of 24 or more are 24 and 29.
    assert call("signed_rank", D, np.zeros(9), OF) == pytest.approx([32, 2 * 2 / 8])


def test_pairs_that_are_clusters_of_their_own_change_nothing():
    generator = np.random.default_rng(3)
    for n in (9, 40):
        a, b = np.round(generator.normal(0.4, 1, n), 1), np.round(generator.normal(0, 1, n), 1)
        own = np.arange(n)
        assert call("signed_rank", a, b, own) == pytest.approx(call("signed_rank", a, b))
        assert call("rank_biserial", a, b, own) == pytest.approx(
            call("rank_biserial", a, b), nan_ok=True
        )
        x, y = (a > 0).astype(float), (b > 0).astype(float)
        if n == 9:
            assert call("discordance", x, y, own)[1] == pytest.approx(call("discordance", x, y)[1])


def test_clusters_that_cancel_out_have_a_p_of_1():
    assert call("discordance", [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 2, 2])[1] == 1
    assert call("signed_rank", [1, 0], [0, 1], [1, 1])[1] == 1


def test_from_25_clusters_on_the_sum_over_its_root_of_squares_is_normal():
    generator = np.random.default_rng(8)
    of = np.repeat(np.arange(25), 4)
    a, b = generator.normal(0.3, 1, 100), generator.normal(0, 1, 100)
    ranks = stats.rankdata(np.abs(a - b)) * np.sign(a - b)
    sums = ranks.reshape(25, 4).sum(1)
    wanted = 2 * stats.norm.sf(abs(sums.sum()) / math.sqrt((sums**2).sum()))
    assert call("signed_rank", a, b, of)[1] == pytest.approx(wanted)


def test_intervals_of_effects_leave_out_whole_clusters():
    generator = np.random.default_rng(9)
    of = np.repeat(np.arange(12), 5)
    a, b = generator.normal(0.3, 1, 60), generator.normal(0, 1, 60)
    r, low, high = call("rank_biserial", a, b, of)
    left = [rank_biserial(a[of != g], b[of != g]) for g in range(12)]
    error = math.sqrt(11 / 12 * ((left - np.mean(left)) ** 2).sum()) / (1 - r * r)
    half = stats.t.ppf(0.975, 11) * error
    assert [low, high] == pytest.approx(list(np.tanh(np.arctanh(r) + np.array([-half, half]))))
    x, y = (a > 0).astype(float), (b > 0).astype(float)
    odds = [
        math.log((((y > x) & (of != g)).sum() + 0.5) / (((y < x) & (of != g)).sum() + 0.5))
        for g in range(12)
        if (x != y)[of == g].any()
    ]
    k = len(odds)
    half = stats.t.ppf(0.975, k - 1) * math.sqrt((k - 1) / k * ((odds - np.mean(odds)) ** 2).sum())
    ratio, low, high = call("discordant_odds", x, y, of)
    assert ratio == pytest.approx(((y > x).sum() + 0.5) / ((y < x).sum() + 0.5))
    assert [low, high] == pytest.approx([ratio * math.exp(-half), ratio * math.exp(half)])


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


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(0)", ""])
def test_what_a_killed_process_left_of_r_is_gone_after_the_next_start(tmp_path, end):
    """R removes the folder of its session only where it is ended itself."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    script = f"import os; from mtpeft.statistics import r_session; r_session.version(); {end}"
    subprocess.run([sys.executable, "-c", script], env=environment, check=False, timeout=120)
    assert all(p.name.startswith("mtpeft-r-") for p in tmp_path.iterdir())
    assert any(tmp_path.iterdir()) == bool(end)
    script = "from mtpeft.statistics import r_session; r_session.version()"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)
    assert not any(tmp_path.iterdir())

"""Adjusted p-values: R's against an implementation of our own, and what must hold of any
correction.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtpeft.statistics.r_session import call
from reference import adjust, benjamini_hochberg, holm

P = st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0])
FAMILY = st.lists(P | st.just(math.nan), min_size=1, max_size=16)


def adjusted(p):
    return call("adjust_family", p).reshape(2, -1)


@given(FAMILY)
def test_both_corrections_agree_with_our_own(p):
    got = adjusted(p)
    assert got[0] == pytest.approx(adjust(p, "holm"), nan_ok=True, abs=1e-12)
    assert got[1] == pytest.approx(adjust(p, "bh"), nan_ok=True, abs=1e-12)


@pytest.mark.parametrize(
    "p, by_holm, by_bh",
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06], [0.03, 0.04, 0.04]),
        ([0.5, math.nan, 0.02], [0.5, math.nan, 0.04], [0.5, math.nan, 0.04]),
        ([0.7], [0.7], [0.7]),
        ([math.nan], [math.nan], [math.nan]),
        ([0.02, 0.02], [0.04, 0.04], [0.02, 0.02]),
    ],
)
def test_corrections_by_hand(p, by_holm, by_bh):
    assert adjusted(p)[0] == pytest.approx(by_holm, nan_ok=True)
    assert adjusted(p)[1] == pytest.approx(by_bh, nan_ok=True)


@given(FAMILY)
def test_no_adjusted_value_is_smaller_than_its_p(p):
    for values in adjusted(p):
        there = ~np.isnan(p)
        assert (values[there] >= np.array(p)[there] - 1e-15).all() and (values[there] <= 1).all()


@given(FAMILY)
def test_the_order_of_p_values_is_kept(p):
    for values in adjusted(p):
        there = [(x, y) for x, y in zip(p, values, strict=True) if x == x]
        ordered = [y for _, y in sorted(there)]
        assert all(x <= y + 1e-15 for x, y in zip(ordered, ordered[1:], strict=False))


@given(FAMILY)
def test_holm_is_never_below_benjamini_hochberg(p):
    by_holm, by_bh = adjusted(p)
    there = ~np.isnan(p)
    assert (by_holm[there] >= by_bh[there] - 1e-15).all()


@given(FAMILY, st.randoms(use_true_random=False))
def test_the_order_of_the_family_does_not_matter(p, random):
    order = random.sample(range(len(p)), len(p))
    shuffled = adjusted([p[i] for i in order])
    assert np.array_equal(adjusted(p)[:, order], shuffled, equal_nan=True)


@given(FAMILY)
def test_missing_values_do_not_count(p):
    there = [x for x in p if x == x]
    if there:
        assert np.array_equal(adjusted(p)[:, ~np.isnan(p)], adjusted(there))


@pytest.mark.parametrize(
    "method, wanted",
    [
        ("holm", holm),
        ("BH", benjamini_hochberg),
        ("none", lambda p: p),
        ("bonferroni", lambda p: [min(1, len(p) * x) for x in p]),
    ],
)
def test_the_audit_names_corrections_as_they_are(method, wanted):
    p = [0.001, 0.02, 0.021, 0.3, 0.9]
    assert call("adjust_by", p, method=method) == pytest.approx(wanted(p))

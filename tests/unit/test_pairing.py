"""Pairing: by id, different problems never meet, whatever the order of rows; by position, they may,
as in the study.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mtpeft.catalog import Metric, Tool
from mtpeft.core.records import Column, ScoreSet, write_scores
from mtpeft.statistics.pairing import by_id, by_position, pair, unparseable

VALUES = st.floats(-5, 5, allow_nan=False) | st.just(float("nan"))


def column(rows):
    """rows: (id, status, value)."""
    ids, status, value = ([r[i] for r in rows] for i in range(3))
    return Column(
        np.array(ids, dtype=object),
        np.array(status, dtype=object),
        np.array(value, dtype="float64"),
    )


@st.composite
def sides(draw):
    """Two sides over overlapping ids, in orders of their own, some without a value or with another
    status than ok.
    """
    names = [f"i{k}" for k in range(draw(st.integers(1, 8)))]

    def side():
        chosen = draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
        return [
            (i, draw(st.sampled_from(["ok", "ok", "ok", "unparseable"])), draw(VALUES))
            for i in chosen
        ]

    return side(), side()


def expected(a, b):
    """The pairs that should be made, by brute force: id → (value of a, value of b)."""

    def usable(rows):
        return {i: v for i, s, v in rows if s == "ok" and v == v}

    left, right = usable(a), usable(b)
    return {i: (left[i], right[i]) for i in left.keys() & right.keys()}


@given(sides())
def test_by_id_equal_ids_meet_and_the_rest_is_named(both):
    a, b = both
    pairs, wanted = by_id(column(a), column(b)), expected(a, b)
    assert sorted(zip(pairs.a, pairs.b, strict=True)) == sorted(wanted.values())
    assert pairs.dropped == tuple(sorted(({i for i, *_ in a} | {i for i, *_ in b}) - wanted.keys()))
    assert (pairs.n_a, pairs.n_b) == (len(a), len(b))


@given(sides(), st.randoms(use_true_random=False))
def test_by_id_the_order_of_rows_does_not_matter(both, random):
    a, b = both
    shuffled = [random.sample(side, len(side)) for side in both]
    one, other = by_id(column(a), column(b)), by_id(*map(column, shuffled))
    assert sorted(zip(one.a, one.b, strict=True)) == sorted(zip(other.a, other.b, strict=True))
    assert one.dropped == other.dropped


@given(sides())
def test_by_id_swapping_sides_swaps_values(both):
    a, b = map(column, both)
    one, other = by_id(a, b), by_id(b, a)
    assert sorted(zip(one.a, one.b, strict=True)) == sorted(zip(other.b, other.a, strict=True))


@given(sides(), st.data())
def test_by_id_an_excluded_instance_is_out(both, data):
    a, b = both
    wanted = expected(a, b)
    assume(wanted)
    out = data.draw(st.sets(st.sampled_from(sorted(wanted)), min_size=1))
    pairs = by_id(column(a), column(b), out)
    assert len(pairs.a) == len(wanted) - len(out)
    assert out <= set(pairs.dropped)


def rows(*ids, value=float):
    return [(i, "ok", value(i)) for i in ids]


def test_by_position_row_order_matters():
    a = column(rows("1", "2", "3"))
    straight, turned = (
        by_position(a, column(rows("1", "2", "3"))),
        by_position(a, column(rows("3", "2", "1"))),
    )
    assert list(straight.b) == [1, 2, 3]
    assert list(turned.b) == [3, 2, 1]


def test_by_position_a_missing_row_shifts_all_that_follow():
    pairs = by_position(column(rows("1", "2", "3", "4")), column(rows("1", "3", "4")))
    assert list(zip(pairs.a, pairs.b, strict=True)) == [(1, 1), (2, 3), (3, 4)]
    assert pairs.dropped == ("4",)


def test_by_position_a_row_without_a_value_makes_no_pair():
    a = column([("1", "ok", 1.0), ("2", "unparseable", float("nan")), ("3", "ok", 3.0)])
    pairs = by_position(a, column(rows("1", "2", "3")))
    assert list(zip(pairs.a, pairs.b, strict=True)) == [(1, 1), (3, 3)]
    assert pairs.dropped == ("2",)
    assert (pairs.n_a, pairs.n_b) == (3, 3)


def test_nothing_in_common_is_no_pair():
    pairs = by_id(column(rows("1")), column(rows("2")))
    assert len(pairs.a) == len(pairs.b) == 0
    assert pairs.dropped == ("1", "2")


# ---------------------------------------------------------------- protocols and unparseable outputs

COUNT, SHARE = (Metric(name, name, "lower", [name], name, low=0) for name in ("count", "share"))
TOOL = Tool(
    "t",
    "T",
    "1",
    "m",
    ["code", "text"],
    [COUNT, SHARE],
    unparseable_when={"count": 0, "share": 0},
    unparseable_metrics=["count"],
)


@pytest.fixture
def scores():
    frame = pd.DataFrame(
        [
            ["a", 1, "1", "ok", 0.0, 0.0],
            ["a", 2, "2", "ok", 5.0, 0.0],
            ["a", 3, "3", "ok", 0.0, 0.5],
            ["b", 1, "2", "ok", 1.0, 0.1],
            ["b", 2, "1", "ok", 2.0, 0.1],
            ["b", 3, "3", "ok", 3.0, 0.1],
        ],
        columns=["run", "row", "instance_id", "status", "count", "share"],
    )
    return ScoreSet(Path("."), {("t", "task"): frame})


def test_an_output_is_unparseable_only_where_the_whole_rule_holds(scores):
    assert unparseable(scores, TOOL, COUNT, "a", "task") == {"1"}
    assert unparseable(scores, TOOL, COUNT, "b", "task") == set()


def test_a_metric_that_does_not_need_to_be_read_keeps_every_output(scores):
    assert unparseable(scores, TOOL, SHARE, "a", "task") == set()


def test_a_tool_without_a_rule_has_no_unparseable_output(scores):
    from dataclasses import replace

    assert unparseable(scores, replace(TOOL, unparseable_when={}), COUNT, "a", "task") == set()
    assert (
        unparseable(scores, replace(TOOL, unparseable_when={"absent": 0}), COUNT, "a", "task")
        == set()
    )


@pytest.mark.parametrize(
    "protocol, published, pairs, dropped",
    [
        ("as-published", "position", [(0, 1), (5, 2), (0, 3)], ()),
        ("as-published", "id", [(0, 2), (5, 1), (0, 3)], ()),
        ("corrected", "position", [(5, 1), (0, 3)], ("1",)),
    ],
)
def test_protocols_differ_in_pairing_and_unparseable_outputs_alone(
    scores, protocol, published, pairs, dropped
):
    made = pair(scores, TOOL, COUNT, "task", "a", "b", protocol, published)
    assert list(zip(made.a, made.b, strict=True)) == pairs
    assert made.dropped == dropped


# ---------------------------------------------------------------- one status for each value


def outputs(folder, metrics, rows):
    """rows: run, instance, status, values."""
    counts = {}
    table = [
        [run, counts.setdefault(run, []).append(0) or len(counts[run]), name, status, *values]
        for run, name, status, *values in rows
    ]
    write_scores(
        folder,
        "t",
        "task",
        pd.DataFrame(table, columns=["run", "row", "instance_id", "status", *metrics]),
    )
    return ScoreSet.load(folder)


def test_a_rate_of_zero_stays_in_though_the_counts_of_the_same_output_have_no_value(tmp_path):
    # Three of a's six outputs hold no function: the rate is 0 there, the count does not exist.
    scores = outputs(
        tmp_path,
        ["count", "share"],
        [
            *(
                (
                    "a",
                    f"i{k}",
                    "unparseable" if k < 3 else "ok",
                    math.nan if k < 3 else 2,
                    float(k >= 3),
                )
                for k in range(6)
            ),
            *(("b", f"i{k}", "ok", 2, 1.0) for k in range(6)),
        ],
    )
    rate, count = (
        pair(scores, TOOL, metric, "task", "a", "b", "corrected", "id") for metric in (SHARE, COUNT)
    )
    assert (len(rate.a), rate.a.mean(), rate.b.mean(), rate.dropped) == (6, 0.5, 1.0, ())
    assert (len(count.a), count.dropped) == (3, ("i0", "i1", "i2"))


def test_a_metric_that_cannot_run_here_takes_no_other_along(tmp_path):
    scores = outputs(
        tmp_path,
        ["count", "share"],
        [(run, f"i{k}", "cannot run here", k, math.nan) for run in "ab" for k in range(8)],
    )
    assert [
        len(pair(scores, TOOL, metric, "task", "a", "b", "corrected", "id").a)
        for metric in (COUNT, SHARE)
    ] == [8, 0]

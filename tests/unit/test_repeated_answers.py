"""Studies that ask several times, leave values out, round what they print: each word of a
comparison against values worked out by hand or by R itself.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mtpeft.audit.readings import Bench, Reading, Side, repetitions
from mtpeft.audit.repeated import carried
from mtpeft.audit.search import Search
from mtpeft.catalog import Block, Comparison, catalog
from mtpeft.catalog.index import Catalog
from mtpeft.catalog.places import how_to_import, present
from mtpeft.catalog.schema import Evaluation, Metric, Output, Run, Study, Task, Tool
from mtpeft.core.records import Column, PublishedCell, ScoreSet
from mtpeft.statistics import r_session
from mtpeft.statistics.compare import run_comparison
from mtpeft.statistics.pairing import by_id, by_rule
from mtpeft.statistics.printed import cohens_g, magnitude_of_g, of_p, render, same

NAN = math.nan


def column(*values: float) -> Column:
    there = ~np.isnan(values)
    ids = np.array([f"p{i // 2}#{i % 2}" for i in range(len(values))])
    return Column(ids, np.where(there, "ok", "unparseable"), np.array(values, dtype="float64"))


# ---------------------------------------------------------------- the test as R decides it


def p_value(a: list[float], b: list[float], exactness: str) -> float:
    return float(r_session.call("signed_rank", a, b, published=True, exactness=exactness)[1])


def test_below_fifty_pairs_without_ties_r_counts_the_signs():
    # All six differences positive and distinct: two of 2^6 sign patterns are as extreme.
    a, b = [1.0, 2.1, 3.3, 4.6, 6.0, 7.5], [0.0] * 6
    assert p_value(a, b, "r-default") == pytest.approx(2 / 64)
    assert p_value(a, b, "normal") != pytest.approx(2 / 64)


def test_with_ties_r_approximates_with_continuity_correction():
    # Differences 1, 1, 1, -1: V = 7.5, mean 5, variance 4*5*9/24 - (4^3-4)/48 = 6.25.
    z = (7.5 - 5 - 0.5) / math.sqrt(6.25)
    expected = math.erfc(z / math.sqrt(2))
    a, b = [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]
    assert p_value(a, b, "r-default") == pytest.approx(expected)
    assert p_value(a, b, "normal") == pytest.approx(math.erfc(1 / math.sqrt(2)))


def test_no_difference_at_all_has_no_p_value():
    assert math.isnan(p_value([1.0, 2.0], [1.0, 2.0], "r-default"))


# ---------------------------------------------------------------- missing values


def test_a_missing_value_leaves_out_its_pair_and_by_rule_only_its_own_side_of_the_effect():
    a, b = column(1, NAN, 3, 4), column(5, 6, NAN, 8)
    dropped = by_rule(a, b, "drop", by_id)
    own = by_rule(a, b, "own", by_id)
    zero = by_rule(a, b, "zero", by_id)
    assert (list(dropped.a), list(dropped.b)) == ([1, 4], [5, 8])
    assert (list(own.a), list(own.b)) == ([1, 4], [5, 8])
    assert [list(side) for side in own.sides] == [[1, 3, 4], [5, 6, 8]]
    assert [list(side) for side in dropped.sides] == [[1, 4], [5, 8]]
    assert (list(zero.a), list(zero.b)) == ([1, 0, 3, 4], [5, 6, 0, 8])


# ---------------------------------------------------------------- printed values


def cell(
    quantity: str, printed: str, variant: str = "rounded-4", block: str = "x"
) -> PublishedCell:
    return PublishedCell(
        f"c:{block}:{quantity}", "f.csv", 2, variant, "c", block, "m", quantity, "bh", printed
    )


@pytest.mark.parametrize(
    ("value", "printed", "decimals", "equal"),
    [
        (0.00204, "0.002", 4, True),  # as fixed decimals, 0.0024 would pass too
        (0.0024, "0.002", 4, False),
        (0.00012, "1e-04", 4, True),
        (0.00004, "0", 4, True),
        (0.00006, "0", 4, False),
        (34.998, "35", 2, True),
        (34.99, "35", 2, False),
    ],
)
def test_rounded_values_print_without_their_zeros(value, printed, decimals, equal):
    assert same(value, printed, decimals) is equal


def test_a_rounded_value_is_shown_as_it_would_be_printed():
    assert [render(v, "1", 4) for v in (0.00204, 35.0, -0.00001)] == ["0.002", "35", "0"]


def test_yes_and_no_are_the_same_in_other_words():
    assert same("Yes", "TRUE") and same("No", "FALSE") and not same("Yes", "FALSE")
    assert render("No", "TRUE") == "FALSE" and render("No", "Yes") == "No"


def test_an_output_of_rounded_values_judges_the_rounded_p():
    assert of_p(cell("significant", "FALSE"), 0.04996) == "No"
    assert of_p(cell("significant", "No", "BH-CLEAN"), 0.04996) == "Yes"


def test_cohens_g_is_the_larger_share_of_discordant_pairs_less_a_half(known_test):
    assert cohens_g(replace(known_test, a_only=53.0, b_only=88.0)) == pytest.approx(88 / 141 - 0.5)
    assert math.isnan(cohens_g(replace(known_test, a_only=0.0, b_only=0.0)))
    names = [magnitude_of_g(g) for g in (0.049, 0.05, 0.15, 0.25)]
    assert names == ["very small", "small", "medium", "large"]


@pytest.fixture
def known_test():
    known, scores, comparison = study([[1, 1, 0, 0]] * 3, [[1, 0, 0, 0]] * 3)
    return run_comparison(scores, comparison, known, "as-published")[0]


# ---------------------------------------------------------------- repetitions


def study(
    first: list[list[float]], second: list[list[float]], test: str = "wilcoxon"
) -> tuple[Catalog, ScoreSet, Comparison]:
    """A catalog with one comparison of two runs; scores[problem][repetition]."""
    number = len(first[0])
    one = Evaluation("s", "S", "x", number * len(first), repetitions=number)
    tool = Tool("t", "T", "1", "none", [], [Metric("m", "M", "lower", ["m"], "m")])
    blocks = [Block("x", "r1", "" if test == "summary" else "r2")]
    comparison = Comparison(
        "c", "y", "RQ1", "C", test, "s", "id", "comparison", "bh", "A", "B", blocks, ["m"],
        [Output("f.csv", "rounded-4", "bh")], "r-default", "own",
    )  # fmt: skip
    known = Catalog(
        studies={"y": Study("y", None, tools=["t"], tasks=["k"])},
        tasks={"k": Task("k", "K", "K", "none", "code", [one])},
        runs={r: Run(r, "y", "b", "m", "untuned", ["k"]) for r in ("r1", "r2")},
        tools={"t": tool},
        comparisons={"c": comparison},
    )
    rows = [
        (run, f"p{p}#{i}", value)
        for run, scores in (("r1", first), ("r2", second))
        for p, values in enumerate(scores)
        for i, value in enumerate(values)
    ]
    frame = pd.DataFrame(rows, columns=["run", "instance_id", "m"])
    frame.insert(1, "row", frame.groupby("run").cumcount() + 1)
    frame.insert(3, "status", np.where(frame["m"].isna(), "unparseable", "ok"))
    return known, ScoreSet(None, {("t", "s"): frame}), comparison


def test_the_number_behind_the_last_sign_says_which_repetition_it_is():
    ids = np.array(["a#b#0", "a#b#10"])
    assert list(repetitions(Column(ids, ids, np.zeros(2)))) == [0, 10]


def printed_of(reading: Reading, bench: Bench) -> list[PublishedCell]:
    found = bench.test("wilcoxon", reading)
    return [cell("cliffs_delta", f"{found.cliffs_delta:.4f}"), cell("p_adjusted", f"{found.p:.4f}")]


@pytest.mark.parametrize(
    ("first", "missing", "kind"),
    [
        (3, "own", "other repetitions"),
        (0, "zero", "missing values"),
        (3, "zero", "other repetitions, missing values"),
    ],
)
def test_the_search_finds_which_repetitions_were_read_and_what_missing_values_became(
    first, missing, kind
):
    random = np.random.default_rng(5)
    one, other = random.normal(0, 1, (40, 6)), random.normal(0.4, 1, (40, 6))
    one[::5, 0], other[1::5, 1] = NAN, NAN
    known, scores, comparison = study(one.tolist(), other.tolist())
    bench = Bench(scores, known)
    side = [Side(run, "s", "m") for run in ("r1", "r2")]
    made = Reading(*side, "id", exactness="r-default", missing=missing, first=first)
    (cause,) = Search(comparison, printed_of(made, bench), bench).run()
    assert cause.kind == kind
    assert "cliffs_delta" in {c.quantity for c in cause.blamed}
    assert (f"first {first} of 6" in cause.text) is bool(first)


def test_values_that_no_reading_gives_stay_unexplained():
    random = np.random.default_rng(5)
    known, scores, comparison = study(random.normal(0, 1, (40, 6)), random.normal(0, 1, (40, 6)))
    cells = [cell("cliffs_delta", "0.4711"), cell("p_adjusted", "0.0471")]
    (cause,) = Search(comparison, cells, Bench(scores, known)).run()
    assert cause.kind == "unexplained"


def test_a_pass_after_a_failure_shows_that_failures_were_not_carried_forward():
    assert carried(column(1, 0, 0, 0, 1, 1)).rises == 0
    assert carried(column(1, 0, 0, 1, 1, 1)).rises == 1
    assert carried(column(0.5, 0)) is None


def test_what_followed_the_first_failure_is_open():
    # p0 passes, fails; p1 fails, open; p2 passes twice.
    found = carried(column(1, 0, 0, 0, 1, 1))
    assert (found.falls, found.low, found.high) == (1, 3, 4)


def summary_cells(total: int, number: int, rate: str) -> list[PublishedCell]:
    shown = (("sum_a", str(total)), ("n_pairs", str(number)), ("rate_a", rate))
    return [cell(quantity, printed, "rounded-2") for quantity, printed in shown]


CARRIED = [[1.0, 1.0, 0.0, 0.0]] * 8 + [[1.0] * 4] * 2  # 24 of 40 pass, up to 32


@pytest.mark.parametrize(
    ("scores", "cells", "kind"),
    [
        (CARRIED, summary_cells(30, 40, "75"), "failures carried forward"),
        (CARRIED, summary_cells(30, 39, "76.92"), "failures carried forward"),
        (CARRIED, summary_cells(23, 40, "57.5"), "unexplained"),  # fewer than the table holds
        (CARRIED, summary_cells(33, 40, "82.5"), "unexplained"),  # more than it leaves open
        (CARRIED, summary_cells(30, 40, "74"), "unexplained"),  # a share of something else
        (CARRIED[:3] + CARRIED[-2:], summary_cells(16, 20, "80"), "unexplained"),  # 3 falls: chance
        (
            [[0.0, 1.0, 0.0, 0.0], *CARRIED[1:]],
            summary_cells(30, 40, "75"),
            "unexplained",
        ),  # a rise
    ],
)
def test_sums_beside_carried_failures_are_explained_within_bounds_only(scores, cells, kind):
    known, table, comparison = study(scores, scores, "summary")
    (cause,) = Search(comparison, cells, Bench(table, known)).run()
    assert cause.kind == kind and cause.bounds is (kind != "unexplained")


def test_a_summary_counts_and_needs_no_side_b():
    known, scores, comparison = study([[1, 0, NAN, 1]], [[1, 1, 1, 1]], "summary")
    (test,) = run_comparison(scores, comparison, known, "as-published")
    assert (test.n_a, test.n_pairs, test.dropped_ids) == (4, 3, "p0#2")
    assert test.mean_a == pytest.approx(2 / 3) and math.isnan(test.p) and test.run_b == ""


# ---------------------------------------------------------------- imported on demand


def test_a_study_that_is_not_imported_has_no_part_in_any_result_and_says_how_to_import_it(
    monkeypatch, tmp_path
):
    monkeypatch.setattr("mtpeft.core.paths.REGENERATED", tmp_path)
    known = catalog()
    waiting = {s.id for s in known.studies.values() if s.on_demand}
    assert waiting
    seen = present(known)
    for kind in ("comparisons", "tables", "figures", "claims"):
        assert waiting.isdisjoint(item.study for item in getattr(seen, kind).values())
        assert (
            any(item.study in waiting for item in getattr(known, kind).values())
            or kind == "figures"
        )
    assert how_to_import(known) == [
        f"{name}: not imported: mtpeft archive import {name}" for name in sorted(waiting)
    ]

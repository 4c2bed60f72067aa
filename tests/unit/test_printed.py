"""Comparing at printed precision: what would print as printed is equal, the neighbouring printable
value is not.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtpeft.core.records import PublishedCell, Test
from mtpeft.statistics.printed import (
    adjusted,
    cohens_g,
    conclusion_changes,
    magnitude,
    magnitude_of_g,
    of_p,
    precision,
    render,
    resolution,
    same,
    significant,
    style_of,
    turned,
    value_for,
)

NAN = math.nan


def cell(
    quantity="cliffs_delta",
    variant="CLEAN",
    source="rq1_wilcoxon.txt",
    adjustment="holm",
    printed="0",
):
    return PublishedCell("c", source, 1, variant, "x", "3b", "m", quantity, adjustment, printed)


def record(**values):
    blank = {
        name: NAN if kind is float else "" if kind is str else 0
        for name, kind in Test.__annotations__.items()
    }
    return Test(**blank | values)


# ---------------------------------------------------------------- fixed decimals


@given(st.floats(-2, 2))
def test_a_value_is_equal_to_its_own_print(value):
    assert same(value, f"{value:.4f}")


@given(st.floats(-2, 2), st.sampled_from([-1, 1]))
def test_a_value_differs_from_the_neighbouring_print(value, step):
    assert not same(value, f"{float(f'{value:.4f}') + step * 2e-4:.4f}")


@pytest.mark.parametrize(
    "value, printed, equal",
    [
        (0.12344, "0.1234", True),
        (0.12346, "0.1234", False),
        (0.12345, "0.1234", True),
        (0.12345, "0.1235", True),
        (-0.00004, "-0.0000", True),
        (0.00004, "0.0000", True),
        (0.00006, "0.0000", False),
        (1e-30, "0.0000", True),
        (0.99996, "1.0000", True),
        (0.9999, "1.0000", False),
        (12, "12", True),
        (12.4, "12", True),
        (13, "12", False),
        (0.0455002, "0.045500", True),
        (0.0455006, "0.045500", False),
    ],
)
def test_fixed_decimals_at_the_boundary(value, printed, equal):
    assert same(value, printed) is equal


# ---------------------------------------------------------------- seven significant digits


@given(st.floats(1e-12, 1e3))
def test_seven_digits_are_equal_to_their_own_print(value):
    assert same(value, f"{value:.7g}", "seven")
    assert same(-value, f"-{value:.6e}", "seven")


@given(st.floats(1e-12, 1e3))
def test_the_seventh_digit_counts(value):
    assert not same(value * (1 + 3e-6), f"{value:.6e}", "seven")


@pytest.mark.parametrize(
    "value, printed, equal",
    [
        # R drops trailing zeros: 0.0886 stands for 0.08860000.
        (0.0886, "0.0886", True),
        (0.08860004, "0.0886", False),
        (0.088600004, "0.0886", True),
        (0.08861, "0.0886", False),
        (1.0, "1", True),
        (0.9999, "1", False),
        (1.4, "1", False),
        (-1, "-1", True),
        # In a vector, the element that needs most decimals sets them for all.
        (0.08480974, "0.08480974", True),
        (0.08480975, "0.08480974", False),
        (3e-9, "0.00000000", True),
        (3e-8, "0.00000000", False),
        (6.362119e-04, "6.362119e-04", True),
        (6.362114e-04, "6.362119e-04", False),
        (2.739156e-49, "2.739156e-49", True),
        (2.317747e-49, "2.739156e-49", False),
        (1.0, "1.000000e+00", True),
        (1.00001, "1.000000e+00", False),
        (-1.726842e-19, "-1.726842e-19", True),
        (1e-05, "1e-05", True),
        (1.4e-05, "1e-05", False),
    ],
)
def test_seven_digits_at_the_boundary(value, printed, equal):
    assert same(value, printed, "seven") is equal


@pytest.mark.parametrize(
    "value, equal",
    [(0.0, True), (-0.0, True), (1e-17, True), (0.3, False), (-1e-6, False), (1e-9, False)],
)
def test_a_lone_zero_in_r_is_zero_and_nothing_else(value, equal):
    assert same(value, "0", "seven") is equal


# ---------------------------------------------------------------- missing values and labels


@pytest.mark.parametrize("seven", ["fixed", "seven", 4])
@pytest.mark.parametrize(
    "value, printed, equal",
    [
        (NAN, "NA", True),
        (NAN, "NaN", True),
        (NAN, "0.0000", False),
        (0.0, "NA", False),
        (1.0, "NaN", False),
        ("Yes", "Yes", True),
        ("Yes", "No", False),
        ("NA", "NA", True),
    ],
)
def test_missing_is_equal_to_missing_alone(value, printed, equal, seven):
    assert same(value, printed, seven) is equal


@pytest.mark.parametrize(
    "p, label", [(0.05, "No"), (0.0499999, "Yes"), (0.0, "Yes"), (1.0, "No"), (NAN, "NA")]
)
def test_significance_begins_below_the_threshold(p, label):
    assert significant(p) == label


@pytest.mark.parametrize(
    "delta, label",
    [
        (0, "negligible"),
        (0.1469, "negligible"),
        (-0.147, "small"),
        (0.33, "medium"),
        (-0.4739, "medium"),
        (0.474, "large"),
        (-1, "large"),
        (NAN, ""),
    ],
)
def test_magnitudes_have_the_published_thresholds(delta, label):
    assert magnitude(delta) == label


# ---------------------------------------------------------------- which value belongs to a cell


def test_every_quantity_finds_its_value():
    test = record(
        p=0.01,
        p_holm=0.02,
        p_bh=0.06,
        cliffs_delta=0.2,
        cliffs_delta_low=0.1,
        cliffs_delta_high=0.3,
        odds_ratio=2.0,
        a_only=3.0,
        b_only=4.0,
        both_pass=5.0,
        both_fail=6.0,
    )
    wanted = {
        "p": 0.01,
        "p_adjusted": 0.02,
        "significant": "Yes",
        "cliffs_delta": 0.2,
        "magnitude": "small",
        "ci_low": 0.1,
        "ci_high": 0.3,
        "odds_ratio": 2.0,
        "a_only": 3.0,
        "b_only": 4.0,
        "both_pass": 5.0,
        "both_fail": 6.0,
    }
    assert {q: value_for(cell(q), test) for q in wanted} == wanted
    assert value_for(cell("p_adjusted", adjustment="bh"), test) == adjusted(test, "bh") == 0.06
    assert value_for(cell("significant", adjustment="bh"), test) == "No"


def test_every_published_quantity_is_known(published):
    test = record()
    quantities = {c.quantity for c in published if c.metric}
    assert len(quantities) == 12
    for quantity in quantities:
        value_for(cell(quantity), test)


@pytest.mark.parametrize(
    "variant, source, seven",
    [
        ("RAW", "rq1_wilcoxon_RAW.txt", True),
        ("holm-RAW", "rq1_wilcoxon_RAW.txt", True),
        ("CLEAN", "rq1_wilcoxon_CLEAN.txt", False),
        ("RAW", "rq1_mcnemar_RAW.txt", False),
    ],
)
def test_the_style_of_printing_follows_the_output(variant, source, seven):
    assert (style_of(cell(variant=variant, source=source)) == "seven") is seven


@pytest.mark.parametrize(
    "value, printed, seven, text",
    [
        (0.123456789, "0.9999", "fixed", "0.1235"),
        (0.123456789, "0.5", "seven", "0.1234568"),
        (NAN, "0.5", "fixed", "NA"),
        ("Yes", "No", "fixed", "Yes"),
        (0.25, "NA", "fixed", "0.2500"),
        (12.0, "11", "fixed", "12"),
    ],
)
def test_a_value_is_shown_as_the_printed_one(value, printed, seven, text):
    assert render(value, printed, seven) == text


@pytest.mark.parametrize("printed", ["0.1234", "1e-05", "-2.5", "100"])
def test_half_a_step_separates_neighbours(printed):
    step = resolution(printed, "fixed")
    assert same(float(printed) + 0.99 * step, printed) and not same(
        float(printed) + 1.01 * step, printed
    )


@pytest.mark.parametrize(
    "a_only, b_only, g, word",
    [
        (0.0, 0.0, NAN, ""),
        (5.0, 5.0, 0.0, "very small"),
        (11.0, 9.0, 0.05, "small"),
        (7.0, 13.0, 0.15, "medium"),
        (3.0, 1.0, 0.25, "large"),
        (0.0, 4.0, 0.5, "large"),
    ],
)
def test_cohens_g_is_the_larger_share_of_discordant_pairs_over_a_half(a_only, b_only, g, word):
    test = record(a_only=a_only, b_only=b_only)
    assert cohens_g(test) == pytest.approx(g, nan_ok=True)
    assert magnitude_of_g(round(cohens_g(test), 9)) == word
    assert value_for(cell("cohens_g"), test) == pytest.approx(g, nan_ok=True)
    if word:
        assert value_for(cell("magnitude"), test) == magnitude_of_g(cohens_g(test))


def test_rates_are_in_percent_and_a_sum_is_that_of_the_pairs():
    test = record(mean_a=0.25, mean_b=0.5, n_pairs=8)
    wanted = {"rate_a": 25.0, "rate_b": 50.0, "sum_a": 2.0}
    assert {q: value_for(cell(q), test) for q in wanted} == wanted


@pytest.mark.parametrize(
    "printed, p, quantity, changes",
    [
        ("Yes", 0.04, "significant", "no"),
        ("Yes", 0.05, "significant", "yes"),
        ("No", 0.05, "significant", "no"),
        ("No", 0.04, "significant", "yes"),
        ("TRUE", 0.04, "significant", "no"),
        ("FALSE", 0.04, "significant", "yes"),
        ("NA", 0.04, "significant", ""),
        ("Yes", NAN, "significant", ""),
        ("Yes", 0.2, "magnitude", ""),
    ],
)
def test_a_conclusion_changes_where_yes_becomes_no(printed, p, quantity, changes):
    test = record(p_holm=p)
    assert conclusion_changes(cell(quantity, printed=printed), test) == changes
    assert conclusion_changes(cell(quantity, printed=printed), None) == ""


def test_a_place_turns_where_its_readings_part_and_all_have_a_p_value():
    def readings(metric, *values):
        return [record(comparison="c", block="b", metric=metric, p_bh=p) for p in values]

    tests = [
        *readings("turns", 0.04, 0.06),
        *readings("stays", 0.04, 0.01, 0.049),
        *readings("lacks", 0.04, NAN),
        *readings("alone", 0.04),
    ]
    assert turned(tests, {"c": "bh"}) == (4, {("c", "b", "turns"): [0.04, 0.06]})


@pytest.mark.parametrize(
    "value, printed, style, text",
    [
        (0.12345, "0.12", 2, "0.12"),
        (0.5, "0.5", 4, "0.5"),
        (-0.00001, "0", 4, "0"),
        (100.0, "100", 2, "100"),
        ("Yes", "TRUE", 4, "TRUE"),
        ("No", "FALSE", "fixed", "FALSE"),
    ],
)
def test_a_rounded_value_is_shown_without_zeros_at_its_end(value, printed, style, text):
    assert render(value, printed, style) == text


def test_a_rounded_output_judges_the_rounded_p():
    rounded, exact = cell("significant", "rounded-2"), cell("significant")
    test = record(p_holm=0.0451)
    assert (of_p(rounded, 0.0451), of_p(exact, 0.0451)) == ("No", "Yes")
    assert value_for(rounded, test) == "No" and of_p(rounded, NAN) == "NA"
    assert of_p(cell("p_adjusted", "rounded-2"), 0.0451) == 0.0451
    assert (style_of(rounded), precision(rounded)) == (2, "2 decimals")
    assert precision(cell(variant="RAW", source="wilcoxon.txt")) == "seven significant digits"
    assert precision(cell()) == "printed decimals"
    assert resolution("0.1", 2) == pytest.approx(0.005)
    assert same(0.1049, "0.1", 2) and not same(0.1051, "0.1", 2)

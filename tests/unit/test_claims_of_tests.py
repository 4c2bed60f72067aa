"""Rules that judge claims about tests, on records made up by hand."""

import math
from dataclasses import replace

import pytest
from mtpeft.catalog import Claim, catalog
from mtpeft.core.records import PublishedCell, Test
from mtpeft.verification.claims import RULES, Evidence
from mtpeft.verification.claims.changes import BY_CELLS, ELSEWHERE

NAN = math.nan
KNOWN = catalog()
NAME = "rq1-generation-java"
METRICS = KNOWN.comparisons[NAME].metrics
LOC = "lizard_loc"


def made(block="0.5b", metric=LOC, a=100.0, b=110.0, **changes):
    """A test of the comparison, as published unless said otherwise."""
    blank = {
        name: NAN if kind is float else "" if kind is str else 0
        for name, kind in Test.__annotations__.items()
    }
    said = {"comparison": NAME, "block": block, "metric": metric, "protocol": "as-published"}
    values = {"mean_a": a, "mean_b": b, "n_pairs": 20, "p": 0.5, "p_holm": 0.5, "p_bh": 0.5}
    return Test(**blank | said | values | changes)


def judged(kind, tests, cells=(), causes=None, **options):
    """The verdict of one rule."""
    claim = Claim("X1", "multitask-qlora", "said", "there", kind, options)
    return RULES[kind](claim, Evidence(tests, list(cells), KNOWN, causes=causes or {}))


def moved(percent, tests):
    place = {"comparison": NAME, "block": "0.5b", "metric": LOC}
    return judged("relative_change", tests, percent=percent, **place)


def test_a_change_is_relative_to_side_a_at_printed_decimals():
    tests = [made(), made(protocol="corrected", b=120.0)]
    found = moved("10.0", tests)
    assert (found.verdict, found.regenerated, found.corrected) == ("exact", "+10.0 %", "+20.0 %")
    assert found.published == "+10.0 %"
    assert moved("10.04", tests).verdict == "differs"
    assert moved("10", tests).regenerated == "+10 %"
    assert moved("-10", tests).verdict == "differs"


@pytest.mark.parametrize("tests", [[], [made(a=0.0)], [made(a=NAN)]])
def test_a_change_from_nothing_is_not_reproducible(tests):
    assert moved("10.0", tests).verdict == "not reproducible"


def test_a_figure_of_another_place_of_the_metric_is_a_cause_where_chance_is_none():
    # Twenty other figures far from 37.21 make a hit by accident rare.
    far = [made(block="1.5b", metric=m, b=500.0 + i) for i, m in enumerate(METRICS[4:])]
    other = made(comparison="rq1-generation-python", a=200.0, b=274.42)
    found = moved("37.21", [made(), other, *far])
    assert found.verdict == "differs" and found.cause == ELSEWHERE
    assert "rq1-generation-python 0.5b lizard_loc (relative)" in found.reason
    assert "1 of 2 places that may be meant" in found.reason
    # The same figure under another metric is none.
    stranger = replace(other, metric="pmd_codestyle")
    found = moved("37.21", [made(), stranger, *far])
    assert (found.cause, found.reason[-29:]) == ("", "nowhere where it may be meant")
    # Nor one of the corrected protocol.
    corrected = replace(other, protocol="corrected")
    assert moved("37.21", [made(), corrected, *far]).cause == ""


@pytest.mark.parametrize("metric, b, points", [("pass@1", 0.2721, "27.21"), (LOC, 127.21, "27.21")])
def test_a_change_in_points_is_in_percent_where_the_metric_is(metric, b, points):
    a = 0.0 if metric == "pass@1" else 100.0
    other = made(comparison="rq1-pass1", block="java-0.5b", metric=metric, a=a, b=b)
    place = {"comparison": NAME, "block": "0.5b", "metric": metric}
    found = judged("relative_change", [made(metric=metric), other], percent=points, **place)
    assert f"{metric} (in points)" in found.reason


def largest(percent, tests, **options):
    named = {"comparisons": [NAME], "blocks": ["0.5b"], "metrics": METRICS[:2]}
    return judged("largest_change", tests, percent=percent, **named | options)


def test_the_largest_change_is_over_all_named_places_and_none_may_be_absent():
    tests = [made(metric=METRICS[0]), made(metric=METRICS[1], b=130.0)]
    tests += [made(metric=METRICS[2], b=300.0), made("1.5b", METRICS[0], b=300.0)]
    found = largest("30.0", tests)
    assert found.verdict == "exact"
    assert found.regenerated == f"+30.0 % ({NAME} 0.5b {METRICS[1]})"
    assert largest("30.00", tests).regenerated.startswith("+30.00 % ")
    assert largest("30", tests).regenerated.startswith("+30 % ")
    assert largest("10.0", tests).verdict == "differs"
    absent = largest("10.0", tests[:1])
    assert absent.verdict == "not reproducible" and "1 of 2 tests" in absent.reason
    assert f"absent: {NAME} 0.5b {METRICS[1]}" in absent.reason
    nothing = largest("10.0", tests, comparisons=["no-such"])
    assert nothing.verdict == "not reproducible" and "no comparison" in nothing.reason
    many = largest("10.0", tests[:1], blocks=None, metrics=None)
    assert many.reason.endswith(f"and {3 * len(METRICS) - 4} more")


def none(tests, **options):
    named = {"comparisons": [NAME], "blocks": ["0.5b"], "adjustment": "holm"}
    return judged("none_significant", tests, **named | options)


def test_none_is_significant_only_where_every_test_is_there():
    every = [made(metric=m) for m in METRICS]
    assert none(every).verdict == "exact"
    assert none(every[1:]).verdict == "not reproducible"
    assert none([replace(every[0], note="no pairs"), *every[1:]]).verdict == "not reproducible"
    assert none([replace(every[0], n_pairs=0), *every[1:]]).verdict == "not reproducible"
    unadjusted = replace(every[0], p_holm=NAN)
    assert none([unadjusted, *every[1:]]).verdict == "not reproducible"
    assert none([replace(unadjusted, p=NAN), *every[1:]]).verdict == "exact"  # no difference
    found = none([replace(every[0], p_holm=0.049), *every[1:]])
    assert found.verdict == "differs"
    assert found.regenerated == f"1 significant: {NAME} 0.5b {METRICS[0]}"
    assert none([replace(every[0], p_holm=0.05), *every[1:]]).verdict == "exact"
    assert none([replace(every[0], p_bh=0.01), *every[1:]]).verdict == "exact"
    other = made("1.5b", METRICS[0], p_holm=0.01)
    assert none([*every, other]).verdict == "exact"
    corrected = replace(every[0], protocol="corrected", p_holm=0.01)
    assert none([*every, corrected]).corrected.startswith("1 significant")


def cell(metric, printed, **changes):
    values = {
        "id": f"{metric}:{printed}",
        "source": "x.txt",
        "line": 1,
        "variant": "CLEAN",
        "comparison": NAME,
        "block": "0.5b",
        "metric": metric,
        "quantity": "significant",
        "adjustment": KNOWN.comparisons[NAME].adjustment,
        "printed": printed,
    }
    return PublishedCell(**values | changes)


def test_significant_results_are_counted_cell_by_cell():
    adjustment = KNOWN.comparisons[NAME].adjustment
    column = {"holm": "p_holm", "bh": "p_bh"}[adjustment]

    def p(*values):
        return [made(metric=m, **{column: v}) for m, v in zip(METRICS, values, strict=False)]

    cells = [cell(METRICS[0], "Yes"), cell(METRICS[1], "No"), cell(METRICS[2], "NA")]
    question = {"question": KNOWN.comparisons[NAME].question}
    found = judged("count_significant", p(0.01, 0.2, NAN), cells, **question)
    assert (found.verdict, found.published) == ("exact", "1 of 2 significant")
    assert found.regenerated == "1 of 2"
    lost = judged("count_significant", p(0.01), cells, **question)
    assert lost.verdict == "not reproducible" and "only 1 of 2" in lost.reason
    turned = judged("count_significant", p(0.01, 0.02, NAN), cells, **question)
    assert turned.verdict == "differs" and turned.cause == ""
    assert (
        f"1 printed significance labels flip, 1 without a cause ({METRICS[1]}:No)" in turned.reason
    )
    why = {f"{METRICS[1]}:No": "a cause"}
    explained = judged("count_significant", p(0.01, 0.02, NAN), cells, why, **question)
    assert explained.cause == BY_CELLS
    other = [cell(METRICS[0], "Yes", adjustment="none"), cell(METRICS[1], "Yes", quantity="p")]
    nothing = judged("count_significant", p(0.01, 0.02), other, **question)
    assert nothing.verdict == "not reproducible" and "0 of 0" in nothing.reason

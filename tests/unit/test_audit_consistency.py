"""Values whose inputs are not archived: each check passes on values printed from scores, and fails
on a planted slip.
"""

from dataclasses import replace

import pytest
from mtpeft.audit.consistency import TWIN, check_printed
from mtpeft.core.records import ScoreSet
from synthetic_study import Crime, printed


@pytest.fixture(scope="module")
def nothing(scores):
    """No archived scores at all."""
    return ScoreSet(scores.root, {})


@pytest.fixture(scope="module")
def complete(study, scores):
    """Scores without missing rows, so that effects are whole multiples of 1/n²."""
    whole = {
        key: frame[~frame["run"].isin(["b1/mt-q", "b2/mt-q", "b2/mt-f"])]
        for key, frame in scores.tables.items()
    }
    blocks = [
        replace(b, b="b3/mt-q" if b.id != "3" else "b3/mt-f")
        for b in study.comparisons["effects"].blocks
    ]
    comparison = replace(study.comparisons["effects"], blocks=blocks)
    return comparison, printed(comparison, ScoreSet(scores.root, whole), study)


def odd(checks, *names):
    return [
        (c.block, c.metric, c.check)
        for c in checks
        if c.result != "consistent" and (not names or c.check in names)
    ]


def edited(cells, **edits):
    """cells with printed values replaced: edits by the cell's id, colons written as two
    underscores.
    """
    by_id = {name.replace("__", ":"): text for name, text in edits.items()}
    assert by_id.keys() <= {c.id for c in cells}
    return [replace(c, printed=by_id.get(c.id, c.printed)) for c in cells]


def test_values_printed_from_scores_are_consistent(complete, nothing, study):
    comparison, cells = complete
    checks = list(check_printed(comparison, cells, nothing, study))
    assert odd(checks) == []
    assert {c.check for c in checks} >= {
        "magnitude fits delta",
        "interval holds delta",
        "delta is a multiple of 1/n²",
        "yes/no fits adjusted p",
        "cliffs_delta agrees between renderings",
        "p_adjusted agrees between renderings",
    }


@pytest.mark.parametrize(
    "edit, check",
    [
        (
            {"effects__CLEAN__1__lines__cliffs_delta": "0.9876"},
            "cliffs_delta agrees between renderings",
        ),
        (
            {"effects__CLEAN__1__lines__p_adjusted": "0.9876"},
            "p_adjusted agrees between renderings",
        ),
        ({"effects__RAW__1__lines__magnitude": "large"}, "magnitude fits delta"),
        (
            {"effects__RAW__1__lines__ci_low": "0.9", "effects__RAW__1__lines__ci_high": "0.95"},
            "interval holds delta",
        ),
        ({"effects__CLEAN__1__lines__significant": "Maybe"}, "yes/no fits adjusted p"),
        ({"effects__RAW__1__lines__cliffs_delta": "0.1234567"}, "delta is a multiple of 1/n²"),
    ],
)
def test_a_slip_between_printed_values_is_found(complete, nothing, study, edit, check):
    comparison, cells = complete
    assert ("1", "lines", check) in odd(
        check_printed(comparison, edited(cells, **edit), nothing, study)
    )


def test_an_effect_of_another_set_is_impossible_for_this_one(complete, nothing, study):
    """A delta of 48 against 48 instances is no multiple of 1/60²; the check names the set that it
    would fit.
    """
    comparison, cells = complete
    delta = 13 / 48**2
    cells = edited(
        cells,
        effects__RAW__1__lines__cliffs_delta=f"{delta:.7g}",
        effects__CLEAN__1__lines__cliffs_delta=f"{delta:.4f}",
    )
    (found,) = [
        c
        for c in check_printed(comparison, cells, nothing, study)
        if c.check == "delta is a multiple of 1/n²" and c.result != "consistent"
    ]
    assert (found.block, found.metric) == ("1", "lines")
    assert "a whole number for code-y" in found.detail


def test_a_check_that_could_not_fail_is_not_counted_as_passed(complete, nothing, study):
    """Two decimals cannot tell a multiple of 1/60² from any other number."""
    comparison, cells = complete
    coarse = edited(
        [c for c in cells if c.variant == "CLEAN"], effects__CLEAN__1__lines__cliffs_delta="0.12"
    )
    checked = {
        (c.block, c.metric)
        for c in check_printed(comparison, coarse, nothing, study)
        if c.check == "delta is a multiple of 1/n²"
    }
    assert len(checked) == 14 and ("1", "lines") not in checked


def test_evaluation_sets_of_another_study_explain_nothing(complete, nothing, study):
    comparison, cells = complete
    foreign = replace(
        study.tasks["code"],
        id="foreign",
        evaluations=[replace(study.tasks["code"].evaluations[1], id="foreign-y")],
    )
    wider = replace(study, tasks=study.tasks | {"foreign": foreign})
    cells = edited(cells, effects__RAW__1__lines__cliffs_delta=f"{13 / 48**2:.7g}")
    details = [
        c.detail
        for c in check_printed(comparison, cells, nothing, wider)
        if c.result == "inconsistent"
    ]
    assert any("code-y" in d for d in details) and not any("foreign" in d for d in details)


def test_an_interval_that_stands_elsewhere_is_conspicuous(complete, nothing, study):
    comparison, cells = complete
    source = {c.quantity: c.printed for c in cells if c.id.startswith("effects:RAW:1:overlap")}
    cells = edited(
        cells,
        effects__RAW__2__overlap__ci_low=source["ci_low"],
        effects__RAW__2__overlap__ci_high=source["ci_high"],
        effects__RAW__2__overlap__cliffs_delta=source["cliffs_delta"],
    )
    found = [c for c in check_printed(comparison, cells, nothing, study) if c.check == TWIN]
    assert {(c.block, c.metric, c.result) for c in found} == {
        ("1", "overlap", "conspicuous"),
        ("2", "overlap", "conspicuous"),
    }


# ---------------------------------------------------------------- counts of passes


@pytest.fixture(scope="module")
def passes(study, scores):
    comparison = study.comparisons["passes"]
    comparison = replace(
        comparison, blocks=[replace(block, task="code-x") for block in comparison.blocks]
    )
    return comparison, printed(comparison, scores, study)


def test_counts_printed_from_scores_are_consistent(passes, nothing, study):
    comparison, cells = passes
    checks = list(check_printed(comparison, cells, nothing, study))
    assert (
        odd(
            checks,
            "p fits the counts",
            "odds_ratio fits the counts",
            "a_only agrees between renderings",
        )
        == []
    )
    assert len([c for c in checks if c.check == "p fits the counts"]) == 2 * 3


@pytest.mark.parametrize(
    "edit, check",
    [
        ({"passes__RAW__1__pass@1__p": "0.123456"}, "p fits the counts"),
        ({"passes__RAW__1__pass@1__odds_ratio": "9.1234"}, "odds_ratio fits the counts"),
        ({"passes__CLEAN__1__pass@1__a_only": "59"}, "a_only agrees between renderings"),
    ],
)
def test_a_slip_in_counts_is_found(passes, nothing, study, edit, check):
    comparison, cells = passes
    assert ("1", "pass@1", check) in odd(
        check_printed(comparison, edited(cells, **edit), nothing, study)
    )


def test_passes_that_the_archive_contradicts_are_found(passes, scores, study):
    comparison, cells = passes
    archived_a = ScoreSet(
        scores.root,
        {key: frame[frame["run"].str.contains("st-q")] for key, frame in scores.tables.items()},
    )
    right = [
        c
        for c in check_printed(comparison, cells, archived_a, study)
        if c.check == "passes of side A fit the archive"
    ]
    assert right and not odd(c for c in right if c.block == "3")
    wrong = edited(cells, **{"passes__RAW__3__pass@1__both_pass": "1"})
    assert ("3", "pass@1", "passes of side A fit the archive") in odd(
        check_printed(comparison, wrong, archived_a, study)
    )


@pytest.mark.parametrize(
    "both, only_a, only_b, neither, result",
    [
        # Two runs that solve mostly the same problems; two that agree no more than chance (30 * 30 /
        # 150 = 6).
        (25, 5, 5, 115, "consistent"),
        (6, 24, 24, 96, "conspicuous"),
        (5, 25, 23, 135, "conspicuous"),
    ],
)
def test_an_overlap_near_chance_is_conspicuous(
    passes, nothing, study, both, only_a, only_b, neither, result
):
    comparison, cells = passes
    counts = {"both_pass": both, "a_only": only_a, "b_only": only_b, "both_fail": neither}
    cells = edited(cells, **{f"passes__RAW__2__pass@1__{q}": str(n) for q, n in counts.items()})
    (found,) = [
        c
        for c in check_printed(comparison, cells, nothing, study)
        if c.check == "overlap of passes above chance" and c.block == "2"
    ]
    assert found.result == result


def test_swapped_sides_do_not_look_inconsistent(complete, nothing, scores, study):
    """A necessary condition is no proof: what the checks cannot see is left to the search."""
    comparison, _ = complete
    cells = printed(
        comparison,
        scores,
        study,
        Crime(lambda block, metric, meant: replace(meant, a=meant.b, b=meant.a)),
    )
    assert (
        odd(
            check_printed(comparison, cells, nothing, study),
            "magnitude fits delta",
            "interval holds delta",
        )
        == []
    )

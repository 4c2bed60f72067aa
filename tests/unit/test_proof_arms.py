"""The arms of a study of ours against each other."""

from types import SimpleNamespace

import pytest
from mtpeft.catalog import catalog
from mtpeft.catalog.schema import Compared
from mtpeft.proof.arms import Arm, contrasts_of, means_of
from mtpeft.statistics.own_runs import Side


def arm(run, shift, metrics=("codebleu", "exact_match"), seed=42):
    values = {
        ("translation", m): {f"i{n}": (n % 7) / 10 + shift * (n % 3) for n in range(30)}
        for m in metrics
    }
    return Arm(run, seed, Side(run, values, dict.fromkeys(values, frozenset({"lost"}))), None)


def study(*pairs):
    return SimpleNamespace(proof=SimpleNamespace(contrasts=[Compared(*pair) for pair in pairs]))


def test_p_values_are_adjusted_over_all_tests_of_a_question():
    arms = [arm("base", 0.0), arm("one", 0.3), arm("two", 0.01)]
    asked = study(("Q", "base", "one"), ("Q", "base", "two"), ("R", "one", "two"))
    tests = contrasts_of(asked, arms, "Q", 42)
    assert [(t.run_b, t.metric) for t in tests] == [
        (run, metric) for run in ("one", "two") for metric in ("codebleu", "exact_match")
    ]
    assert min(t.p_adjusted for t in tests) == pytest.approx(4 * min(t.p for t in tests))
    assert all(t.difference > 0 for t in tests)


def test_a_run_that_is_not_there_and_one_that_shares_nothing_make_no_test():
    arms = [arm("base", 0.0), arm("other", 0.1, ["rouge"]), arm("one", 0.1, seed=43)]
    asked = study(("Q", "base", "gone"), ("Q", "base", "other"), ("Q", "base", "one"))
    assert contrasts_of(asked, arms, "Q", 42) == []


def test_means_say_on_how_many_instances_they_rest():
    (row, _) = means_of([arm("base", 0.0)])
    assert row[:6] == ["base", 42, "translation", "codebleu", 30, 1]


def test_every_contrast_of_a_shipped_study_shares_a_task():
    known = catalog()
    for one in known.studies.values():
        for pair in one.proof.contrasts if one.proof else []:
            assert set(known.runs[pair.a].tasks) & set(known.runs[pair.b].tasks), pair

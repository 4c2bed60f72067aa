"""Scores of yes/no tasks and of search: no answer is a status, and every set meets the scorer of
its kind alone.
"""

import pytest
from mtpeft.catalog import catalog
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.tools import classes, ranks

EVALUATIONS = catalog().evaluations()


def scored(scorer, output: str, reference: str = "1") -> tuple[float | None, str]:
    (score,) = scorer.score([Item("run", "task", "1", "java", output, reference)])
    return score.value, score.status


@pytest.mark.parametrize(
    ("output", "reference", "expected"),
    [
        ("1", "1", (1.0, "ok")),
        ("0", "1", (0.0, "ok")),
        ("0", "0", (1.0, "ok")),
        ("", "0", (None, "empty")),
        ("yes", "1", (None, "unparseable")),
        ("1", "", (None, "infrastructure")),
    ],
)
def test_an_answer_is_right_wrong_or_none(
    output: str, reference: str, expected: tuple[float | None, str]
) -> None:
    assert scored(classes.scorer(), output, reference) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("1", (1.0, "ok")),
        ("4", (0.25, "ok")),
        ("1000", (0.001, "ok")),
        ("1001", (0.0, "ok")),
        ("0", (0.0, "ok")),
        ("-1", (None, "unparseable")),
        ("", (None, "empty")),
    ],
)
def test_a_rank_counts_as_the_study_counts(output: str, expected: tuple[float | None, str]) -> None:
    assert scored(ranks.scorer(), output) == expected


def test_each_evaluation_set_of_study_b_has_one_scorer_and_those_of_study_a_have_neither() -> None:
    theirs = {e.id for task in catalog().of("tasks", "multitask-peft") for e in task.evaluations}
    for name, evaluation in EVALUATIONS.items():
        found = [
            engine.applies(catalog().tools[name], engine.load(name), evaluation)
            for name in ("classes", "ranks")
        ]
        assert sum(found) == (name in theirs), name

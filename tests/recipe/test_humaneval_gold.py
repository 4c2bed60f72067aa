"""All 164 canonical solutions must pass, or no model may be scored."""

import os

import pytest
from mtpeft.corpora.humaneval import PROBLEMS, examples
from mtpeft.scoring.execution.passing import Execution
from mtpeft.scoring.interface import Item
from mtpeft.tasks.generation import asked

pytestmark = pytest.mark.skipif(
    not os.environ.get("MTPEFT_MIRROR"),
    reason="cannot run here: HumanEval is not part of the repository, set MTPEFT_MIRROR",
)


def values(output: str | None, step: int = 1) -> list[tuple[float | None, str]]:
    items = [
        Item(
            "gold",
            "generation-python",
            e.id,
            "python",
            e.target if output is None else output,
            reference=e.target,
            tests=tuple(e.tests),
            prompt=e.inputs["prompt"],
            asked=asked(e),
        )
        for e in examples("generation", "test")[::step]
    ]
    return [(score.value, score.status) for score in Execution().score(items)]


def test_a_canonical_solution_fails():
    assert values(None) == [(1.0, "ok")] * PROBLEMS


def test_a_solution_without_content_passes():
    assert set(values("    return None\n", 8)) == {(0.0, "ok")}

"""A few of the kills of tests/bench/kills.py, which kills every stage two hundred times."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import kills

pytestmark = pytest.mark.recipe


def test_a_killed_command_loses_nothing_and_leaves_nothing_after_the_next_run():
    outcomes = kills.run(10, ("score", "compare", "prompt"))
    assert [outcome.problems for outcome in outcomes] == [[], [], []]
    assert sum(outcome.kills for outcome in outcomes) == 10

"""All 164 canonical solutions must pass, or no model may be scored."""

import os

import pytest
from mtpeft.sandbox import outcome
from mtpeft.sandbox.limits import Limits
from mtpeft.sandbox.runner import Pool
from mtpeft.scoring.execution import humaneval

needs_mirror = pytest.mark.skipif(
    not os.environ.get("MTPEFT_MIRROR"),
    reason="cannot run here: HumanEval is not part of the repository, set MTPEFT_MIRROR",
)


@needs_mirror
def test_a_canonical_solution_fails():
    problems = humaneval.read_problems()
    assert len(problems) == 164
    with Pool(2) as pool:
        humaneval.gold_gate(pool, problems, Limits(wall_seconds=60.0, cpu_seconds=30))


@needs_mirror
def test_a_solution_without_content_passes():
    problems = humaneval.read_problems()

    def run(sandbox, problem):
        return sandbox.run(problem.instance("    return None\n", Limits(wall_seconds=60.0))).status

    with Pool(2) as pool:
        statuses = list(pool.map(run, list(problems.values())[::8]))
    assert set(statuses) == {outcome.FAILED}

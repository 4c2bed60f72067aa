"""T4: no verdict without an interval, none without the claim's direction; numbers worked out by
hand.
"""

import math
from dataclasses import replace

import pandas as pd
import pytest
from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import ScoreSet, Verdict, read_records, write_scores
from mtpeft.verification import seeds, stage
from mtpeft.verification.seeds import judge_claims, judge_means, prediction_interval, t_quantile
from scipy import stats

# Claim C1: B is 7.3 % above A.
A, B, TASK = "qwen2.5-coder-3b/st-qlora/generation", "qwen2.5-coder-3b/mt-qlora", "generation-java"


def scores(folder, passed, missing=()):
    """A score set of pass@1 in which the first `passed[run]` of 100 instances pass; those in
    `missing` have no value.
    """
    rows = [
        [
            run,
            i + 1,
            f"i{i:03}",
            "infrastructure" if i in missing else "ok",
            math.nan if i in missing else float(i < count),
        ]
        for run, count in passed.items()
        for i in range(100)
    ]
    write_scores(
        folder,
        "codereval",
        TASK,
        pd.DataFrame(rows, columns=["run", "row", "instance_id", "status", "pass@1"]),
    )
    return ScoreSet.load(folder)


def trained(tmp_path, a, b):
    """Runs A and B with as many seeds as there are counts."""
    made = {
        42 + n: scores(tmp_path / f"{n}", {A: x, B: y})
        for n, (x, y) in enumerate(zip(a, b, strict=True))
    }
    return {A: made, B: made}


@pytest.mark.parametrize("p", [0.6, 0.9, 0.975, 0.995])
def test_the_quantile_is_students(p):
    assert [t_quantile(p, n) for n in (1, 2, 3, 4, 7, 30)] == pytest.approx(
        stats.t.ppf(p, [1, 2, 3, 4, 7, 30]), rel=1e-9
    )


def test_the_interval_by_hand():
    # mean 2, s 1, t(0.975, 2) = 4.302653, times the root of 4/3: 4.968275
    assert prediction_interval([1, 2, 3]) == pytest.approx((-2.968275, 6.968275), abs=1e-6)
    # mean 11, s root 2, t(0.975, 1) = 12.706205, times the root of 3/2: 22.007791
    assert prediction_interval([10, 12]) == pytest.approx((-11.007791, 33.007791), abs=2e-5)
    assert prediction_interval([5, 5]) == (5, 5)
    assert prediction_interval([5]) is None


def means(tmp_path, archived, by_seed, **more):
    old = scores(tmp_path / "archive", {B: archived})
    runs = {
        B: {n: scores(tmp_path / f"s{n}", {B: count}, **more) for n, count in enumerate(by_seed)}
    }
    (verdict,) = judge_means(old, runs, "")
    return verdict


def test_an_archived_mean_inside_the_interval_is_within_tolerance_and_one_outside_differs(tmp_path):
    # 40, 41, 42 of 100: 0.41 ± 4.302653 × 0.01 × root of 4/3 = 0.41 ± 0.0497
    inside, outside = (
        means(tmp_path / "a", 45, [40, 41, 42]),
        means(tmp_path / "b", 47, [40, 41, 42]),
    )
    assert (inside.verdict, inside.archived, inside.regenerated) == (
        "within tolerance",
        "0.45",
        "0.41 [0.3603, 0.4597]",
    )
    assert (
        outside.verdict == "differs"
        and outside.unexplained
        and "outside the interval" in outside.reason
    )


def test_one_seed_has_no_interval_and_says_so(tmp_path):
    verdict = means(tmp_path, 41, [41])
    assert verdict.verdict == "not run" and verdict.reason.startswith(
        "unknown: one seed has no interval"
    )


def test_means_are_of_the_same_instances(tmp_path):
    # without instances 0 to 9, 31 of 90 pass in the archive as here
    verdict = means(tmp_path, 41, [41, 41], missing=range(10))
    assert (verdict.verdict, verdict.archived) == (
        "within tolerance",
        "0.3444",
    ) and "90 instances" in verdict.reason


def test_answers_to_other_instances_are_not_compared_in_silence(tmp_path):
    verdict = means(tmp_path, 41, [41, 41], missing=range(100))
    assert verdict.verdict == "not run" and "no instance" in verdict.reason


def claim(tmp_path, a, b):
    (verdict,) = judge_claims(catalog(), trained(tmp_path, a, b), "")
    return verdict


def test_a_claim_holds_where_its_figure_is_inside_and_its_direction_is_right(tmp_path):
    verdict = claim(tmp_path, [40, 40, 40], [42, 43, 44])  # changes +5, +7.5, +10 %
    assert (verdict.id, verdict.verdict, verdict.published) == ("C1", "within tolerance", "7.3")


def test_a_wide_interval_does_not_save_a_claim_whose_direction_is_wrong(tmp_path):
    verdict = claim(
        tmp_path, [40, 40, 40], [30, 39, 48]
    )  # −25, −2.5, +20 %: 7.3 is inside, but the mean is below 0
    assert (
        verdict.verdict == "differs"
        and "direction does not hold" in verdict.reason
        and "outside" not in verdict.reason
    )


def test_no_change_at_all_is_not_the_claimed_direction(tmp_path):
    assert "direction does not hold" in claim(tmp_path, [40, 40], [40, 40]).reason


def test_a_claim_with_one_seed_is_unknown_but_its_direction_is_told(tmp_path):
    assert claim(tmp_path / "up", [40], [43]).reason == (
        "unknown: one seed has no interval; train further seeds; seed 42; change in percent"
    )
    assert "direction does not hold" in claim(tmp_path / "down", [40], [30]).reason


def test_a_claim_is_not_judged_by_seeds_that_lack_a_side(tmp_path):
    runs = trained(tmp_path, [40, 40], [42, 43])
    assert judge_claims(catalog(), {B: runs[B]}, "") == []
    (verdict,) = judge_claims(catalog(), {A: {42: runs[A][42]}, B: runs[B]}, "")
    assert verdict.verdict == "not run"


def test_trained_and_scored_runs_reach_the_verdicts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    monkeypatch.setattr(paths, "ARCHIVED", tmp_path / "archived")
    scores(paths.ARCHIVED, {A: 41, B: 44})
    with pytest.raises(MtpeftError, match="no scores of trained runs"):
        seeds.run("faithful", "faithful")
    for run, counts in ((A, (40, 41)), (B, (43, 44))):
        for seed, count in zip((42, 43), counts, strict=True):
            scores(paths.seed_folder("faithful", run, seed) / "faithful", {run: count})
    assert seeds.run("faithful", "faithful") == 0
    written = read_records(tmp_path / "verification" / "seeds.csv", Verdict)
    assert {v.id for v in written} == {"C1", f"{A} {TASK} pass@1", f"{B} {TASK} pass@1"} and {
        v.tier for v in written
    } == {"T4"}
    assert "T4:" in capsys.readouterr().out
    assert stage.summary([*written, replace(written[0], tier="T1", kind="claim")])[0].startswith(
        "T4 claims over seeds"
    )

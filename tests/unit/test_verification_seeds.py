"""T4: no verdict without an interval, none without the claim's direction; numbers worked out by
hand.
"""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mtpeft.catalog import catalog
from mtpeft.catalog.places import score_roots
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.records import (
    Prediction,
    ScoreSet,
    Verdict,
    append_predictions,
    read_records,
    write_scores,
)
from mtpeft.verification import seeds, stage
from mtpeft.verification import trained as trained_here
from mtpeft.verification.seeds import judge_claims, judge_means, power, prediction_interval

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
    return judge_means(old, runs, "")[-1]


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


def test_two_seeds_whose_interval_hardly_anything_can_leave_are_no_agreement(tmp_path):
    # 0.40 and 0.42: 12.7 standard deviations times the root of 3/2 on either side
    verdict = means(tmp_path, 45, [40, 42])
    assert verdict.verdict == "not run" and "train further seeds" in verdict.reason
    assert "a shift of 0.22 or more leaves the interval" in verdict.reason


def test_two_seeds_can_still_speak_against_the_archive(tmp_path):
    assert means(tmp_path, 80, [40, 42]).verdict == "differs"


def test_means_are_of_the_same_instances(tmp_path):
    # without instances 0 to 4, 36 of 95 pass in the archive as here
    verdict = means(tmp_path, 41, [41, 41], missing=range(5))
    assert (verdict.verdict, verdict.archived) == (
        "within tolerance",
        "0.3789",
    ) and "95 instances" in verdict.reason


def test_a_mean_over_the_few_instances_that_were_not_lost_is_no_verdict(tmp_path):
    old = scores(tmp_path / "archive", {B: 41})
    runs = {B: {n: scores(tmp_path / f"s{n}", {B: 41}, missing=range(5, 100)) for n in (1, 2, 3)}}
    share, mean = judge_means(old, runs, "")
    assert (
        mean.verdict == "not run"
        and "5 instances with a value everywhere, of 100 (95 infrastructure in seed 1): below 95%"
        in mean.reason
    )
    assert mean.rests_on and share.rests_on
    assert "lost: i005 i006" in mean.reason
    assert (share.id, share.verdict, share.archived) == (
        f"{B} {TASK} pass@1 has a value",
        "differs",
        "1",
    )


def table(folder, tool, task, columns, rows):
    """A score table of run B: a row of (status, values) each."""
    frame = pd.DataFrame(
        [[B, n + 1, f"i{n:03}", status, *values] for n, (status, *values) in enumerate(rows)],
        columns=["run", "row", "instance_id", "status", *columns],
    )
    write_scores(folder, tool, task, frame)


def test_a_metric_is_judged_though_another_of_the_same_outputs_cannot_run_here(tmp_path):
    columns = ["meteor_nltk", "side"]
    table(
        tmp_path / "archive",
        "text-metrics",
        "summarization-python",
        columns,
        [("ok", n % 5 / 10, 0.5) for n in range(8)],
    )
    for seed in (1, 2, 3):
        table(
            tmp_path / f"s{seed}",
            "text-metrics",
            "summarization-python",
            columns,
            [("cannot run here", (n + seed) % 5 / 10, math.nan) for n in range(8)],
        )
    found = judge_means(
        ScoreSet.load(tmp_path / "archive"),
        {B: {s: ScoreSet.load(tmp_path / f"s{s}") for s in (1, 2, 3)}},
        "",
    )
    assert [(v.id.split()[2], v.verdict) for v in found] == [
        ("meteor_nltk", "within tolerance"),
        ("side", "cannot run here"),
    ]
    assert "8 instances with a value everywhere, of 8" in found[0].reason


def test_zeros_of_unparseable_outputs_are_never_averaged_with_real_values(tmp_path):
    # The archive's rows 0 to 4 are all 0 because PMD could not read the output; here every output
    # is read.
    columns = ["pmd_bestpractices", "pmd_codestyle"]
    rule = ["pmd_design", "pmd_errorprone", "pmd_multithreading", "pmd_performance"]
    old = [("ok", 0, 0, 0, 0, 0, 0)] * 5 + [("ok", 1, n, 0, 0, 0, 0) for n in (5, 5, 5, 2, 3)]
    table(tmp_path / "archive", "pmd", "translation-cs-java", columns + rule, old)
    for seed in (1, 2, 3):
        table(
            tmp_path / f"s{seed}",
            "pmd",
            "translation-cs-java",
            columns + rule,
            [("ok", 1, 4 + seed % 2, 0, 0, 0, 0)] * 5
            + [("ok", 1, n, 0, 0, 0, 0) for n in (5, 5, 5, 2, 3)],
        )
    found = {
        v.id.split(" ", 2)[2]: v
        for v in judge_means(
            ScoreSet.load(tmp_path / "archive"),
            {B: {s: ScoreSet.load(tmp_path / f"s{s}") for s in (1, 2, 3)}},
            "",
        )
    }
    assert found["pmd_codestyle"].archived == "4" and found["pmd_codestyle"].regenerated.startswith(
        "4 "
    )
    assert found["pmd_codestyle (as published)"].archived == "2"


def test_the_archived_zeros_of_unparseable_outputs_are_no_values():
    values = seeds._values(
        ScoreSet.load(*score_roots(catalog())), B, "translation-cs-java", "pmd_codestyle"
    )
    assert "translation_0" not in values and len(values) == 223  # of 1,000


def test_a_metric_that_the_archive_has_and_nobody_scored_is_named(tmp_path):
    table(tmp_path / "archive", "toy", TASK, ["m", "n"], [("ok", 1, 1)] * 3)
    table(tmp_path / "s", "toy", TASK, ["m"], [("ok", 1)] * 3)
    found = judge_means(
        ScoreSet.load(tmp_path / "archive"),
        {B: {s: ScoreSet.load(tmp_path / "s") for s in (1, 2, 3)}},
        "",
    )
    assert [(v.id.split()[2], v.verdict, v.reason) for v in found if v.id.endswith("n")] == [
        ("n", "not run", "archived, but not scored here")
    ]


@pytest.mark.parametrize(("alike", "word"), [(False, "not run"), (True, "differs")])
def test_one_level_serves_all_metrics_of_a_run(tmp_path, alike, word):
    """Seeds of 0.40, 0.41 and 0.42, the archive at 0.47: outside the interval of one metric (0.46),
    inside that of one metric among ten, unless the ten always go together and so are one.
    """
    order = [np.random.default_rng(0 if alike else k).permutation(100) for k in range(10)]
    names = [f"m{k}" for k in range(10)]

    def side(folder, count):
        rows = [("ok", *[float(order[k][n] < count) for k in range(10)]) for n in range(100)]
        table(tmp_path / folder, "toy", TASK, names, rows)
        return ScoreSet.load(tmp_path / folder)

    seeds = {B: {s: side(f"s{s}", count) for s, count in enumerate((40, 41, 42))}}
    found = judge_means(side("archive", 47), seeds, "")
    assert {v.verdict for v in found} == {word} and len(found) == 10
    assert all("10 verdicts together" in v.reason for v in found)


def test_what_seeds_would_find_is_said_before_training():
    (line, *_) = power(catalog(), (2, 5))
    two, five = (float(t.split(" ")[0].strip(",;")) for t in line.split(" seeds ")[-2:])
    assert two > 100 > 20 > five > 5


def test_the_studies_of_other_runs_are_left_out_of_what_seeds_would_find():
    known = catalog()
    runs = ["qwen2.5-coder-0.5b/mt-qlora"]
    assert len(power(known, (2,))) > 1
    (line,) = power(known, (2,), runs)
    assert line.startswith("multitask-qlora, T4: ")
    assert power(known, (2,), ["unixcoder-base/mt-lora"]) == []  # it has no tests


def test_equal_seeds_have_no_spread_and_the_instances_decide(tmp_path):
    assert means(tmp_path / "a", 41, [40, 40, 40]).verdict == "not run"
    assert means(tmp_path / "b", 80, [40, 40, 40]).verdict == "differs"
    assert means(tmp_path / "c", 40, [40, 40, 40]).verdict == "within tolerance"


def test_answers_to_other_instances_are_not_compared_in_silence(tmp_path):
    verdict = means(tmp_path, 41, [41, 41], missing=range(100))
    assert verdict.verdict == "not run" and "no instance" in verdict.reason


def claim(tmp_path, a, b):
    (verdict,) = judge_claims(catalog(), trained(tmp_path, a, b), "")
    return verdict


def test_a_claim_holds_where_its_figure_is_inside_and_its_direction_is_right(tmp_path):
    verdict = claim(tmp_path, [40, 40, 40], [42, 43, 44])  # changes +5, +7.5, +10 %
    assert (verdict.id, verdict.verdict, verdict.published) == ("C1", "within tolerance", "7.3")
    # 7.5 -+ 4.302653 x 2.5 x the root of 4/3
    assert verdict.regenerated == "7.5 [-4.921, 19.92]"


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
    scores(paths.ARCHIVED / "multitask-qlora", {A: 41, B: 44})
    with pytest.raises(MtpeftError, match="no scores of trained runs"):
        trained_here.run("faithful", "faithful")
    for run, counts in ((A, (40, 41, 42)), (B, (42, 44, 45))):
        for seed, count in zip((42, 43, 44), counts, strict=True):
            scores(paths.seed_folder("faithful", run, seed) / "faithful", {run: count})
    assert trained_here.run("faithful", "faithful") == 0
    written = read_records(tmp_path / "verification" / "seeds.csv", Verdict)
    assert {v.id for v in written} == {"C1", f"{A} {TASK} pass@1", f"{B} {TASK} pass@1"} and {
        v.tier for v in written
    } == {"T4"}
    said = capsys.readouterr().out
    assert "T4:" in said and "within tolerance  C1: 7.3, here 6.487 [" in said  # 5, 7.317, 7.143
    assert "pass@1" not in said  # what is within tolerance is counted, not listed
    assert stage.summary([*written, replace(written[0], tier="T1", kind="claim")])[0].startswith(
        "T4 claims over seeds"
    )


HEADS = "modernbert-base/st-fft/vulnerability-detection"  # published by the revision: 62.23


def heads(values: dict[int, object], examples: int) -> None:
    """What training with heads leaves, as far as verdicts read it."""
    for seed, value in values.items():
        folder = paths.seed_folder("faithful", HEADS, seed)
        (folder / "predictions").mkdir(parents=True)
        kept = {"test": {"vulnerability-detection": {"acc": value}}}
        (folder / "finished.json").write_text(json.dumps({"kept": kept, "files": {}}))
        line = Prediction(HEADS, "vulnerability-detection-devign", "", "", "0", "0", "stop", 0.0)
        append_predictions(
            folder / "predictions" / "vulnerability-detection-devign.jsonl",
            [replace(line, instance_id=str(n)) for n in range(examples)],
        )


@pytest.mark.parametrize(
    ("values", "examples", "verdict", "reason"),
    [
        ((0.61, 0.62, 0.63), 2732, "within tolerance", "2,732 test examples"),
        ((0.50, 0.51, 0.52), 2732, "differs", "outside the interval"),
        ((0.61,), 2732, "not run", "one seed has no interval"),
        ((0.61, 0.62, 0.63), 256, "not run", "test set here: 256; the study's: 2,732"),
    ],
)
def test_trained_heads_are_held_against_what_their_study_published(
    tmp_path, monkeypatch, values, examples, verdict, reason
):
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    heads(dict(enumerate(values, start=1)), examples)
    code = trained_here.run("faithful", "faithful")
    (found,) = read_records(tmp_path / "verification" / "seeds.csv", Verdict)
    assert found.id == f"{HEADS} vulnerability-detection acc (the revision)"
    assert found.verdict == verdict and reason in found.reason
    assert code == {"within tolerance": 0, "differs": 1, "not run": 2}[verdict]


@pytest.mark.parametrize("value", ["0.6", None, math.nan])
def test_a_damaged_mark_of_completion_is_named(tmp_path, monkeypatch, value):
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    heads({1: 0.6, 2: value}, 2732)
    with pytest.raises(BadInput, match="seed-2"):
        trained_here.run("faithful", "faithful")


def test_a_run_that_nothing_was_published_of_is_no_verdict(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    run = "smollm2-135m-instruct/base"
    scores(paths.seed_folder("miniature", run, 42) / "miniature", {run: 40})
    with pytest.raises(MtpeftError, match="nothing was published or archived of"):
        trained_here.run("miniature", "miniature")

"""T3: equal strings need no more; others are told by metric, by interval and by name."""

import math

import pandas as pd
import pytest
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.records import (
    Prediction,
    ScoreSet,
    Verdict,
    append_predictions,
    read_frame,
    read_records,
    write_scores,
)
from mtpeft.verification.answers import bootstrap_interval, compare, run

RUN, TASK = "qwen2.5-coder-3b/mt-qlora", "generation-java"


def answers(texts, prompt="p"):
    return [
        Prediction(RUN, TASK, f"i{n:02}", prompt, text, text.strip(), "stop", 0.1)
        for n, text in enumerate(texts)
    ]


def scored(folder, values):
    rows = [
        [RUN, n + 1, f"i{n:02}", "unparseable" if v is None else "ok", math.nan if v is None else v]
        for n, v in enumerate(values)
    ]
    write_scores(
        folder,
        "codereval",
        TASK,
        pd.DataFrame(rows, columns=["run", "row", "instance_id", "status", "pass@1"]),
    )
    return ScoreSet.load(folder)


def test_identical_strings_are_exact_and_ask_for_no_score():
    (verdict,), flips = compare(answers("abc"), answers("abc"))
    assert (verdict.verdict, verdict.tier, flips) == ("exact", "T3", [])


def test_strings_that_differ_in_white_space_are_not_identical():
    (verdict,), flips = compare(answers(["a", "b"]), answers(["a", "b "]))
    assert (
        verdict.verdict == "not run"
        and verdict.reason == "1 of 2 strings identical; score both sides"
    )
    assert flips == [(RUN, TASK, "i01", "string", "", "")]


def test_a_missing_instance_is_not_passed_over():
    (verdict,), _ = compare(answers("abc"), answers("ab"))
    assert verdict.verdict == "not run" and "1 instances on one side only" in verdict.reason


def test_answers_to_other_prompts_are_named():
    (verdict,), _ = compare(answers("ab"), answers("ac", prompt="q"))
    assert "2 prompts differ" in verdict.reason


def test_predictions_without_any_common_instance_are_not_equal():
    (verdict,), _ = compare(answers("ab"), [])
    assert verdict.verdict == "not run" and "no instance" in verdict.reason


def test_the_interval_of_the_mean_difference_by_hand():
    # two differences, 0 and 1: the mean of a resample is 0, 1/2, 1 with probability 1/4, 1/2, 1/4
    assert bootstrap_interval([0, 1]) == (0.0, 1.0)
    # ten thousand draws of 100 coins: 1/2 ± 1.96 × 1/20
    assert bootstrap_interval([0, 1] * 50) == pytest.approx((0.402, 0.598), abs=0.012)
    assert bootstrap_interval([0.25] * 4) == (0.25, 0.25) and bootstrap_interval(
        [0, 1] * 50
    ) == bootstrap_interval([0, 1] * 50)


def judged(tmp_path, old, new):
    texts = [f"t{n}" for n in range(len(old))]
    changed = ["x" if a != b else t for a, b, t in zip(old, new, texts, strict=True)]
    return compare(
        answers(texts), answers(changed), scored(tmp_path / "a", old), scored(tmp_path / "b", new)
    )


def test_flips_in_both_directions_are_within_tolerance_and_named(tmp_path):
    (verdict,), flips = judged(tmp_path, [1, 0] + [1] * 8, [0, 1] + [1] * 8)
    assert verdict.verdict == "within tolerance" and "mean difference +0" in verdict.reason
    assert [f[2:] for f in flips if f[3] == "pass@1"] == [
        ("i00", "pass@1", 1.0, 0.0),
        ("i01", "pass@1", 0.0, 1.0),
    ]


def test_flips_in_one_direction_only_differ_and_are_unexplained(tmp_path):
    (verdict,), _ = judged(tmp_path, [1] * 20, [0] * 8 + [1] * 12)
    assert (
        verdict.verdict == "differs"
        and verdict.unexplained
        and (verdict.archived, verdict.regenerated) == ("1", "0.6")
    )


def test_an_instance_without_a_value_makes_no_pair_and_is_no_zero(tmp_path):
    (verdict,), flips = judged(tmp_path, [1, 1, 1], [None, 1, 1])
    assert (
        verdict.verdict == "within tolerance"
        and "2 pairs" in verdict.reason
        and [f[3] for f in flips] == ["string"]
    )


def test_a_metric_without_any_pair_is_not_left_out_in_silence(tmp_path):
    (verdict,), _ = judged(tmp_path, [None, 1], [1, None])
    assert (
        verdict.verdict == "not run" and "no instance has a value on both sides" in verdict.reason
    )


def test_the_command_writes_verdicts_and_flips(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    append_predictions(old, answers("abc")), append_predictions(new, answers("abx"))
    scored(tmp_path / "a", [1, 1, 1]), scored(tmp_path / "b", [1, 1, 0])
    assert run(old, new, tmp_path / "a", tmp_path / "b", "mine") == 0
    (verdict,) = read_records(tmp_path / "verification" / "answers" / "mine.csv", Verdict)
    assert (
        verdict.id == f"{RUN} {TASK} pass@1"
        and "1 instances flipped (i02)" in capsys.readouterr().out
    )
    assert list(
        read_frame(tmp_path / "verification" / "answers" / "mine.flipped.csv")["metric"]
    ) == ["string", "pass@1"]
    with pytest.raises(MtpeftError, match="one side only"):
        run(old, new, tmp_path / "a", None, "mine")
    new.write_text(new.read_text() + "{]\n")
    with pytest.raises(BadInput, match=":4"):
        run(old, new, None, None, "mine")

"""T3: equal strings need no more; others are told by metric, by interval and by name."""

import math

import numpy as np
import pandas as pd
import pytest
from mtpeft.catalog import Margin, catalog
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
from mtpeft.verification.answers import compare, equivalence, margin_of, run

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
    assert verdict.verdict == "not run" and "1 instance on one side only" in verdict.reason


def test_answers_to_other_prompts_are_named():
    (verdict,), _ = compare(answers("ab"), answers("ac", prompt="q"))
    assert "2 prompts differ" in verdict.reason


def test_predictions_without_any_common_instance_are_not_equal():
    (verdict,), _ = compare(answers("ab"), [])
    assert verdict.verdict == "not run" and "only the reference file has" in verdict.reason
    (verdict,), _ = compare(answers("ab")[:1], answers("ab")[1:])
    assert verdict.verdict == "not run" and "no instance on both sides" in verdict.reason


def judged(tmp_path, old, new):
    texts = [f"t{n}" for n in range(len(old))]
    changed = ["x" if a != b else t for a, b, t in zip(old, new, texts, strict=True)]
    return compare(
        answers(texts), answers(changed), scored(tmp_path / "a", old), scored(tmp_path / "b", new)
    )


def test_few_pairs_are_no_evidence_that_two_sides_agree(tmp_path):
    (verdict,), flips = judged(tmp_path, [1, 0] + [1] * 8, [0, 1] + [1] * 8)
    assert verdict.verdict == "not run" and "too few pairs to tell (about " in verdict.reason
    assert "10 pairs, 2 flipped (20.0%)" in verdict.reason and "margin 0.02" in verdict.reason
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


def test_many_pairs_with_few_flips_are_equivalent(tmp_path):
    # 3 of 1,000 flip each way: 0 ± 1.96 × the root of 8/1002 / 1002 = ± 0.0055, inside 0.02
    (verdict,), _ = judged(tmp_path, [1] * 500 + [0] * 500, [0] * 3 + [1] * 500 + [0] * 497)
    assert verdict.verdict == "within tolerance" and "[-0.005" in verdict.reason


def test_a_loss_of_five_points_is_never_equivalence(tmp_path):
    # 11 of 184 down, 2 up: the interval reaches from -9 to -1 points
    (verdict,), _ = judged(tmp_path, [1] * 100 + [0] * 84, [0] * 11 + [1] * 91 + [0] * 82)
    assert verdict.verdict == "differs"


@pytest.mark.parametrize(
    ("n", "word"), [(2, "not run"), (100, "not run"), (184, "within tolerance")]
)
def test_equal_outcomes_of_a_few_instances_prove_nothing(tmp_path, n, word):
    """A loss of 5 points shows in none of 10 pairs in three cases of five."""
    texts = answers(["a"] * n), answers(["b"] * n)
    values = [k % 2 for k in range(n)]
    found, _ = compare(*texts, scored(tmp_path / "a", values), scored(tmp_path / "b", values))
    (verdict,) = found
    assert verdict.verdict == word and "0 flipped" in verdict.reason
    # the interval without a flip is ± 1.96 × the root of 2 / (n + 2): inside 0.02 from 137 on
    assert (
        n != 100 or "(about 136 would)" in verdict.reason or "(about 137 would)" in verdict.reason
    )


@pytest.mark.parametrize(
    ("margin", "n", "word"),
    [
        (Margin("", share=0.05), 58, "not run"),  # 1 - 0.05 ** (1 / 58) = 5.03 %
        (Margin("", share=0.05), 59, "within tolerance"),
        (Margin("", size=0.01), 8, "not run"),
        (Margin("", size=0.01), 100, "within tolerance"),  # 2.95 % of a deviation of 0.29
        (Margin("", size=0.01), 1, "not run"),
        (None, 500, "not run"),
    ],
)
def test_equal_values_leave_open_how_many_others_flip(margin, n, word):
    values = np.random.default_rng(1).uniform(0.3, 0.7, n) + np.arange(n) % 2 * 0.3
    assert equivalence(values, values, margin).verdict == word


def test_a_metric_that_is_zero_everywhere_can_agree():
    assert (
        equivalence(np.zeros(184), np.zeros(184), Margin("", share=0.05)).verdict
        == "within tolerance"
    )
    assert equivalence(np.zeros(10), np.zeros(10), Margin("", share=0.05)).verdict == "not run"


def test_a_value_that_was_lost_is_a_result_and_no_zero(tmp_path):
    (share, mean), flips = judged(tmp_path, [1, 1, 1], [None, 1, 1])
    assert (share.id, share.verdict) == (
        f"{RUN} {TASK} pass@1 has a value",
        "not run",
    ) and "lost: i00" in share.reason
    assert (
        mean.verdict == "not run"
        and "2 of 3 instances" in mean.reason
        and (mean.archived, mean.regenerated) == ("1", "1")
    )
    assert [f[3:] for f in flips if f[3] != "string"] == [("pass@1", 1.0, "unparseable")]
    assert mean.rests_on.startswith("2 of 3 instances with a value on both sides")


@pytest.mark.parametrize(
    ("status", "word"), [("unparseable", "differs"), ("infrastructure", "not run")]
)
def test_a_tool_that_failed_says_nothing_of_what_it_read(tmp_path, status, word):
    columns = ["run", "row", "instance_id", "status", "extra"]
    for side, lost in (("a", 0), ("b", 50)):
        rows = [
            [RUN, n + 1, f"i{n:02}", status if n < lost else "ok", math.nan if n < lost else 1.0]
            for n in range(100)
        ]
        write_scores(tmp_path / side, "toy", TASK, pd.DataFrame(rows, columns=columns))
    texts = answers([f"a{n}" for n in range(100)]), answers([f"b{n}" for n in range(100)])
    (share, mean), _ = compare(*texts, *(ScoreSet.load(tmp_path / side) for side in "ab"))
    assert (share.verdict, mean.verdict) == (word, "not run")


def test_half_of_the_values_lost_is_not_within_tolerance(tmp_path):
    (share, mean), _ = judged(tmp_path, [1] * 100, [1, None] * 50)
    assert (share.verdict, share.archived, share.regenerated) == (
        "differs",
        "100.0%",
        "50.0%",
    ) and share.unexplained
    assert (
        mean.verdict == "not run"
        and "50 of 100 instances that have a value on one side have it on both" in mean.reason
    )


def test_one_instance_of_a_hundred_is_not_within_tolerance(tmp_path):
    found, _ = compare(
        answers([f"a{n}" for n in range(100)]),
        answers(["b"]),
        scored(tmp_path / "a", [1] * 100),
        scored(tmp_path / "b", [1]),
    )
    assert {v.id.removeprefix(f"{RUN} {TASK} "): v.verdict for v in found} == {
        "strings": "not run",
        "pass@1 has a value": "differs",
        "pass@1": "not run",
    }


def test_values_on_one_side_only_are_a_verdict_and_none_on_either_is_none(tmp_path):
    lost, _ = judged(tmp_path / "1", [1] * 50, [None] * 50)
    gained, _ = judged(tmp_path / "2", [None] * 50, [1] * 50)
    nothing, _ = judged(tmp_path / "3", [None] * 50, [None] * 50)
    assert [(v.id.endswith("has a value"), v.verdict) for v in lost] == [
        (True, "differs"),
        (False, "not run"),
    ]
    assert (gained[0].archived, gained[0].regenerated) == ("0.0%", "100.0%")
    assert [v.id.endswith("has a value") for v in nothing] == [False]


def test_the_first_ten_of_many_flipped_instances_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    for count, shown in ((10, "i09): "), (11, "i09, …): ")):
        for path, letter in ((old, "a"), (new, "b")):
            path.unlink(missing_ok=True)
            append_predictions(path, answers([letter] * count))
        run(old, new, None, None, "mine")
        said = capsys.readouterr().out
        assert f"{count} instances flipped (i00, i01" in said and shown in said


def test_a_metric_without_any_pair_is_not_left_out_in_silence(tmp_path):
    found, _ = judged(tmp_path, [None, 1], [1, None])
    assert (
        found[-1].verdict == "not run"
        and "no instance has a value on both sides" in found[-1].reason
    )


def test_a_metric_that_one_side_lacks_is_named(tmp_path):
    frame = pd.DataFrame(
        [[RUN, 1, "i00", "ok", 1.0]], columns=["run", "row", "instance_id", "status", "extra"]
    )
    write_scores(tmp_path / "b", "toy", TASK, frame)
    found, _ = compare(
        answers("a"), answers("b"), scored(tmp_path / "a", [1]), scored(tmp_path / "b", [1])
    )
    assert [(v.verdict, v.reason.partition(";")[0]) for v in found if v.id.endswith("extra")] == [
        ("not run", "only the new side has scores of it")
    ]


def test_a_metric_that_cannot_run_here_is_neither_lost_nor_equal(tmp_path):
    for side, status, value in (("a", "ok", 1.0), ("b", "cannot run here", math.nan)):
        frame = pd.DataFrame(
            [[RUN, 1, "i00", status, value]],
            columns=["run", "row", "instance_id", "status", "extra"],
        )
        write_scores(tmp_path / side, "toy", TASK, frame)
    (verdict,), _ = compare(
        answers("a"), answers("b"), *(ScoreSet.load(tmp_path / side) for side in "ab")
    )
    assert verdict.verdict == "cannot run here"


def test_two_of_four_means_blown_up_are_not_within_tolerance():
    found = equivalence(
        np.array([10.0] * 4), np.array([10, 10, 1780, 1780.0]), Margin("", share=0.05)
    )
    assert found.verdict == "not run" and "too few pairs to tell" in found.reason


def test_a_metric_without_a_margin_is_not_called_equal():
    rng = np.random.default_rng(0)
    a = rng.normal(10, 1, 500)
    assert equivalence(a, a + rng.normal(0, 1e-3, 500), None).verdict == "not run"
    assert equivalence(a, a + rng.normal(1, 1e-3, 500), None).verdict == "differs"


def test_a_difference_inside_the_margin_is_not_called_a_difference():
    rng = np.random.default_rng(0)
    a = rng.normal(10, 1, 500)
    assert (
        equivalence(a, a + rng.normal(0.1, 1e-3, 500), Margin("", share=0.05)).verdict
        == "within tolerance"
    )


def test_every_metric_that_answers_are_scored_by_has_a_margin_with_a_reason():
    for name, (tool, _) in catalog().metrics().items():
        if not tool.module.startswith("mtpeft."):
            continue  # archived scores of a study, which nothing here computes
        margin, least = margin_of(name)
        assert (
            margin is not None and margin.reason and (margin.size is None) != (margin.share is None)
        ), name
        assert 0 < least <= 1


def test_the_command_writes_verdicts_and_flips(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    append_predictions(old, answers("abc")), append_predictions(new, answers("abx"))
    scored(tmp_path / "a", [1, 1, 1]), scored(tmp_path / "b", [1, 1, 0])
    assert run(old, new, tmp_path / "a", tmp_path / "b", "mine") == 2  # three pairs cannot tell
    (verdict,) = read_records(tmp_path / "verification" / "answers" / "mine.csv", Verdict)
    assert (
        verdict.id == f"{RUN} {TASK} pass@1"
        and "1 instance flipped (i02)" in capsys.readouterr().out
    )
    assert list(
        read_frame(tmp_path / "verification" / "answers" / "mine.flipped.csv")["metric"]
    ) == ["string", "pass@1"]
    with pytest.raises(MtpeftError, match="one side only"):
        run(old, new, tmp_path / "a", None, "mine")
    new.write_text(new.read_text() + "{]\n")
    with pytest.raises(BadInput, match=":4"):
        run(old, new, None, None, "mine")

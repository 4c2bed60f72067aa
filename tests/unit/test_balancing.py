"""Loss balancing against numbers worked out by hand."""

import json
import math

import numpy as np
import pytest
from mtpeft.core.errors import MtpeftError, Unavailable, UnknownName
from mtpeft.tuning.balancing import RULES, balancing
from mtpeft.tuning.balancing.coba import CoBa, slope, weights
from mtpeft.tuning.balancing.gradients import CLASSES

COUNTS = np.array([6.0, 2.0, 0.0])


def test_token_equal_ignores_tasks():
    assert balancing("token-equal", 3).factors(COUNTS, 4, 2).tolist() == [1 / 8] * 3


def test_none_is_the_mean_of_micro_batch_means():
    assert balancing("none", 3).factors(COUNTS, 4, 2).tolist() == [1 / 8] * 3
    assert balancing("none", 3).factors(COUNTS, 5, 2).tolist() == [1 / 10] * 3


def test_task_equal_gives_each_present_task_the_same_share():
    factors = balancing("task-equal", 3).factors(COUNTS, 4, 2)
    assert factors.tolist() == [0.5 / 6, 0.5 / 2, 0.0]
    assert (factors * COUNTS).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("name", sorted(RULES.keys() - CLASSES.keys()))
def test_a_batch_without_supervised_tokens_has_no_infinite_factor(name):
    assert np.isfinite(balancing(name, 2).factors(np.zeros(2), 0, 1)).all()


def test_learnable_softmax_first_adam_step_by_hand():
    rule = balancing("learnable", 2)
    assert rule.weights().tolist() == [0.5, 0.5]
    rule.after_step(np.array([1.0, 3.0]), learning_rate=0.1)
    # gradient = 0.5 * (1 - 2), 0.5 * (3 - 2) = -0.5, 0.5; Adam's first step moves each s by the
    # rate against its sign
    expected = math.exp(0.1) / (math.exp(0.1) + math.exp(-0.1))
    assert rule.weights()[0] == pytest.approx(expected, abs=1e-7)


def test_learnable_softmax_drifts_to_the_smallest_loss():
    rule = balancing("learnable", 2)
    for _ in range(500):
        rule.after_step(np.array([1.0, 3.0]), learning_rate=0.05)
    assert rule.weights()[0] > 0.99


def test_learnable_softmax_leaves_absent_tasks_alone():
    rule = balancing("learnable", 3)
    rule.after_step(np.array([1.0, 3.0, np.nan]), learning_rate=0.1)
    assert rule.state()["value"][2] == 0.0 and np.isfinite(rule.weights()).all()


def test_slope_by_hand():
    assert slope(np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    assert slope(np.array([1.0, 3.0, 2.0])) == pytest.approx(0.5)
    assert slope(np.array([5.0])) == 0.0


def test_coba_weights_by_hand():
    # Two tasks, slopes at t = 1, 2. N = 2, tau = 1.
    slopes = np.array([[-0.4, -0.2], [-0.3, -0.1]])
    # RCS = softmax(2 * (-0.3, -0.1) / 0.4) = softmax(-1.5, -0.5)
    rcs = np.array([1, math.e]) / (1 + math.e)
    # ACS = softmax(-2 * (-0.3 / 0.7, -0.1 / 0.3)) = softmax(6/7, 2/3)
    acs = np.exp([6 / 7, 2 / 3]) / np.exp([6 / 7, 2 / 3]).sum()
    # a_max = -0.2, -0.1: softmax(-1 * 2 * (-0.2, -0.1) / 0.3) = softmax(4/3, 2/3), at the last
    # step, times t = 2
    df = 2 * math.exp(2 / 3) / (math.exp(4 / 3) + math.exp(2 / 3))
    assert df == pytest.approx(0.6785, abs=1e-4)
    assert weights(slopes, window=2, tau=1.0) == pytest.approx(df * rcs + (1 - df) * acs, abs=1e-12)


def test_coba_divergence_factor_never_exceeds_one():
    slopes = np.array([[-0.1, -0.1], [-0.9, -0.9]])  # ever faster: t * softmax would be above 1
    rcs = np.array([0.5, 0.5])
    assert weights(slopes, window=2, tau=5.0) == pytest.approx(rcs)


def test_coba_trusts_relative_scores_while_learning_speeds_up_and_absolute_ones_when_it_stops():
    """The sum under the divergence factor is of magnitudes: without them negative slopes would turn
    this around.
    """
    faster, slower = np.array([[-0.1, -0.3], [-0.2, -0.6]]), np.array([[-0.2, -0.6], [-0.1, -0.3]])
    # a_max = -0.1, -0.2 (or back): softmax(2 * (1/3, 2/3)) at the last step, times t = 2: 1.32, so
    # 1; back: 0.68
    rcs = np.array([math.e, 1]) / (math.e + 1)  # softmax(2 * (-1/4, -3/4)), both times
    acs = np.array([0.5, 0.5])  # both tasks have the same share of their own magnitudes
    df = 2 / (1 + math.exp(2 / 3))
    assert weights(faster, window=2, tau=1.0) == pytest.approx(rcs)
    assert weights(slower, window=2, tau=1.0) == pytest.approx(df * rcs + (1 - df) * acs, abs=1e-12)


def feed(rule, rows):
    for row in rows:
        rule.after_validation(np.array(row))
    return rule.weights()


def test_coba_is_uniform_during_the_warm_up():
    assert feed(CoBa(2, warm_up=4), [[2, 2], [1, 2], [1, 2]]).tolist() == [0.5, 0.5]


def test_coba_gives_the_slower_task_more():
    w = feed(CoBa(2, window=5, warm_up=2), [[2 - 0.2 * t, 2 - 0.1 * t] for t in range(6)])
    assert w[1] > w[0] and w.sum() == pytest.approx(1.0)


def test_coba_takes_weight_from_a_task_that_diverges():
    falling = [[2 - 0.1 * t, 2 - 0.1 * t] for t in range(8)]
    w = feed(
        CoBa(2, window=4, warm_up=2), falling + [[1.2 - 0.05 * t, 1.3 + 0.2 * t] for t in range(4)]
    )
    assert w[0] > w[1]


def test_coba_without_any_movement_is_uniform():
    assert feed(CoBa(2, warm_up=2), [[1.0, 2.0]] * 4).tolist() == [0.5, 0.5]


def test_coba_normalises_by_the_first_loss():
    a = feed(CoBa(2, warm_up=2), [[2, 4], [1.8, 3.8], [1.6, 3.6]])
    b = feed(CoBa(2, warm_up=2), [[20, 4], [18, 3.8], [16, 3.6]])
    assert a == pytest.approx(b)


@pytest.mark.parametrize("name", ["learnable", "coba"])
def test_a_restored_rule_goes_on_as_if_never_stopped(name):
    rows = [np.array([2 - 0.2 * t, 2 - 0.1 * t]) for t in range(12)]
    whole, first, second = (balancing(name, 2) for _ in range(3))
    for row in rows:
        whole.after_step(row, 0.1), whole.after_validation(row)
    for row in rows[:7]:
        first.after_step(row, 0.1), first.after_validation(row)
    second.restore(json.loads(json.dumps(first.state())))
    for row in rows[7:]:
        second.after_step(row, 0.1), second.after_validation(row)
    assert second.weights().tolist() == whole.weights().tolist()


def test_an_option_that_a_rule_does_not_take_is_answered_with_those_that_it_takes():
    with pytest.raises(UnknownName, match="did you mean tau"):
        balancing("coba", 2, tua=1.0)
    for name in RULES:
        with pytest.raises(UnknownName, match="option of balancing"):
            balancing(name, 2, kind="x")


def test_unknown_rules_are_answered_with_near_names():
    with pytest.raises(UnknownName, match="task-equal"):
        balancing("task_equal", 2)


def test_angles_between_gradients_by_hand():
    conflict = pytest.importorskip("mtpeft.tuning.conflict")
    import torch

    found = conflict.cosines(
        {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([-1.0, 1.0]), "c": torch.zeros(2)}
    )
    assert found == {("a", "b"): pytest.approx(-(0.5**0.5))}


@pytest.mark.parametrize("name", CLASSES)
def test_a_combination_of_two_gradients_that_are_against_each_other_hurts_neither(name):
    pytest.importorskip("torchjd", reason="the group `gradients` is not installed")
    import torch

    rows = torch.tensor([[1.0, 0.0], [-0.5, 1.0]])
    assert (rows @ balancing(name, 2).combined(rows) > -1e-4).all()
    alone = rows[:1]
    assert torch.equal(balancing(name, 2).combined(alone), alone[0])
    with pytest.raises(MtpeftError, match=f"balancing_options of {name}"):
        balancing(name, 2, nonsense=1)


def test_an_option_of_the_library_reaches_it():
    """Of CAGrad, c = 0 is the mean of the gradients (Liu et al. 2021, section 3.1)."""
    pytest.importorskip("torchjd", reason="the group `gradients` is not installed")
    import torch

    rows = torch.tensor([[1.0, 0.0], [-0.5, 1.0]])
    assert torch.allclose(balancing("cagrad", 2, c=0.0).combined(rows), rows.mean(0), atol=1e-6)
    assert not torch.allclose(balancing("cagrad", 2).combined(rows), rows.mean(0), atol=1e-2)


def test_a_rule_without_its_library_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("mtpeft.tuning.balancing.gradients.find_spec", lambda _: None)
    with pytest.raises(Unavailable, match="needs TorchJD") as missing:
        balancing("upgrad", 2)
    assert "make .venv/.gradients" in missing.value.fix

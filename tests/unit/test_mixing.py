"""Mixing strategies: which examples a run sees, how often, in which order."""

from collections import Counter

import numpy as np
import pytest
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.tuning.mixing import STRATEGIES, strategy
from mtpeft.tuning.mixing.temperature import probabilities

SIZES = [60, 30, 10]


def run(name, epochs=2, seed=1, temperature=1.0, sizes=SIZES):
    return list(strategy(name)(sizes, epochs, np.random.default_rng(seed), temperature))


def tasks(order, sizes=SIZES):
    return np.searchsorted(np.cumsum(sizes), order, side="right")


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_order_depends_on_the_seed_alone(name):
    assert all((a == b).all() for a, b in zip(run(name), run(name), strict=True))
    assert any((a != b).any() for a, b in zip(run(name), run(name, seed=2), strict=True))


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_epoch_is_as_long_as_the_data(name):
    assert [len(e) for e in run(name)] == [100, 100]
    assert all(0 <= i < 100 for e in run(name) for i in e)


@pytest.mark.parametrize("name", ["concatenate", "proportional"])
def test_no_example_is_lost_or_repeated(name):
    for epoch in run(name):
        assert sorted(epoch) == list(range(100))


def test_epochs_are_shuffled_anew():
    first, second = run("concatenate")
    assert (first != second).any()


def test_proportional_keeps_every_stretch_in_proportion():
    for epoch in run("proportional"):
        for start in range(0, 100, 10):
            counts = Counter(tasks(epoch[start : start + 10]).tolist())
            assert 5 <= counts[0] <= 7 and 2 <= counts[1] <= 4 and 0 <= counts[2] <= 2


def test_temperature_probabilities_by_hand():
    assert probabilities([60, 30, 10], 1.0) == pytest.approx([0.6, 0.3, 0.1])
    assert probabilities([81, 16, 0], 2.0) == pytest.approx([9 / 13, 4 / 13, 0])
    assert probabilities([60, 30, 10], 1e9) == pytest.approx([1 / 3] * 3)


def test_temperature_raises_the_share_of_small_tasks():
    drawn = Counter(
        np.concatenate(
            [tasks(e) for e in run("temperature", epochs=30, temperature=100.0)]
        ).tolist()
    )
    assert all(drawn[k] / 3000 == pytest.approx(1 / 3, abs=0.04) for k in range(3))


def test_repeated_tasks_are_gone_through_before_they_start_over():
    whole = np.concatenate(run("temperature", epochs=5, temperature=100.0))
    small = whole[tasks(whole) == 2]
    for start in range(0, len(small) - 10, 10):
        assert len(set(small[start : start + 10])) == 10


def test_a_temperature_that_is_not_positive_is_refused():
    with pytest.raises(MtpeftError, match="temperature"):
        run("temperature", temperature=0.0)


def test_round_robin_takes_turns_also_across_epochs():
    whole = tasks(np.concatenate(run("round-robin")))
    assert (whole == np.arange(200) % 3).all()


def test_a_single_task_and_an_empty_one_do_not_break_a_strategy():
    for name in STRATEGIES:
        assert sorted(run(name, epochs=1, sizes=[5])[0]) == list(range(5))
        assert set(run(name, epochs=1, sizes=[5, 0])[0]) <= set(range(5))


def test_unknown_strategies_are_answered_with_near_names():
    with pytest.raises(UnknownName, match="round-robin"):
        strategy("roundrobin")

"""Seconds of training are those of the work, not of its being queued."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from mtpeft.tasks.encoding import TaskData
from mtpeft.tuning import callbacks, ledger

pytestmark = pytest.mark.train


def test_a_step_ends_when_what_it_queued_is_done(monkeypatch, tmp_path):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock.now)
    # The step returns at once; the GPU needs five seconds more.
    monkeypatch.setattr(callbacks, "synchronize", lambda: setattr(clock, "now", clock.now + 5))
    ledger = SimpleNamespace(seconds=0.0, cpu_seconds=0.0)
    trainer = SimpleNamespace(
        finish_step=dict, ledger=ledger, rule=SimpleNamespace(needs_validation=False)
    )
    watch = callbacks.Recorder(trainer, tmp_path, 1, "run")
    state = SimpleNamespace(global_step=1)
    for _ in range(2):
        watch.on_step_begin(None, state, None)
        watch.on_step_end(None, state, None)
    assert ledger.seconds == 10


def test_an_evaluation_has_neither_the_work_before_it_nor_less_than_its_own(monkeypatch):
    """Two seconds of training are queued when it begins, three of its own when it ends."""
    clock = SimpleNamespace(now=100.0, queued=2.0)

    def wait() -> None:
        clock.now += clock.queued
        clock.queued = 0.0

    monkeypatch.setattr(ledger.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(ledger, "synchronize", wait)
    bill = ledger.Ledger()
    with bill.evaluation():
        clock.queued = 3.0
    assert bill.evaluation_seconds == 3


def test_seconds_of_predictions_are_those_of_the_work(monkeypatch, tmp_path):
    import numpy as np
    from mtpeft.core.records import read_predictions
    from mtpeft.inference import heads
    from mtpeft.models import shared

    clock = SimpleNamespace(now=100.0, queued=2.0)

    def wait() -> None:
        clock.now += clock.queued
        clock.queued = 0.0

    def outputs(*_, **__):
        clock.queued += 6.0
        return 0.0, np.array([0.5, 0.5, 0.5])

    monkeypatch.setattr(heads.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(heads, "synchronize", wait)
    monkeypatch.setattr(shared, "outputs", outputs)
    rows = [[1], [2], [3]]
    data = TaskData("flaky-detection", "label", ["a", "b", "c"], rows, [0, 1, 0], [], 0)
    heads.write(None, data, "run", "set", tmp_path / "set.jsonl")
    assert [p.seconds for p in read_predictions(tmp_path / "set.jsonl")] == [2.0] * 3


def test_a_process_without_a_part_of_a_batch_ends_with_a_bill():
    """More processes than examples in a batch: nothing is counted there, and nothing is divided by it."""
    ledger = Ledger(counted_steps=1)
    with ledger.counting("task", 0):
        pass
    ledger.seen("task", 10, 20, 1)
    assert ledger.summary(3)["flops"] is None
    ledger.counted["task"] = [[4, 100]]
    assert ledger.flops() == 500

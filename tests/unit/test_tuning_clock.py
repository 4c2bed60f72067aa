"""Seconds of training are those of the work, not of its being queued."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from mtpeft.tasks.encoding import TaskData
from mtpeft.tuning import callbacks, ledger
from mtpeft.tuning.objective.heads import HeadsTrainer
from mtpeft.tuning.objective.tokens import TokensTrainer

pytestmark = pytest.mark.train


class Trainer(HeadsTrainer):
    """A step takes 100 s to wait for its data, 20 s of work, of which 5 s are queued on the GPU, and
    within it 3 s of a look at the gradients; a checkpoint after it 1,000 s.
    """

    def __init__(self, clock: SimpleNamespace) -> None:
        def made() -> dict:
            clock.now += 100
            return {}

        ahead = SimpleNamespace(
            stopped=frozenset(), step={}, place=None, batches=SimpleNamespace(result=made)
        )
        self._ahead, self._drawn, self.stopped = ahead, lambda _: ahead, set()
        self.ledger, self.clock = ledger.Ledger(), clock
        self.rule = SimpleNamespace(needs_validation=False)

    def finish_step(self) -> dict:
        self.clock.now += 15
        with self.ledger.evaluation():
            self.clock.now += 3
        return {}


def test_a_step_is_its_data_and_its_work_without_evaluation_and_checkpoints(monkeypatch, tmp_path):
    clock = SimpleNamespace(now=100.0, queued=0.0)

    def wait() -> None:
        clock.now += clock.queued
        clock.queued = 0.0

    monkeypatch.setattr(ledger.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(ledger.time, "process_time", lambda: clock.now / 2)
    monkeypatch.setattr(ledger, "synchronize", wait)
    trainer = Trainer(clock)
    watch = callbacks.Recorder(trainer, tmp_path, 1, "run")
    for _ in range(2):
        trainer.get_batch_samples(iter([0]), 1, None)
        watch.on_step_begin(None, None, None)
        clock.queued = 5
        watch.on_step_end(None, SimpleNamespace(global_step=1), None)
        clock.now += 1000
    assert trainer.ledger.seconds == 2 * (100 + 20)
    assert trainer.ledger.cpu_seconds == 120
    assert trainer.ledger.evaluation_seconds == 2 * 3


def test_rows_of_text_are_waited_for_within_the_step_too(monkeypatch):
    import torch

    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(ledger.time, "monotonic", lambda: clock.now)

    def slow():
        clock.now += 100
        yield from ()

    class Texts(TokensTrainer):
        def __init__(self) -> None:
            self.ledger, self.names = ledger.Ledger(), []
            self.args, self.conflict_every = SimpleNamespace(world_size=1), 0
            self._sums = torch.zeros(1)

    trainer = Texts()
    clock.now += 1000  # a checkpoint
    trainer.get_batch_samples(slow(), 1, None)
    clock.now += 20
    trainer.ledger.end_step()
    assert trainer.ledger.seconds == 120


def test_padding_is_shared_as_tokens_are():
    """Eight places of two rows, of which three are the first task's and one is the second's: it was
    four for each, fewer than a task's own tokens in other batches.
    """
    import torch

    class Texts(TokensTrainer):
        def __init__(self) -> None:
            self.ledger, self.names, self.stopped = ledger.Ledger(), ["a", "b", "c"], set()
            self.args, self.conflict_every = SimpleNamespace(world_size=1), 0
            self._sums = torch.zeros(1)

    trainer = Texts()
    batch = {
        "token_tasks": torch.tensor([[0, 0, 0, -1], [1, -1, -1, -1]]),
        "labels": torch.tensor([[-100, 7, 8, -100], [-100, -100, -100, -100]]),
    }
    trainer.get_batch_samples(iter([batch]), 1, None)
    bill = trainer.ledger
    assert bill.tokens == {"a": 3, "b": 1, "c": 0}
    assert bill.padded == {"a": 6, "b": 2, "c": 0}
    assert bill.supervised == {"a": 2, "b": 0, "c": 0}
    assert bill.steps == {"a": 1, "b": 1, "c": 0}


def test_validation_that_a_balancing_rule_asks_for_is_billed_as_evaluation(monkeypatch, tmp_path):
    """Ten seconds before the first step and after each of two: they stood nowhere."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(ledger.time, "monotonic", lambda: clock.now)

    def losses(_: int) -> list[float]:
        clock.now += 10
        return [1.0]

    bill, told = ledger.Ledger(), []
    rule = SimpleNamespace(needs_validation=True, after_validation=told.append)
    trainer = SimpleNamespace(
        ledger=bill, rule=rule, validation_losses=losses, check=lambda: None, finish_step=dict
    )
    watch = callbacks.Recorder(trainer, tmp_path, 1, "run")
    state = SimpleNamespace(global_step=0, is_world_process_zero=False)
    watch.on_train_begin(None, state, None)
    for state.global_step in (1, 2):
        bill.begin_step()
        clock.now += 2
        watch.on_step_end(None, state, None)
    assert (bill.seconds, bill.evaluation_seconds, told) == (4, 30, [[1.0]] * 3)


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
    bill = ledger.Ledger(counted_steps=1)
    with bill.counting("task", 0):
        pass
    bill.seen("task", 10, 20, 1)
    assert bill.summary(3)["flops"] is None
    bill.counted["task"] = [[4, 100]]
    assert bill.flops() == 500

"""Seconds of training are those of the work, not of its being queued."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from mtpeft.tuning import callbacks

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

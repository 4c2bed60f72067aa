"""What the profile `fast` promises: steps that move weights, stops that noise does not make."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from mtpeft.catalog import catalog
from mtpeft.tuning.callbacks import PerTaskStopping
from mtpeft.tuning.objective.tokens import _spaced
from mtpeft.tuning.settings import resolve


def of(method, backbone="qwen2.5-coder-0.5b", profile="fast"):
    return resolve(catalog().get("runs", f"{backbone}/mt-{method}"), profile)


def moved(kind: str, rate: float) -> float:
    """Share of weights N(0, 0.02) that one of AdamW's steps changes."""
    torch.manual_seed(0)
    weight = torch.nn.Parameter((torch.randn(20_000) * 0.02).to(getattr(torch, kind)))
    before = weight.detach().clone()
    optimizer = torch.optim.AdamW([weight], lr=rate, weight_decay=0.0)
    weight.grad = torch.randn(20_000).sign().to(weight.dtype)
    optimizer.step()
    return float((weight.detach() != before).float().mean())


def test_full_fine_tuning_moves_its_weights():
    fast = of("fft")
    assert moved(fast.weights, fast.learning_rate) > 0.999
    # the second half of a cosine, where bfloat16 weights stand still
    assert moved(fast.weights, fast.learning_rate / 20) > 0.99
    assert moved("bfloat16", fast.learning_rate) < 0.2, "the premise"
    assert fast.mixed_precision == "bf16" and fast.learning_rate <= 2e-5
    assert of("fft", profile="faithful").weights == "bfloat16", "the study's"


def gained(evaluations: int, patience: int, threshold: float, noise: float, seed: int) -> float:
    """Share of the gain that is made when a task stops: a metric from 0.50 to 0.60 with a time
    constant of one epoch, in a run of five.
    """
    rng, trainer = np.random.default_rng(seed), SimpleNamespace(names=["task"], stopped=set())
    stopping, control = PerTaskStopping(trainer, patience, threshold), SimpleNamespace()
    for epoch in np.linspace(5 / evaluations, 5, evaluations):
        value = 0.6 - 0.1 * np.exp(-epoch) + rng.normal(0, noise)
        stopping.on_evaluate(None, None, control, {"eval_selection_task": value})
        if trainer.stopped:
            break
    return float(1 - np.exp(-epoch))


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_noise_stops_no_task_that_still_gains(noise):
    s = of("qlora")
    rule = (s.evaluations, s.early_stopping_patience, s.early_stopping_threshold)
    found = sorted(gained(*rule, noise, seed) for seed in range(1000))
    assert found[10] > 0.95, "one run in a hundred loses more than a twentieth of the gain"
    short = [gained(100, 3, 0.001, noise, seed) for seed in range(200)]
    assert np.median(short) < 0.9, "the premise: a short patience does stop on noise"


def test_evaluations_are_spaced_over_a_run_and_cost_little_of_it():
    s, rows = of("qlora"), 6_500  # about the smallest run: translation alone
    subsample_evenly = _spaced(s, rows, 8, 1)
    assert rows // 8 // subsample_evenly.eval_steps == s.evaluations
    assert s.evaluations * subsample_evenly.eval_samples <= 0.11 * rows
    assert _spaced(s, 400_000, 8, 3).eval_samples == s.eval_samples

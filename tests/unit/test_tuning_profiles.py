"""What the profile `fast` promises: steps that move weights, stops that noise does not make."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.tuning.callbacks import PerTaskStopping
from mtpeft.tuning.objective.tokens import share_moved
from mtpeft.tuning.settings import TOKENS, Settings, objective_of, resolve
from mtpeft.tuning.watching import cost, passes, spaced


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


@pytest.mark.parametrize(
    ("kind", "rate", "share"),
    [
        ("bfloat16", 1e-5, 0.25),  # half the distance to the next: 6e-5 at 0.02, 3.8e-6 at 0.001
        ("bfloat16", 1e-4, 1.0),
        ("bfloat16", 3e-6, 0.0),
        ("float16", 1e-5, 1.0),  # an eighth of bfloat16's distances
        ("float32", 1e-7, 1.0),
    ],
)
def test_the_share_of_weights_that_a_step_moves_is_that_of_their_type(kind, rate, share):
    model = torch.nn.ParameterList(
        torch.full((rows, 100), value, dtype=getattr(torch, kind))
        for rows, value in ((3000, 0.02), (1000, 0.001), (500, 0.02))
    )
    model[2].requires_grad_(False)
    assert share_moved(model, rate) == share


def gained(
    evaluations: int, patience: int, threshold: float, noise: float, seed: int, slow: float = 0.2
) -> float:
    """Share of the gain that is made when a task stops, of that of the whole run: a metric from 0.50
    towards 0.60 with a time constant of some part of the run.
    """
    rng, trainer = np.random.default_rng(seed), SimpleNamespace(names=["task"], stopped=set())
    stopping, control = PerTaskStopping(trainer, patience, threshold), SimpleNamespace()
    for part in np.linspace(1 / evaluations, 1, evaluations):
        value = 0.6 - 0.1 * np.exp(-part / slow) + rng.normal(0, noise)
        stopping.on_evaluate(None, None, control, {"eval_selection_task": value})
        if trainer.stopped:
            break
    return float((1 - np.exp(-part / slow)) / (1 - np.exp(-1 / slow)))


def worst_in_a_hundred(s: Settings, noise: float, slow: float) -> float:
    """What all but one run in a hundred gain at least. Heads are evaluated after each epoch."""
    rule = (s.evaluations or s.epochs, s.early_stopping_patience, s.early_stopping_threshold)
    return sorted(gained(*rule, noise, seed, slow) for seed in range(500))[5]


@pytest.mark.parametrize("slow", [0.2, 0.4, 1.0])
@pytest.mark.parametrize("noise", [0.003, 0.01, 0.03, 0.07])
@pytest.mark.parametrize("run", [("qlora",), ("lora", "unixcoder-base")])
def test_noise_stops_no_task_that_still_gains(run, noise, slow):
    """Noise of 50 examples whose scores spread by a half; tasks that gain slowly, too. Texts and
    heads stop by the same rule.
    """
    assert worst_in_a_hundred(of(*run), noise, slow) > 0.93, "more than a fourteenth is lost"


def test_the_studys_patience_with_heads_does_stop_slow_tasks_on_noise():
    """The premise: four epochs of ten, as the methods say and the study's own profiles keep."""
    paper = of("lora", "unixcoder-base", "paper")
    assert (paper.epochs, paper.early_stopping_patience) == (10, 4)
    assert worst_in_a_hundred(paper, 0.03, 1.0) < 0.7


@pytest.mark.parametrize("noise", [0.003, 0.01])
def test_a_short_patience_does_stop_on_noise(noise):
    """The premise."""
    assert np.median([gained(100, 3, 0.001, noise, seed) for seed in range(200)]) < 0.9


RUNS = [
    r.id
    for r in catalog().of("runs", "multitask-qlora")
    if objective_of(r) == TOKENS and catalog().methods[r.method].tuning
]


@pytest.mark.parametrize("name", RUNS)
def test_evaluations_cost_at_most_a_tenth_of_the_training(name):
    """Whether starting operations takes the time or doing them: passes are held against passes,
    work against work, and both shares are added up.
    """
    run, known = catalog().get("runs", name), catalog().tasks
    s = resolve(run, "fast")
    tokens = s.epochs * sum(known[t].sizes["train"] * known[t].tokens for t in run.tasks)
    rows = int(tokens / s.max_length)
    forward, made = cost(s, rows, run.tasks)
    work = 2 * forward / ((6 if run.method == "fft" else 4) + 2 * s.gradient_checkpointing) / tokens
    assert made / (passes(s) * rows / s.batch_size) + work <= 0.1
    chosen = spaced(s, rows, run.tasks)
    assert 2 <= chosen.evaluations <= s.evaluations == 10
    assert rows // 8 // chosen.eval_steps >= chosen.evaluations
    assert (chosen.selection == "loss") == (run.tasks == ["translation"])


@pytest.mark.parametrize("evaluations", range(2, 11))
def test_fewer_evaluations_stop_no_task_on_noise_either(evaluations):
    s = of("qlora")
    rule = (evaluations, s.early_stopping_patience, s.early_stopping_threshold)
    assert sorted(gained(*rule, 0.01, seed) for seed in range(300))[3] > 0.95


def test_a_long_run_is_validated_on_as_many_rows_as_the_profile_says():
    s = of("qlora")
    assert spaced(s, 400_000, ["generation"]).eval_samples == s.eval_samples


def test_fast_trains_every_weight_in_float32_at_a_rate_that_does_not_round_away():
    """Around 0.02 bfloat16 numbers are 1.2e-4 apart: steps below half of that are lost."""
    for name in ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "qwen2.5-coder-3b"):
        made = resolve(catalog().get("runs", f"{name}/mt-fft"), "fast")
        assert made.weights == "float32" and 1e-5 <= made.learning_rate <= 2e-5


def test_the_paper_profile_is_what_the_guide_says_of_it():
    """The first generation's sampler, weights and optimizer; everything else is the revision's, and
    REPRODUCE.md lists it with what the first generation had.
    """
    names = ("mixing", "balancing", "weight_decay", "early_stopping_patience")
    for run in ("codet5p-770m/mt-serial_adapter", "unixcoder-base/mt-lora"):
        paper, revision = (resolve(catalog().get("runs", run), p) for p in ("paper", "faithful"))
        assert [getattr(paper, name) for name in names[:3]] == [
            "round-robin",
            "learnable-softmax",
            0.0,
        ]
        for name in ("lora_rank", "lora_alpha", "lora_dropout", "code_length", "query_length"):
            assert getattr(paper, name) == getattr(revision, name), name
        assert (paper.warmup_share, paper.warmup_steps) == (0.1, 0)
    said = (paths.ROOT / "REPRODUCE.md").read_text(encoding="utf-8")
    said = " ".join(said[said.index("The profile `paper`") :][:900].split())
    for part in (
        f"rank `{paper.lora_rank}` and α `{paper.lora_alpha}` on all targets (`16` and `16` on q and v",
        f"with dropout `{paper.lora_dropout}` (none)",
        "`12` serial sites (`24`)",
        f"inputs of `{paper.code_length}` tokens (`256` for",
        "`300,000` clone pairs (`180,205`)",
        "(its own were frozen)",
    ):
        assert part in said, part

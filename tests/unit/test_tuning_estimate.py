"""Estimates and settings."""

import importlib.util
import math
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.paths import ROOT
from mtpeft.tuning.estimate import GPUS, counts, estimate, show, work
from mtpeft.tuning.settings import as_dict, parse_overrides, profiles, resolve

NEEDS_TRAIN = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the group `train` is not installed"
)


def run(name):
    return catalog().get("runs", name)


@NEEDS_TRAIN
@pytest.mark.parametrize(
    "backbone, weights",
    [
        ("qwen2.5-coder-0.5b", 0.494e9),
        ("qwen2.5-coder-1.5b", 1.544e9),
        ("qwen2.5-coder-3b", 3.086e9),
    ],
)
def test_parameter_counts_are_those_of_the_published_models(backbone, weights):
    item = run(f"{backbone}/mt-qlora")
    base, settings = catalog().get("backbones", backbone), resolve(item, "faithful")
    made = counts(item, settings)
    assert made.every == pytest.approx(weights, rel=2e-3) and made.used == made.every
    c = base.config
    h, f, kv = (
        c["hidden_size"],
        c["intermediate_size"],
        c["hidden_size"] // c["num_attention_heads"],
    )
    pairs = 2 * (h + h) + 2 * (h + kv * c["num_key_value_heads"]) + 3 * (h + f)
    assert made.trained == c["num_hidden_layers"] * settings.lora_rank * pairs


@NEEDS_TRAIN
def test_the_disk_holds_one_checkpoint_more_than_are_kept():
    """A weight of float32 and two of Adam, twelve bytes, in three checkpoints and in the fourth, which
    is written before the first is removed; `make help` names the largest run's.
    """
    largest = run("qwen2.5-coder-3b/mt-fft")
    settings = resolve(largest, "fast")
    found = counts(largest, settings)
    made = estimate(largest, settings, found)
    assert made.disk == pytest.approx(found.trained * 12 * 4 / 2**30)
    said = re.search(r"one training run .*1–(\d+) GB", (ROOT / "Makefile").read_text("utf-8"))
    assert float(said[1]) == pytest.approx(made.disk * 2**30 / 1e9, rel=0.1)


@NEEDS_TRAIN
def test_three_tasks_take_longer_than_one_and_full_tuning_needs_more_memory():
    made = {
        n: estimate(
            run(f"qwen2.5-coder-1.5b/{n}"), resolve(run(f"qwen2.5-coder-1.5b/{n}"), "faithful")
        )
        for n in ("st-qlora/translation", "mt-qlora", "mt-fft")
    }
    assert made["st-qlora/translation"].hours(GPUS[3]) < made["mt-qlora"].hours(GPUS[3])
    assert made["mt-qlora"].memory < made["mt-fft"].memory


@pytest.mark.parametrize("profile", profiles("tokens"))
def test_every_run_of_the_study_resolves_under_every_profile(profile):
    for item in catalog().of("runs", "multitask-qlora"):
        if catalog().methods[item.method].id in ("fft", "qlora", "lora"):
            assert as_dict(resolve(item, profile))["seed"] == 42


def test_the_faithful_profile_has_the_studys_values():
    s = resolve(run("qwen2.5-coder-1.5b/mt-qlora"), "faithful")
    assert (s.lora_rank, s.lora_alpha, s.lora_dropout, s.weights, s.optimizer) == (
        8,
        16,
        0.1,
        "nf4",
        "adamw_bnb_8bit",
    )
    assert (
        s.packing,
        s.max_length,
        s.loss_on,
        s.learning_rate,
        s.schedule,
        s.warmup_steps,
        s.epochs,
    ) == ("wrapped", 512, "prompt and answer", 1e-4, "cosine", 1000, 5)
    assert (s.batch_size, s.gradient_accumulation, s.eval_steps, s.mixing, s.balancing) == (
        2,
        16,
        5000,
        "concatenate",
        "none",
    )
    assert (s.early_stopping_patience, s.early_stopping_threshold, s.selection) == (
        3,
        0.001,
        "teacher-forced",
    )


def test_translation_alone_has_its_own_warm_up_and_cadence():
    s = resolve(run("qwen2.5-coder-1.5b/st-qlora/translation"), "faithful")
    assert (s.warmup_steps, s.eval_steps) == (100, 625)


def test_unknown_settings_and_values_are_answered_with_near_names():
    item = run("qwen2.5-coder-1.5b/mt-qlora")
    with pytest.raises(UnknownName, match="learning_rate"):
        resolve(item, "fast", {"learning_rat": 1.0})
    with pytest.raises(MtpeftError, match="a int"):
        resolve(item, "fast", {"epochs": "three"})
    with pytest.raises(UnknownName, match="wrapped"):
        resolve(item, "fast", {"packing": "wraped"})
    with pytest.raises(UnknownName, match="faithful"):
        resolve(item, "faithfull")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("lora_rank", 0, "at least 1"),
        ("lora_dropout", 2.0, "0 to 0.99"),
        ("learning_rate", -1.0, "at least 0"),
        ("learning_rate", math.nan, "at least 0"),
        ("gradient_clipping", math.inf, "at least 0"),
        ("logging_steps", 0, "at least 1"),
        ("save_steps", -1, "at least 0"),
        ("warmup_steps", -5, "at least 0"),
        ("mixing_temperature", 0.0, "at least 1e-06"),
        ("seed", -3, "0 to 4,294,967,295"),
        ("seed", 2**32, "0 to 4,294,967,295"),
        ("adam_betas", [0.9], "two numbers"),
        ("adam_betas", [0.9, 1.0], "two numbers"),
    ],
)
def test_a_number_that_a_setting_cannot_be_is_refused_with_what_it_can_be(key, value, expected):
    with pytest.raises(MtpeftError, match=f"setting {key} is") as refused:
        resolve(run("qwen2.5-coder-1.5b/mt-qlora"), "fast", {key: value})
    assert expected in refused.value.expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer", "adamw_torchy"),
        ("optimizer", "lomo"),
        ("schedule", "cosines"),
        ("compute_dtype", "int8"),
    ],
)
def test_a_word_that_a_setting_cannot_be_is_refused(key, value):
    with pytest.raises(UnknownName, match=value):
        resolve(run("qwen2.5-coder-1.5b/mt-qlora"), "fast", {key: value})


def test_overrides_are_yaml_values():
    assert parse_overrides(
        ["epochs=2", "learning_rate=2e-4", "mixing=round-robin", "liger=false"]
    ) == {"epochs": 2, "learning_rate": 2e-4, "mixing": "round-robin", "liger": False}
    # A word stays a word: YAML reads `no` as false.
    assert parse_overrides(["mixed_precision=no", 'attention="sdpa"']) == {
        "mixed_precision": "no",
        "attention": "sdpa",
    }
    with pytest.raises(MtpeftError, match="key=value"):
        parse_overrides(["epochs"])


def test_importing_the_stages_needs_no_deep_learning_library():
    code = (
        "import sys; sys.modules.update(torch=None, transformers=None, peft=None, datasets=None)\n"
        "import mtpeft.corpora.stage, mtpeft.tasks, mtpeft.tuning.stage, mtpeft.tuning.estimate, mtpeft.inference.command\n"
        "import mtpeft.smoke.driver, mtpeft.tuning.plan, mtpeft.tuning.balancing, mtpeft.tuning.mixing"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""


@NEEDS_TRAIN
def test_a_plan_without_names_has_every_run_but_the_withdrawn_and_a_total_for_each_study(
    monkeypatch, capsys
):
    from mtpeft.models.activations import Kept

    known = catalog()
    gone = replace(known.runs["qwen2.5-coder-3b/mt-fft"], withdrawn="a mistake")
    less = replace(known, runs=known.runs | {gone.id: gone})
    monkeypatch.setattr("mtpeft.tuning.estimate.catalog", lambda: less)
    monkeypatch.setattr("mtpeft.tuning.estimate._held_of", lambda *_: Kept(1e9, 1e8, 1e4, 1e3))
    show([], "faithful")
    out = capsys.readouterr().out
    assert "qwen2.5-coder-3b/mt-qlora " in out
    assert gone.id not in out
    assert "unixcoder-base/mt-lora/clone-detection+code-search " in out
    assert f"multitask-qlora, {len(known.of('runs', 'multitask-qlora')) - 1} runs" in out
    assert "multitask-peft, 170 runs" in out


@NEEDS_TRAIN
def test_the_weights_and_tokens_of_heads_are_those_of_the_study():
    """Trained weights as the revision's logs print them, heads included; clone detection alone has
    901,028 pairs in batches of 16 or 32, ten epochs.
    """
    item = run("unixcoder-base/st-fft/clone-detection")
    made = counts(item, resolve(item, "faithful"))
    assert made.every == pytest.approx(125.9e6, rel=2e-3)
    assert made.trained == made.every + 768 * 384 + 384 + 384 + 1
    trained, passed = work(item, resolve(item, "faithful"))
    assert trained == pytest.approx(10 * 901_028 * 470, rel=1e-4)
    assert passed == (10 + 1) * 415_416 * 470
    fast = work(item, resolve(item, "fast"))
    assert fast == pytest.approx((trained, (10 * 5_000 + 415_416) * 470), rel=1e-4)


@NEEDS_TRAIN
def test_drawn_batches_give_each_task_what_the_sampler_gives_it():
    """Temperature 1 / 0.3 over four tasks: an epoch has as many batches as all examples fill."""
    item = run("unixcoder-base/mt-lora")
    settings = resolve(item, "faithful")
    sizes = {t: catalog().tasks[t].sizes["train"] for t in item.tasks}
    weights = {t: n**0.3 for t, n in sizes.items()}
    steps = math.ceil(sum(sizes.values()) / 32)
    mean = sum(w * catalog().tasks[t].tokens for t, w in weights.items()) / sum(weights.values())
    assert work(item, settings)[0] == pytest.approx(10 * steps * 32 * mean)


@NEEDS_TRAIN
def test_what_training_refuses_is_said_and_does_not_hide_the_total(capsys):
    fine, refused = "codet5p-770m/mt-lora", "codet5p-770m/mt-prefix"
    show([fine], "faithful")
    alone = capsys.readouterr().out.splitlines()[-1].split("run")[1]
    for names in ([fine, refused], [refused, fine]):
        show(names, "faithful")
        *_, total, said = capsys.readouterr().out.splitlines()
        assert total.split("runs")[1].split() == alone.split()
        assert said == f"{refused}: training refuses it, prefix has no effect on codet5p-770m"


@NEEDS_TRAIN
def test_a_task_of_unknown_size_has_an_estimate_of_memory_and_none_of_time(monkeypatch, capsys):
    known = catalog()
    tasks = known.tasks | {"translation": replace(known.tasks["translation"], sizes={})}
    monkeypatch.setattr("mtpeft.tuning.estimate.catalog", lambda: replace(known, tasks=tasks))
    show(["qwen2.5-coder-0.5b/mt-qlora"], "faithful")
    (row,) = [x for x in capsys.readouterr().out.splitlines() if "mt-qlora" in x]
    assert row.count("unknown") == 1 + len(GPUS)
    assert re.search(r"unknown +\d+ ", row)

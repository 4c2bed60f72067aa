"""Shared-module training from end to end on the project's own tiny sets: all three kinds, stopping,
reloading, extension.
"""

import importlib.util
import json
import os
import subprocess
import sys
import threading
import types
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("the group `train` is not installed (make .venv/.train)", allow_module_level=True)

import torch
from mtpeft.catalog import Catalog, Method, Task, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora import Example
from mtpeft.corpora.analysis import own
from mtpeft.models.base import config_of, empty_encoder
from mtpeft.models.methods import Attached, method_module, tensors_saver
from mtpeft.models.shared import SharedModel
from mtpeft.tasks import encoding
from mtpeft.tasks.classification import trivial
from mtpeft.tasks.encoding import TaskData, encode, head_of
from mtpeft.tuning.mixing.batches import sampler
from mtpeft.tuning.objective import heads
from mtpeft.tuning.objective.heads import (
    HeadsTrainer,
    evaluate,
    fit,
    linear,
    over_seeds,
    train_seeds,
)
from mtpeft.tuning.once import once
from mtpeft.tuning.settings import Settings, how, resolve
from mtpeft.tuning.tiny import train_tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from safetensors.torch import load_file
from shared_models import SMALL, TINY, method, tiny

TASKS = ("vulnerability-detection", "clone-detection", "code-search", "flaky-detection")
QUICK = replace(
    TINY,
    batch_size=4,
    epochs=3,
    learning_rate=1e-2,
    head_learning_rate=1e-2,
    weight_decay=0.01,
    warmup_share=0.1,
    early_stopping_patience=9,
)


@pytest.fixture(scope="module")
def tokenizer() -> object:
    texts = [text for task in TASKS for e in own(task, "train") for text in e.inputs.values()]
    return train_tokenizer(texts, 300)


@pytest.fixture(scope="module")
def data(tokenizer: object) -> dict[str, dict[str, TaskData]]:
    return {
        split: {task: encode(task, own(task, split), tokenizer, 40, 20) for task in TASKS}
        for split in ("train", "valid", "test")
    }


def _model(
    family: str,
    name: str,
    tokenizer: object,
    tasks: tuple[str, ...] = TASKS,
    seed: int = 0,
    **changes: object,
) -> SharedModel:
    sizes = {"vocab_size": len(tokenizer)}  # type: ignore[arg-type]
    if family != "t5":
        sizes["max_position_embeddings"] = 64
    backbone = tiny(family, **sizes)
    encoder = empty_encoder(config_of(backbone), seed=seed)
    kinds = {t: head_of(t) for t in tasks}
    given = how(replace(TINY, **changes))  # type: ignore[arg-type]
    return SharedModel(encoder, backbone, method(name), kinds, given)


@pytest.mark.parametrize("name", ["serial_adapter", "parallel_adapter", "lora", "mlora", "fft"])
@pytest.mark.parametrize("family", SMALL)
def test_four_tasks_train_in_one_model_of_every_kind(
    family: str, name: str, tokenizer: object, data: dict, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    outcome = fit(
        _model(family, name, tokenizer),
        data["train"],
        data["valid"],
        data["test"],
        replace(QUICK, epochs=1),
        tmp_path,
    )
    assert set(outcome.test) == set(TASKS) and all(
        0 <= outcome.test[t]["f1"] <= 1 for t in TASKS if t != "code-search"
    )
    assert outcome.cost["flops"] > 0 and set(outcome.cost["tokens"]) == set(TASKS)


def test_training_lowers_the_loss_of_every_task(
    tokenizer: object, data: dict, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = _model("llama", "fft", tokenizer)
    before = {t: evaluate(model, d)["loss"] for t, d in data["train"].items()}
    outcome = fit(
        model, data["train"], data["train"], data["test"], replace(QUICK, epochs=25), tmp_path
    )
    after = outcome.history[outcome.best_epoch - 1]["valid"]
    assert all(after[t]["loss"] < before[t] for t in TASKS)


def test_the_model_that_is_tested_is_the_best_checkpoint_and_not_the_last(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, best = [], {}
    original = heads.evaluate

    def falling(model: SharedModel, some: TaskData, **named: object) -> dict[str, float]:
        # The first epoch looks best whatever the model learns later; the reloaded model must look
        # like the first again.
        key = next(p.detach().clone() for p in model.head_parameters("flaky-detection"))
        if not best:
            best["head"] = key
        scores = original(model, some, **named)
        seen.append(torch.equal(key, best["head"]))
        return {**scores, "f1": 0.9 if seen[-1] else 0.1}

    monkeypatch.setattr(heads, "evaluate", falling)
    torch.manual_seed(0)
    one = {split: {"flaky-detection": data[split]["flaky-detection"]} for split in data}
    model = _model("llama", "serial_adapter", tokenizer, ("flaky-detection",))
    outcome = fit(model, one["train"], one["valid"], one["test"], QUICK, tmp_path)
    assert outcome.best_epoch == 1 and seen == [True, False, False, True]
    assert outcome.test["flaky-detection"]["f1"] == 0.9


def test_a_task_that_nothing_was_learned_of_is_named_where_the_mean_hides_it(
    data: dict, tokenizer: object, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Rates of zero: the chosen model is the first one, whose scores are those of chance."""
    still = replace(QUICK, epochs=1, learning_rate=0.0, head_learning_rate=0.0)
    splits = (data["train"], data["valid"], {})
    fit(_model("llama", "lora", tokenizer), *splits, still, tmp_path / "run" / "seed-1")
    said = capsys.readouterr().out
    yes = trivial(data["valid"]["flaky-detection"].labels)["always yes"]["f1"]
    assert "train run: epoch 1 was chosen, though its f1 of flaky-detection is" in said
    assert f"always yes {yes:.4f}" in said


def test_a_checkpoint_that_is_not_what_was_saved_is_noticed(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = _model("llama", "serial_adapter", tokenizer)
    monkeypatch.setattr(
        model, "load", lambda folder: [torch.nn.init.zeros_(p) for p in model.head_parameters()]
    )
    with pytest.raises(MtpeftError, match="after reloading"):
        fit(model, data["train"], data["valid"], data["test"], QUICK, tmp_path)


def test_a_task_that_does_not_improve_is_stopped_and_the_others_go_on(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, int] = {}

    def scripted(model: SharedModel, some: TaskData, **named: object) -> dict[str, float]:
        calls[some.task] = calls.get(some.task, 0) + 1
        value = 0.5 if some.task == "clone-detection" else min(calls[some.task], 5) / 10
        return {"loss": 1.0, "f1": value, "mrr": value}

    monkeypatch.setattr(heads, "evaluate", scripted)
    torch.manual_seed(0)
    outcome = fit(
        _model("llama", "serial_adapter", tokenizer),
        data["train"],
        data["valid"],
        {},
        replace(QUICK, epochs=5, early_stopping_patience=2),
        tmp_path,
    )
    assert [h["stopped"] for h in outcome.history] == [
        [],
        [],
        ["clone-detection"],
        ["clone-detection"],
        ["clone-detection"],
    ]
    assert all("clone-detection" not in h["train_loss"] for h in outcome.history[3:])
    assert all("code-search" in h["train_loss"] for h in outcome.history)


def test_a_run_ends_where_the_loss_of_a_label_task_has_risen_as_often_as_the_revision_says(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1 creeps up while the loss rises from epoch 2: the revision ends at epoch 5."""
    calls: dict[str, int] = {}

    def scripted(model: SharedModel, some: TaskData, **named: object) -> dict[str, float]:
        epoch = calls[some.task] = calls.get(some.task, 0) + 1
        # The ranking's loss rises all the time and ends nothing.
        loss = {"clone-detection": abs(epoch - 1.5), "code-search": float(epoch)}.get(
            some.task, 1.0
        )
        return {"loss": loss, "f1": epoch / 20, "mrr": epoch / 20}

    monkeypatch.setattr(heads, "evaluate", scripted)
    torch.manual_seed(0)
    settings = replace(QUICK, epochs=8, early_stopping_patience=0, stop_on_rising_loss=3)
    model = _model("llama", "serial_adapter", tokenizer)
    outcome = fit(model, data["train"], data["valid"], {}, settings, tmp_path)
    assert [len(outcome.history), outcome.best_epoch] == [5, 5]
    entry = catalog().get("runs", "unixcoder-base/mt-serial_adapter")
    faithful = resolve(entry, "faithful")
    assert (faithful.stop_on_rising_loss, faithful.early_stopping_patience) == (4, 0)


def test_learnable_weights_drift_to_the_easiest_task_in_a_real_run(
    tokenizer: object, data: dict, tmp_path: Path
) -> None:
    tasks = ("vulnerability-detection", "code-search")
    pair = {split: {t: data[split][t] for t in tasks} for split in data}
    options = replace(
        QUICK, epochs=20, learning_rate=5e-2, head_learning_rate=1e-3, early_stopping_patience=99
    )
    for name in ("learnable-softmax", "task-equal"):
        torch.manual_seed(0)
        outcome = fit(
            _model("llama", "serial_adapter", tokenizer, tasks),
            pair["train"],
            pair["valid"],
            pair["test"],
            replace(options, balancing=name),
            tmp_path / name,
        )
        mean = {t: sum(h["train_loss"][t] for h in outcome.history) for t in tasks}
        easiest = min(mean, key=lambda t: mean[t])
        shares = [h["weights"][easiest] / sum(h["weights"].values()) for h in outcome.history]
        if name == "task-equal":
            assert set(shares) == {0.5}
        else:
            assert shares == sorted(shares) and shares[-1] > 0.8


def test_seeds_repeat_to_the_bit_differ_from_each_other_and_are_not_redone(
    tokenizer: object, data: dict, tmp_path: Path
) -> None:
    options, seeds = replace(QUICK, epochs=1), [1, 2]

    def make(seed: int) -> SharedModel:
        return _model("roberta", "serial_adapter", tokenizer, seed=seed)

    first = train_seeds(
        make, data["train"], data["valid"], data["test"], options, tmp_path / "a", seeds
    )
    second = train_seeds(
        make, data["train"], data["valid"], data["test"], options, tmp_path / "b", seeds
    )
    for one, other in zip(first, second, strict=True):
        assert one.history == other.history and one.test == other.test
        for name in ("shared", "heads"):
            path = f"seed-{one.seed}/best/{name}.safetensors"
            assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    assert first[0].history != first[1].history
    stamp = (tmp_path / "a" / "seed-1" / "finished.json").stat().st_mtime_ns
    again = train_seeds(
        make, data["train"], data["valid"], data["test"], options, tmp_path / "a", seeds
    )
    assert again == [heads.Outcome(**json.loads(json.dumps(o.__dict__))) for o in first]
    assert (tmp_path / "a" / "seed-1" / "finished.json").stat().st_mtime_ns == stamp
    assert over_seeds(first, "flaky-detection", "acc")[2] == 2


class _Killed(BaseException):
    """What a killed process leaves behind: nothing after this point is written."""


@pytest.mark.parametrize(
    ("sampler", "step"), [("temperature", 3), ("temperature", 7), ("round-robin", 6)]
)
def test_a_run_cut_off_anywhere_ends_in_the_same_bytes(
    sampler: str,
    step: int,
    tokenizer: object,
    data: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Dropout in the heads and in LoRA draws random numbers in every step; learned weights and
    # stopped tasks are state, too.
    options = replace(
        QUICK,
        epochs=2,
        mixing=sampler,
        balancing="learnable-softmax",
        save_steps=2,
        limit_steps=5,
        seed=3,
        lora_dropout=0.1,
    )

    def make(seed: int) -> SharedModel:
        return _model("llama", "lora", tokenizer, seed=seed, lora_dropout=0.1)

    (whole,) = train_seeds(
        make, data["train"], data["valid"], data["test"], options, tmp_path / "whole"
    )
    taken, original = [0], HeadsTrainer.training_step

    def stopping(*arguments: object) -> torch.Tensor:
        taken[0] += 1
        if taken[0] > step:
            raise _Killed
        return original(*arguments)

    monkeypatch.setattr(HeadsTrainer, "training_step", stopping)
    with pytest.raises(_Killed):
        train_seeds(make, data["train"], data["valid"], data["test"], options, tmp_path / "cut")
    monkeypatch.setattr(
        HeadsTrainer,
        "training_step",
        lambda *arguments: (taken.append(1), original(*arguments))[1],
    )
    torch.manual_seed(99)
    (resumed,) = train_seeds(
        make, data["train"], data["valid"], data["test"], options, tmp_path / "cut"
    )
    assert len(taken) - 1 == 10 - (step - step % 5 % 2), "steps were taken again, or left out"
    assert (resumed.history, resumed.test, resumed.best_epoch) == (
        whole.history,
        whole.test,
        whole.best_epoch,
    )
    assert all(
        resumed.cost[key] == whole.cost[key]
        for key in ("flops", "tokens", "padded_tokens", "steps_by_task")
    )
    for name in ("shared", "heads"):
        path = f"seed-3/best/{name}.safetensors"
        assert (tmp_path / "whole" / path).read_bytes() == (tmp_path / "cut" / path).read_bytes()
    assert not (tmp_path / "cut" / "seed-3" / "checkpoints").exists()


def test_a_state_or_result_of_something_else_is_refused_and_left_alone(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(QUICK, epochs=1, save_steps=1, seed=3)

    def make(seed: int) -> SharedModel:
        return _model("llama", "serial_adapter", tokenizer, seed=seed)

    def go(
        folder: str, changed: Settings = options, some: dict = data, about: str = "one"
    ) -> list[heads.Outcome]:
        return train_seeds(
            make,
            some["train"],
            some["valid"],
            some["test"],
            changed,
            tmp_path / folder,
            about={"base": about},
        )

    monkeypatch.setattr(heads, "evaluate", lambda *a, **n: (_ for _ in ()).throw(_Killed))
    with pytest.raises(_Killed):
        go("cut")
    monkeypatch.undo()
    go("finished")
    fewer = {
        split: {task: part.subsample_evenly(3) for task, part in by.items()}
        for split, by in data.items()
    }
    for folder in ("cut", "finished"):
        before = {p: p.read_bytes() for p in (tmp_path / folder).rglob("*") if p.is_file()}
        for change, word in (
            ({"changed": replace(options, learning_rate=1e-3)}, "settings learning_rate"),
            ({"some": fewer}, "data test"),
            ({"about": "another"}, "base one, not another"),
        ):
            with pytest.raises(MtpeftError, match=word):
                go(folder, **change)
        assert before == {p: p.read_bytes() for p in (tmp_path / folder).rglob("*") if p.is_file()}
    (tmp_path / "finished" / "seed-3" / "best" / "heads.safetensors").unlink()
    with pytest.raises(MtpeftError, match="is missing"):
        go("finished")


def test_the_learning_rate_rises_then_falls_to_zero_at_the_last_step() -> None:
    factor = linear(100, 10)
    assert (
        factor(0) == pytest.approx(0.1)
        and factor(9) == 1.0
        and factor(55) == pytest.approx(0.5)
        and factor(100) == 0.0
    )


def test_a_fifth_task_and_a_sixth_method_come_from_outside_the_package(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_module = types.ModuleType("outside_task")
    task_module.texts = lambda example: (example.inputs["line"],)
    task_module.label = lambda example: int(example.target)
    method_module_ = types.ModuleType("outside_method")

    def attach(encoder: torch.nn.Module, backbone: object, how: dict) -> Attached:
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_("norm" in name.lower())
        return Attached(encoder, *tensors_saver(encoder))

    method_module_.attach = attach
    monkeypatch.setitem(sys.modules, "outside_task", task_module)
    monkeypatch.setitem(sys.modules, "outside_method", method_module_)
    known = catalog()
    wider = Catalog(
        **{
            **known.__dict__,
            "tasks": {
                **known.tasks,
                "comment-detection": Task(
                    "comment-detection", "Comment", "C", "outside_task", "label", []
                ),
            },
        }
    )
    monkeypatch.setattr(encoding, "catalog", lambda: wider)
    examples = [
        Example(
            str(i),
            "comment-detection",
            "java",
            {"line": "// note" if i % 2 else "int x;"},
            str(i % 2),
        )
        for i in range(12)
    ]
    fifth = encode("comment-detection", examples, tokenizer, 16)
    tasks = (*TASKS, "comment-detection")
    sixth = Method("norms", "Norms alone", module="outside_method")
    assert method_module(sixth) is method_module_
    backbone = tiny("llama", vocab_size=len(tokenizer))  # type: ignore[arg-type]
    encoder = empty_encoder(config_of(backbone), seed=0)
    kinds = {t: head_of(t) for t in tasks}
    model = SharedModel(encoder, backbone, sixth, kinds, how(QUICK))
    wide = {split: {**data[split], "comment-detection": fifth} for split in data}
    outcome = fit(
        model, wide["train"], wide["valid"], wide["test"], replace(QUICK, epochs=1), tmp_path
    )
    assert set(outcome.test) == set(tasks)


@pytest.mark.parametrize("task", ["flaky-detection", "code-search"])
def test_a_batch_in_parts_is_one_batch(
    task: str, tokenizer: object, data: dict, tmp_path: Path
) -> None:
    """Also where all examples of a batch meet in the loss, and dropout draws random numbers: then
    each part must have the same ones in both passes.
    """
    one = {split: {task: by[task]} for split, by in data.items()}
    curves = []
    for rows in (4, 1):
        torch.manual_seed(0)
        model = _model("llama", "serial_adapter", tokenizer, (task,))
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        settings = replace(QUICK, batch_size=rows, gradient_accumulation=4 // rows)
        outcome = fit(model, one["train"], one["valid"], {}, settings, tmp_path / str(rows))
        curves.append([h["train_loss"][task] for h in outcome.history])
    assert curves[1] == pytest.approx(curves[0], abs=1e-5) and curves[0][0] != curves[0][-1]


def test_out_of_memory_is_answered_with_the_same_batch(
    tokenizer: object, data: dict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def go(folder: str, settings: Settings, **trial: int) -> heads.Outcome:
        def make(seed: int) -> SharedModel:
            return _model("llama", "lora", tokenizer, seed=seed)

        splits = (data["train"], data["valid"], {})
        return train_seeds(make, *splits, settings, tmp_path / folder, **trial)[0]

    fits = go("fits", replace(QUICK, epochs=1, batch_size=1, gradient_accumulation=4))
    full = go("full", replace(QUICK, epochs=1), fail_at_rows=1)
    assert "1 rows × 4 accumulation steps" in capsys.readouterr().out
    assert full.history == fits.history


def test_peak_memory_is_that_of_each_seed(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, partial(begun.append, name))
    one = {"kept": {}, "files": []}
    for seed in ("1", "2"):
        once(tmp_path / seed, one, QUICK, lambda _: (begun.append("fit"), ({}, []))[1])
    assert begun == ["reset_peak_memory_stats", "fit"] * 2


def test_recomputed_activations_change_no_bit(
    tokenizer: object, data: dict, tmp_path: Path
) -> None:
    for name in ("lora", "parallel_adapter", "fft"):
        histories = []
        for again in (False, True):
            torch.manual_seed(0)
            model = _model("roberta", name, tokenizer, gradient_checkpointing=again)
            settings = replace(QUICK, epochs=1, gradient_checkpointing=again)
            folder = tmp_path / name / str(again)
            histories.append(fit(model, data["train"], data["valid"], {}, settings, folder).history)
        assert histories[0] == histories[1], name


def test_a_loss_that_is_no_number_stops_the_run_and_names_task_and_examples(
    tokenizer: object, data: dict, tmp_path: Path
) -> None:
    settings = replace(QUICK, learning_rate=1e30, head_learning_rate=1e30, gradient_clipping=1e30)
    torch.manual_seed(0)
    model = _model("llama", "fft", tokenizer)
    with pytest.raises(MtpeftError, match=r"the loss of [a-z-]+ is (nan|inf) in step \d+, .*…"):
        fit(model, data["train"], data["valid"], {}, settings, tmp_path)


def test_a_validation_loss_that_is_no_number_stops_the_run(
    tokenizer: object, data: dict, tmp_path: Path
) -> None:
    """One step an epoch: no training loss is computed with the weights that it left."""
    settings = replace(QUICK, learning_rate=1e30, head_learning_rate=1e30, gradient_clipping=1e30)
    settings = replace(settings, epochs=1, limit_steps=1, warmup_share=0.0)
    with pytest.raises(MtpeftError, match=r"the validation loss of [a-z-]+ is nan after epoch 1"):
        fit(_model("llama", "fft", tokenizer), data["train"], data["valid"], {}, settings, tmp_path)
    assert not (tmp_path / "best").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "adafactor", "lion_32bit", "adamw_bnb_8bit"])
def test_heads_train_with_every_kind_of_optimizer(
    optimizer: str, tokenizer: object, data: dict, tmp_path: Path
) -> None:
    settings = replace(QUICK, epochs=1, optimizer=optimizer, learning_rate=1e-3)
    model = _model("roberta", "lora", tokenizer)
    assert fit(model, data["train"], data["valid"], {}, settings, tmp_path) is not None


def test_what_is_said_of_the_precision_is_what_is_computed(
    tokenizer: object, data: dict, tmp_path: Path
) -> None:
    """Heads compute in bfloat16 on a GPU alone."""
    model = _model("roberta", "lora", tokenizer, mixed_precision="bf16")
    settings = replace(QUICK, epochs=1, mixed_precision="bf16")
    made = fit(model, data["train"], data["valid"], {}, settings, tmp_path)
    assert made is not None
    assert made.cost["device"]["precision"] == "float32 weights, float32 products"


def test_two_processes_are_one(tokenizer: object, data: dict, tmp_path: Path) -> None:
    """A batch of three divided by two: uneven parts, and rankings whose examples meet."""
    one = _outcome(tmp_path / "one")
    script = (
        "import sys, json; from pathlib import Path\n"
        "sys.path[:0] = sys.argv[1].split(':')\n"
        "import test_training_heads as t\n"
        "t._outcome(Path(sys.argv[2]))\n"
    )
    (tmp_path / "two.py").write_text(script)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit"), *sys.path]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        + [str(tmp_path / "two.py"), ":".join(p for p in paths if p), str(tmp_path / "two")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kept = json.loads((tmp_path / "two" / "seed-42" / "finished.json").read_text())["kept"]
    assert kept["cost"]["processes"] == 2
    for name in ("tokens", "supervised_tokens", "steps_by_task"):
        assert kept["cost"][name] == one.cost[name], name
    for mine, theirs in zip(one.history, kept["history"], strict=True):
        assert mine["train_loss"] == pytest.approx(theirs["train_loss"], abs=1e-5)
    for name in ("shared", "heads"):
        a, b = (
            load_file(tmp_path / n / "seed-42" / "best" / f"{name}.safetensors")
            for n in ("one", "two")
        )
        assert a.keys() == b.keys()
        assert all(torch.allclose(a[k], b[k], atol=1e-4) for k in a)


def _outcome(folder: Path) -> heads.Outcome:
    """A run without dropout on two tasks; also what each of two processes runs."""
    tasks = ("flaky-detection", "code-search")
    words = train_tokenizer(
        [text for t in TASKS for e in own(t, "train") for text in e.inputs.values()], 300
    )
    data = {s: {t: encode(t, own(t, s), words, 40, 20) for t in tasks} for s in ("train", "valid")}

    def make(seed: int) -> SharedModel:
        model = _model("llama", "serial_adapter", words, tasks, seed)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        return model

    settings = replace(QUICK, epochs=2, batch_size=6)
    made = train_seeds(make, data["train"], data["valid"], {}, settings, folder)
    return made[0]


def _threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("batches")]


@pytest.mark.parametrize("mixing", ["round-robin", "temperature", "proportional"])
def test_steps_made_ahead_are_those_of_the_sampler_also_where_a_task_stops(
    mixing: str, tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[frozenset[str], dict, dict]] = []
    original = HeadsTrainer.training_step

    def told(self: HeadsTrainer, model: object, inputs: dict, *more: object) -> torch.Tensor:
        place = json.loads(json.dumps(self.more_state()["sampler"]))
        seen.append((frozenset(self.stopped), inputs, place))
        made = original(self, model, inputs, *more)
        if len(seen) in (3, 8):
            self.stopped.add(TASKS[len(seen) % 4])
        return made

    monkeypatch.setattr(HeadsTrainer, "training_step", told)
    settings = replace(QUICK, epochs=2, mixing=mixing)
    parts = (data["train"], data["valid"], data["test"])
    fit(_model("roberta", "lora", tokenizer), *parts, settings, tmp_path)
    sizes = {t: len(d) for t, d in data["train"].items()}
    alone = sampler(mixing, sizes, QUICK.batch_size, settings.seed, settings.mixing_temperature)
    assert len(seen) > 8 and len({stopped for stopped, _, _ in seen}) == 3
    for stopped, step, place in seen:
        assert step == alone.next(stopped) and place == alone.state()
    assert not _threads()


def test_batches_are_made_while_the_step_before_is_computed(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In step n the batches of step n + 1 come to be: without a thread it would wait in vain."""
    made, taken = threading.Semaphore(0), [0]
    make, step = HeadsTrainer._made, HeadsTrainer.training_step

    def told(self: HeadsTrainer, wanted: dict) -> dict:
        found = make(self, wanted)
        made.release()
        return found

    def waiting(self: HeadsTrainer, *given: object) -> torch.Tensor:
        for _ in range(1 if taken[0] else 2):  # the first step's own, too
            assert made.acquire(timeout=60)
        taken[0] += 1
        return step(self, *given)

    monkeypatch.setattr(HeadsTrainer, "_made", told)
    monkeypatch.setattr(HeadsTrainer, "training_step", waiting)
    parts = (data["train"], data["valid"], data["test"])
    fit(_model("roberta", "lora", tokenizer), *parts, replace(QUICK, epochs=1), tmp_path)
    assert taken[0] > 3 and not _threads()


def test_what_fails_while_a_batch_is_made_ends_the_run_in_its_own_words(
    tokenizer: object, data: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, original = [0], TaskData.batch

    def broken(self: TaskData, *given: object) -> dict:
        calls[0] += 1
        if calls[0] == 9:
            raise OSError("the token file ends after 5 bytes")
        return original(self, *given)

    monkeypatch.setattr(TaskData, "batch", broken)
    parts = (data["train"], data["valid"], data["test"])
    with pytest.raises(OSError, match="ends after 5 bytes") as caught:
        fit(_model("roberta", "lora", tokenizer), *parts, replace(QUICK, epochs=1), tmp_path)
    assert "_made" in {entry.name for entry in caught.traceback} and not _threads()


def test_no_thread_stays_after_a_stop(tokenizer: object, data: dict, tmp_path: Path) -> None:
    parts = (data["train"], data["valid"], data["test"])
    model = _model("roberta", "lora", tokenizer)
    assert fit(model, *parts, QUICK, tmp_path, stop_at=2) is None and not _threads()

"""Training on a tiny backbone: what must agree with what, bit for bit or to a stated tolerance."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.core.errors import MtpeftError
from mtpeft.core.provenance import sha256
from mtpeft.tuning.balancing import balancing
from mtpeft.tuning.loss import install
from mtpeft.tuning.merge import merge
from mtpeft.tuning.objective.tokens import prepare
from mtpeft.tuning.plan import IGNORED, collate, plan
from mtpeft.tuning.store import tokenized
from mtpeft.tuning.train import train
from tiny_backbone import TASKS, build, job, with_settings


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return build(tmp_path_factory.mktemp("backbone"))


def weights(folder: Path) -> str:
    return sha256(next(folder.glob("*.safetensors")))


def curve(made) -> list[dict[str, str]]:
    with open(made.folder / "loss_curve.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def losses(made) -> np.ndarray:
    return np.array([float(row["loss"]) for row in curve(made)])


# ---------------------------------------------------------------- the loss


def batch_of(backbone, rows, **settings):
    made = job(backbone, Path("unused"), "fft", batch_size=rows, **settings)
    from mtpeft.models.base import load_tokenizer
    from mtpeft.tasks import wording

    tokenizer = load_tokenizer(str(backbone))
    store = tokenized(
        made.train, tokenizer, wording(), joined=False, longest=made.settings.max_length
    )
    laid = plan(store, made.settings, 1)
    return laid, tokenizer, made


def test_packed_examples_have_the_loss_of_unpacked_ones(backbone):
    packed, tokenizer, made = batch_of(backbone, 2, packing="isolated", max_length=512)
    alone, *_ = batch_of(backbone, 1, packing="none", max_length=512)
    model = prepare("fft", str(backbone), made.settings, "cpu").eval()
    install(model)
    ones = torch.ones(3)
    assert max(np.diff(packed.rows)) > 1, "nothing was packed"

    def per_example(laid, row):
        batch = collate([laid[row]], tokenizer.pad_token_id)
        out, at = {}, 0
        for example, start, end in laid.segments[laid.rows[row] : laid.rows[row + 1]]:
            only = dict(batch, labels=batch["labels"].clone())
            only["labels"][:, :at] = IGNORED
            only["labels"][:, at + end - start :] = IGNORED
            out[int(example)] = float(model(**only, task_factors=ones)["loss"])
            at += end - start
        return out

    with torch.no_grad():
        together = {k: v for row in range(len(packed)) for k, v in per_example(packed, row).items()}
        single = {k: v for row in range(len(alone)) for k, v in per_example(alone, row).items()}
    assert together.keys() == single.keys()
    for example, value in single.items():
        assert together[example] == pytest.approx(value, abs=1e-4, rel=1e-5)


def test_wrapped_packing_does_let_examples_see_each_other(backbone):
    """The contrast to the test above: without it, that one could pass because nothing ever differs."""
    laid, tokenizer, made = batch_of(
        backbone, 1, packing="wrapped", loss_on="prompt and answer", max_length=256
    )
    model = prepare("fft", str(backbone), made.settings, "cpu").eval()
    row = collate([laid[0]], tokenizer.pad_token_id)
    changed = row["input_ids"].clone()
    changed[0, 0] = (changed[0, 0] + 1) % 500
    with torch.no_grad():
        a, b = (
            model(input_ids=ids, position_ids=row["position_ids"]).logits[0, -1]
            for ids in (row["input_ids"], changed)
        )
    assert not torch.equal(a, b)


def test_the_chunked_loss_and_its_gradient_are_those_of_the_model_itself(backbone, monkeypatch):
    laid, tokenizer, made = batch_of(backbone, 2)
    batch = collate([laid[0], laid[1]], tokenizer.pad_token_id)
    model = prepare("fft", str(backbone), made.settings, "cpu")
    reference = model(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], labels=batch["labels"]
    ).loss
    reference.backward()
    expected = {n: p.grad.clone() for n, p in model.named_parameters()}
    for chunk in (1 << 29, 4 * 600 * 7):
        monkeypatch.setattr("mtpeft.tuning.loss.CHUNK_BYTES", chunk)
        model.zero_grad()
        again = prepare("fft", str(backbone), made.settings, "cpu")
        install(again)
        count = int((batch["labels"][:, 1:] != IGNORED).sum())
        out = again(**batch, task_factors=torch.full((3,), 1 / count))
        out["loss"].backward()
        assert float(out["loss"].detach()) == pytest.approx(float(reference.detach()), abs=1e-5)
        for name, parameter in again.named_parameters():
            assert torch.allclose(parameter.grad, expected[name], atol=1e-5), name


def test_losses_by_task_add_up(backbone):
    laid, tokenizer, made = batch_of(backbone, 4)
    batch = collate([laid[i] for i in range(3)], tokenizer.pad_token_id)
    model = prepare("fft", str(backbone), made.settings, "cpu").eval()
    install(model)
    out = model(**batch, task_factors=torch.tensor([1.0, 0.0, 2.0]))
    sums = out["task_sums"]
    assert float(out["loss"]) == pytest.approx(float(sums[0] + 2 * sums[2]), rel=1e-5)
    assert int(out["task_counts"].sum()) == int((batch["labels"][:, 1:] != IGNORED).sum())


def test_completion_only_loss_is_that_of_trl(backbone, tmp_path):
    """TRL's trainer on the same prompts and answers, one example at a time, gives the same loss."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    laid, tokenizer, made = batch_of(backbone, 1, packing="none", max_length=512)
    model = prepare("fft", str(backbone), made.settings, "cpu").eval()
    row = laid[0]
    first = int((row["labels"] != IGNORED).argmax())
    data = Dataset.from_list(
        [
            {
                "input_ids": row["input_ids"].tolist(),
                "completion_mask": [0] * first + [1] * (len(row["input_ids"]) - first),
            }
        ]
    )
    trainer = SFTTrainer(
        model=model,
        train_dataset=data,
        eval_dataset=data,
        processing_class=tokenizer,
        args=SFTConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            max_length=None,
            report_to=[],
            completion_only_loss=True,
            per_device_eval_batch_size=1,
            disable_tqdm=True,
        ),
    )
    theirs = trainer.evaluate()["eval_loss"]
    install(model)
    batch = collate([row], tokenizer.pad_token_id)
    count = int((batch["labels"][:, 1:] != IGNORED).sum())
    with torch.no_grad():
        ours = float(model(**batch, task_factors=torch.full((3,), 1 / count))["loss"])
    assert ours == pytest.approx(theirs, abs=1e-4)


# ---------------------------------------------------------------- whole runs


@pytest.mark.parametrize("method, optimizer", [("fft", "adamw_torch"), ("qlora", "adamw_bnb_8bit")])
def test_a_killed_run_ends_with_the_bytes_of_an_uninterrupted_one(
    backbone, tmp_path, method, optimizer
):
    settings = {
        "save_steps": 3,
        "optimizer": optimizer,
        "balancing": "learnable",
        "mixing": "round-robin",
        **({"lora_dropout": 0.1} if method == "qlora" else {}),
    }
    whole, killed = (
        job(backbone, tmp_path / name, method, **settings) for name in ("whole", "killed")
    )
    train(whole)
    train(killed, stop_at=4)
    assert not (killed.folder / "finished.json").exists()
    train(killed)
    assert weights(killed.result) == weights(whole.result)
    assert (killed.folder / "loss_curve.csv").read_bytes() == (
        whole.folder / "loss_curve.csv"
    ).read_bytes()


def test_a_killed_run_that_selects_and_stops_by_task_ends_alike(backbone, tmp_path):
    """Selection on generated text, the best checkpoint, and tasks that stop one by one go on where
    they were.
    """

    def generate(model, tokenizer, prompts, new_tokens):
        at = len(calls)
        calls.append(at)
        return [("x", "int", "return", "public static")[at * at % 7 % 4]] * len(
            prompts
        )  # by the number of the call

    settings = {
        "epochs": 4,
        "eval_steps": 2,
        "selection": "generation",
        "selection_samples": 2,
        "per_task_stopping": True,
        "early_stopping_patience": 2,
        "balancing": "token-equal",
        "lora_dropout": 0.1,
    }
    whole, killed = (
        job(backbone, tmp_path / name, "qlora", **settings) for name in ("whole", "killed")
    )
    calls: list[int] = []
    train(whole, generate=generate)
    calls.clear()
    train(killed, generate=generate, stop_at=5)
    del calls[6:]  # three tasks at steps 2 and 4
    train(killed, generate=generate)
    first, second = (
        [
            json.loads((made.folder / "ledger.json").read_text())[k]
            for k in ("steps", "stopped_tasks", "selected_step", "tokens", "supervised_tokens")
        ]
        for made in (whole, killed)
    )
    assert first == second and first[0] == 10, (
        "the premise: the last task stops later than the first could"
    )
    assert weights(killed.result) == weights(whole.result)


def test_what_a_resumed_run_took_before_is_counted(backbone, tmp_path):
    made = job(backbone, tmp_path, "fft", save_steps=3, count=4)
    train(made, stop_at=4)
    path = next(made.folder.glob("checkpoints/*/state.json"))
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "ledger": {**state["ledger"], "seconds": 1000.0}}))
    train(made)
    ledger = json.loads((made.folder / "ledger.json").read_text())
    assert ledger["seconds"] > 1000
    assert ledger["tokens_per_second"] == pytest.approx(
        sum(ledger["tokens"].values()) / 1000, abs=0.1
    )


def test_a_finished_run_is_not_trained_again_and_another_seed_is(backbone, tmp_path):
    made = job(backbone, tmp_path, "fft", count=2)
    train(made)
    before = (made.folder / "ledger.json").stat().st_mtime_ns
    left = made.folder / "checkpoints" / "checkpoint-1"
    left.mkdir(parents=True)  # killed before they were removed
    train(made)
    assert (made.folder / "ledger.json").stat().st_mtime_ns == before and not left.parent.exists()
    other = with_settings(made, seed=43)
    assert other.folder != made.folder and weights(train(other)) != weights(made.result)


def test_the_same_seed_gives_the_same_adapter(backbone, tmp_path):
    first, second = (
        job(backbone, tmp_path / n, "lora", count=2, weights="float32", lora_dropout=0.1)
        for n in "ab"
    )
    assert weights(train(first)) == weights(train(second))


@pytest.mark.parametrize("rule", ["token-equal", "task-equal"])
def test_accumulation_is_one_big_batch(backbone, tmp_path, rule):
    big = job(backbone, tmp_path / "big", "fft", batch_size=4, balancing=rule)
    small = job(
        backbone, tmp_path / "small", "fft", batch_size=1, gradient_accumulation=4, balancing=rule
    )
    train(big), train(small)
    assert len(losses(big)) == len(losses(small)) > 2
    assert losses(small) == pytest.approx(losses(big), abs=1e-5)


def test_out_of_memory_is_answered_at_the_same_effective_batch(backbone, tmp_path, capsys):
    fits = job(backbone, tmp_path / "fits", "fft", batch_size=1, gradient_accumulation=4)
    full = job(backbone, tmp_path / "full", "fft", batch_size=4)
    train(fits)
    train(full, fail_at_rows=1)
    assert "1 rows × 4 accumulation steps" in capsys.readouterr().out
    assert weights(full.result) == weights(fits.result)


def test_one_row_that_does_not_fit_is_an_error_with_a_way_out(backbone, tmp_path):
    with pytest.raises(MtpeftError, match="gradient_checkpointing"):
        train(job(backbone, tmp_path, "fft", count=2), fail_at_rows=0)


def test_gradient_checkpointing_changes_no_bit(backbone, tmp_path):
    plain, saved = (
        job(
            backbone,
            tmp_path / str(g),
            "lora",
            count=3,
            weights="float32",
            gradient_checkpointing=g,
        )
        for g in (False, True)
    )
    assert weights(train(plain)) == weights(train(saved))


# An odd number of validation rows: a process that has none left must not keep the others waiting.
SHARED = {
    "balancing": "task-equal",
    "packing": "none",
    "eval_steps": 3,
    "selection": "loss",
    "eval_samples": 3,
}


def together(backbone, root, method, **settings) -> str:
    """Train in two processes; what they printed."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ACCELERATE_USE_CPU": "true",
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node=2",
            str(Path(__file__).with_name("two_processes.py")),
            str(backbone),
            str(root),
            method,
            json.dumps({**SHARED, "batch_size": 2, **settings}),
        ],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("method, parameters", [("fft", "DTensor"), ("qlora", "Parameter")])
def test_two_processes_are_one_with_the_same_global_batch(backbone, tmp_path, method, parameters):
    """Full tuning is sharded (FSDP), adapters are replicated (DDP), as on several GPUs."""
    one = job(backbone, tmp_path / "one", method, batch_size=2, **SHARED)
    two = job(backbone, tmp_path / "two", method, batch_size=2, **SHARED)
    train(one)
    said = together(backbone, tmp_path / "two", method)
    assert [kind for kind in ("DTensor", "Parameter") if kind in said] == [parameters]
    assert json.loads((two.folder / "ledger.json").read_text())["processes"] == 2
    assert losses(two) == pytest.approx(losses(one), abs=1e-5)
    assert [r["tokens_generation"] for r in curve(two)] == [
        r["tokens_generation"] for r in curve(one)
    ]
    a, b = (load_file(next(made.result.glob("*.safetensors"))) for made in (one, two))
    if "lm_head.weight" in b:  # a sharded model is written with its tied weights twice
        assert torch.equal(b.pop("lm_head.weight"), b["model.embed_tokens.weight"])
    assert a.keys() == b.keys() and all(torch.allclose(a[name], b[name], atol=1e-4) for name in a)


def test_processes_whose_answers_differ_stop_at_the_same_step(backbone, tmp_path):
    """By the first one's answers, or each would wait for the others forever."""
    chosen = {"tasks": ["generation"], "per_task_stopping": True, "early_stopping_patience": 1}
    chosen |= {"selection": "generation", "selection_samples": 2, "epochs": 6}
    together(backbone, tmp_path, "qlora", part="answers", **chosen)
    made = job(backbone, tmp_path, "qlora", batch_size=2, **{**SHARED, **chosen})
    ledger = json.loads((made.folder / "ledger.json").read_text())
    assert (ledger["steps"], ledger["stopped_tasks"]) == (2 * SHARED["eval_steps"], ["generation"])


def test_sharded_processes_of_which_one_would_end_its_answers_do_not_wait_forever(
    backbone, tmp_path
):
    chosen = {"tasks": ["generation"], "selection": "generation", "selection_samples": 2}
    said = together(backbone, tmp_path, "fft", part="end", max_steps=3, **chosen)
    made = job(backbone, tmp_path, "fft", batch_size=2, **{**SHARED, **chosen, "max_steps": 3})
    assert "DTensor" in said and (made.folder / "finished.json").is_file()


def test_a_checkpoint_is_complete_when_every_process_has_written(backbone, tmp_path):
    chosen = {"tasks": ["generation"], "selection": "none", "eval_steps": 0, "save_steps": 1}
    said = together(backbone, tmp_path, "qlora", part="late", max_steps=1, **chosen)
    assert [line for line in said.splitlines() if line.startswith("random")] == [
        "random numbers: 1"
    ]


def test_a_checkpoint_goes_only_when_the_next_one_is_whole(backbone, tmp_path, monkeypatch):
    from mtpeft.tuning.trainer import last_checkpoint
    from transformers import trainer_utils

    made = job(backbone, tmp_path, "lora", count=3, weights="float32", save_steps=1)
    made, removed, remove = with_settings(made, save_total_limit=1), [], shutil.rmtree

    def told(path, **more):
        if "checkpoint-" in str(path):
            removed.append((Path(path).name, last_checkpoint(Path(path).parent).name))
        remove(path, **more)

    monkeypatch.setattr(trainer_utils.shutil, "rmtree", told)
    train(made, stop_at=3)
    assert removed == [("checkpoint-1", "checkpoint-2"), ("checkpoint-2", "checkpoint-3")]


def test_sharding_changes_no_precision(backbone, tmp_path):
    """accelerate makes bfloat16 weights and their optimizer float32, but only those it shards."""
    chosen = {"weights": "bfloat16", "mixed_precision": "bf16", "count": 3}
    one = job(backbone, tmp_path / "one", "fft", **{"batch_size": 2, **SHARED, **chosen})
    two = job(backbone, tmp_path / "two", "fft", **{"batch_size": 2, **SHARED, **chosen})
    train(one)
    said = together(backbone, tmp_path / "two", "fft", **chosen)
    assert "DTensor torch.bfloat16" in said and "float32" not in said.split("parameters:", 1)[1]
    kinds = [
        {t.dtype for t in load_file(next(made.result.glob("*.safetensors"))).values()}
        for made in (one, two)
    ]
    assert kinds == [{torch.bfloat16}] * 2
    assert losses(two) == pytest.approx(losses(one), abs=0.02)


def test_two_sharded_processes_that_are_killed_end_alike(backbone, tmp_path):
    whole, killed = (
        job(backbone, tmp_path / name, "fft", batch_size=2, **SHARED)
        for name in ("whole", "killed")
    )
    together(backbone, tmp_path / "whole", "fft")
    together(backbone, tmp_path / "killed", "fft", stop_at=4)
    assert not (killed.folder / "finished.json").exists()
    together(backbone, tmp_path / "killed", "fft")
    assert weights(killed.result) == weights(whole.result)


def test_the_adapter_is_loadable_by_plain_peft_and_merging_changes_no_output(backbone, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    made = job(backbone, tmp_path, "lora", count=3, weights="float32")
    train(made)
    ids = torch.arange(20, 60)[None]
    adapted = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(backbone), made.result
    ).eval()
    plain = AutoModelForCausalLM.from_pretrained(backbone).eval()
    merge(made.result, str(backbone), tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    with torch.no_grad():
        a, b, c = (m(input_ids=ids).logits for m in (adapted, merged, plain))
    assert torch.allclose(a, b, atol=1e-5) and not torch.allclose(a, c, atol=1e-3)
    with torch.no_grad():
        next(plain.parameters()).mul_(2)
    plain.save_pretrained(tmp_path / "other")
    with pytest.raises(MtpeftError, match="base_weights of .*other are not those"):
        merge(made.result, str(tmp_path / "other"), tmp_path / "wrong")
    # Of an adapter from elsewhere no record says which base it had.
    next(made.result.glob("*.provenance.json")).unlink()
    (tmp_path / "other" / "model.safetensors").unlink()
    save_file(
        {"model.norm.weight": torch.ones(32)},
        tmp_path / "other" / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(MtpeftError, match=r"other lacks \d+ weights"):
        merge(made.result, str(tmp_path / "other"), tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("size", [0.001, 0.05])
def test_merging_in_bfloat16_costs_little_more_than_bfloat16_itself(backbone, size):
    """Mean distance of the outputs from those in float32, over eight random adapters: no more than a
    sixth further than without merging. That it is no further at all does not hold.
    """
    from copy import deepcopy

    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    ratios = []
    for seed in range(8):
        torch.manual_seed(seed)
        plain = AutoModelForCausalLM.from_pretrained(backbone, dtype=torch.float32)
        model = get_peft_model(plain, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
        model.eval()
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.data.normal_(0, size)
        ids = torch.randint(0, 500, (4, 64))
        half = deepcopy(model).to(torch.bfloat16)
        with torch.no_grad():
            right, unmerged = (m(input_ids=ids).logits.float() for m in (model, half))
            merged = half.merge_and_unload()(input_ids=ids).logits.float()
        ratios.append(float((merged - right).abs().mean() / (unmerged - right).abs().mean()))
    assert 0.9 < sum(ratios) / len(ratios) < 7 / 6, ratios


def test_steps_that_16_bits_round_away_are_said(backbone, tmp_path, capsys):
    how = {"weights": "bfloat16", "max_steps": 1}
    for name, rate in (("low", 1e-5), ("high", 1e-3)):
        train(job(backbone, tmp_path / name, "fft", count=2, learning_rate=rate, **how))
        said = "without a float32 copy" in capsys.readouterr().out
        assert said == (name == "low")


def test_a_base_model_that_is_not_there_is_an_error_in_three_parts(backbone, tmp_path):
    from mtpeft.tuning.stage import run

    made = job(backbone, tmp_path, "lora", count=2, weights="float32")
    train(made)
    for attempt in (
        lambda: merge(made.result, str(tmp_path / "gone"), tmp_path / "merged"),
        lambda: run(
            "qwen2.5-coder-0.5b/mt-qlora", "smoke", [], "smoke", str(tmp_path / "gone"), [], 1, None
        ),
    ):
        with pytest.raises(MtpeftError, match="gone") as missing:
            attempt()
        assert missing.value.expected and missing.value.fix


def test_examples_left_out_of_validation_are_counted_as_those_of_training(
    backbone, tmp_path, capsys
):
    from mtpeft.models.base import load_tokenizer
    from mtpeft.tasks import wording
    from mtpeft.tuning.store import tokenized

    words = load_tokenizer(str(backbone))
    made = job(backbone, tmp_path, "lora", ["generation"], count=6, selection="loss", eval_steps=2)
    layout = {"joined": False, "longest": None}
    valid = tokenized(made.valid, words, wording(), **layout).lengths
    train_lengths = tokenized(made.train, words, wording(), **layout).lengths
    limit = int(sorted(valid)[-2])
    gone, out = int((valid > limit).sum()), int((train_lengths > limit).sum())
    assert gone and out < len(train_lengths)
    train(with_settings(made, max_length=limit))
    said = capsys.readouterr().out
    assert f"{gone} of {len(valid)} validation generation examples have more than {limit}" in said
    assert (f"{out} of {len(train_lengths)} examples have more" in said) == bool(out)


@pytest.mark.parametrize("tasks", [TASKS[:2], TASKS])
def test_a_task_without_a_right_word_is_named_where_the_mean_hides_it(
    backbone, tmp_path, capsys, tasks
):
    """The model that is chosen says the reference of the first task and nothing of the others."""
    made = job(
        backbone, tmp_path, "lora", tasks, 3, max_length=600, selection="generation", eval_steps=1
    )
    right = {e.target for e in made.valid[tasks[0]]}

    def generate(model, tokenizer, prompts, new_tokens):
        return [next((t for t in right if t), "") if new_tokens == first else "" for _ in prompts]

    from mtpeft.tuning.watching import new_tokens

    first = new_tokens(tasks[0])
    silent = [t for t in tasks if new_tokens(t) != first]
    assert silent
    train(made, generate=generate)
    said = capsys.readouterr().out
    for task in tasks:
        assert (f"though no answer of {task} has a word" in said) == (task in silent)


def test_a_run_leaves_everything_that_explains_it(backbone, tmp_path):
    made = job(backbone, tmp_path, "qlora", count=3)
    train(made)
    names = {p.relative_to(made.folder).as_posix() for p in made.folder.rglob("*") if p.is_file()}
    assert {
        "settings.json",
        "ledger.json",
        "loss_curve.csv",
        "adapter/README.md",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "adapter/adapter_model.safetensors.provenance.json",
    } <= names
    assert any(n.startswith("tensorboard/events") for n in names)
    ledger = json.loads((made.folder / "ledger.json").read_text())
    assert (
        set(ledger["tokens"]) == set(TASKS)
        and min(ledger["tokens"].values()) > 0
        and ledger["tokens_per_second"] > 0
    )
    assert int(curve(made)[-1]["tokens_translation"]) == ledger["tokens"]["translation"]
    provenance = json.loads((made.result / "adapter_model.safetensors.provenance.json").read_text())
    assert provenance["seeds"] == [42] and len(provenance["data_order_sha256"]) == 64
    config = json.loads((made.result / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], len(config["target_modules"])) == (8, 16, 7)


def test_a_task_that_no_longer_improves_is_not_supervised_any_more(backbone, tmp_path):
    def generate(model, tokenizer, prompts, new_tokens):
        return ["x"] * len(prompts)  # never improves

    made = job(
        backbone,
        tmp_path,
        "fft",
        epochs=4,
        eval_steps=2,
        selection="generation",
        selection_samples=2,
        per_task_stopping=True,
        early_stopping_patience=2,
        balancing="token-equal",
    )
    train(made, generate=generate)
    ledger = json.loads((made.folder / "ledger.json").read_text())
    assert ledger["stopped_tasks"] == sorted(TASKS)
    assert ledger["steps"] == 6, "first evaluation sets the best, two more exhaust the patience"


def test_the_best_checkpoint_is_the_one_kept(backbone, tmp_path):
    made = job(
        backbone,
        tmp_path,
        "fft",
        epochs=2,
        eval_steps=3,
        selection="loss",
        learning_rate=0.5,
        count=4,
    )
    train(made)
    log = json.loads((made.folder / "ledger.json").read_text())
    assert log["selected_step"] is not None


def test_coba_trains_and_its_weights_move(backbone, tmp_path):
    made = job(
        backbone,
        tmp_path,
        "fft",
        balancing="coba",
        balancing_options={"every": 1, "warm_up": 3, "window": 5},
        epochs=2,
    )
    train(made)
    moved = [float(r["weight_generation"]) for r in curve(made)]
    assert moved[0] == pytest.approx(1 / 3) and any(abs(w - 1 / 3) > 1e-3 for w in moved)


def test_faithful_and_fast_agree_where_their_settings_do(backbone):
    """One program: where every example fills exactly one row, the two layouts are the same rows
    with the same labels.
    """
    from mtpeft.models.base import load_tokenizer
    from mtpeft.tasks import wording

    made = job(backbone, Path("unused"), "fft", loss_on="prompt and answer", max_length=48)
    tokenizer = load_tokenizer(str(backbone))
    whole = tokenized(made.train, tokenizer, wording(), joined=False, longest=None)
    starts = whole.offsets[:-1, None] + np.arange(48)
    store = replace(
        whole, tokens=whole.tokens[starts].ravel(), offsets=48 * np.arange(len(whole) + 1)
    )
    assert whole.lengths.min() >= 48, "the premise: every example fills a row"
    rows = {}
    for packing in ("wrapped", "isolated"):
        laid = plan(store, with_settings(made, packing=packing).settings, 1)
        rows[packing] = sorted(
            (
                r["input_ids"].tolist(),
                r["labels"][1:].tolist(),
                r["position_ids"].tolist(),
                r["token_tasks"].tolist(),
            )
            for r in (laid[i] for i in range(len(laid)))
        )
    assert rows["wrapped"] == rows["isolated"]
    counts = np.array(
        [47.0 * 4, 47.0 * 2, 0.0]
    )  # the study's rule and the fast one agree on such rows
    assert balancing("none", 3).factors(counts, 47, 6).tolist() == pytest.approx(
        balancing("token-equal", 3).factors(counts, 47, 6).tolist()
    )


def test_default_settings_name_a_known_rule():
    from mtpeft.tuning.settings import Settings

    assert balancing(Settings().balancing, 2).weights().shape == (2,)


@pytest.mark.parametrize("method", ["fft", "qlora"])
def test_an_evaluation_changes_nothing_in_what_is_trained(backbone, tmp_path, method):
    """On some processors bitsandbytes repacks 4-bit weights at the first call without gradients,
    for good.
    """
    plain, watched = (
        job(
            backbone,
            tmp_path / str(steps),
            method,
            eval_steps=steps,
            selection="none",
            lora_dropout=0.1,
        )
        for steps in (0, 2)
    )
    assert weights(train(watched)) == weights(train(plain))

"""Packed examples have the losses and gradients that each has alone, on every attention kernel.

Flash attention needs a GPU. Its kernels are written here in torch and put below transformers' own
flash path, which decides when which of them runs on what.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.core.errors import MtpeftError
from mtpeft.models.base import load_tokenizer
from mtpeft.tasks import wording
from mtpeft.tuning.loss import install
from mtpeft.tuning.objective import tokens
from mtpeft.tuning.plan import collate, plan
from mtpeft.tuning.store import tokenized
from mtpeft.tuning.tiny import save_backbone
from mtpeft.tuning.train import train
from tiny_backbone import build, job

FLASH, KERNELS = "flash_attention_2", ("eager", "sdpa", "flash_attention_2")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return build(tmp_path_factory.mktemp("backbone"))


def _attended(q, k, v, scale):
    """[L, heads, d] → [L, heads, d], causal, keys repeated for groups of queries."""
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
    made = torch.nn.functional.scaled_dot_product_attention(
        *(t.transpose(0, 1) for t in (q, k, v)), is_causal=True, scale=scale
    )
    return made.transpose(0, 1)


def _rows(q, k, v, softmax_scale=None, **_):
    return torch.stack([_attended(*row, softmax_scale) for row in zip(q, k, v, strict=True)])


def _sequences(q, k, v, cu_seqlens_q, cu_seqlens_k, softmax_scale=None, **_):
    sizes = cu_seqlens_q.diff().tolist()
    assert torch.equal(cu_seqlens_q, cu_seqlens_k) and cu_seqlens_q.dtype == torch.int32
    parts = zip(*(t.split(sizes) for t in (q, k, v)), strict=True)
    return torch.cat([_attended(*part, softmax_scale) for part in parts])


@pytest.fixture
def prepared(monkeypatch, backbone):
    """A function that loads the tiny model with a kernel, emulated where that one needs a GPU."""
    from transformers import modeling_flash_attention_utils as flash

    given = (_rows, _sequences, None, None, None), (lambda **named: named, None)
    monkeypatch.setattr(flash, "lazy_import_flash_attention", lambda *_, **__: given)
    original = tokens.load_causal

    def load(source, *, attention_name, **more):
        emulated = attention_name == FLASH
        model = original(source, attention_name="sdpa" if emulated else attention_name, **more)
        if emulated:
            model.config._attn_implementation_internal = FLASH
        return model

    monkeypatch.setattr(tokens, "load_causal", load)
    return lambda settings: tokens.prepare("fft", str(backbone), settings, "cpu")


def _laid(backbone, **settings):
    made = job(backbone, Path("unused"), "fft", **{"max_length": 512, **settings})
    tokenizer, longest = load_tokenizer(str(backbone)), made.settings.max_length
    store = tokenized(made.train, tokenizer, wording(), joined=False, longest=longest)
    return plan(store, made.settings, 1), made.settings


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_packed_batch_is_its_examples_one_at_a_time(backbone, prepared, kernel, rows):
    packed, settings = _laid(backbone, packing="isolated", attention=kernel)
    alone, single = _laid(backbone, packing="none", attention="eager")
    order = [int(e) for e in alone.segments[:, 0]]
    assert max(np.diff(packed.rows)) > 1, "nothing was packed"
    rows = [packed[i] for i in range(min(rows, len(packed)))]
    inside = [int(e) for e in packed.segments[: packed.rows[len(rows)], 0]]
    ones = torch.ones(3)

    model = prepared(settings).train()
    install(model)
    out = model(**collate(rows, 0, flat=kernel == FLASH), task_factors=ones)
    out["loss"].backward()
    reference = prepared(single).train()
    install(reference)
    sums = torch.zeros(3, dtype=torch.float64)
    for example in inside:
        one = reference(**collate([alone[order.index(example)]], 0), task_factors=ones)
        one["loss"].backward()
        sums += one["task_sums"]
    count = float(out["task_counts"].sum())
    assert (out["task_sums"] / count).tolist() == pytest.approx((sums / count).tolist(), abs=1e-5)
    for (name, p), q in zip(model.named_parameters(), reference.parameters(), strict=True):
        assert torch.allclose(p.grad / count, q.grad / count, atol=1e-5), name


def test_the_study_s_wrapped_rows_do_not_see_each_other_on_flash_attention(backbone, prepared):
    chosen = {"packing": "wrapped", "loss_on": "prompt and answer"}
    laid, rows = _laid(backbone, **chosen, attention="sdpa")
    _, flat = _laid(backbone, **chosen, attention=FLASH)
    found = []
    for settings in (rows, flat):
        model = prepared(settings).eval()
        install(model)
        batch = collate([laid[0], laid[1]], 0, flat=settings is flat)
        found.append(model(**batch, task_factors=torch.ones(3))["task_sums"].tolist())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_kernel_that_leaks_is_refused_before_the_first_step(
    backbone, prepared, tmp_path, monkeypatch
):
    """With positions alone, flash attention takes several packed rows for one sequence each."""
    made = job(backbone, tmp_path, "fft", attention=FLASH, batch_size=4, max_length=512)
    monkeypatch.setattr(tokens, "collate", lambda rows, padding, flat=False: collate(rows, padding))
    with pytest.raises(MtpeftError, match="packed examples see each other"):
        train(made)


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_a_model_that_makes_its_mask_without_positions_is_refused_where_rows_are_packed(
    backbone, tmp_path, kernel
):
    """OPT takes positions and sees every token before it all the same."""
    from transformers import OPTConfig, OPTForCausalLM

    words = load_tokenizer(str(backbone))
    sizes = {"hidden_size": 32, "word_embed_proj_dim": 32, "num_hidden_layers": 1, "ffn_dim": 64}
    config = OPTConfig(vocab_size=len(words), num_attention_heads=2, **sizes)
    save_backbone(tmp_path / "opt", words, OPTForCausalLM(config))
    # A micro-batch of one row, and a plan that begins with a row of one example.
    chosen = {"attention": kernel, "batch_size": 1, "max_length": 360}
    laid, _ = _laid(backbone, **chosen)
    assert laid.rows[1] == 1 and max(np.diff(laid.rows)) == 2
    train(job(tmp_path / "opt", tmp_path / "none", "fft", packing="none", **chosen))
    with pytest.raises(MtpeftError, match="packed examples see each other") as said:
        train(job(tmp_path / "opt", tmp_path / "packed", "fft", **chosen))
    assert said.value.fix == "--set packing=none"


def test_auto_takes_what_a_model_has_and_what_is_named_and_missing_is_refused(backbone, tmp_path):
    from mtpeft.models.base import attention_of, load_causal
    from transformers import Gemma2Config, Gemma2ForCausalLM

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "head_dim": 16}
    config = Gemma2Config(vocab_size=300, intermediate_size=64, num_key_value_heads=1, **sizes)
    Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    assert attention_of(load_causal(str(tmp_path), dtype="float32")) == "eager"
    assert attention_of(load_causal(str(backbone), dtype="float32")) == "sdpa"
    for folder, name in ((tmp_path, "sdpa"), (backbone, FLASH)):
        with pytest.raises(MtpeftError, match=f"attention {name} with") as said:
            load_causal(str(folder), dtype="float32", attention_name=name, mixed=True)
        assert said.value.fix == "--set attention=eager"


@pytest.mark.parametrize(
    "chosen",
    [
        {"weights": "float32", "mixed_precision": "no"},
        {"weights": "nf4", "compute_dtype": "float32", "mixed_precision": "no"},
    ],
)
def test_flash_attention_on_float32_is_refused_before_the_first_step(backbone, tmp_path, chosen):
    method = "qlora" if chosen["weights"] == "nf4" else "fft"
    made = job(backbone, tmp_path, method, attention=FLASH, **chosen)
    with pytest.raises(MtpeftError, match="16-bit numbers, and products are in float32"):
        train(made)
    assert not (made.folder / "checkpoints").exists()


def test_a_row_longer_than_the_positions_is_refused(backbone, tmp_path):
    made = job(backbone, tmp_path, "fft", packing="wrapped", max_length=1025)
    with pytest.raises(MtpeftError, match="1025 tokens behind one another, and .* 1024 positions"):
        train(made)


def test_a_run_is_the_same_on_every_kernel_and_micro_batch(backbone, prepared, tmp_path):
    import csv

    found = []
    for kernel, batch in (("sdpa", 4), (FLASH, 4), (FLASH, 1)):
        chosen = {"attention": kernel, "batch_size": batch, "gradient_accumulation": 4 // batch}
        made = job(backbone, tmp_path / f"{kernel}{batch}", "fft", max_length=512, **chosen)
        train(made)
        rows = csv.DictReader((made.folder / "loss_curve.csv").read_text().splitlines())
        found.append([float(row["loss"]) for row in rows])
    assert len(found[0]) > 1
    assert found[1] == pytest.approx(found[0], abs=1e-5)
    assert found[2] == pytest.approx(found[0], abs=1e-5)


# ---------------------------------------------------------------- the machine


def test_a_large_model_without_a_gpu_is_refused_unless_asked_for(tmp_path, monkeypatch):
    from mtpeft.models import device

    with open(tmp_path / "model.safetensors", "wb") as stream:
        stream.truncate(device.LARGE)
    monkeypatch.delenv("MTPEFT_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MtpeftError, match="finds no GPU"):
        device.suits(str(tmp_path))
    monkeypatch.setenv("MTPEFT_DEVICE", "cpu")
    device.suits(str(tmp_path))
    monkeypatch.setenv("MTPEFT_DEVICE", "cuda")
    with pytest.raises(MtpeftError, match="MTPEFT_DEVICE is cuda"):
        device.kind()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.delenv("MTPEFT_DEVICE")
    device.suits(str(tmp_path))
    assert device.local() == "cuda:3"


def test_what_a_run_computes_with_is_said_and_kept(backbone, tmp_path, capsys):
    import json

    made = job(backbone, tmp_path, "qlora", count=2, gradient_accumulation=2)
    train(made)
    said = "1 × cpu, nf4 weights, float32 products, attention sdpa, 4 rows a step, 2 at a time"
    assert said in capsys.readouterr().out
    provenance = json.loads(next(made.result.glob("*.provenance.json")).read_text())
    kept = provenance["device"]
    assert (kept["rows_a_step"], kept["attention"], kept["processes"]) == (4, "sdpa", 1)

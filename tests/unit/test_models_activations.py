"""The plan's memory is what autograd keeps, and its hours meet a measurement."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from mtpeft.catalog import catalog
from mtpeft.models import activations
from mtpeft.tuning.estimate import LAUNCH, SHARE
from mtpeft.tuning.settings import how, resolve

SPEC = importlib.util.spec_from_file_location(
    "memory", Path(__file__).resolve().parents[2] / "docs" / "memory.py"
)
memory = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(memory)
PAGE = memory.PAGE.read_text(encoding="utf-8")
CASES = {key: run for key, run in memory.cases().items() if key[1] not in ("prefix", "mlora")}


@pytest.mark.parametrize("backbone, method", CASES)
def test_what_the_plan_predicts_is_what_a_forward_pass_on_a_cpu_keeps(backbone, method):
    run = CASES[backbone, method]
    predicted, counted = memory.predicted_and_counted(run)
    assert predicted == pytest.approx(counted, rel=0.15)
    assert memory.shown(run, predicted, counted) in PAGE, "python docs/memory.py"


def test_the_page_has_every_backbone_and_method_and_no_other():
    rows = [line.split(" | ")[:2] for line in PAGE.splitlines() if line.endswith(" |")][1:]
    assert [(backbone[2:], method) for backbone, method in rows] == list(memory.cases())
    shares = [float(x) for x in re.findall(r"\| ([+-][\d.]+) % \|", PAGE)]
    assert len(shares) + PAGE.count(memory.NO_EFFECT) == len(rows)
    assert max(map(abs, shares)) < 15


@pytest.mark.parametrize("method, low, high", [("lora", 117, 123), ("fft", 67, 72)])
def test_bytes_of_a_token_and_layer_are_those_that_were_counted_elsewhere(method, low, high):
    """Rows of packed examples on fused attention, bfloat16 weights, LoRA of rank 8 with dropout."""
    run = catalog().get("runs", "qwen2.5-coder-0.5b/mt-qlora")
    settings = how(resolve(run, "faithful")) | {"weights": "bfloat16"}
    backbone = catalog().get("backbones", run.backbone)
    found = activations.kept(
        backbone, catalog().get("methods", method), settings, 2, 512, causal=True
    )
    assert low < found.layer / (2 * 512 * backbone.config["hidden_size"]) < high


@pytest.mark.parametrize("length, seconds", [(256, 1.0), (1024, 1.1), (2048, 1.7), (8192, 6.8)])
def test_hours_meet_the_public_table_of_speeds(length, seconds):
    """Qwen-1.8B, LoRA, one A100 80 GB, eight rows one by one, activations recomputed (README of
    QwenLM/Qwen).
    """
    known = catalog()
    base = known.get("backbones", "qwen2.5-coder-0.5b")
    changes = {
        "hidden_size": 2048,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "intermediate_size": 5504,
        "vocab_size": 60,
    }
    base = replace(base, config={**base.config, **changes})
    settings = how(resolve(known.get("runs", "qwen2.5-coder-0.5b/mt-qlora"), "faithful"))
    settings |= {
        "weights": "bfloat16",
        "lora_targets": ["q_proj", "o_proj", "up_proj", "down_proj"],
    }
    found = activations.kept(base, known.get("methods", "lora"), settings, 1, length, causal=True)
    weights = 1.84e9
    step = max((4 + 2) * weights * length / (312e12 * SHARE), 4 * found.operations * LAUNCH)
    assert step * 8 == pytest.approx(seconds, rel=0.35)

"""The plan's memory is what autograd keeps, and its hours meet a measurement."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch
from mtpeft.catalog import catalog
from mtpeft.models import activations
from mtpeft.tuning.estimate import LAUNCH, SHARE
from mtpeft.tuning.settings import HEADS, how, objective_of, resolve

ROWS, LENGTH = 1, 128
CASES = {
    (run.backbone, run.method): run
    for run in catalog().runs.values()
    if objective_of(run) == HEADS or catalog().methods[run.method].tuning
}
CASES = {
    key: run for key, run in CASES.items() if key[1] in ("fft", "qlora", "serial_adapter", "lora")
}


def small_words(backbone):
    """The real widths; few words, which no layer sees."""
    return replace(backbone, config={**backbone.config, "vocab_size": 60, "pad_token_id": 0})


@pytest.mark.parametrize("backbone, method", sorted(CASES))
def test_what_the_plan_predicts_is_what_a_forward_pass_on_a_cpu_keeps(backbone, method):
    run = CASES[backbone, method]
    known, settings = catalog(), how(resolve(run, "faithful"))
    base, kind = small_words(known.get("backbones", backbone)), known.get("methods", method)
    causal = objective_of(run) != HEADS
    layers = 7 if backbone == "modernbert-base" else 5  # more than were run
    predicted = activations.kept(
        base, kind, settings, ROWS, LENGTH, causal=causal, layers=layers
    ).bytes
    modules, forward = activations._model(base, kind, settings, causal, layers)
    for module in modules:
        activations._fill(module)
    if not causal:  # a batch as training has it: its examples differ in length
        mask = torch.ones((ROWS, LENGTH), dtype=torch.long)
        mask[0, 3 * LENGTH // 4 :] = 0

        def forward(ids, _):
            return modules[0](input_ids=ids, attention_mask=mask)

    bf16 = settings["mixed_precision"] == "bf16"
    counted = activations.saved(forward, ROWS, LENGTH, bf16=bf16, modules=modules)[0]
    print(f"{backbone} {method}: predicted {predicted / 1e6:.2f} MB, counted {counted / 1e6:.2f}")
    assert predicted == pytest.approx(counted, rel=0.01)


NARROW = {"vocab_size": 60, "num_hidden_layers": 2}
WIDTHS = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 2}


@pytest.mark.train
@pytest.mark.parametrize("mixed_precision", ["no", "bf16"])
@pytest.mark.parametrize(
    ("backbone", "changes", "method", "causal", "double"),
    [
        ("minilm-l6", NARROW | WIDTHS | {"pad_token_id": 0}, "lora", False, True),
        ("minilm-l6", NARROW | WIDTHS | {"pad_token_id": 0}, "serial_adapter", False, False),
        (
            "codet5p-770m",
            {"vocab_size": 60, "num_layers": 2, "d_model": 128, "d_ff": 256, "num_heads": 2},
            *("lora", False, True),
        ),
        (
            "qwen2.5-coder-0.5b",
            NARROW | WIDTHS | {"num_key_value_heads": 1},
            *("qlora", True, True),
        ),
    ],
)
def test_four_bit_weights_are_counted_as_bitsandbytes_holds_them(
    tmp_path, backbone, changes, method, causal, double, mixed_precision
):
    """Bytes of the loaded weights with their scales, and what a forward pass of them keeps."""
    from mtpeft.models import nf4
    from mtpeft.models.base import config_of, empty_encoder, load_causal, load_encoder
    from mtpeft.models.counts import counted
    from mtpeft.models.methods import method_module
    from mtpeft.tuning.estimate import memory
    from mtpeft.tuning.settings import Settings
    from transformers import AutoModelForCausalLM

    known = catalog()
    base, kind = known.get("backbones", backbone), known.get("methods", method)
    base = replace(base, config={**base.config, **changes})
    settings = replace(
        Settings(),
        weights="nf4",
        double_quantisation=double,
        mixed_precision=mixed_precision,
        attention="sdpa",
        lora_dropout=0.1,
        lora_targets=["q_proj", "up_proj"],
    )
    config, read = config_of(base), how(settings)
    made = AutoModelForCausalLM.from_config(config) if causal else empty_encoder(config)
    made.save_pretrained(tmp_path)
    where, asked = str(tmp_path), nf4.wanted(read)
    if causal:
        loaded = load_causal(where, dtype="bfloat16", attention_name="sdpa", quantisation=asked)
    else:
        loaded = load_encoder(where, "sdpa", asked)
    nf4.keep_layout(loaded)
    held = sum(p.numel() * p.element_size() for p in loaded.parameters())
    for name in nf4.taken(made):
        state = loaded.get_submodule(name).weight.quant_state
        held += state.absmax.numel() * state.absmax.element_size()
        held += 4 * state.state2.absmax.numel() if double else 0
    assert {type(m).__name__ for m in loaded.modules()} >= {"Linear4bit"}

    predicted = activations.kept(base, kind, read, ROWS, LENGTH, causal=causal)
    found = counted(base, kind, read, causal)
    told = memory(base, kind, settings, found, predicted, ROWS * LENGTH, causal=causal)
    assert told.weights == pytest.approx(held, rel=2e-3)

    attached = method_module(kind).attach(loaded, base, {"tasks": 1, **read})
    model = attached.encoder.train()
    body = model.get_base_model().model if causal else model

    def run(ids, positions):
        if causal:
            return body(input_ids=ids, position_ids=positions, use_cache=False)
        mask = torch.ones_like(ids)
        mask[:, -1] = 0
        return model(input_ids=ids, attention_mask=mask)

    modules = [m for m in (model, attached.extra) if m is not None]
    first = torch.arange(LENGTH)[None] * 0
    run(first, first)  # the library moves biases into the type of products
    bf16 = mixed_precision == "bf16"
    assert predicted.bytes == pytest.approx(
        activations.saved(run, ROWS, LENGTH, bf16=bf16, modules=modules)[0], rel=1e-3
    )


@pytest.mark.parametrize("backbone, method", [("qwen2.5-coder-0.5b", "fft"), ("minilm-l6", "lora")])
def test_a_model_with_fewer_layers_than_the_plan_runs_has_one_too(backbone, method):
    run, known = CASES[backbone, method], catalog()
    base, settings = small_words(known.get("backbones", backbone)), how(resolve(run, "faithful"))
    found = []
    for layers in (1, 2, 3):
        small = replace(base, config={**base.config, "num_hidden_layers": layers})
        kind, causal = known.get("methods", method), objective_of(run) != HEADS
        found.append(activations.kept(small, kind, settings, ROWS, LENGTH, causal=causal).bytes)
    assert found[2] - found[1] == pytest.approx(found[1] - found[0], rel=0.01) and found[0] > 0


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

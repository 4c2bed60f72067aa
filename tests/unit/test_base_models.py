"""What a base model lacks is never drawn at random: it is left out by a stated rule, or refused."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from mtpeft.core.errors import MtpeftError
from mtpeft.inference.backends import loaded
from mtpeft.models import base
from mtpeft.models.base import config_of, empty_encoder, load_causal, load_encoder
from mtpeft.models.device import DeviceLost, stop_where_lost
from mtpeft.models.pooling import pooled
from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer
from safetensors.torch import load_file, save_file
from shared_models import tiny

pytestmark = pytest.mark.train


def without(folder, part):
    """The weights in a folder, those of one part removed."""
    path = folder / "model.safetensors"
    some = {name: t for name, t in load_file(path).items() if part not in name}
    save_file(some, path, metadata={"format": "pt"})


@pytest.fixture
def encoder(tmp_path):
    empty_encoder(config_of(tiny("roberta")), seed=0).save_pretrained(tmp_path)
    return tmp_path


def test_without_a_pooler_position_0_stands_for_a_sequence(encoder):
    ids = torch.tensor([[5, 6, 7]])
    mask = torch.ones_like(ids)
    without(encoder, "pooler")
    first, again = (load_encoder(str(encoder)).eval() for _ in range(2))
    made = pooled("encoder", first(input_ids=ids, attention_mask=mask), mask)
    states = again(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.equal(made, states[:, 0])


@pytest.mark.parametrize("renamed", [False, True])
def test_a_pooler_of_which_a_part_is_missing_is_not_left_out(encoder, renamed):
    path = encoder / "model.safetensors"
    some = load_file(path)
    if renamed:
        some = {name.replace("pooler.dense", "pooler.linear"): t for name, t in some.items()}
    else:
        del some["pooler.dense.bias"]
    save_file(some, path, metadata={"format": "pt"})
    with pytest.raises(MtpeftError, match=r"lacks [12] weights.*pooler\.dense\.bias among them"):
        load_encoder(str(encoder))


def test_a_model_that_is_no_causal_language_model_is_refused(tmp_path):
    from transformers import T5Config

    T5Config().save_pretrained(tmp_path)
    with pytest.raises(MtpeftError, match="Unrecognized configuration class"):
        load_causal(str(tmp_path), dtype="float32")


def test_any_other_weight_that_is_missing_is_refused(encoder, tmp_path):
    without(encoder, "layer.0.attention.self.query")
    with pytest.raises(MtpeftError, match=r"lacks 2 weights.*query\.bias among them"):
        load_encoder(str(encoder))
    words = train_tokenizer(["int a = b;"], 270)
    save_backbone(tmp_path / "causal", words, tiny_model(words, hidden=16, layers=1, heads=2))
    assert load_causal(str(tmp_path / "causal"), dtype="float32").lm_head.weight is not None
    without(tmp_path / "causal", "q_proj")
    with pytest.raises(MtpeftError, match="lacks 2 weights"):
        load_causal(str(tmp_path / "causal"), dtype="float32")


def test_loading_reports_nothing_that_needs_no_action_and_leaves_the_log_as_it_was(encoder, capfd):
    from transformers.utils import logging

    without(encoder, "pooler")
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_encoder(str(encoder))
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_what_was_trained_with_flash_attention_answers_where_there_is_none(monkeypatch):
    assert [base.attention_to_answer(n) for n in ("eager", "sdpa", base.FLASH)] == [
        "eager",
        "sdpa",
        "auto",
    ]
    monkeypatch.setattr(base, "kind", lambda: "cuda")
    monkeypatch.setattr(base.importlib.util, "find_spec", lambda name: object())
    assert base.attention_to_answer(base.FLASH) == base.FLASH
    assert base.attention("auto", "cuda:1", half=True) == [base.FLASH, "sdpa", "eager"]
    assert base.attention("auto", "cpu", half=True) == ["sdpa", "eager"]


def test_flash_attention_is_not_taken_for_products_in_float32(encoder, tmp_path, monkeypatch):
    """Its kernels refuse them, in the first step."""
    words = train_tokenizer(["int a = b;"], 270)
    save_backbone(tmp_path / "causal", words, tiny_model(words, hidden=16, layers=1, heads=2))
    tried = []

    def first(load, name, device, source, *, half):
        tried.append(base.attention(name, "cuda:0", half=half)[0])
        return load("sdpa")

    monkeypatch.setattr(base, "_with_attention", first)
    monkeypatch.setattr(base, "_has_flash", lambda device: device.startswith("cuda"))

    def causal(name, dtype, mixed):
        load_causal(str(tmp_path / "causal"), dtype=dtype, attention_name=name, mixed=mixed)

    for dtype, mixed in (("float32", False), ("float32", True), ("bfloat16", False)):
        causal("auto", dtype, mixed)
    for mixed in (False, True):
        load_encoder(str(encoder), "auto", mixed=mixed)
    assert tried == ["sdpa", base.FLASH, base.FLASH, "sdpa", base.FLASH]
    for load in (
        lambda: causal(base.FLASH, "float32", mixed=False),
        lambda: load_encoder(str(encoder), base.FLASH),
    ):
        with pytest.raises(
            MtpeftError, match="16-bit numbers, and products are in float32"
        ) as said:
            load()
        assert said.value.fix == "--set mixed_precision=bf16, or --set attention=sdpa"


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("CUDA error: device-side assert triggered", True),
        ("Triton Error [CUDA]: an illegal memory access was encountered", True),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", True),
        ("CUSOLVER_STATUS_INTERNAL_ERROR, when calling cusolverDnCreate", True),
        ("NCCL error in: ProcessGroupNCCL.cpp", True),
        ("The size of tensor a (3) must match the size of tensor b (4)", False),
        ("the model's scores are no finite numbers", False),
    ],
)
def test_a_lost_device_is_told_from_a_bad_instance(said, lost):
    if not lost:
        stop_where_lost(RuntimeError(said))
        return
    with pytest.raises(DeviceLost):
        stop_where_lost(RuntimeError(said))


def test_a_kernel_that_is_never_taken_is_not_missed_and_other_messages_stay(caplog):
    import logging
    from importlib.util import find_spec

    import mtpeft.models

    library = Path(find_spec("bitsandbytes").submodule_search_locations[0])
    source = (library / "backends" / "cpu" / "ops.py").read_text(encoding="utf-8")
    (said,) = re.findall(rf'"({mtpeft.models.UNUSED_KERNEL}[^"]*)"', source)
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    assert "logger = logging.getLogger(__name__)" in source
    log.warning(said, "No module named 'kernels'")
    log.warning("the native library cannot be loaded")
    assert [r.getMessage() for r in caplog.records] == ["the native library cannot be loaded"]


def test_a_weight_of_another_shape_is_refused_by_name(encoder, tmp_path):
    def shorter(folder, part):
        path = folder / "model.safetensors"
        some = load_file(path)
        name = next(n for n in some if n.endswith(part))
        some[name] = some[name][:-2].clone()
        save_file(some, path, metadata={"format": "pt"})

    shorter(encoder, "word_embeddings.weight")
    with pytest.raises(MtpeftError, match=r"word_embeddings.weight of .* has shape \["):
        load_encoder(str(encoder))
    words = train_tokenizer(["int a = b;"], 270)
    save_backbone(tmp_path / "causal", words, tiny_model(words, hidden=16, layers=1, heads=2))
    shorter(tmp_path / "causal", "down_proj.weight")
    with pytest.raises(MtpeftError, match=r"down_proj.weight of .* has shape \["):
        load_causal(str(tmp_path / "causal"), dtype="float32")


def changed_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def with_weight(folder, name, like=None):
    """The weights in a folder and one more, shaped like another one's rows."""
    path = folder / "model.safetensors"
    some = load_file(path)
    some[name] = torch.zeros(len(some[like]) if like else 3)
    save_file(some, path, metadata={"format": "pt"})


def test_a_layer_in_the_file_that_the_configuration_leaves_out_is_refused(encoder, tmp_path):
    """RoBERTa has sixteen weights a layer; a Qwen2 of no bias but those of q, k and v twelve."""
    changed_config(encoder, num_hidden_layers=1)
    with pytest.raises(MtpeftError, match=r"holds 16 weights .*encoder\.layer\.1\."):
        load_encoder(str(encoder))
    words = train_tokenizer(["int a = b;"], 270)
    causal = tmp_path / "causal"
    save_backbone(causal, words, tiny_model(words, hidden=16, layers=2, heads=2))
    changed_config(causal, num_hidden_layers=1, layer_types=["full_attention"])
    for load in (
        lambda: load_causal(str(causal), dtype="float32"),
        lambda: load_encoder(str(causal)),
    ):
        with pytest.raises(MtpeftError, match=r"holds 12 weights .*model\.layers\.1\."):
            load()


def test_a_bias_in_the_file_that_the_model_does_not_have_is_refused(tmp_path):
    words = train_tokenizer(["int a = b;"], 270)
    save_backbone(tmp_path, words, tiny_model(words, hidden=16, layers=1, heads=2))
    name = "model.layers.0.mlp.down_proj"
    with_weight(tmp_path, f"{name}.bias", f"{name}.weight")
    with pytest.raises(MtpeftError, match=r"holds 1 weights .*down_proj\.bias among them"):
        load_causal(str(tmp_path), dtype="float32")


@pytest.mark.parametrize(
    "name", ["classifier.weight", "lm_head.dense.weight", "cls.predictions.bias"]
)
def test_a_head_that_the_encoder_does_not_need_is_left_in_the_file(encoder, name):
    with_weight(encoder, name)
    assert load_encoder(str(encoder)) is not None


def test_an_encoder_decoder_whose_encoder_cannot_be_built_alone_is_refused(tmp_path):
    """T5Gemma stands in the library's table of encoders, and refuses."""
    from transformers import T5GemmaConfig

    T5GemmaConfig().save_pretrained(tmp_path)
    with pytest.raises(MtpeftError, match="no encoder alone of an encoder-decoder t5gemma"):
        load_encoder(str(tmp_path), "sdpa")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"model_type": "no-such-family"}', "no-such-family"),
        ("{}", "Unrecognized model"),
        ("{", "not a valid JSON file"),
    ],
)
def test_a_configuration_that_the_library_cannot_read_is_refused_at_every_door(
    tmp_path, config, said
):
    """Each ended in a fault of this package."""
    words = train_tokenizer(["int a = b;"], 270)
    save_backbone(tmp_path, words, tiny_model(words, hidden=16, layers=1, heads=2))
    (tmp_path / "config.json").write_text(config)
    source = str(tmp_path)
    for door in (
        base.longest_input,
        load_encoder,
        lambda source: load_causal(source, dtype="float32"),
        lambda source: loaded(source, "float32", four_bit=False),
    ):
        with pytest.raises(MtpeftError, match=said) as refused:
            door(source)
        assert "--backbone" in refused.value.fix and "--model" in refused.value.fix


@pytest.mark.parametrize("family", ["Qwen2", "Roberta", "T5", "Llama"])
def test_a_folder_without_a_tokenizer_is_refused(tmp_path, family):
    """The library makes up a tokenizer without words for most families."""
    import transformers

    getattr(transformers, f"{family}Config")().save_pretrained(tmp_path)
    with pytest.raises(MtpeftError, match=r"no vocabulary of|backend tokenizer") as refused:
        base.load_tokenizer(str(tmp_path))
    assert "tokenizer" in refused.value.expected


def test_a_model_that_writes_no_text_is_refused_where_text_is_asked_for(encoder):
    from transformers import T5Config

    T5Config().save_pretrained(encoder)
    with pytest.raises(MtpeftError, match="Unrecognized configuration class"):
        loaded(str(encoder), "float32", four_bit=False)

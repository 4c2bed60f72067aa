"""Published weights in several ways: what counts as a flip, what is kept, what is refused."""

import importlib.util
import os
from pathlib import Path

import pytest
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Prediction, read_frame

if importlib.util.find_spec("torch") is None:
    pytest.skip("the group `train` is not installed (make .venv/.train)", allow_module_level=True)

from mtpeft.proof import weights
from mtpeft.proof.weights import Amount, Way, compared

mirrored = pytest.mark.skipif(
    not os.environ.get("MTPEFT_MIRROR"), reason="the real sets need MTPEFT_MIRROR"
)


def _said(number: int, raw: str, output: str, error: str = "") -> Prediction:
    return Prediction("r", "t", f"i{number}", "hash", raw, output, "stop", 0.1, error)


def test_a_class_flips_where_it_changes_and_a_probability_where_a_digit_does():
    one = [_said(0, "0.500000", "0"), _said(1, "0.100000", "0"), _said(2, "0.700000", "1")]
    two = [_said(2, "0.700000", "1"), _said(1, "0.100002", "0"), _said(0, "0.500001", "1")]
    found = compared(one, two, label=True)
    assert (found.n, found.flipped, found.probabilities_other) == (3, 1, 2)
    assert found.largest_change == 0.000002
    assert found.flips == [("i0", "0", "1", None)]


def test_a_text_flips_with_its_first_other_character():
    one = [_said(0, "return a;", "return a;"), _said(1, "x", "x")]
    two = [_said(0, "return abs;", "return abs;"), _said(1, "x", "x")]
    found = compared(one, two, label=False)
    assert (found.n, found.flipped, found.probabilities_other) == (2, 1, None)
    assert found.flips == [("i0", "9", "11", 8)]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ([_said(1, "0.1", "0")], "0 of which"),
        ([_said(0, "0.1", "0"), _said(0, "0.1", "0")], "2 predictions, 1 of"),
        ([_said(0, "", "", "lost")], "no answer: lost"),
    ],
)
def test_lost_and_failed_instances_are_no_agreement(other, why):
    with pytest.raises(MtpeftError, match=why):
        compared([_said(0, "0.1", "0")], other, label=True)


@mirrored
@pytest.mark.parametrize("number", [2, 20, 1000])
def test_a_language_model_is_asked_about_every_instance_once(number):
    """The two directions of a pair of functions have one id."""
    asked = weights._asked(weights.default_corpus(weights.TASK), Amount(prompts=number))
    assert len({e.id for e in asked}) == len(asked) == number


@mirrored
@pytest.mark.slow
def test_both_vulnerability_classifiers_answer_as_plain_transformers_do(tmp_path: Path):
    """Function by function, without batch or padding, from the published state dict: the authors'
    arithmetic. The whole set gives 0.5944 and 0.5897 (results/proofs/published-weights).
    """
    import torch
    from mtpeft.catalog import catalog
    from mtpeft.corpora import load, subsample_evenly
    from mtpeft.corpora.published import classifier
    from mtpeft.corpora.weights import source_of
    from transformers import AutoModel, AutoTokenizer

    amount = Amount(examples=12, again=6)
    weights.run("multitask-peft-public", "", amount, tmp_path)
    scores = read_frame(tmp_path / "scores.csv").set_index("backbone")
    assert len(read_frame(tmp_path / "agreement.csv")) == 3 * len(scores)
    examples = subsample_evenly(
        load("multitask-peft-public", "vulnerability-detection", "test"), 12
    )
    for name in ("codebert-vulnerability-student", "graphcodebert-vulnerability-student"):
        backbone = catalog().get("backbones", name)
        source, head = source_of(backbone), classifier(backbone)
        model = AutoModel.from_pretrained(source, add_pooling_layer=False).eval()
        words, right = AutoTokenizer.from_pretrained(source), 0
        for example in examples:
            code = " ".join(example.inputs["code"].split())
            ids = words(code, truncation=True, max_length=400, return_tensors="pt")
            with torch.no_grad():
                state = model(**ids).last_hidden_state[0, 0]
            inner = torch.tanh(head["dense.weight"] @ state + head["dense.bias"])
            logits = head["out_proj.weight"] @ inner + head["out_proj.bias"]
            right += int(logits.argmax() == 0) == int(example.target)  # class 0: vulnerable
        assert float(scores.loc[name, "accuracy"]) == right / 12


def test_predictions_of_another_way_or_of_uncommitted_code_are_made_again(tmp_path, monkeypatch):
    state = {"commit": "c", "dirty": False}
    monkeypatch.setattr("mtpeft.core.provenance.code_state", lambda: state)
    monkeypatch.setattr(weights, "source_of", lambda backbone: "here")
    monkeypatch.setattr(weights, "fingerprint", lambda source: {"base_weights": "w"})
    path, name = tmp_path / "said.jsonl", "codebert-clone-student"

    def wanted(way: Way, **more: int) -> bool:
        with weights._made(path, name, way, **more) as asked:
            if asked:
                path.write_text("said")
        return asked

    assert wanted(Way(1, 16), limit=3)
    assert not wanted(Way(1, 16), limit=3)
    assert wanted(Way(2, 16), limit=3)
    assert wanted(Way(2, 16), limit=4)
    path.write_text("other")
    assert wanted(Way(2, 16), limit=4)
    state["dirty"] = True
    assert wanted(Way(2, 16), limit=4)
    assert wanted(Way(2, 16), limit=4)


@pytest.mark.parametrize(
    ("device", "flags", "dtype"),
    [
        ("cuda", {}, "bfloat16"),
        ("cpu", {"avx2": True, "avx512_f": True, "avx512_bf16": False}, "float32"),
        ("cpu", {"avx512_bf16": True}, "bfloat16"),
        ("cpu", {"amx_bf16": True}, "bfloat16"),
        ("cpu", {"neon": True, "bf16": True}, "bfloat16"),
        ("cpu", {"neon": True}, "float32"),
    ],
)
def test_a_processor_without_bfloat16_products_computes_in_float32(
    monkeypatch, device, flags, dtype
):
    """There a product in bfloat16 takes two to eight times as long (measured with AVX2)."""
    import torch
    from mtpeft.inference import backends

    monkeypatch.setattr(backends, "kind", lambda: device)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    assert backends.swift_dtype() == dtype

"""What is asked of vLLM exists in the release that the backend names, and its answers are read as
those of the other backend. The engine itself needs a GPU; here its place is taken by transformers.
"""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import pytest

pytest.importorskip("torch")

import torch

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.inference import vllm_backend
from mtpeft.inference.backends import Transformers, bytes_per_token
from mtpeft.inference.generate import answered
from tiny_backbone import build

# Names of parameters in vllm-0.27.1-cp38-abi3-manylinux_2_28_x86_64.whl, and in that of 0.33.0:
# entrypoints/llm.py (LLM, which hands other names to EngineArgs of engine/arg_utils.py),
# sampling_params.py, lora/request.py, inputs/llm.py. `bitsandbytes` is among the methods of
# model_executor/layers/quantization/__init__.py up to 0.27.1, and its file goes with 0.28.0.
LLM = {"model", "dtype", "quantization", "seed", "tokenizer", "tensor_parallel_size"}
ENGINE = {"enable_lora", "max_lora_rank", "max_loras", "generation_config", "max_model_len"}
SAMPLING = {"temperature", "max_tokens", "repetition_penalty", "stop_token_ids", "ignore_eos"}
GENERATE = {"lora_request", "use_tqdm"}
RANKS = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return build(tmp_path_factory.mktemp("backbone"))


class Engine:
    """Decodes greedily, with the arguments of vLLM's `LLM`."""

    made: dict[str, Any]

    def __init__(self, **settings: Any) -> None:
        assert set(settings) <= LLM | ENGINE
        type(self).made = settings
        self.other = Transformers(settings["model"], None, settings["dtype"], False)

    def generate(self, prompts: list[dict], parameters: Any, **more: Any) -> list[Any]:
        assert set(more) <= GENERATE and all(set(p) == {"prompt_token_ids"} for p in prompts)
        self.asked, self.lora = parameters, more["lora_request"]
        found = []
        for prompt in prompts:
            ids = list(prompt["prompt_token_ids"])
            new: list[int] = []
            while len(new) < parameters.max_tokens and (new[-1:] or [-1])[0] not in (
                parameters.stop_token_ids
            ):
                with torch.inference_mode():
                    logits = self.other.model(torch.tensor([ids + new])).logits[0, -1]
                new.append(int(logits.argmax()))
            found.append(SimpleNamespace(outputs=[SimpleNamespace(token_ids=tuple(new))]))
        return found


def sampling(**settings: Any) -> SimpleNamespace:
    assert set(settings) <= SAMPLING
    return SimpleNamespace(**settings)


@pytest.fixture
def vllm(monkeypatch, tmp_path_factory):
    place = tmp_path_factory.mktemp("site") / "vllm"
    four_bit = place / "model_executor" / "layers" / "quantization" / "bitsandbytes.py"
    four_bit.parent.mkdir(parents=True)
    four_bit.touch()

    def package(name: str, **contents: Any) -> None:
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)

    package("vllm", LLM=Engine, SamplingParams=sampling)
    package("vllm.config")
    package("vllm.config.lora", MaxLoRARanks=RANKS)
    package("vllm.lora")
    package("vllm.lora.request", LoRARequest=lambda name, number, path: (name, number, path))
    found = {"vllm": SimpleNamespace(submodule_search_locations=[str(place)])}
    monkeypatch.setattr(vllm_backend.importlib.util, "find_spec", found.get)
    monkeypatch.setenv("VLLM_BATCH_INVARIANT", "1")
    return four_bit


def test_prompts_and_answers_are_those_of_transformers(vllm, backbone):
    prompts = ["<|im_start|>user\nadd two numbers", "a", "public int twice(int x)"]
    here = vllm_backend.Vllm(str(backbone), None, "float32", False)
    there = Transformers(str(backbone), None, "float32", False)
    assert here.answers(prompts, 7, 0) == there.answers(prompts, 7, 0)
    assert here.answers(prompts, 7, 3) == there.answers(prompts, 7, 3)
    assert Engine.made["generation_config"] == "vllm" and "enable_lora" not in Engine.made


def test_an_adapter_of_a_large_rank_has_room(vllm, backbone, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((backbone / name).read_bytes())
    for config, rank in (
        ({"r": 8}, 8),
        ({"r": 24}, 32),
        ({"r": 8, "rank_pattern": {"q_proj": 96}}, 128),
    ):
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
        here = vllm_backend.Vllm(str(backbone), tmp_path, "float32", True)
        assert Engine.made["max_lora_rank"] == rank and Engine.made["quantization"]
        here.answers(["a"], 2, 0)
        assert here._engine.lora == ("adapter", 1, str(tmp_path))
    vllm.unlink()  # as in vLLM 0.28.0 and later
    vllm_backend.Vllm(str(backbone), tmp_path, "float32", False)
    with pytest.raises(Unavailable, match=r"(?s)no 4-bit weights.*vllm==0\.27\.1"):
        vllm_backend.Vllm(str(backbone), tmp_path, "float32", True)
    (tmp_path / "adapter_config.json").write_text('{"r": 600}')
    with pytest.raises(MtpeftError, match="rank 600"):
        vllm_backend.Vllm(str(backbone), tmp_path, "float32", False)


def test_what_the_study_inherited_is_asked_for_or_refused(vllm, backbone, tmp_path):
    for path in backbone.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    configured = {"eos_token_id": [0, 5], "repetition_penalty": 1.1, "temperature": 0.7}
    (tmp_path / "generation_config.json").write_text(json.dumps(configured))
    here = vllm_backend.Vllm(str(tmp_path), None, "float32", False)
    here.answers(["a"], 2, 0)
    asked = here._engine.asked
    assert asked.repetition_penalty == 1.0
    assert asked.stop_token_ids == sorted({0, 5, here.tokenizer.eos_token_id})
    here.answers(["a"], 2, 0, as_configured=True)
    asked = here._engine.asked
    assert (asked.repetition_penalty, asked.stop_token_ids) == (1.1, [here.tokenizer.eos_token_id])
    configured["no_repeat_ngram_size"] = 3
    (tmp_path / "generation_config.json").write_text(json.dumps(configured))
    here = vllm_backend.Vllm(str(tmp_path), None, "float32", False)
    with pytest.raises(MtpeftError, match="no_repeat_ngram_size"):
        here.answers(["a"], 2, 0, as_configured=True)


def test_an_answer_ends_at_its_first_end_token(backbone):
    tokenizer = Transformers(str(backbone), None, "float32", False).tokenizer
    one, two, end = *tokenizer("a b", add_special_tokens=False)["input_ids"][:2], -1
    text = tokenizer.decode([one, two])
    assert answered([one, two], {end}, tokenizer) == answered([one, two], set(), tokenizer)
    for tokens in ([one, two, end], [one, two, end, one, end]):
        got = answered(tokens, {end}, tokenizer)
        assert (got.text, got.tokens, got.finish_reason) == (text, 3, "stop")


def test_the_cache_is_counted_as_transformers_makes_it(backbone):
    model = Transformers(str(backbone), None, "float32", False).model
    config = model.config
    with torch.inference_mode():
        cache = model(torch.tensor([[1, 2, 3, 4]]), use_cache=True).past_key_values
    kept = sum(t.nbytes for layer in cache.layers for t in (layer.keys, layer.values))
    layer = 4 * (6 * config.hidden_size + 3 * config.intermediate_size)
    assert bytes_per_token(config, 4) == kept // 4 + layer

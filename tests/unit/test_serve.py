"""What a server reads, refuses and would start, without any weights."""

import json
from pathlib import Path

import pytest
from mtpeft.cli import app
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.inference.serve import vllm, wire
from mtpeft.inference.serve.models import Choice, Model, Weights, models
from mtpeft.inference.settings import profile
from typer.testing import CliRunner

RUN, BASE = "qwen2.5-coder-0.5b/mt-qlora", "qwen2.5-coder-0.5b"
TURNS = [{"role": "user", "content": "x"}]


def read(**given) -> wire.Request:
    return wire.read(json.dumps({"model": "m", "messages": TURNS, **given}).encode())


def test_what_a_client_may_leave_out_or_say_without_effect():
    assert read() == wire.Request("m", TURNS, None, False, False)
    assert read(temperature=0, n=1, top_p=0.9, seed=3, stop=None, tools=[]) == read()
    assert read(max_tokens=7, max_completion_tokens=None).new_tokens == 7
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    turns = [{"role": "developer", "content": "r"}, {"role": "user", "content": parts}]
    assert [m["content"] for m in read(messages=turns).messages] == ["r", "ab"]
    assert read(messages=turns).messages[0]["role"] == "system"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"temperature": 0.5}, "temperature"),
        ({"n": 2}, "n"),
        ({"stop": ["\n"]}, "stop"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"invented": 1}, "invented"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"model": 5}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
    ],
)  # fmt: skip
def test_what_is_not_followed_is_refused_by_name(given, param):
    with pytest.raises(wire.ApiError) as refused:
        read(**given)
    assert refused.value.status == 400
    assert refused.value.body["error"]["param"] == param


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Adapters of two runs where `mtpeft train` leaves them, and a base model."""
    from mtpeft.core import paths

    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    monkeypatch.setenv("MTPEFT_BACKBONES", str(tmp_path / "bases"))
    base = tmp_path / "bases" / BASE
    base.mkdir(parents=True)
    (base / "config.json").write_text("{}")
    for name, ranks in ((RUN, {"r": 8}), (f"{BASE}/st-qlora/summarization", {"r": 20})):
        adapter = tmp_path / "training" / "fast" / name / "seed-42" / "adapter"
        adapter.mkdir(parents=True)
        (adapter / "adapter_config.json").write_text(json.dumps(ranks))
        (adapter / "adapter_model.safetensors").write_text("")
    return tmp_path


def chosen(*names: str) -> tuple[list[Weights], list[Model]]:
    return models(Choice(names, "fast", 42, None, "", profile("clean")))


def test_runs_of_one_base_share_it(results):
    weights, names = chosen(RUN, f"{BASE}/st-qlora/summarization", BASE)
    assert [(w.four_bit, list(w.adapters)) for w in weights] == [
        (True, [RUN, f"{BASE}/st-qlora/summarization"])
    ]
    assert {m.weights for m in names} == {0}
    found = {m.name: m for m in names}
    assert (found[BASE].adapter, found[RUN].adapter, found[RUN].task) == ("", RUN, "")
    translation = found[f"{RUN}:translation-cs-java"]
    assert (translation.source_language, translation.language) == ("csharp", "java")
    assert found[f"{RUN}:summarization-java"].new_tokens == 128


def test_a_run_without_tuning_is_its_base_model_under_the_names_of_its_tasks(results):
    base = results / "bases" / "smollm2-135m-instruct"
    base.mkdir()
    (base / "config.json").write_text("{}")
    weights, names = chosen("smollm2-135m-instruct/base")
    assert [(w.source, w.four_bit, w.adapters) for w in weights] == [(str(base), False, {})]
    found = {m.name: m for m in names}
    assert found["smollm2-135m-instruct/base"].adapter == ""
    assert found["smollm2-135m-instruct/base:translation-java-cs"].language == "csharp"


def test_a_run_without_tuning_is_not_answered_by_a_base_in_four_bits(results):
    base = results / "bases" / "smollm2-135m-instruct"
    base.mkdir()
    (base / "config.json").write_text("{}")
    run = "smollm2-135m-instruct/mt-qlora"
    adapter = results / "training" / "fast" / run / "seed-42" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    (adapter / "adapter_model.safetensors").write_text("")
    weights, names = chosen(run, "smollm2-135m-instruct/base")
    bits = {m.name: weights[m.weights].four_bit for m in names}
    assert bits[run] and not bits["smollm2-135m-instruct/base"]


def test_training_an_untuned_run_is_refused_with_what_works():
    name = "smollm2-135m-instruct/base"
    done = CliRunner().invoke(app, ["train", "run", name])
    assert isinstance(done.exception, MtpeftError) and "nothing is trained" in str(done.exception)
    assert f"mtpeft infer run {name}" in str(done.exception)


def test_what_cannot_be_served_is_said(results):
    with pytest.raises(UnknownName, match="mt-qlora"):
        chosen("qwen2.5-coder-0.5b/mt-qlor")
    with pytest.raises(MtpeftError, match="mtpeft train"):
        chosen(f"{BASE}/mt-fft")
    with pytest.raises(MtpeftError, match="writes no text"):
        chosen("unixcoder-base/st-lora/flaky-detection")


def test_the_command_of_vllm_names_every_adapter_and_the_largest_rank(results):
    weights, names = chosen(RUN, f"{BASE}/st-qlora/summarization")
    command = vllm.command(weights, names, "bfloat16", "127.0.0.1", 8001)
    folder = (results / "training" / "fast").resolve()
    assert command[1:] == [
        *("-m", "vllm.entrypoints.cli.main", "serve", str(results / "bases" / BASE)),
        *("--host", "127.0.0.1", "--port", "8001", "--dtype", "bfloat16", "--seed", "0"),
        *("--served-model-name", BASE, "--generation-config", "vllm"),
        *("--override-generation-config", '{"temperature": 0.0}'),
        *("--quantization", "bitsandbytes", "--enable-lora", "--max-loras", "2"),
        *("--max-lora-rank", "32", "--lora-modules"),
        f"{RUN}={folder}/{RUN}/seed-42/adapter",
        f"{BASE}/st-qlora/summarization={folder}/{BASE}/st-qlora/summarization/seed-42/adapter",
    ]
    with pytest.raises(MtpeftError, match="one base"):
        vllm.command([*weights, Weights("other")], names, "bfloat16", "127.0.0.1", 8001)
    (Path(command[-1].partition("=")[2]) / "adapter_config.json").write_text('{"r": null}')
    with pytest.raises(BadInput, match="adapter_config.json"):
        vllm.command(weights, names, "bfloat16", "127.0.0.1", 8001)


def test_vllm_gets_a_folder_with_a_comma_as_json_and_a_full_model_by_its_run(tmp_path):
    # As LoRAParserAction of vLLM 0.27.1 (entrypoints/openai/cli_args.py) reads them.
    adapter = tmp_path / "a,b"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"r": 4, "rank_pattern": {"q_proj": 9}}')
    base = Weights("base", adapters={RUN: adapter})
    command = vllm.command([base], [Model(RUN, 0, RUN)], "float16", "::1", 1)
    assert json.loads(command[-1]) == {"name": RUN, "path": str(adapter)}
    assert command[command.index("--max-lora-rank") + 1] == "16"
    whole = [Model("r/mt-fft", 0), Model("r/mt-fft:summarization-java", 0, task="summarization")]
    command = vllm.command([Weights("model")], whole, "bfloat16", "127.0.0.1", 1)
    at = command.index("--served-model-name")
    assert command[at + 1 : at + 3] == ["r/mt-fft", "--generation-config"]
    assert "--enable-lora" not in command and "--quantization" not in command


def test_a_dry_run_prints_the_command_and_starts_nothing(results):
    done = CliRunner().invoke(app, ["serve", RUN, "--backend", "vllm", "--dry-run"])
    assert done.exit_code == 0 and f"--lora-modules {RUN}=" in done.output
    done = CliRunner().invoke(app, ["serve", RUN, "--backend", "transformers", "--dry-run"])
    assert done.exit_code == 0 and f"  {RUN}:generation-python\n" in done.output


def test_other_machines_need_a_key(results, monkeypatch):
    arguments = ["serve", RUN, "--host", "0.0.0.0", "--backend", "transformers", "--dry-run"]
    monkeypatch.delenv("MTPEFT_SERVE_KEY", raising=False)
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, MtpeftError)
    assert "MTPEFT_SERVE_KEY" in str(refused.exception)
    monkeypatch.setenv("MTPEFT_SERVE_KEY", "something")
    assert CliRunner().invoke(app, arguments).exit_code == 0

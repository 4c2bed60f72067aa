"""A server of trained runs, asked by the `openai` client: names, tasks, streams, errors, its end."""

import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("openai")

import openai
import torch

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.core.errors import UnknownName
from mtpeft.corpora import evaluation
from mtpeft.inference.backends import Transformers
from mtpeft.inference.generate import generate
from mtpeft.inference.resident import NONE, Resident
from mtpeft.tasks import answer_of, rendered_prompt, task_module, wording
from mtpeft.tuning.train import train
from tiny_backbone import build, job

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.train]

BASE = "qwen2.5-coder-0.5b"
MULTI, SINGLE, FULL = f"{BASE}/mt-qlora", f"{BASE}/st-qlora/summarization", f"{BASE}/mt-fft"
KEY = "a-key-of-the-test"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny base, and the results of three runs where `mtpeft train` would leave them."""
    torch.set_num_threads(1)
    backbone = build(tmp_path_factory.mktemp("backbone"))
    out = tmp_path_factory.mktemp("out")
    results = {}
    for name, method, tasks, epochs in (
        (MULTI, "qlora", None, 1),
        (SINGLE, "qlora", ["summarization"], 8),
        (FULL, "fft", ["summarization"], 25),
    ):
        made = job(
            backbone,
            tmp_path_factory.mktemp("run"),
            method,
            tasks,
            count=12,
            epochs=epochs,
            learning_rate=0.01,
        )
        train(made)
        kind = "model" if method == "fft" else "adapter"
        results[name] = out / "training" / "fast" / name / "seed-42" / kind
        shutil.copytree(made.result, results[name])
    return backbone, out, results


def start(trained, *names: str, **more: str) -> "tuple[subprocess.Popen[str], str]":
    backbone, out, _ = trained
    command = [sys.executable, "-m", "mtpeft", "serve", *names, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--backbone", str(backbone), "--dtype", "float32", "--backend", "transformers"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MTPEFT_OUT": str(out), "OMP_NUM_THREADS": "1", **more},
    )
    said = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/v1", said)
    assert found, said + (process.communicate()[1] if process.wait(60) else "")
    return process, found[0]


@pytest.fixture(scope="module")
def server(trained):
    process, url = start(trained, MULTI, SINGLE, FULL, MTPEFT_SERVE_KEY=KEY)
    yield url
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "stopped" in out
    assert "Traceback" not in err + out


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server, api_key=KEY, max_retries=0)


def ask(client, model: str, text: str, **more):
    turns = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=model, messages=turns, **more)


@pytest.fixture(scope="module")
def examples():
    return evaluation("summarization-java", "smoke", "train")[:6]


def expected(trained, run: str, example, new_tokens: int) -> str:
    """The answer as `mtpeft infer` takes it."""
    backbone, _, results = trained
    engine = Transformers(str(backbone), results[run], "float32", True)
    prompt = rendered_prompt(example, engine.tokenizer, wording(inference=True))
    raw = generate(engine.model, engine.tokenizer, [prompt], new_tokens)[0].text
    return str(answer_of(task_module(example.task), raw, False, example))


def test_every_run_task_and_base_has_a_name(client):
    names = [model.id for model in client.models.list()]
    assert names == [
        MULTI,
        f"{MULTI}:generation-java",
        f"{MULTI}:generation-python",
        f"{MULTI}:summarization-java",
        f"{MULTI}:summarization-python",
        f"{MULTI}:translation-java-cs",
        f"{MULTI}:translation-cs-java",
        SINGLE,
        f"{SINGLE}:summarization-java",
        f"{SINGLE}:summarization-python",
        *[name.replace("mt-qlora", "mt-fft") for name in (
            MULTI,
            f"{MULTI}:generation-java",
            f"{MULTI}:generation-python",
            f"{MULTI}:summarization-java",
            f"{MULTI}:summarization-python",
            f"{MULTI}:translation-java-cs",
            f"{MULTI}:translation-cs-java",
        )],
        BASE,
    ]  # fmt: skip
    assert client.models.retrieve(SINGLE).id == SINGLE


@pytest.mark.parametrize("run", [MULTI, SINGLE, FULL])
def test_a_task_answers_as_mtpeft_infer_does(client, trained, examples, run):
    for example in examples[:2]:
        reply = ask(client, f"{run}:summarization-java", example.inputs["code"], max_tokens=24)
        assert reply.choices[0].message.content == expected(trained, run, example, 24)
        assert reply.model == f"{run}:summarization-java"
        assert 0 < reply.usage.completion_tokens <= 24 < reply.usage.prompt_tokens


def test_adapters_of_one_base_do_not_disturb_each_other(client, examples):
    text = examples[0].inputs["code"]
    names = [f"{MULTI}:summarization-java", f"{SINGLE}:summarization-java", BASE]
    alone = [ask(client, n, text, max_tokens=20).choices[0].message.content for n in names]
    assert len(set(alone)) == 3, "equal answers prove nothing"
    with ThreadPoolExecutor(12) as pool:
        found = pool.map(
            lambda n: ask(client, n, text, max_tokens=20).choices[0].message.content, names * 4
        )
    assert list(found) == alone * 4


def test_one_batch_holds_prompts_of_several_adapters_and_of_the_base(trained):
    backbone, _, results = trained
    resident = Resident(str(backbone), {name: results[name] for name in (MULTI, SINGLE)}, "float32")
    assert resident.mixes
    wanted = [MULTI, SINGLE, NONE, SINGLE, MULTI]
    prompts = [f"def f{n}(a, b):\n    return a + {n} * b\n" for n in range(5)]
    alone = [
        resident.answers(name, [prompt], 16)[0].text
        for name, prompt in zip(wanted, prompts, strict=True)
    ]
    assert [one.text for one in resident.answers(wanted, prompts, 16)] == alone
    assert len(set(alone)) >= 3, "equal answers prove nothing"
    with pytest.raises(UnknownName, match="another"):
        resident.answers([MULTI, "another"], prompts[:2], 16)


def test_questions_that_come_together_get_the_answers_they_get_alone(client, examples):
    def one(example):
        return ask(client, f"{FULL}:summarization-java", example.inputs["code"], max_tokens=32)

    alone = [one(example).choices[0].message.content for example in examples]
    with ThreadPoolExecutor(6) as pool:
        together = [reply.choices[0].message.content for reply in pool.map(one, examples)]
    assert together == alone and len(set(alone)) > 1


@pytest.mark.parametrize("model", [FULL, f"{FULL}:summarization-java"])
def test_a_stream_says_what_the_whole_answer_says(client, examples, model):
    text = examples[0].inputs["code"]
    whole = ask(client, model, text, max_tokens=40)
    events = list(
        ask(client, model, text, max_tokens=40, stream=True, stream_options={"include_usage": True})
    )
    pieces = [e.choices[0].delta.content or "" for e in events if e.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert events[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert events[-1].usage == whole.usage


def test_what_is_asked_wrongly_is_said_in_the_apis_own_form(client, server):
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(client, "gpt-5", "hello")
    assert unknown.value.code == "model_not_found" and MULTI in unknown.value.body["message"]
    with pytest.raises(openai.BadRequestError) as long:
        ask(client, BASE, "word " * 3000)
    assert long.value.code == "context_length_exceeded" and "1024" in long.value.body["message"]
    with pytest.raises(openai.BadRequestError) as sampled:
        ask(client, BASE, "hello", temperature=0.7)
    assert sampled.value.code == "unsupported_value" and sampled.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as turns:
        client.chat.completions.create(
            model=f"{MULTI}:translation-java-cs",
            messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": "x"}],
        )
    assert turns.value.param == "messages" and MULTI in turns.value.body["message"]
    stranger = openai.OpenAI(base_url=server, api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model=BASE, input="x")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"model": ', "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"[]", "invalid_type"),
        (b'{"model": "x", "messages": [{"role": "user", "content": "\\ud800"}]}', "invalid_value"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(client, body, code):
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/chat/completions", content=body, cast_to=dict)
    assert refused.value.code == code and "Traceback" not in str(refused.value.body)


def test_a_stopped_server_ends_at_once_whatever_it_computes(trained):
    process, url = start(trained, FULL)
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    with ask(client, FULL, "int f() {", max_tokens=900, stream=True) as stream:
        next(iter(stream))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "stopped" in out and "Traceback" not in err


def test_a_port_in_use_is_said_before_anything_is_loaded(trained, server):
    backbone, out, _ = trained
    port = server.rpartition(":")[2].partition("/")[0]
    done = subprocess.run(
        [sys.executable, "-m", "mtpeft", "serve", FULL, "--port", port, "--backend", "transformers"],
        capture_output=True,
        text=True,
        env={**os.environ, "MTPEFT_OUT": str(out), "MTPEFT_BACKBONES": str(backbone)},
    )  # fmt: skip
    assert done.returncode == 2 and f":{port}" in done.stderr and "--port 0" in done.stderr
    assert "Traceback" not in done.stderr

"""The judge against a real OpenAI-compatible server: transformers' own, serving a tiny Qwen2 made
here.

The model is trained for a minute to answer any judge prompt in the asked form, so that the whole
way is exercised: chat template, generation, HTTP, usage, parsing, aggregation.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from mtpeft.scoring.interface import Item
from mtpeft.scoring.judge.criteria import own_prompt, parse_strict
from mtpeft.scoring.judge.ledger import Ledger, read_ledger
from mtpeft.scoring.judge.panel import judge
from mtpeft.scoring.judge.settings import Key, Settings

pytestmark = [pytest.mark.recipe, pytest.mark.slow, pytest.mark.train]

ANSWER = "Content adequacy: 4\nConciseness: 5\nFluency: 3"
ITEMS = [
    Item(
        "run", "summarization-java", "1", "java", "returns the size", "", "int size() {return n;}"
    ),
    Item(
        "run",
        "summarization-python",
        "2",
        "python",
        "adds two numbers",
        "",
        "def add(a, b):\n    return a + b",
    ),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch = pytest.importorskip("torch", reason="the training group is not installed")
    from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer
    from transformers import AutoTokenizer

    torch.set_num_threads(1)
    prompts = [own_prompt().fill(item.language, item.source, item.output) for item in ITEMS]
    tokenizer = train_tokenizer([*prompts, ANSWER] * 3, 600)
    folder = tmp_path_factory.mktemp("judge-model")
    network = tiny_model(tokenizer, hidden=64, layers=2, heads=4)
    save_backbone(folder, tokenizer, network)
    # As the server will read it: loading a Qwen2 tokenizer replaces the way it splits words.
    tokenizer = AutoTokenizer.from_pretrained(folder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    examples = []
    for prompt in prompts:
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": ANSWER}]
        start = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
        ids = tokenizer(
            tokenizer.apply_chat_template(turns, tokenize=False), return_tensors="pt"
        ).input_ids
        labels = ids.clone()
        labels[:, : len(tokenizer(start).input_ids)] = -100
        examples.append((ids, labels))
    for _ in range(200):
        worst = 0.0
        for ids, labels in examples:
            loss = network(input_ids=ids, labels=labels).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            worst = max(worst, loss.item())
        if worst < 0.001:
            break
    assert worst < 0.01, "the tiny model did not learn its one answer"
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason="transformers serve needs its serving extra")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "server.txt"
    command = [
        sys.executable,
        "-m",
        "transformers.cli.transformers",
        "serve",
        str(model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    with open(log, "w") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 240
        while not healthy(url):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.5)
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait(30)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def settings(url: str, folder, **changes) -> Settings:
    given = {
        "base_url": url,
        "model": str(folder),
        "prompt": own_prompt(),
        "runs": 2,
        "timeout": 120.0,
        "concurrency": 2,
        "max_output_tokens": 64,
        "temperature": 0.0,
        "price_input": 1.0,
        "price_output": 1.0,
        "key": Key("local-key"),
    }
    return Settings(**given | changes)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_real_server_judges_summaries(server, model, tmp_path, api):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        found = judge(ITEMS, settings(server, model, api=api), ledger)
    assert [j.status for j in found] == ["ok", "ok"], found
    assert all(ratings == parse_strict(ANSWER) for j in found for ratings in j.ratings)
    answers, spent = read_ledger(path)
    assert len(answers) == 4
    for answer in answers.values():
        assert answer.input_tokens > 50 and 10 < answer.output_tokens <= 64, (
            "the server's own count"
        )
    assert spent == pytest.approx(
        sum((a.input_tokens + a.output_tokens) / 1e6 for a in answers.values())
    )
    assert "local-key" not in path.read_text()


def test_a_model_that_the_server_lacks_stops_the_run(server, model, tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        found = judge(ITEMS, settings(server, model, model="no/such-model", attempts=1), ledger)
    assert [j.status for j in found] == ["infrastructure"] * 2
    assert all(j.detail for j in found)


def test_the_servers_answer_has_the_shape_that_the_client_expects(server, model):
    """The same request by hand, so that a change of the interface shows here and not as an
    unreadable answer.
    """
    body = json.dumps(
        {"model": str(model), "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    ).encode()
    request = urllib.request.Request(
        f"{server}/chat/completions", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        data = json.load(response)
    assert (
        isinstance(data["choices"][0]["message"]["content"], str)
        and data["usage"]["completion_tokens"] >= 1
    )

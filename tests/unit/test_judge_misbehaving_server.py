"""The judge against a local HTTP server that misbehaves on purpose. No test waits: the clock is
made here.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.scoring.interface import Item
from mtpeft.scoring.judge import panel
from mtpeft.scoring.judge.client import Client, Clock, Refused, RequestFailed
from mtpeft.scoring.judge.criteria import own_prompt
from mtpeft.scoring.judge.ledger import Ledger, read_ledger
from mtpeft.scoring.judge.panel import judge
from mtpeft.scoring.judge.scorer import Judge
from mtpeft.scoring.judge.settings import Key, Settings

GOOD = "Content adequacy: 4\nConciseness: 5\nFluency: 3"
SECRET = "sk-secret-0123456789"


def chat(text: str = GOOD, usage: object = None) -> bytes:
    body = {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    }
    return json.dumps(body | ({"usage": usage} if usage else {})).encode()


class Reply:
    """What the server does with one request. cut: announce more bytes than are sent; hang: answer
    only at the end.
    """

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        cut: bool = False,
        hang: bool = False,
        drip: bool = False,
    ) -> None:
        self.status, self.body, self.headers = status, body or chat(), headers or {}
        self.cut, self.hang, self.drip = cut, hang, drip


class Server(ThreadingHTTPServer):
    """Answers by script, request after request; the last reply repeats."""

    daemon_threads = True

    def __init__(self, replies: list[Reply]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.requests, self.lock, self.end = (
            replies,
            [],
            threading.Lock(),
            threading.Event(),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            reply = self.server.replies[
                min(len(self.server.requests), len(self.server.replies) - 1)
            ]
            self.server.requests.append((self.path, payload, dict(self.headers)))
        if reply.hang:
            self.server.end.wait(20)
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(reply.body) * (2 if reply.cut else 1)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.drip:
            while not self.server.end.wait(0.02):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    break
        self.wfile.write(reply.body)
        self.close_connection = reply.cut or reply.drip

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(*replies: Reply) -> Iterator[Server]:
    server = Server(list(replies))
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.end.set()
        server.shutdown()
        server.server_close()


class FakeClock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.time, self.sleeps, self.lock = 1000.0, [], threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.sleeps.append(seconds)
            self.time += seconds

    def clock(self) -> Clock:
        return Clock(
            lambda: self.time, self.sleep, lambda: datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)
        )


class Count:
    """A meter that counts."""

    def __init__(self) -> None:
        self.started, self.freed, self.lost = 0, 0, []

    def start(self) -> None:
        self.started += 1

    def free(self) -> None:
        self.freed += 1

    def doubtful(self, reason: str) -> None:
        self.lost.append(reason)


def settings(server: Server, **changes) -> Settings:
    given = {
        "base_url": server.url,
        "model": "tiny",
        "prompt": own_prompt(),
        "runs": 1,
        "timeout": 10.0,
        "key": Key(SECRET),
    }
    return Settings(**given | changes)


def ask(server: Server, **changes) -> tuple[str, Count, FakeClock]:
    clock, count = FakeClock(), Count()
    with Client(settings(server, **changes), clock.clock(), random.Random(1)) as client:
        return client.ask("a prompt", count).text, count, clock


def test_an_answer_comes_through_with_its_usage():
    with serving(Reply(body=chat(usage={"prompt_tokens": 7, "completion_tokens": 3}))) as server:
        with Client(settings(server, temperature=0.0)) as client:
            found = client.ask("a prompt", Count())
        assert (found.text, found.input_tokens, found.output_tokens) == (GOOD, 7, 3)
        [(path, payload, headers)] = server.requests
        assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {SECRET}"
        assert payload == {
            "model": "tiny",
            "messages": [{"role": "user", "content": "a prompt"}],
            "max_tokens": 1024,
            "stream": False,
            "temperature": 0.0,
        }


def test_the_responses_interface_is_spoken_too():
    body = {
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": GOOD}]},
        ],
        "usage": {"input_tokens": 7, "output_tokens": 3},
    }
    with serving(Reply(body=json.dumps(body).encode())) as server:
        with Client(settings(server, api="responses", verbosity="low")) as client:
            found = client.ask("a prompt", Count())
        assert (found.text, found.input_tokens, found.output_tokens) == (GOOD, 7, 3)
        [(path, payload, _)] = server.requests
        assert path == "/v1/responses"
        assert payload == {
            "model": "tiny",
            "input": "a prompt",
            "max_output_tokens": 1024,
            "stream": False,
            "text": {"verbosity": "low"},
        }


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_busy_or_broken_server_is_asked_again_later(status):
    with serving(Reply(status, b"later"), Reply(status, b"later"), Reply()) as server:
        text, count, clock = ask(server)
        assert text == GOOD and len(server.requests) == 3
        assert (count.started, count.freed, count.lost) == (3, 2, [])
        assert len(clock.sleeps) == 2 and 0 <= clock.sleeps[0] <= 1 and 0 <= clock.sleeps[1] <= 2


def test_the_back_off_grows_and_has_a_ceiling():
    with serving(Reply(500, b"x")) as server:
        clock = FakeClock()
        upper = random.Random()
        upper.uniform = lambda low, high: high
        with (
            Client(settings(server, attempts=9), clock.clock(), upper) as client,
            pytest.raises(RequestFailed, match="9 attempts; last: HTTP 500"),
        ):
            client.ask("a prompt", Count())
        assert clock.sleeps == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("header", "seconds"), [("17", 17), ("Wed, 01 Jan 2025 12:00:42 GMT", 42)])
def test_retry_after_is_obeyed(header, seconds):
    with serving(Reply(429, b"slow down", {"Retry-After": header}), Reply()) as server:
        _, _, clock = ask(server)
        assert clock.sleeps == [seconds]


@pytest.mark.parametrize("header", ["soon", "-5", "", "Wed, 99 Foo"])
def test_a_nonsensical_retry_after_is_ignored(header):
    with serving(Reply(429, b"slow down", {"Retry-After": header}), Reply()) as server:
        _, _, clock = ask(server)
        assert len(clock.sleeps) == 1 and clock.sleeps[0] <= 1


def test_nobody_waits_for_hours():
    with (
        serving(Reply(429, b"", {"Retry-After": "7200"})) as server,
        pytest.raises(RequestFailed, match="7200"),
    ):
        ask(server)


GARBAGE = [
    b"<html>hello</html>",
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"choices": []}',
    b'{"choices": [{"message": {"content": null}}]}',
    b'{"choices": "x"}',
    b"\xff\xfe\x00",
    b'{"choices": [{"message": {"content": 5}}]}',
]


@pytest.mark.parametrize("body", GARBAGE)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_garbage_is_no_answer_and_is_asked_again(body, api):
    with (
        serving(Reply(body=body or b" ")) as server,
        pytest.raises(RequestFailed, match="2 attempts"),
    ):
        ask(server, api=api, attempts=2)
    assert len(server.requests) == 2


def test_half_a_body_is_asked_again_and_counted_as_paid():
    with serving(Reply(cut=True), Reply()) as server:
        text, count, _ = ask(server)
        assert text == GOOD and len(count.lost) == 1 and count.freed == 0


def test_a_server_that_never_answers_is_given_up():
    with serving(Reply(hang=True)) as server:
        clock, count = FakeClock(), Count()
        with (
            Client(settings(server, timeout=0.2, attempts=2), clock.clock()) as client,
            pytest.raises(RequestFailed, match="ReadTimeout"),
        ):
            client.ask("a prompt", count)
        assert len(count.lost) == 2


def test_a_server_that_drips_bytes_is_given_up():
    with (
        serving(Reply(drip=True)) as server,
        Client(settings(server, timeout=0.3, attempts=1)) as client,
        pytest.raises(RequestFailed, match="not complete after"),
    ):
        client.ask("a prompt", Count())


def test_an_endless_answer_is_cut_off():
    with (
        serving(Reply(body=b"x" * (5 << 20))) as server,
        pytest.raises(RequestFailed, match="above"),
    ):
        ask(server, attempts=1)


def test_a_server_that_is_not_there_costs_nothing():
    with serving(Reply()) as server:
        url = server.url
    clock, count = FakeClock(), Count()
    made = Settings(base_url=url, model="m", prompt=own_prompt(), attempts=3, key=Key())
    with Client(made, clock.clock()) as client, pytest.raises(RequestFailed, match="no connection"):
        client.ask("a prompt", count)
    assert (count.started, count.freed, count.lost) == (3, 3, [])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_not_repeated(status):
    with serving(Reply(status, b"no")) as server:
        with pytest.raises(Refused, match=f"HTTP {status}"):
            ask(server)
        assert len(server.requests) == 1


def test_a_bad_request_concerns_one_prompt_only():
    with serving(Reply(400, b'{"error": {"message": "too long"}}')) as server:
        with pytest.raises(RequestFailed, match="too long"):
            ask(server)
        assert len(server.requests) == 1


def test_a_redirect_is_not_followed_with_the_key():
    with (
        serving(Reply()) as other,
        serving(Reply(307, b"x", {"Location": f"{other.url}/chat/completions"})) as server,
    ):
        with pytest.raises(RequestFailed, match="HTTP 307"):
            ask(server)
        assert other.requests == []


def test_requests_start_at_the_allowed_rate_over_all_threads():
    with serving(Reply()) as server:
        clock = FakeClock()
        with Client(settings(server, per_minute=30.0, concurrency=3), clock.clock()) as client:
            for _ in range(4):
                client.ask("a prompt", Count())
        assert clock.sleeps == pytest.approx([2.0, 2.0, 2.0])


def item(
    output: str = "returns the size", name: str = "1", source: str = "int size() {return n;}"
) -> Item:
    return Item("run", "summarization-java", name, "java", output, "", source)


def run(server: Server, path, items: list[Item], budget: float | None = None, **changes):
    with Ledger(path / "ledger.jsonl", budget) as ledger:
        return judge(
            items, settings(server, **changes), ledger, FakeClock().clock(), random.Random(1)
        )


def test_every_run_of_every_item_is_asked_once_and_never_again(tmp_path):
    items = [item(), item("counts the nodes", "2"), item(name="3")]
    with serving(Reply()) as server:
        found = run(server, tmp_path, items, runs=3)
        assert [(j.status, len(j.ratings)) for j in found] == [("ok", 3)] * 3
        assert len(server.requests) == 6, "the first and the last item are the same question"
        assert run(server, tmp_path, items, runs=3) == found and len(server.requests) == 6
        run(server, tmp_path, items, runs=4)
        assert len(server.requests) == 8


def test_a_run_that_was_stopped_resumes_where_it_stopped(tmp_path):
    items = [item(f"summary {i}", str(i)) for i in range(6)]
    with serving(Reply(), Reply(), Reply(401, b""), Reply()) as server:
        first = run(server, tmp_path, items, concurrency=1)
        assert [j.status for j in first] == ["ok", "ok", *["infrastructure"] * 4]
        assert len(server.requests) == 3, "after a refusal nothing more is asked"
        assert all("HTTP 401" in j.detail or "stopped" in j.detail for j in first[2:])
        second = run(server, tmp_path, items, concurrency=1)
        assert [j.status for j in second] == ["ok"] * 6 and len(server.requests) == 7


def test_who_is_interrupted_waits_for_no_back_off(tmp_path, monkeypatch):
    def interrupted(asked):
        while not server.requests:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(panel, "as_completed", interrupted)
    busy, begun = Reply(429, headers={"Retry-After": "50"}), time.monotonic()
    with serving(busy) as server, Ledger(tmp_path / "l.jsonl") as ledger:
        with pytest.raises(KeyboardInterrupt):
            judge([item()], settings(server, runs=2), ledger)
        assert time.monotonic() - begun < 30 and len(server.requests) <= 2


def test_an_unreadable_answer_is_asked_for_again_and_then_a_status(tmp_path):
    with serving(Reply(body=chat("I like it")), Reply()) as server:
        [found] = run(server, tmp_path, [item()])
        assert found.status == "ok" and len(server.requests) == 2
    with serving(Reply(body=chat("I like it"))) as server:
        [found] = run(server, tmp_path, [item()], parse_attempts=3)
        assert (found.status, found.ratings) == ("infrastructure", [])
        assert "the judge's reply cannot be read: I like it" in found.detail
        assert len(server.requests) == 3
        run(server, tmp_path, [item()], parse_attempts=3)
        assert len(server.requests) == 3, "what was paid for is not asked again"


def test_one_bad_item_does_not_cost_the_others(tmp_path):
    with serving(Reply(400, b"no"), Reply()) as server:
        found = run(
            server,
            tmp_path,
            [item(), item("counts", "2"), item("x", "3"), item("sums", "4", " ")],
            concurrency=1,
        )
    assert [j.status for j in found] == ["infrastructure", "ok", "empty", "infrastructure"]


def test_the_budget_is_never_exceeded_and_what_was_bought_is_kept(tmp_path):
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    items = [item(f"summary {i}", str(i)) for i in range(20)]
    with serving(Reply(body=chat(usage=usage))) as server:
        found = run(
            server, tmp_path, items, budget=0.02, price_input=1.0, price_output=2.0, concurrency=4
        )
    answers, spent = read_ledger(tmp_path / "ledger.jsonl")
    assert 0 < len(answers) < 20 and spent <= 0.02
    assert [j.status for j in found].count("ok") == len(answers)
    assert any("budget" in j.detail for j in found)


def test_lost_answers_count_against_the_budget(tmp_path):
    with serving(Reply(cut=True)) as server:
        run(
            server,
            tmp_path,
            [item()],
            budget=0.01,
            price_input=1.0,
            price_output=2.0,
            max_output_tokens=1000,
            attempts=50,
        )
        assert 1 <= len(server.requests) < 10
    assert 0 < read_ledger(tmp_path / "ledger.jsonl")[1] <= 0.01


ECHOES: list[Callable[[], Reply]] = [
    lambda: Reply(401, f"your key {SECRET} is wrong".encode()),
    lambda: Reply(400, f"bad {SECRET}".encode()),
    lambda: Reply(500, f"oops {SECRET}".encode()),
    lambda: Reply(body=f"not json {SECRET}".encode()),
    lambda: Reply(body=chat(f"{GOOD}\nkey {SECRET}")),
    lambda: Reply(body=chat(f"your key is {SECRET}")),
    lambda: Reply(200, chat(), {"X-Key": SECRET}, cut=True),
]


@pytest.mark.parametrize("reply", ECHOES)
def test_the_key_reaches_no_log_record_or_error_even_if_the_server_echoes_it(
    tmp_path, caplog, capfd, reply
):
    with caplog.at_level(logging.INFO), serving(reply()) as server:
        [found] = run(server, tmp_path, [item()], attempts=2)
        assert all(
            headers["Authorization"] == f"Bearer {SECRET}" for _, _, headers in server.requests
        )
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    assert SECRET not in written + found.detail + caplog.text + "".join(capfd.readouterr())
    assert SECRET not in repr(found)


def test_the_key_stays_out_of_debug_logs(tmp_path, caplog):
    with caplog.at_level(logging.DEBUG), serving(Reply()) as server:
        run(server, tmp_path, [item()])
    assert caplog.text and SECRET not in caplog.text


def test_the_scorer_makes_means_and_modes_of_the_same_answers(tmp_path, monkeypatch):
    monkeypatch.setattr("mtpeft.core.paths.CACHE", tmp_path)
    replies = [Reply(body=chat(GOOD.replace("4", str(n)))) for n in (1, 1, 4, 5, 5)]
    with serving(*replies) as server:
        made = settings(server, runs=5, concurrency=1)
        from mtpeft.scoring.judge.criteria import mean, mode

        means = {s.metric: s.value for s in Judge("llm-judge", "mean", mean, made).score([item()])}
        modes = {
            s.metric: s.value for s in Judge("llm-judge-mode", "mode", mode, made).score([item()])
        }
        assert len(server.requests) == 5
    assert means == {
        "judge_content_adequacy_mean5": 3.2,
        "judge_conciseness_mean5": 5.0,
        "judge_fluency_mean5": 3.0,
    }
    assert modes == {
        "judge_content_adequacy_mode5": 4.0,
        "judge_conciseness_mode5": 5.0,
        "judge_fluency_mode5": 3.0,
    }


@pytest.fixture
def predictions(tmp_path, monkeypatch):
    """A file with two known instances and a malformed line; their code stands in for the corpus."""
    from mtpeft.scoring.judge import stage
    from mtpeft.scoring.predictions import known_ids

    names = sorted(known_ids("summarization-java"))[:2]
    record = {
        "run": "qwen2.5-coder-3b/mt-qlora",
        "task": "summarization-java",
        "prompt_sha256": "",
        "raw_output": "",
        "output": "returns the size",
        "finish_reason": "stop",
        "seconds": 0.1,
    }
    lines = [
        json.dumps(record | {"instance_id": name, "output": f"{record['output']} {name}"})
        for name in names
    ]
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join([*lines, "{broken"]) + "\n")
    monkeypatch.setattr(
        stage,
        "examples",
        lambda task, corpus: [
            SimpleNamespace(id=name, inputs={"code": "int size() {return n;}"}) for name in names
        ],
    )
    monkeypatch.setattr("mtpeft.core.paths.CACHE", tmp_path / "cache")
    monkeypatch.setattr("mtpeft.core.paths.REGENERATED", tmp_path / "out")
    monkeypatch.delenv("MTPEFT_MIRROR", raising=False)
    monkeypatch.setenv("MTPEFT_JUDGE_MODEL", "tiny")
    return path


def test_a_dry_run_sends_and_writes_nothing(predictions, tmp_path, monkeypatch, capsys):
    from mtpeft.scoring.judge.stage import run as stage

    with serving(Reply()) as server:
        monkeypatch.setenv("MTPEFT_JUDGE_URL", server.url)
        monkeypatch.setenv("MTPEFT_JUDGE_PRICES", "1,2")
        assert stage(predictions, dry_run=True) == 2, "a line could not be used"
        assert server.requests == []
    said = capsys.readouterr()
    assert (
        "10 requests to send" in said.out
        and "at most 0.0" in said.out
        and "predictions.jsonl:3" in said.err
    )
    assert not (tmp_path / "out").exists() and not (tmp_path / "cache").exists()


def test_the_stage_writes_means_and_modes_and_says_what_failed(
    predictions, tmp_path, monkeypatch, capsys
):
    from mtpeft.core.records import read_scores, score_path
    from mtpeft.scoring.judge.stage import run as stage

    with serving(Reply(), Reply(400, b"no"), Reply()) as server:
        monkeypatch.setenv("MTPEFT_JUDGE_URL", server.url)
        assert stage(predictions) == 2
        assert len(server.requests) == 10, "what failed is not asked again for the second table"
        lines = predictions.read_text().split("\n")
        predictions.write_text("\n".join([lines[0], lines[1], ""]))
        assert stage(predictions) == 0 and len(server.requests) == 11
    means = read_scores(score_path(tmp_path / "out", "llm-judge", "summarization-java"))
    modes = read_scores(score_path(tmp_path / "out", "llm-judge-mode", "summarization-java"))
    assert list(means["status"]) == list(modes["status"]) == ["ok", "ok"]
    assert (
        means["judge_fluency_mean5"].tolist() == modes["judge_fluency_mode5"].tolist() == [3.0, 3.0]
    )
    assert "not judged: run" in capsys.readouterr().err


def test_instances_of_a_corpus_are_judged_and_every_line_has_its_row(
    predictions, tmp_path, monkeypatch
):
    from mtpeft.core.records import read_scores, score_path
    from mtpeft.scoring.judge import stage

    record = json.loads(predictions.read_text().split("\n")[0])
    lost = record | {"instance_id": "mine1", "output": "", "finish_reason": "error", "error": "x"}
    mine = record | {"instance_id": "mine2"}
    predictions.write_text(f"{json.dumps(lost)}\n{json.dumps(mine)}\n")
    codes = [SimpleNamespace(id=name, inputs={"code": "int f();"}) for name in ("mine1", "mine2")]
    monkeypatch.setattr(stage, "examples", lambda task, corpus: codes if corpus else [])
    with serving(Reply()) as server:
        monkeypatch.setenv("MTPEFT_JUDGE_URL", server.url)
        assert stage.run(predictions, corpus="mine.jsonl") == 2, "an inference failed"
    rows = read_scores(score_path(tmp_path / "out", "llm-judge", "summarization-java"))
    found = {
        name: (row, status) for name, row, status in rows[["instance_id", "row", "status"]].values
    }
    assert found == {"mine1": (1, "infrastructure"), "mine2": (2, "ok")}


def test_answers_that_cannot_be_kept_are_asked_for_again(tmp_path, monkeypatch):
    """On a full disk each further answer would be paid for and lost."""
    items = [
        Item("r", "summarization-java", f"i{n}", "java", f"Adds {n} to a number.", source=f"f{n}()")
        for n in range(20)
    ]

    def full(*_: object) -> None:
        raise MtpeftError(
            "cannot write ledger: No space left on device", "free disk space", "df -h"
        )

    monkeypatch.setattr("mtpeft.scoring.judge.ledger.append_lines", full)
    with (
        serving(Reply()) as server,
        Ledger(tmp_path / "ledger.jsonl") as ledger,
        pytest.raises(Unavailable, match="No space left"),
    ):
        judge(items, settings(server, concurrency=1), ledger)
    assert len(server.requests) <= 2

"""Prompting: no answer is a status, few-shot examples are the nearest, a killed run resumes, a
server's failure is no answer.
"""

import base64
import json
import math
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.http import Clock, Limits, Refused, Unreadable
from mtpeft.core.locks import InUse
from mtpeft.core.records import Prediction, read_predictions
from mtpeft.corpora import Example
from mtpeft.corpora.analysis import own
from mtpeft.inference.bm25 import Bm25, nearest
from mtpeft.inference.prompting import Endpoint, ask, conversation
from mtpeft.inference.ranking import by_vectors, by_words, candidates, pool_of, rank
from mtpeft.scoring.answers import ranking_table, table
from mtpeft.tasks.code_search import rank_of, read_scores, scoring_messages
from mtpeft.tasks.yes_no import permissive, strict

TASK = "flaky-detection"


@pytest.mark.parametrize(
    ("raw", "is_strict", "is_permissive"),
    [
        ("yes", "1", "1"),
        (" No.", "0", "0"),
        ("**Yes**", "1", "1"),
        ("NO!", "0", "0"),
        ("yes and no", "", "0"),
        ("", "", "1"),
        ("I cannot tell", "", "0"),
        ("maybe", "", "1"),
        ("yes, because it sleeps", "1", "1"),
        ("nope", "", "0"),
        ("unknown", "", "0"),
    ],
)
def test_readings_differ_where_the_answer_is_no_plain_word(
    raw: str, is_strict: str, is_permissive: str
) -> None:
    assert (strict(raw), permissive(raw)) == (is_strict, is_permissive)


def _answers(*raws: str, error: str = "") -> list[Prediction]:
    examples = [e for split in ("train", "valid", "test") for e in own(TASK, split)]
    return [
        Prediction("r", TASK, e.id, "", raw, strict(raw), "stop", 0.0, error)
        for e, raw in zip(examples, raws, strict=False)
    ]


def test_no_answer_is_a_status_and_never_a_class() -> None:
    examples = [e for split in ("train", "valid", "test") for e in own(TASK, split)]
    assert [e.target for e in examples[:4]] == ["1", "0", "1", "0"]
    rows = {r["reading"]: r for r in table(_answers("yes", "maybe", "no", "no"), examples)}
    assert (
        rows["strict, answered only"]["acc"] == pytest.approx(2 / 3)
        and rows["strict, answered only"]["no_answer"] == 1
    )
    assert rows["strict, no answer is wrong"]["acc"] == 0.5
    assert (
        rows["permissive (study, zero-shot)"]["acc"] == 0.5
        and rows["permissive (study, zero-shot)"]["read_differently"] == 1
    )
    assert (
        rows["always yes"]["acc"] == 0.5 and rows["always no"]["f1"] == 0.0 and "majority" in rows
    )
    assert {r["examples"] for r in rows.values()} == {4} and rows["always yes"]["not_asked"] == len(
        examples
    ) - 4


def test_a_model_that_never_answers_has_no_score_rather_than_zero() -> None:
    rows = table(_answers("?", "?"), own(TASK, "train"))
    assert rows[0]["status"] == "empty" and rows[0]["f1"] is None and rows[0]["no_answer"] == 2


def test_failures_of_the_server_count_in_no_reading() -> None:
    rows = table(_answers("", "", error="status 503"), own(TASK, "train"))
    assert (
        rows[0]["status"] == "infrastructure"
        and rows[0]["infrastructure"] == 2
        and rows[0]["acc"] is None
    )
    with pytest.raises(MtpeftError, match="not in the set"):
        table(_answers("yes"), own(TASK, "test"))


def test_the_nearest_example_comes_last_and_the_example_itself_never() -> None:
    assert nearest("open the file", ["close door", "open the file now", "the file"], 2) == [2, 1]
    assert nearest("x", [], 3) == [] and nearest("x", ["x"], 0) == []
    example, shot = own(TASK, "train")[:2]
    turns = conversation(example, [shot])
    assert [t["role"] for t in turns] == ["system", "user", "assistant", "user"] and turns[2][
        "content"
    ] == "no"


class _Script:
    """Answers by a script; a text that begins with ! is a failure."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.seen = list(texts), []

    def answer(self, messages: list[dict[str, str]], new_tokens: int = 10) -> tuple[str, str]:
        self.seen.append(messages)
        text = self.texts.pop(0)
        if text.startswith("!"):
            raise MtpeftError(text)
        return text, "stop"


def test_several_questions_are_on_their_way_and_records_keep_the_order(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=30)

    class Waiting(_Script):
        def answer(self, messages: list[dict[str, str]], new_tokens: int = 10) -> tuple[str, str]:
            if self.seen:  # the first one goes alone: a server that refuses it refuses them all
                together.wait()
            self.seen.append(messages)
            return "yes", "stop"

    chat = Waiting()
    chat.answer([])
    examples = [e for split in ("train", "valid", "test") for e in own(TASK, split)][:7]
    chat.seen.clear()
    assert ask(examples, chat, tmp_path / "p.jsonl", "run", at_once=3) == 0
    found = [p.instance_id for p in read_predictions(tmp_path / "p.jsonl")]
    assert found == [e.id for e in examples] and len(chat.seen) == 7


def test_a_slow_answer_holds_up_no_other_and_each_is_written_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    examples = [e for split in ("train", "valid", "test") for e in own(TASK, split)][:7]
    slow_one, last_one = (conversation(e)[-1] for e in (examples[1], examples[6]))
    last, seen = threading.Event(), []

    class Slow(_Script):
        def answer(self, messages: list[dict[str, str]], new_tokens: int = 10) -> tuple[str, str]:
            if messages[-1] == last_one:
                last.set()
            if messages[-1] == slow_one:
                assert last.wait(30), "questions waited for the slowest of a group"
                while (lines := path.read_text().count("\n")) < 5:
                    time.sleep(0.01)
                seen.append(lines)
            return "yes", "stop"

    assert ask(examples, Slow(), path, "run", at_once=2) == 0
    assert seen and seen[0] >= 5
    assert [p.instance_id for p in read_predictions(path)] == [e.id for e in examples]  # type: ignore[union-attr]


def test_ctrl_c_waits_for_no_server_and_keeps_what_was_answered(tmp_path: Path) -> None:
    path, asked, end = tmp_path / "p.jsonl", [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"choices": [{"message": {"content": "no"}}]}).encode()
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            if len(asked) > 3:
                end.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [sys.executable, "-m", "mtpeft", "infer", "prompt", TASK, "--out", str(path)]
    command += ["--corpus", "multitask-peft-own", "--split", "train", "--model", "m"]
    command += ["--server", f"http://127.0.0.1:{server.server_port}/v1", "--at-once", "4"]
    try:
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while len(asked) < 7 and process.poll() is None:
                time.sleep(0.05)
            while process.poll() is None and path.read_text().count("\n") < 3:
                time.sleep(0.05)
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=50)[1]
            assert time.monotonic() - begun < 30, "requests on their way were waited for"
    finally:
        end.set()
        server.shutdown()
        server.server_close()
    assert process.returncode == 130 and told.startswith("mtpeft: interrupted")
    assert [p.output for p in read_predictions(path)] == ["0"] * 3  # type: ignore[union-attr]


def _by_the_formula(query: str, texts: list[str]) -> list[int]:
    """Positions of texts by BM25, the nearest first, equals in their order: k1 is 1.5, b is 0.75."""
    counts = [Counter(text.split()) for text in texts]
    mean = sum(map(Counter.total, counts)) / len(texts)
    scores = [
        sum(
            math.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
            * (2.5 * c[word] / (c[word] + 1.5 * (0.25 + 0.75 * c.total() / mean)))
            for word in sorted(set(query.split()))
            if (n := sum(word in other for other in counts))
        )
        for c in counts
    ]
    return sorted(range(len(texts)), key=lambda i: (round(-scores[i], 12), i))


def test_the_nearest_texts_are_those_of_the_formula_and_equals_keep_their_order() -> None:
    rng = random.Random(0)
    texts = [" ".join(rng.choices("abcdefgh", k=rng.randint(1, 9))) for _ in range(60)]
    texts += ["", "a", "a", *texts[:9]]
    index = Bm25(texts)
    for query in [*texts[:20], "a a a", "a unknown", "a\ud800"]:
        assert index.nearest(query, 10)[::-1] == _by_the_formula(query, texts)[:10]


def test_where_nothing_is_shared_the_first_texts_are_the_nearest() -> None:
    for texts in (["", ""], ["a", "b"], ["", "a b"]):
        assert Bm25(texts).nearest("c", 2) == [1, 0]
        assert Bm25(texts).nearest("", 1) == [0]


def test_a_failed_question_is_asked_again_and_an_answered_one_is_not(tmp_path: Path) -> None:
    examples, path = own(TASK, "train")[:3], tmp_path / "p.jsonl"
    assert (
        ask(examples, _Script("yes", "!down", "no"), path, "run", shots=2, pool=own(TASK, "train"))
        == 1
    )
    again = _Script("no")
    assert ask(examples, again, path, "run") == 0 and len(again.seen) == 1
    found = list(read_predictions(path))
    assert [(p.instance_id, p.output, p.error) for p in found] == [  # type: ignore[union-attr]
        (examples[0].id, "1", ""),
        (examples[1].id, "0", ""),
        (examples[2].id, "0", ""),
    ]
    with pytest.raises(BadInput, match="another|answers of run"):
        ask(examples, again, path, "other")


def test_few_shot_questions_hold_as_many_examples_as_asked_for(tmp_path: Path) -> None:
    examples, script = own(TASK, "train"), _Script(*["yes"] * 12)
    ask(examples, script, tmp_path / "p.jsonl", "run", shots=3, pool=examples)
    assert all(len(messages) == 2 + 2 * 3 for messages in script.seen)
    assert all(m[-1]["content"] not in [t["content"] for t in m[:-1]] for m in script.seen)


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict], list[int]]]:
    requests: list[dict] = []
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status = statuses.pop(0) if statuses else 200
            reply = {"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]}
            if self.path.endswith("/embeddings"):
                vectors = [
                    {"index": i, "embedding": [float(len(text)), 1.0]}
                    for i, text in enumerate(requests[-1]["input"])
                ]
                reply = {"data": vectors[::-1]}
            body = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    made = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/v1", requests, statuses
    made.shutdown()
    made.server_close()
    thread.join()


IMPATIENT = Clock(sleep=lambda seconds: None)


def test_an_openai_compatible_server_is_asked_greedily_and_again_after_an_error(
    server: tuple[str, list[dict], list[int]],
) -> None:
    base, requests, statuses = server
    statuses += [503]
    chat = Endpoint(base, "m", clock=IMPATIENT)
    assert chat.answer([{"role": "user", "content": "?"}]) == ("Yes.", "stop")
    assert len(requests) == 2 and requests[1]["temperature"] == 0
    assert requests[1]["model"] == "m" and requests[1]["max_tokens"] == 10
    statuses += [401]
    with pytest.raises(Refused, match="HTTP 401"):
        chat.answer([{"role": "user", "content": "?"}])
    assert len(requests) == 3, "a refusal was asked again"


class _Odd:
    """A server whose replies are what they should not be."""

    def __init__(self, *replies: bytes) -> None:
        self.replies, self.headers = list(replies), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.headers.append(dict(self.headers))
                # It says that it closes, or the next question might come on the same connection.
                told = outer.replies.pop(0).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                self.connection.sendall(told)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> "_Odd":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _reply(content: object = "Yes.", status: str = "200 OK", extra: str = "") -> bytes:
    choice = {"message": {"content": content}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    "odd",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{"choices":[{"message":null}]}',
        _reply()[:-5],
        _reply(5),
        _reply(status="400 Bad"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
        b"not HTTP at all\r\n\r\n",
        b"",
    ],
    ids=["null", "half", "number", "bad request", "deep", "no http", "nothing"],
)
def test_one_odd_reply_costs_one_instance_and_the_next_one_follows(
    tmp_path: Path, odd: bytes
) -> None:
    examples, path = own(TASK, "train")[:3], tmp_path / "p.jsonl"
    with _Odd(_reply(), odd, _reply("no")) as server:
        chat = Endpoint(server.url, "m", limits=Limits(attempts=1, seconds=5.0), clock=IMPATIENT)
        assert ask(examples, chat, path, "run") == 1
    found = [p for p in read_predictions(path) if isinstance(p, Prediction)]
    assert [p.output for p in found] == ["1", "", "0"]
    assert [bool(p.error) for p in found] == [False, True, False]


def test_a_server_that_refuses_the_key_is_not_asked_about_every_instance(tmp_path: Path) -> None:
    with _Odd(_reply(status="401 No")) as server, pytest.raises(Refused, match="HTTP 401"):
        ask(own(TASK, "train")[:3], Endpoint(server.url, "m"), tmp_path / "p.jsonl", "run")
    [record] = read_predictions(tmp_path / "p.jsonl")
    assert isinstance(record, Prediction) and "HTTP 401" in record.error


KEY = "sk-TEST/0123456789"


def test_the_key_goes_to_no_other_host_and_into_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    examples, path = own(TASK, "train")[:4], tmp_path / "p.jsonl"
    with _Odd(_reply()) as other:
        moved = _reply(status="302 Found", extra=f"Location: {other.url}/chat/completions\r\n")
        echo = base64.b64encode(f"Bearer {KEY}".encode()).decode()
        replies = [_reply(f"yes {KEY}"), moved, _reply(KEY, "400 Bad"), _reply(echo)]
        with _Odd(*replies) as server:
            ask(examples, Endpoint(server.url, "m", clock=IMPATIENT), path, "run")
            assert {h["Authorization"] for h in server.headers} == {f"Bearer {KEY}"}
        assert other.headers == [], "the key was carried to another host"
    written = path.read_text()
    assert len(written.splitlines()) == 4 and "[key]" in written
    for form in (KEY, echo[12:-6], KEY.replace("/", "\\/"), KEY.replace("/", "%2F")):
        assert form not in written


@pytest.mark.parametrize("url", ["http://user:PASSW0RD@host/v1", "http://[::1", "http://a b/v1"])
def test_an_address_that_cannot_be_used_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(MtpeftError, match="--server") as error:
        Endpoint(url, "m")
    assert "PASSW0RD" not in str(error.value) and error.value.fix


def test_two_processes_do_not_answer_into_one_file(tmp_path: Path) -> None:
    refused = []

    class Slow(_Script):
        def answer(self, messages: list[dict[str, str]], new_tokens: int = 10) -> tuple[str, str]:
            second = threading.Thread(target=other)
            second.start()
            second.join()
            return "yes", "stop"

    def other() -> None:
        try:
            ask(own(TASK, "train")[:1], _Script("no"), tmp_path / "p.jsonl", "run")
        except InUse as error:
            refused.append(error)

    ask(own(TASK, "train")[:1], Slow(), tmp_path / "p.jsonl", "run")
    assert len(refused) == 1 and len((tmp_path / "p.jsonl").read_text().splitlines()) == 1


def test_vectors_of_a_server_come_in_the_order_of_the_texts(
    server: tuple[str, list[dict], list[int]],
) -> None:
    base, requests, _ = server
    texts = ["x" * (i + 1) for i in range(70)]
    assert [v[0] for v in Endpoint(base, "m").embed(texts)] == [float(i + 1) for i in range(70)]
    assert [len(r["input"]) for r in requests] == [64, 6]


@pytest.mark.parametrize("odd", ["[NaN, 1]", "[1e999, 1]", "[]"])
def test_vectors_that_cannot_be_compared_are_no_answer(odd: str) -> None:
    row = f'{{"index": 1, "embedding": {odd}}}'
    rows = f'{{"data": [{{"index": 0, "embedding": [1, 2]}}, {row}]}}'
    reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(rows)}\r\n\r\n{rows}".encode()
    with _Odd(reply) as server, pytest.raises(Unreadable, match="no finite number"):
        Endpoint(server.url, "m", limits=Limits(attempts=1, seconds=5.0)).embed(["a", "b"])


# ---------------------------------------------------------------- search by ranking


def _search(*rows: tuple[str, str, str]) -> list[Example]:
    return [
        Example(str(i), "code-search", "python", {"query": q, "code": c}, y)
        for i, (q, c, y) in enumerate(rows)
    ]


SET = _search(
    ("read a file", "def read(): open file", "1"),
    ("sort a list", "def sort(): list", "1"),
    (
        "open a socket",
        "def read(): open file",
        "0",
    ),  # a wrong pair only adds its function, which is there already
    ("close it", "def shut(): end", "1"),
)


@pytest.mark.parametrize(
    ("raw", "scores"),
    [
        ("[1] 90\n[2] 10\n[3] 0", [90, 10, 0]),
        ("3: 7\n1: 100\n2: 3\n", [100, 3, 7]),
        ("[1] 90\n[2] 10", None),
        ("[1] 90\n[1] 10\n[2] 1\n[3] 2", None),
        ("[1] 900\n[2] 10\n[3] 0", None),
        ("Here you are:\n[1] 90\n[2] 10\n[3] 0", [90, 10, 0]),
        ("[1] 90 [2] 10 [3] 0", [90, 10, 0]),
        ("[1] 90\n[2] 10\n[4] 0", None),
        ("", None),
    ],
)
def test_scores_are_read_only_where_every_candidate_has_exactly_one(
    raw: str, scores: list[int] | None
) -> None:
    assert read_scores(raw, 3) == scores


def test_equal_scores_count_against_the_model() -> None:
    assert rank_of([5, 5, 5], 0) == 3 and rank_of([9, 5, 5], 0) == 1 and rank_of([9, 5, 1], 2) == 3


def test_a_function_that_occurs_twice_is_one_candidate() -> None:
    assert list(pool_of(SET)) == ["0", "1", "3"]


def test_candidates_are_the_nearest_first_and_are_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "near.jsonl"
    near = candidates(SET, path, 2)
    assert near == {"0": ["0", "1"], "1": ["1", "0"], "3": ["0", "1"]}
    path.write_text('{"instance_id": "0", "candidates": ["3", "1"]}\n')
    assert candidates(SET, path, 2) == {"0": ["3", "1"]}, (
        "candidates of another retriever were not taken"
    )
    for wrong in (
        '{"instance_id": "2", "candidates": ["0"]}',
        '{"instance_id": "0", "candidates": ["2"]}',
        "[]",
    ):
        path.write_text(wrong + "\n")
        with pytest.raises(BadInput) as caught:
            candidates(SET, path, 2)
        assert caught.value.line == 1
    with pytest.raises(MtpeftError, match="21 candidates"):
        candidates(SET, tmp_path / "other.jsonl", 21)


def test_vectors_rank_by_dot_product_and_words_by_what_they_share() -> None:
    vectors = {"q": [1.0, 0.0], "a": [0.5, 9.0], "b": [2.0, 0.0], "c": [2.0, 5.0]}
    assert by_vectors(lambda texts: [vectors[t] for t in texts], ["q"], ["a", "b", "c"], 2) == [
        [1, 2]
    ]
    assert by_words(["sort list"], ["read file", "sort the list"], 1) == [[1]]
    assert Bm25(["a a b", "a b", "c"]).nearest("a", 3) == nearest("a", ["a a b", "a b", "c"], 3)


@pytest.mark.parametrize("odd", [[1.0], [math.nan, 0.0], [0.0, -math.inf]])
def test_vectors_of_unlike_length_or_without_a_number_rank_nothing(odd: list[float]) -> None:
    vectors = {"q": [1.0, 0.0], "a": [0.5, 9.0], "b": odd}
    for queries, codes in ((["q"], ["a", "b"]), (["b"], ["q", "a"])):
        with pytest.raises(MtpeftError, match="vectors of") as refused:
            by_vectors(lambda texts: [vectors[t] for t in texts], queries, codes, 2)
        assert "bm25" in refused.value.fix


def test_a_right_function_outside_the_candidates_scores_nothing_and_no_answer_is_a_status(
    tmp_path: Path,
) -> None:
    near = {"0": ["0", "1"], "1": ["0", "1"], "3": ["0", "1"]}
    path, chat = (
        tmp_path / "p.jsonl",
        _Script("[1] 80\n[2] 80", "I like the second.", "[1] 2\n[2] 1"),
    )
    assert rank(SET, near, chat, path, "run") == 0
    found = [p for p in read_predictions(path) if isinstance(p, Prediction)]
    assert [(p.instance_id, p.output) for p in found] == [("0", "2"), ("1", ""), ("3", "0")]
    assert all("[2]\n```\ndef sort(): list" in m[1]["content"] for m in chat.seen)
    rows = {r["reading"]: r for r in ranking_table(found, near, SET)}
    values = {name: r["mrr_at_k"] for name, r in rows.items()}
    assert values["strict, answered only"] == pytest.approx((1 / 2 + 0) / 2)
    assert values["strict, no answer is 0"] == pytest.approx((1 / 2 + 0 + 0) / 3)
    assert values["strict, ties in the order of stage 1"] == pytest.approx((1 + 0 + 0) / 3)
    assert values["stage 1 alone"] == pytest.approx((1 + 1 / 2 + 0) / 3) and values[
        "ceiling"
    ] == pytest.approx(2 / 3)
    assert values["random order of the candidates"] == pytest.approx((0.75 + 0.75 + 0) / 3)
    assert values["random order of the pool"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert {(r["queries"], r["no_answer"]) for r in rows.values()} == {(3, 1)}


def test_a_model_that_never_answers_a_search_has_no_score_rather_than_zero(tmp_path: Path) -> None:
    rank(SET, {"0": ["0", "1"]}, _Script("?"), tmp_path / "p.jsonl", "run")
    rows = ranking_table(
        [p for p in read_predictions(tmp_path / "p.jsonl") if isinstance(p, Prediction)],
        {"0": ["0", "1"]},
        SET,
    )
    assert rows[0]["status"] == "empty" and rows[0]["mrr_at_k"] is None and rows[1]["mrr_at_k"] == 0


def test_a_long_candidate_is_cut_and_says_so() -> None:
    text = scoring_messages("q", ["x" * 5000])[1]["content"]
    assert "x" * 1000 + " ..." in text and "x" * 1001 not in text


def test_a_local_model_has_the_type_that_is_asked_for_or_the_machines_own(monkeypatch):
    pytest.importorskip("torch")
    from mtpeft.inference import backends
    from mtpeft.inference.prompting import Local

    loaded = []
    monkeypatch.setattr(backends, "Transformers", lambda *given: loaded.append(given))
    for fast in ("bfloat16", "float32"):
        monkeypatch.setattr(backends, "swift_dtype", lambda fast=fast: fast)
        Local("folder")
        Local("folder", "float16")
    # On a GPU `swift_dtype` is never float32, in which a model of 34 billion fits on none.
    assert [(dtype, four_bit) for _, _, dtype, four_bit in loaded] == [
        ("bfloat16", False),
        ("float16", False),
        ("float32", False),
        ("float16", False),
    ]

"""The client against servers that misbehave on purpose, down to single bytes."""

import base64
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from mtpeft.core.errors import MtpeftError
from mtpeft.core.http import (
    Client,
    Clock,
    Limits,
    Refused,
    RequestFailed,
    Secret,
    Trouble,
    address,
    retry_after,
)

SECRET = "sk-secret/0123+456789=="
Script = Callable[[socket.socket, str], None]


def http(
    body: bytes = b'{"a": 1}', status: str = "200 OK", *headers: str, length: int = -1
) -> bytes:
    head = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length < 0 else length}",
        *headers,
    ]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


@contextmanager
def serving(*scripts: Script | bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that does what the scripts say, one a connection, the last one for ever."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def answer(connection: socket.socket, script: Script | bytes) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head and (block := connection.recv(65536)):
                head += block
            asked.append(head.decode("latin-1"))
            try:
                if callable(script):
                    script(connection, asked[-1])
                else:
                    connection.sendall(script)
            except OSError:
                pass

    def loop() -> None:
        number = 0
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            script = scripts[min(number, len(scripts) - 1)]
            number += 1
            threading.Thread(target=answer, args=(connection, script), daemon=True).start()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        stop.set()
        listener.close()


def drip(data: bytes, pause: float = 0.02) -> Script:
    """Send bytes one by one, then on and on."""

    def script(connection: socket.socket, _: str) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)
        while True:
            connection.sendall(b" ")
            time.sleep(pause)

    return script


def flood(head: bytes, block: bytes = b"x" * 65536) -> Script:
    """Send a head, then bytes without end."""

    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(block)

    return script


def client(secret: str = "", waits: list[float] | None = None, **limits: float) -> Client:
    given = {"attempts": 2, "seconds": 5.0} | limits
    sleep = (waits if waits is not None else []).append
    return Client(
        Secret(secret), Limits(**given), clock=Clock(sleep=sleep), jitter=random.Random(1)
    )


def ask(*scripts: Script | bytes, secret: str = "", read=lambda data: data, **limits: float):
    with serving(*scripts) as (url, _), client(secret, **limits) as made:
        return made.ask(url, {"q": 1}, read=read)


HEADER = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX: "


@pytest.mark.parametrize(
    "script",
    [
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drip(HEADER + b"\r\n\r\n"),
        drip(b"HTTP/1.1 200"),
        lambda c, _: time.sleep(3),
    ],
    ids=["headers", "body", "status line", "silence"],
)
def test_the_deadline_covers_the_whole_request(script):
    start = time.monotonic()
    with pytest.raises(RequestFailed, match=r"not complete after 0\.4 s"):
        ask(script, seconds=0.4, attempts=1)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"",
        b"HTTP/1.1 500 Oh\r\n\r\n",
    ],
    ids=["chunked", "until close", "header", "no status line", "error"],
)
def test_an_endless_answer_ends_soon_and_fills_nothing(head):
    start = time.monotonic()
    with pytest.raises(RequestFailed):
        ask(flood(head), body=200_000, attempts=1, seconds=20)
    assert time.monotonic() - start < 10


ODD = {
    "null": b"null",
    "message null": b'{"choices": [{"message": null}]}',
    "list": b"[]",
    "text": b'"x"',
    "deep": b"[" * 100_000,
    "no json": b"<html>",
    "no utf-8": b'"\xff"',
    "nan": b"NaN",
    "empty": b"",
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
def test_an_odd_reply_is_one_failed_request_and_no_traceback(body):
    with pytest.raises(RequestFailed, match="2 attempts") as error:
        ask(http(body), read=lambda reply: reply["choices"][0]["message"]["content"].strip())
    assert error.value.expected and error.value.fix


BROKEN = {
    "half a body": http(b"{}", length=100),
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFF\r\nabc",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n",
    "no http": b"SSH-2.0-OpenSSH\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "closed at once": b"",
    "bad header": b"HTTP/1.1 200 OK\r\n\x00\x01\r\n\r\n",
    "gzip unasked": http(b"\x1f\x8b", "200 OK", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_one_failed_request_and_the_next_attempt_may_succeed(answer):
    with pytest.raises(RequestFailed, match="2 attempts"):
        ask(answer)
    assert ask(answer, http()) == {"a": 1}


def test_a_refusal_is_not_repeated_and_its_words_are_not_repeated_either():
    with serving(http(b"the words of the server", "401 No")) as (url, asked), client() as made:
        with pytest.raises(Refused, match="HTTP 401") as error:
            made.ask(url)
        assert len(asked) == 1 and "words" not in str(error.value) and error.value.fix


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_key_is_sent_to_no_other_host(code):
    with serving(http()) as (other, asked):
        moved = http(b"", f"{code} Moved", f"Location: {other}/v1")
        with pytest.raises(RequestFailed, match=f"HTTP {code}"):
            ask(moved, secret=SECRET)
    assert asked == []


def test_no_proxy_is_asked_where_a_key_is_sent(monkeypatch):
    with serving(http()) as (proxy, asked):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        assert ask(http(), secret=SECRET) == {"a": 1}
    assert asked == []


SPELLINGS = {
    "plain": SECRET,
    "percent": quote(SECRET, safe=""),
    "small percent": quote(SECRET, safe="").lower(),
    "json": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "unicode escapes": "".join(f"\\u{ord(c):04x}" for c in SECRET),
    "upper": SECRET.upper(),
    "hexadecimal": SECRET.encode().hex(),
    "base64": base64.b64encode(SECRET.encode()).decode().rstrip("="),
    "base64 of the header": base64.b64encode(f"Bearer {SECRET}".encode()).decode(),
    "base64 of a pair": base64.urlsafe_b64encode(f"user:{SECRET}:x".encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_no_spelling_of_a_key_comes_back_in_an_answer_or_an_error(spelling):
    # In JSON text, so that what is escaped there is unescaped by the reader.
    good = f'{{"said": "your key {spelling} is good", "{spelling}": 1}}'.encode()
    found = json.dumps(ask(http(good), secret=SECRET))
    with pytest.raises(RequestFailed) as error:
        ask(http(f"no {spelling}!".encode(), "400 Bad"), secret=SECRET)
    for text in (found, str(error.value)):
        assert "[key]" in text
        for form in SPELLINGS.values():
            assert form.lower() not in text.lower()


def test_a_placeholder_for_a_key_is_not_taken_out_of_answers():
    assert ask(http(b'{"said": "the list is EMPTY"}'), secret="EMPTY") == {
        "said": "the list is EMPTY"
    }


def test_a_key_shows_itself_to_nobody_and_is_not_stored():
    import pickle

    key = Secret(SECRET)
    assert SECRET not in f"{key!r} {key} {vars(Client(key))}"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(MtpeftError) as error:
        Secret(SECRET + "\nx", "MY_KEY")
    assert SECRET not in str(error.value) and "MY_KEY" in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://a b/v1",
        "ftp://h/v1",
        "h/v1",
        "",
        "http://",
        "http://h:99999/",
        "http://h\n/v1",
        "http://h/v1?k=1",
        "http://h/#x",
        "http://ü.example/",
    ],
)
def test_an_address_that_is_none_is_refused_with_its_setting(url):
    with pytest.raises(MtpeftError, match="--server") as error:
        address(url, "--server")
    assert error.value.expected and "--server" in error.value.fix


@pytest.mark.parametrize(
    "url", ["http://user:PASSW0RD@h/v1", "https://PASSW0RD@h/v1", "http://:PASSW0RD@[::1/"]
)
def test_a_password_in_an_address_is_refused_and_not_shown(url):
    with pytest.raises(MtpeftError) as error:
        address(url, "--server")
    assert "PASSW0RD" not in str(error.value)


def test_a_key_does_not_travel_unencrypted_to_another_machine():
    with pytest.raises(MtpeftError, match="unencrypted"):
        address("http://example.org/v1", "--server", Secret(SECRET))
    assert address("http://example.org/v1/", "--server", Secret()) == "http://example.org/v1"
    assert address("http://127.0.0.1:1/v1", "--server", Secret(SECRET))
    assert address("https://example.org/v1", "--server", Secret(SECRET))


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("inf", 0.0), ("nan", 0.0), ("-1", 0.0), ("x", 0.0)]
)
def test_retry_after_is_a_number_of_seconds_or_nothing(value, seconds):
    assert retry_after(value, Clock()) == seconds


# ---------------------------------------------------------------- reading files


def read(url: str, size: int = 0, **limits: float) -> bytes:
    with client(**limits) as made, made.read(url, size=size) as answer:
        assert answer.status == 200
        return b"".join(answer.blocks)


def test_a_file_that_drips_is_given_up_and_what_arrived_was_handed_over():
    got = bytearray()
    with (
        serving(drip(HEADER + b"\r\n\r\n")) as (url, _),
        client(window=0.3, rate=1024.0) as made,
        pytest.raises(Trouble, match="slower than 1024 bytes a second"),
        made.read(url) as answer,
    ):
        for block in answer.blocks:
            got += block
    assert len(got) >= 2 and set(got) == {ord(" ")}


def test_a_file_that_stalls_is_given_up():
    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(http(b"x" * 10, length=1000))
        time.sleep(3)

    with serving(script) as (url, _), pytest.raises(Trouble, match="no byte for 0.2 s"):
        read(url, window=0.2)


def test_a_large_file_has_time_by_the_lowest_rate():
    def script(connection: socket.socket, _: str) -> None:
        connection.sendall(http(b"", length=40))
        for _ in range(40):
            connection.sendall(b"x")
            time.sleep(0.02)

    with serving(script) as (url, _):
        assert read(url, size=4000, seconds=0.2, rate=10.0, window=5.0) == b"x" * 40


def test_redirects_of_files_are_followed_but_not_for_ever():
    with (
        serving(http(b"moved here")) as (other, _),
        serving(http(b"", "302 Found", f"Location: {other}/x")) as (url, _),
    ):
        assert read(url) == b"moved here"
    with serving(http(b"", "302 Found", "Location: /again")) as (url, asked):
        with pytest.raises(Trouble, match="more than 5 redirects"):
            read(url)
        assert len(asked) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://h/x", "http://[", ""])
def test_a_redirect_to_something_else_than_a_server_is_refused(target):
    with (
        serving(http(b"", "302 Found", f"Location: {target}")) as (url, _),
        pytest.raises(Trouble, match="redirect"),
    ):
        read(url)


def test_a_file_is_read_through_the_proxy_of_the_environment(monkeypatch):
    with serving(http(b"by proxy")) as (proxy, asked):
        monkeypatch.setenv("http_proxy", proxy.replace("//", "//me:pass@"))
        monkeypatch.delenv("no_proxy", raising=False)
        assert read("http://files.invalid/x") == b"by proxy"
    assert asked[0].startswith("GET http://files.invalid/x HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic " + base64.b64encode(b"me:pass").decode() in asked[0]


def test_importing_the_command_line_does_not_import_the_http_library():
    import subprocess
    import sys

    code = "import sys, mtpeft.cli, mtpeft.core.http; print('httpcore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"

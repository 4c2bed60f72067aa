"""Downloads against a real HTTP server on this machine that misbehaves on request."""

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unwritable
from mtpeft.corpora import fetch as fetching
from mtpeft.corpora.fetch import Mismatch, Policy, cached, fetch, require
from mtpeft.corpora.manifest import File

CONTENT = bytes(range(256)) * 1200  # several read blocks
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers each path by the scripted behaviours in turn, the last one for ever; records what was
    asked.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: dict[str, list[str]] = defaultdict(list)
        self.asked: list[tuple[str, str]] = []
        self.release = threading.Event()
        self.base = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        wanted = self.headers.get("Range", "")
        self.server.asked.append((name, wanted))
        steps = self.server.script[name] or ["good"]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        start = (
            int(wanted.removeprefix("bytes=").removesuffix("-"))
            if wanted and step != "ignore-range"
            else 0
        )
        body = {"wrong": b"x" * len(CONTENT), "longer": CONTENT + b"!"}.get(step, CONTENT)[start:]
        if step.isdigit():
            self.send_response(int(step))
            if step == "429":
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if step == "endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True
            return
        if step == "redirect":
            self.send_response(302)
            self.send_header("Location", self.server.base + "/elsewhere/moved")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if step == "drip":
            for byte in body:
                if self.server.release.wait(0.02):
                    break
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    break
            self.close_connection = True
            return
        if step in ("truncate", "stall"):
            self.wfile.write(body[:100_000])
            self.wfile.flush()
            if step == "stall":
                self.server.release.wait(20)
            self.close_connection = True
            return
        self.wfile.write(body)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    for name in ("MTPEFT_MIRROR", "OFFLINE", "MTPEFT_UPSTREAM", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    threading.Thread(
        target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    ).start()
    yield running
    running.release.set()
    running.shutdown()
    running.server_close()


def entry(name: str) -> File:
    return File(
        f"x/{name}", "g", "owner/repo", "rev", f"folder/{name}", "MIT", "a test", SHA, len(CONTENT)
    )


def bring(
    server: Server,
    *names: str,
    waits: list[float] | None = None,
    timeout: float = 10.0,
    attempts: int = 4,
) -> dict[str, MtpeftError]:
    sleep: Callable[[float], None] = (waits if waits is not None else []).append
    return fetch(
        [entry(n) for n in names],
        policy=Policy(attempts=attempts, timeout=timeout, sleep=sleep),
        base=server.base,
    )


def no_half_file(name: str) -> bool:
    return not cached(entry(name)).exists()


def test_a_good_answer_ends_under_the_final_name(server):
    assert bring(server, "good") == {}
    assert cached(entry("good")).read_bytes() == CONTENT
    assert not [p for p in cached(entry("good")).parent.iterdir() if p.name.endswith(".part")]


def test_who_is_interrupted_waits_for_no_file_that_was_not_begun(server, monkeypatch):
    class Interrupted(fetching.Progress):
        def step(self, name: str = "", count: int = 1) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(fetching, "Progress", Interrupted)
    names = [f"good-{number}" for number in range(6)]
    with pytest.raises(KeyboardInterrupt):
        fetch([entry(n) for n in names], jobs=1, base=server.base, show=True)
    # One has come; the next one, which may be on its way, is left to come in the background.
    while not cached(entry(names[1])).exists():
        time.sleep(0.01)
    assert {name for name, _ in server.asked} == set(names[:2])


def test_a_second_run_asks_nobody(server):
    bring(server, "good")
    server.asked.clear()
    assert bring(server, "good") == {} and server.asked == []


def test_a_truncated_answer_is_continued_and_not_taken_for_the_file(server):
    server.script["cut"] = ["truncate", "good"]
    assert bring(server, "cut") == {}
    assert cached(entry("cut")).read_bytes() == CONTENT
    assert server.asked == [("cut", ""), ("cut", "bytes=100000-")]


def test_a_server_without_ranges_does_not_corrupt_the_continued_part(server):
    server.script["cut"] = ["truncate", "ignore-range"]
    assert bring(server, "cut") == {}
    assert cached(entry("cut")).read_bytes() == CONTENT


def test_a_stalled_answer_ends_by_the_timeout_and_is_continued(server):
    server.script["slow"] = ["stall", "good"]
    assert bring(server, "slow", timeout=0.3) == {}
    assert cached(entry("slow")).read_bytes() == CONTENT


def test_a_dripping_answer_ends_and_keeps_every_byte_for_the_next_run(server):
    server.script["slow"] = ["drip"]
    problem = bring(server, "slow", timeout=0.3, attempts=1)["x/slow"]
    assert "slower than 1024 bytes a second" in str(problem)
    arrived = cached(entry("slow")).with_name(".slow.part").read_bytes()
    assert len(arrived) >= 2 and CONTENT.startswith(arrived)
    server.script["slow"] = ["good"]
    assert bring(server, "slow") == {}
    assert server.asked[-1] == ("slow", f"bytes={len(arrived)}-")


def test_an_endless_answer_is_refused_and_does_not_fill_the_disk(server):
    server.script["bad"] = ["endless"]
    assert isinstance(bring(server, "bad", attempts=1)["x/bad"], Mismatch) and no_half_file("bad")


def test_a_damaged_packed_file_of_the_mirror_is_named(server, tmp_path, monkeypatch):
    import gzip

    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "mirror"))
    file = tmp_path / "mirror" / f"{entry('a').relative}.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(CONTENT)[:-20])
    problem = bring(server, "a")["x/a"]
    assert f"{file}: damaged gzip data" in str(problem) and problem.fix and no_half_file("a")


def test_a_full_disk_ends_the_run(server, monkeypatch):
    from mtpeft.core import download

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.os, "replace", full)
    with pytest.raises(Unwritable, match="No space left") as said:
        bring(server, "good", "more")
    assert said.value.expected == "free disk space"


@pytest.mark.parametrize("code", [13, 30])  # EACCES, EROFS
def test_a_cache_that_takes_no_files_ends_the_command_with_2(monkeypatch, tmp_path, code, capsys):
    """It was listed as so many missing corpora, with exit code 1."""
    from mtpeft.cli import main

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "file")
    monkeypatch.setattr("sys.argv", ["mtpeft", "data", "fetch", "humaneval"])

    def ended() -> str:
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        said = capsys.readouterr().err
        assert "missing" not in said
        return said

    assert "Not a directory" in ended() and not (tmp_path / "file").read_text()
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "Refused", "cache")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert "expected: a writable folder" in ended()


def test_an_interrupted_run_resumes_in_the_next_one(server):
    server.script["cut"] = ["truncate", "500"]
    assert list(bring(server, "cut", attempts=2)) == ["x/cut"]
    assert no_half_file("cut")
    server.script["cut"] = ["good"]
    assert bring(server, "cut") == {}
    assert server.asked[-1] == ("cut", "bytes=100000-")


def test_a_redirect_is_followed(server):
    server.script["here"] = ["redirect"]
    assert bring(server, "here") == {}
    assert [name for name, _ in server.asked] == ["here", "moved"]


def test_wrong_bytes_are_refused_naming_both_hashes(server):
    server.script["bad"] = ["wrong"]
    problem = bring(server, "bad")["x/bad"]
    assert isinstance(problem, Mismatch)
    assert SHA in str(problem) and hashlib.sha256(b"x" * len(CONTENT)).hexdigest() in str(problem)
    assert no_half_file("bad") and len(server.asked) == 1


def test_a_longer_answer_is_refused(server):
    server.script["bad"] = ["longer"]
    assert isinstance(bring(server, "bad")["x/bad"], Mismatch) and no_half_file("bad")


def test_a_damaged_part_does_not_convict_an_honest_server(server):
    part = cached(entry("good")).with_name(".good.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"?" * 1000)
    assert bring(server, "good") == {}
    assert cached(entry("good")).read_bytes() == CONTENT


def test_not_found_is_not_asked_again(server):
    server.script["none"] = ["404"]
    waits: list[float] = []
    problem = bring(server, "none", waits=waits)["x/none"]
    assert "404" in str(problem) and waits == [] and len(server.asked) == 1


def test_too_many_requests_waits_as_long_as_asked(server):
    server.script["busy"] = ["429", "good"]
    waits: list[float] = []
    assert bring(server, "busy", waits=waits) == {} and waits == [7.0]


def test_server_errors_back_off_ever_longer_and_then_give_up(server):
    server.script["ill"] = ["500"]
    waits: list[float] = []
    problem = bring(server, "ill", waits=waits)["x/ill"]
    assert "4 attempts" in str(problem) and "500" in str(problem)
    assert len(waits) == 3 and waits[0] < waits[1] < waits[2]


def test_one_bad_file_does_not_cost_the_others(server):
    server.script["bad"] = ["404"]
    assert list(bring(server, "one", "bad", "two")) == ["x/bad"]
    assert cached(entry("one")).is_file() and cached(entry("two")).is_file()


def test_the_mirror_comes_before_upstream_also_gzipped(server, tmp_path, monkeypatch):
    import gzip

    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "mirror"))
    plain, packed = (tmp_path / "mirror" / entry(n).relative for n in ("plain", "packed"))
    plain.parent.mkdir(parents=True)
    plain.write_bytes(CONTENT)
    packed.with_name("packed.gz").write_bytes(gzip.compress(CONTENT))
    assert bring(server, "plain", "packed") == {} and server.asked == []
    assert cached(entry("packed")).read_bytes() == CONTENT


def test_a_damaged_mirror_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "mirror"))
    file = tmp_path / "mirror" / entry("a").relative
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    assert isinstance(bring(server, "a")["x/a"], Mismatch) and no_half_file("a")


def test_offline_uses_what_is_there_and_says_how_to_get_the_rest(server, monkeypatch):
    bring(server, "here")
    server.asked.clear()
    monkeypatch.setenv("OFFLINE", "1")
    problems = bring(server, "here", "gone")
    assert list(problems) == ["x/gone"] and server.asked == []
    text = str(problems["x/gone"])
    assert SHA in text and str(cached(entry("gone"))) in text and "MTPEFT_MIRROR" in text


def test_a_damaged_cached_file_is_fetched_again(server):
    bring(server, "a")
    cached(entry("a")).write_bytes(b"damaged")
    assert bring(server, "a") == {} and cached(entry("a")).read_bytes() == CONTENT


def test_require_raises_what_fetch_returns(server, monkeypatch):
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(MtpeftError, match="OFFLINE=1"):
        require(entry("a"))

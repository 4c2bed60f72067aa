"""Analysers must be the pinned ones whatever source serves them, and nothing half done may be left."""

import hashlib
import io
import json
import re
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from mtpeft.core import paths
from mtpeft.core.download import Policy
from mtpeft.core.errors import Unavailable
from mtpeft.scoring import other_versions
from mtpeft.scoring.tools import setup_analysers
from mtpeft.scoring.tools.setup_analysers import (
    JavaTool,
    install,
    install_folder,
    jars_digest,
    pinned,
)


def archive(jars):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, data in jars.items():
            out.writestr(f"tool-1/lib/{name}", data)
    return buffer.getvalue()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("MTPEFT_TOOLS", raising=False)
    monkeypatch.setattr(setup_analysers, "POLICY", Policy(attempts=2, sleep=lambda seconds: None))
    monkeypatch.delenv("OFFLINE", raising=False)
    return tmp_path / "cache" / "tools"


@pytest.fixture
def served(tmp_path):
    """Serve one archive over HTTP; → its address."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "tool.zip").write_bytes(archive({"a.jar": b"A", "b.jar": b"B"}))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/tool.zip", folder / "tool.zip"
    server.shutdown()
    server.server_close()


def tool(url, data, jars=2, digest="", **source):
    good = {
        "kind": "archive",
        "url": url,
        "sha256": hashlib.sha256(data).hexdigest(),
        "inside": "tool-1",
    } | source
    return JavaTool("tool-1", "A tool", jars, digest, [good])


def expected_digest():
    lines = "".join(
        f"{hashlib.sha256(d).hexdigest()}  {n}\n" for n, d in (("a.jar", b"A"), ("b.jar", b"B"))
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def test_a_tool_is_installed_once_and_then_left_alone(cache, served):
    url, path = served
    wanted = tool(url, path.read_bytes(), digest=expected_digest())
    assert "installed from" in install(wanted)
    path.unlink()
    assert "in place" in install(wanted)
    assert json.loads((cache / "tool-1" / "SOURCE.json").read_text())["jars_sha256"] == jars_digest(
        cache / "tool-1"
    )


def test_a_damaged_tool_is_fetched_again(cache, served):
    url, path = served
    wanted = tool(url, path.read_bytes(), digest=expected_digest())
    install(wanted)
    (cache / "tool-1" / "lib" / "a.jar").write_bytes(b"tampered")
    assert "installed from" in install(wanted)
    assert (cache / "tool-1" / "lib" / "a.jar").read_bytes() == b"A"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sha256": "0" * 64}, "has SHA-256"),
        ({"inside": "elsewhere"}, "0 jars"),
        ({"url": "http://127.0.0.1:9/x"}, "refused"),
    ],
)
def test_what_is_not_the_pinned_file_is_refused_and_leaves_nothing(cache, served, change, named):
    url, path = served
    with pytest.raises(Unavailable, match=named):
        install(
            tool(**{"url": url, "data": path.read_bytes(), "digest": expected_digest(), **change})
        )
    assert [p.name for p in cache.iterdir()] == [".tool-1.lock"]


def test_jars_that_do_not_add_up_to_the_pinned_digest_are_refused(cache, served):
    url, path = served
    with pytest.raises(Unavailable, match="2 jars with digest"):
        install(tool(url, path.read_bytes(), digest="0" * 64))


def test_the_next_source_serves_where_the_first_cannot(cache, served):
    url, path = served
    good = tool(url, path.read_bytes(), digest=expected_digest())
    both = JavaTool(
        good.id,
        good.title,
        2,
        good.jars_sha256,
        [{**good.sources[0], "url": "http://127.0.0.1:9/x"}, *good.sources],
    )
    assert install(both).endswith(url)


def test_every_pinned_tool_names_hashes(known):
    tools = pinned()
    assert {"pmd-7.6.0", "pmd-7.28.0", "checkstyle-8.36.1"} <= set(tools)
    for entry in tools.values():
        assert len(entry.jars_sha256) == 64 and entry.sources
        for source in entry.sources:
            hashes = [source["sha256"]] if "sha256" in source else list(source["packages"].values())
            assert hashes and all(len(h) == 64 for h in hashes)
    assert known.tools["pmd"].version == "7.6.0" and known.tools["pmd-current"].version == "7.28.0"


def test_a_missing_tool_says_how_to_get_it(cache):
    with pytest.raises(Unavailable, match="make setup-analysers"):
        setup_analysers.folder("pmd-7.6.0")


def test_a_tool_whose_making_fails_leaves_nothing_behind(cache):
    def fill(made):
        (made / "half").write_text("half")
        raise Unavailable("no network")

    with pytest.raises(Unavailable):
        setup_analysers.install_folder("tool-2", fill)
    assert [p.name for p in cache.iterdir()] == [".tool-2.lock"]
    assert (
        setup_analysers.install_folder("tool-2", lambda made: "there")
        == "tool-2: installed from there"
    )
    assert setup_analysers.install_folder("tool-2", fill) == "tool-2: in place"


def test_a_second_set_up_takes_what_the_first_installed(cache):
    """Both want the same tool; the one that waits must not find its place taken (or make it again)."""
    made = []

    def fill(folder):
        if not made:
            second = Thread(target=lambda: ends.append(install_folder("tool-3", fill)))
            second.start()
            threads.append(second)
        made.append(folder)
        return "there"

    ends, threads = [], []
    first = install_folder("tool-3", fill)
    threads[0].join(20)
    assert (first, ends) == ("tool-3: installed from there", ["tool-3: in place"])
    assert len(made) == 1


def test_every_other_version_is_pinned_by_hash_and_no_archive_is_named():
    for version in other_versions.pinned():
        assert version.requirements[0].startswith(f"{version.tool}=={version.version} ")
        assert all(
            re.fullmatch(r"[a-z]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line)
            for line in version.requirements
        )
    assert len({v.id for v in other_versions.pinned()}) == len(other_versions.pinned())

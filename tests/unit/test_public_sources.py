"""What has no mirror comes from public git hosts with the same bytes."""

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import read_bytes
from mtpeft.corpora import derived, load
from mtpeft.corpora.analysis import public
from mtpeft.corpora.fetch import cached, fetch
from mtpeft.corpora.manifest import manifest

MIRROR = os.environ.get("MTPEFT_MIRROR", "")
mirrored = pytest.mark.skipif(not MIRROR, reason="the real sets need MTPEFT_MIRROR")


class _Host(BaseHTTPRequestHandler):
    """Raw files of repositories at commits, as a public host serves them."""

    def do_GET(self) -> None:
        plain = Path(MIRROR, self.path.lstrip("/"))
        packed = plain.with_name(plain.name + ".gz")
        found = plain if plain.is_file() else packed if packed.is_file() else None
        data = b"404" if found is None else read_bytes(found)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(tmp_path, monkeypatch) -> Iterator[str]:
    """The only source: no mirror, an empty cache."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("MTPEFT_MIRROR")
    monkeypatch.delenv("OFFLINE", raising=False)
    monkeypatch.setenv("MTPEFT_UPSTREAM", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("mtpeft.core.paths.CACHE", tmp_path / "cache")
    yield server
    server.shutdown()
    server.server_close()


def _blob(data: bytes) -> str:
    """The name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@mirrored
def test_every_file_comes_from_its_host_with_the_bytes_of_the_manifest(host):
    entries = list(manifest().files.values())
    assert fetch(entries) == {}
    for entry in entries:
        data = cached(entry).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.bytes, entry.sha256)


@mirrored
def test_devigns_test_split_is_the_blob_of_codexglue(host):
    """The blob of test.jsonl in microsoft/CodeXGLUE's own download, and its published counts."""
    data = derived.built("vulnerability-detection/test").read_bytes()
    assert _blob(data) == "b13fe66383e40fd5ba5f069a871eb3fc570ce484"
    rows = [json.loads(line) for line in data.splitlines()]
    assert Counter(row["project"] for row in rows) == {"qemu": 1756, "FFmpeg": 976}
    assert sum(row["target"] for row in rows) == 1255


@mirrored
def test_the_public_part_of_bigclonebench_has_its_sizes_and_no_id_on_both_sides():
    sizes = {}
    ids: dict[str, set[str]] = {}
    for split in ("train", "valid", "test"):
        found = load("multitask-peft-public", "clone-detection", split)
        sizes[split] = (len(found), sum(e.target == "1" for e in found))
        pairs = read_bytes(cached(manifest().files[f"clone-detection/{split}-pairs"])).decode()
        ids[split] = {name for pair in pairs.splitlines() for name in pair.split("\t")[:2]}
    assert sizes == {"train": (63690, 43179), "valid": (2851, 1907), "test": (4000, 2000)}
    assert len(ids["test"]) == 911 and not ids["test"] & ids["train"]


def test_a_split_that_no_public_repository_has_is_refused():
    with pytest.raises(MtpeftError, match="in no public git repository"):
        load("multitask-peft-public", "vulnerability-detection", "train")


def test_functions_come_out_of_their_classes_and_only_where_a_pair_is_whole(tmp_path):
    """1 and 2 are a test pair; 3 and 4 a training pair; the partner of 5 is nowhere."""
    pairs, functions = tmp_path / "pairs", tmp_path / "functions"
    pairs.mkdir()
    row = {"id1": "1", "id2": "2", "code1": "void a() {}\n", "code2": "void b() {}\n", "label": 0}
    (pairs / "test_subs_0_500.jsonl").write_text(json.dumps(row) + "\n")
    (pairs / "train_sampled.txt").write_text("3\t4\t1\n5\t6\t0\n1\t30\t0\n")
    (pairs / "valid_sampled.txt").write_text("2\t30\t1\n")
    for name in ("1", "3", "4", "5", "30"):
        path = functions / f"folder_{name}" / f"{name}.java"
        path.parent.mkdir(parents=True)
        path.write_text("public class BigbenchClone{    \n    int f" + name + "() { }\n}")
    rows = [json.loads(line) for line in public.functions_text(pairs, functions).splitlines()]
    assert [r["idx"] for r in rows] == ["1", "2", "3", "30", "4"]
    texts = {r["idx"]: r["func"] for r in rows}
    assert texts["1"] == "void a() {}\n", "a test function is the one that was tested"
    assert texts["30"] == "    \n    int f30() { }\n"
    (functions / "folder_3" / "3.java").write_text("class Other {}")
    with pytest.raises(BadInput, match="BigbenchClone"):
        public.functions_text(pairs, functions)

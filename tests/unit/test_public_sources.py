"""What has no mirror comes from public hosts: the addresses, the commits and the bytes."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from mtpeft.catalog import catalog
from mtpeft.core import git, paths
from mtpeft.core.errors import BadInput, MtpeftError, Unavailable, UnknownName
from mtpeft.core.files import read_bytes
from mtpeft.corpora import derived, hub, humaneval, load
from mtpeft.corpora.analysis import flakeflagger, public
from mtpeft.corpora.analysis.load import _public
from mtpeft.corpora.fetch import Mismatch, Policy, cached, fetch
from mtpeft.corpora.manifest import HubDataset, manifest
from mtpeft.corpora.pins import choose, pinned
from mtpeft.corpora.weights import source_of
from shared_git import committed

MIRROR = os.environ.get("MTPEFT_MIRROR", "")
mirrored = pytest.mark.skipif(not MIRROR, reason="the real sets need MTPEFT_MIRROR")
CODEXGLUE = "microsoft/CodeXGLUE/ac74a62802a0dd159b3258c78a2df8ad36cdf2b9"
ATTACK = "soarsmu/attack-pretrain-models-of-code/d42169557a3641628931c6eb00af6f4bd66b380a"
CODEREVAL = "CoderEval/CoderEval/edd43a9444f4186ab60487a2b8149ce283313b63"
CLONES, DEVIGN = "Code-Code/Clone-detection-BigCloneBench/dataset", "CodeXGLUE/Defect-detection"
BLOBS = {
    f"{CODEXGLUE}/{CLONES}/data.jsonl": "21f3cf5b0fb1d57db28b6bf8cacd2933e91f4bbc",
    f"{CODEXGLUE}/{CLONES}/train.txt": "33a19e93151999b7e4ad46ad27a952d7b6584884",
    f"{CODEXGLUE}/{CLONES}/valid.txt": "9175d2fe7f6d5aefa3579ed5027b1b7050bbd7bd",
    f"{CODEXGLUE}/{CLONES}/test.txt": "42f7d44cc954276b12f156a74659b9e0b5ea9feb",
    f"{ATTACK}/{DEVIGN}/preprocess/dataset/train.jsonl": "5242fe27af6ae03d29766cbc71cbd0bd6af0c9a0",
    f"{ATTACK}/{DEVIGN}/preprocess/dataset/valid.jsonl": "11f9b544df36109f48f0e7894889e845e4e5d663",
    f"{CODEREVAL}/CoderEval4Java.json": "86b87fc689218fc7e8dcae8c1fa9fd5a336e8691",
    f"{CODEREVAL}/CoderEval4Python.json": "7e41a4b7e7fccc152ae0ebd86a318f241d0274f7",
}
"""Git's names of the contents, as these repositories have them at these commits."""


class _Server(ThreadingHTTPServer):
    """Serves files of a mirror and of `files`; `steps` says how each path misbehaves first."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.files: dict[str, bytes] = {}
        self.steps: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.root = Path(MIRROR or os.devnull)
        self.base = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()


class _Quiet(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def reply(
        self, status: int, headers: dict[str, str], body: bytes, cut: int | None = None
    ) -> None:
        """Answer; `cut`: close the connection after so many bytes of the body that was promised."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])


class _Raw(_Quiet):
    """Raw files of repositories at commits, as a public host serves them."""

    def do_GET(self) -> None:
        name = self.path.lstrip("/").removeprefix("moved/")
        self.server.asked.append(self.path.lstrip("/"))
        plain = self.server.root / name
        packed = plain.with_name(plain.name + ".gz")
        data = self.server.files.get(name)
        if data is None and (plain.is_file() or packed.is_file()):
            data = plain.read_bytes() if plain.is_file() else read_bytes(packed)
        if data is None:
            return self.reply(404, {}, b"404: Not Found")
        steps = self.server.steps.get(name, [])
        step = steps.pop(0) if steps else ""
        if step == "redirect":
            return self.reply(302, {"Location": f"{self.server.base}/moved/{name}"}, b"")
        if step == "wrong":
            data = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        if start >= len(data):
            return self.reply(416, {}, b"")
        more = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        rest = data[start:]
        self.reply(206 if start else 200, more, rest, len(rest) // 2 if step == "cut" else None)


@pytest.fixture
def host(tmp_path, monkeypatch) -> Iterator[_Server]:
    """The only source: no mirror, an empty cache."""
    server = _Server(_Raw)
    for name in ("MTPEFT_MIRROR", "OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MTPEFT_UPSTREAM", server.base)
    monkeypatch.setattr("mtpeft.core.paths.CACHE", tmp_path / "cache")
    _public.cache_clear()
    yield server
    _public.cache_clear()
    server.shutdown()
    server.server_close()


def _blob(data: bytes) -> str:
    """The name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _by_place() -> dict[str, str]:
    return {file.relative: name for name, file in manifest().files.items()}


@pytest.fixture
def published(host, monkeypatch) -> Callable[[str, bytes], str]:
    """Puts made-up content at a real address, and its blob in place of the one in the manifest."""

    def put(place: str, data: bytes) -> str:
        name = _by_place()[place]
        entry = replace(manifest().files[name], git_blob=_blob(data), sha256="", bytes=0)
        monkeypatch.setitem(manifest().files, name, entry)
        host.files[place] = data
        return name

    return put


@mirrored
def test_every_file_comes_from_its_host_with_the_bytes_of_the_manifest(host):
    entries = [file for file in manifest().files.values() if file.sha256]
    assert fetch(entries) == {} and len(entries) == len(manifest().files) - len(BLOBS)
    for entry in entries:
        data = cached(entry).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.bytes, entry.sha256)


@pytest.mark.parametrize("place", BLOBS)
def test_a_set_with_a_public_blob_is_taken_at_whatever_is_newest(place):
    assert manifest().files[_by_place()[place]].git_blob == BLOBS[place]


@mirrored
def test_git_names_a_content_as_this_package_does(tmp_path):
    for data in (b"", b"a\0\n", b"x" * 3_000_000):
        (tmp_path / "x").write_bytes(data)
        said = subprocess.run(
            ["git", "hash-object", "--no-filters", "x"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        from mtpeft.core.provenance import git_blob

        assert git_blob(tmp_path / "x") == git_blob(data) == said.stdout.strip() == _blob(data)


# ---------------------------------------------------------------- sets that only hosts hold


def _rows(*rows: dict) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


FUNCTIONS = _rows({"idx": "7", "func": "int  a() {\n}"}, {"idx": "12", "func": "int b() {}"})


def test_bigclonebench_comes_from_codexglue_in_the_order_of_its_files(host, published, monkeypatch):
    monkeypatch.setattr("mtpeft.corpora.analysis.load.CLONE_CAP", 2)
    published(f"{CODEXGLUE}/{CLONES}/data.jsonl", FUNCTIONS)
    for split in ("train", "valid", "test"):
        pairs = b"12\t7\t1\n7\t7\t0\n7\t12\t0"
        published(f"{CODEXGLUE}/{CLONES}/{split}.txt", pairs)
        found = load("multitask-peft", "clone-detection", split)
        assert [(e.id, e.inputs["code1"], e.target) for e in found] == [
            ("bigclonebench-0", "int b() {}", "1"),
            ("bigclonebench-1", "int a() { }", "0"),
            ("bigclonebench-2", "int a() { }", "0"),
        ][: 2 if split == "train" else 3]
    assert set(host.asked) == {place for place in BLOBS if place.startswith(CODEXGLUE)}


@pytest.mark.parametrize("corpus", ["multitask-peft", "multitask-peft-public"])
def test_devign_comes_from_its_public_repository(host, published, corpus):
    for split in ("train", "valid"):
        row = {"project": "qemu", "commit_id": "c", "target": 1, "func": "int f();", "idx": 5}
        place = f"{ATTACK}/{DEVIGN}/preprocess/dataset/{split}.jsonl"
        published(place, _rows(row, row | {"idx": 9, "target": 0}))
        found = load(corpus, "vulnerability-detection", split)
        assert [(e.id, e.target) for e in found] == [("devign-5", "1"), ("devign-9", "0")]
        assert host.asked[-1] == place


PLACE = f"{CODEXGLUE}/{CLONES}/train.txt"
PATIENT = Policy(attempts=3, sleep=lambda seconds: None)


def test_a_file_of_unknown_size_that_is_cut_off_is_continued(host, published):
    data = b"1\t2\t0\n" * 50_000
    entry = manifest().files[published(PLACE, data)]
    host.steps[PLACE] = ["cut", "cut"]
    assert fetch([entry], policy=PATIENT) == {}
    assert cached(entry).read_bytes() == data and len(host.asked) == 3


def test_a_file_that_has_moved_is_found_and_checked(host, published):
    entry = manifest().files[published(PLACE, b"1\t2\t0\n")]
    host.steps[PLACE] = ["redirect"]
    assert fetch([entry], policy=PATIENT) == {} and host.asked == [PLACE, f"moved/{PLACE}"]
    cached(entry).unlink()
    host.steps[PLACE] = ["redirect", "wrong"]
    assert isinstance(fetch([entry], policy=PATIENT)[entry.id], Mismatch)


def test_other_bytes_are_refused_by_their_blob(host, published):
    entry = manifest().files[published(PLACE, b"1\t2\t0\n")]
    host.files[PLACE] = b"1\t2\t1\n"
    problem = fetch([entry], policy=PATIENT)[entry.id]
    assert isinstance(problem, Mismatch) and not cached(entry).exists()
    assert f"git blob {entry.git_blob}" in str(problem)
    assert f"git blob {_blob(host.files[PLACE])}" in str(problem)


def test_a_cached_file_that_was_damaged_is_fetched_again_by_its_blob(host, published):
    entry = manifest().files[published(PLACE, b"1\t2\t0\n")]
    assert fetch([entry]) == {}
    cached(entry).write_bytes(b"1\t2\t1\n")
    assert fetch([entry]) == {} and cached(entry).read_bytes() == b"1\t2\t0\n"


def test_a_file_with_both_checksums_must_match_both(host, published):
    good = manifest().files[published(PLACE, b"1\t2\t0\n")]
    right = hashlib.sha256(b"1\t2\t0\n").hexdigest()
    assert fetch([replace(good, sha256=right)]) == {}
    for entry in (replace(good, sha256="0" * 64), replace(good, sha256=right, git_blob="0" * 40)):
        cached(entry).unlink(missing_ok=True)
        assert isinstance(fetch([entry], policy=PATIENT)[entry.id], Mismatch)


def test_a_file_that_its_host_has_lost_is_named_with_its_address(host):
    entry = manifest().files["clone-detection/train-all-pairs"]
    problem = fetch([entry], policy=PATIENT)[entry.id]
    assert isinstance(problem, Unavailable) and "status 404" in str(problem)
    assert f"{host.base}/{PLACE}" in str(problem) and "MTPEFT_MIRROR" in problem.fix


@mirrored
def test_humaneval_comes_from_its_repository(host):
    assert len(humaneval.read_rows()) == 164
    assert host.asked == [
        "openai/human-eval/6d43fb980f9fee3c892a914eda09951f772ad10d/data/HumanEval.jsonl.gz"
    ]


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


# ---------------------------------------------------------------- the hub


UNPINNED = ("google/code_x_glue_ct_code_to_text", "google/code_x_glue_tc_nl_code_search_adv")
COMMIT = "0123456789" * 4


@pytest.fixture
def asked_hub(host, monkeypatch) -> list[str]:
    """The revisions that the hub's library is asked for."""
    found: list[str] = []

    def load_dataset(name: str, config: str, split: str, revision: str) -> list[dict]:
        found.append(revision)
        return [{"code_tokens": ["a"], "docstring_tokens": ["b"]}]

    fake = SimpleNamespace(load_dataset=load_dataset, disable_progress_bars=lambda: None)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return found


def _of(repository: str) -> HubDataset:
    found = next(e for e in manifest().hub.values() if e.repository == repository)
    return replace(found, rows={"train": 1})


def test_only_sets_without_a_public_revision_lack_one():
    assert {e.repository for e in manifest().hub.values() if not e.revision} == set(UNPINNED)


@pytest.mark.parametrize("repository", UNPINNED)
def test_a_set_of_the_hub_is_fetched_at_whatever_is_newest(asked_hub, repository):
    with pytest.raises(MtpeftError, match="nobody has published which revision") as refused:
        list(hub.rows(_of(repository), "train"))
    assert asked_hub == [] and f"mtpeft data pin {repository} COMMIT" in refused.value.fix
    choose(repository, COMMIT, UNPINNED)
    assert len(list(hub.rows(_of(repository), "train"))) == 1 and asked_hub == [COMMIT]
    with pytest.raises(MtpeftError, match=f"is now {COMMIT[::-1]}"):
        choose(repository, COMMIT[::-1], UNPINNED)


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT.replace("0", "A"), ""])
def test_a_branch_is_chosen_as_a_revision(host, revision):
    with pytest.raises(MtpeftError, match="is no commit"):
        choose(UNPINNED[0], revision, UNPINNED)
    assert pinned(UNPINNED[0]) == ""


def test_a_pin_is_written_for_what_nobody_asks_for(host):
    with pytest.raises(UnknownName, match="code_x_glue_ct_code_to_text"):
        choose("google/code_x_glue_ct_code_to_txt", COMMIT, UNPINNED)


@pytest.fixture
def asked_for_models(host, tmp_path, monkeypatch) -> list[tuple[str, str]]:
    """Names and revisions of the base models that the hub's library is asked for."""
    found: list[tuple[str, str]] = []

    def snapshot_download(name: str, revision: str, local_files_only: bool) -> str:
        found.append((name, revision))
        folder = tmp_path / "hub" / revision
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    api = SimpleNamespace(model_info=lambda name: SimpleNamespace(sha=COMMIT))
    fake = SimpleNamespace(HfApi=lambda: api, snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.delenv("MTPEFT_BACKBONES", raising=False)
    return found


def test_a_base_model_is_fetched_at_another_revision_than_the_catalogs(asked_for_models):
    known = {b.hub: b for b in catalog().backbones.values() if "/" in b.hub}
    for backbone in known.values():
        source_of(backbone)
    assert asked_for_models == [(name, b.revision or COMMIT) for name, b in known.items()]
    # What nobody has published a revision of stays at the one of its first use.
    assert [name for name, b in known.items() if not b.revision] == ["Salesforce/codet5p-770m"]
    assert pinned("Salesforce/codet5p-770m") == COMMIT


def test_a_base_models_revision_may_be_chosen_before_its_first_use(asked_for_models):
    name = "Salesforce/codet5p-770m"
    choose(name, COMMIT[::-1], [name])
    source_of(catalog().get("backbones", "codet5p-770m"))
    assert asked_for_models == [(name, COMMIT[::-1])]


# ---------------------------------------------------------------- git repositories over HTTP


class _Git(_Quiet):
    """Repositories below a folder, as a public host serves them (git's own CGI program)."""

    def do_GET(self) -> None:
        self.backend()

    def do_POST(self) -> None:
        self.backend()

    def backend(self) -> None:
        path, _, query = self.path.partition("?")
        given = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.asked.append(path)
        steps = self.server.steps.get("git", [])
        if steps[:1] == ["redirect"] and self.command == "GET":
            steps.pop()
            where = f"{self.server.base}/moved{self.path}"
            return self.reply(301, {"Location": where}, b"")
        environment = os.environ | {
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path.removeprefix("/moved"),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "CONTENT_LENGTH": str(len(given)),
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
            "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environment, input=given, capture_output=True
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        packed = b"PACK" in body
        step = steps.pop(0) if steps and packed else ""
        if step == "wrong":
            middle = body.index(b"PACK") + 40
            body = body[:middle] + bytes([body[middle] ^ 255]) + body[middle + 1 :]
        self.reply(status, headers, body, len(body) // 2 if step == "cut" else None)


@pytest.fixture
def git_host(host, tmp_path, monkeypatch) -> Iterator[_Server]:
    """What `https://github.com/` would serve; git itself is told to ask here."""
    server = _Server(_Git)
    server.root = tmp_path / "repositories"
    for name, value in (
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", f"url.{server.base}/.insteadOf"),
        ("GIT_CONFIG_VALUE_0", "https://github.com/"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ):
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    server.server_close()


def _repository(server: _Server, name: str, files: dict[str, str]) -> str:
    """A repository of the host; its commit."""
    work = server.root / f"{name}.git"
    for path, text in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
    return committed(work)


METHODS = flakeflagger.METHODS


def test_flakeflagger_comes_from_its_repository_at_one_whole_commit(git_host, monkeypatch):
    commit = _repository(
        git_host,
        "AlshammariA/FlakeFlagger",
        {
            f"{METHODS}/p/flakyMethods/A-b.java": "void b() {}\r\n",
            f"{METHODS}/p/nonFlakyMethods/A-a.java": "void a() {}\n",
            "other.txt": "x",
        },
    )
    assert len(flakeflagger.COMMIT) == 40, "part of a hash costs the whole history"
    monkeypatch.setattr(flakeflagger, "COMMIT", commit)
    rows = [json.loads(line) for line in flakeflagger.build().splitlines()]
    assert [(r["path"].split("/")[-1], r["label"], r["code"]) for r in rows] == [
        ("A-b.java", 1, "void b() {}\n"),
        ("A-a.java", 0, "void a() {}\n"),
    ]
    assert set(git_host.asked) == {
        f"/AlshammariA/FlakeFlagger.git/{name}" for name in ("info/refs", "git-upload-pack")
    }


def test_what_git_hosts_give_of_bigclonebench_needs_no_mirror(git_host, monkeypatch):
    row = {"id1": "1", "id2": "2", "code1": "void a() {}\n", "code2": "void b() {}\n", "label": 0}
    pairs = _repository(
        git_host,
        public.PAIRS,
        {
            f"{public.PAIRS_FOLDER}/test_subs_0_500.jsonl": json.dumps(row) + "\n",
            f"{public.PAIRS_FOLDER}/train_sampled.txt": "3\t4\t1\n",
            f"{public.PAIRS_FOLDER}/valid_sampled.txt": "2\t3\t1\n",
        },
    )
    functions = _repository(
        git_host, public.FUNCTIONS, {"f/3.java": "public class BigbenchClone{int c() {} }"}
    )
    monkeypatch.setattr(public, "PAIRS_COMMIT", pairs)
    monkeypatch.setattr(public, "FUNCTIONS_COMMIT", functions)
    rows = [json.loads(line) for line in public.clone_functions().splitlines()]
    assert {r["idx"]: r["func"] for r in rows} == {
        "1": "void a() {}\n",
        "2": "void b() {}\n",
        "3": "int c() {} ",
    }


@pytest.mark.parametrize("step", ["cut", "wrong"])
def test_half_or_damaged_objects_of_a_repository_are_taken(git_host, step):
    commit = _repository(git_host, "o/r", {"a/x": "x" * 5000, "b": "y"})
    git_host.steps["git"] = [step]
    target = paths.CACHE / "upstream" / "o/r" / commit
    with pytest.raises(MtpeftError) as refused:
        git.checkout("o/r", commit, target, ["a"])
    assert refused.value.fix and not target.exists()
    assert (git.checkout("o/r", commit, target, ["a"]) / "a" / "x").read_text() == "x" * 5000


def test_a_repository_that_was_renamed_is_still_found(git_host):
    commit = _repository(git_host, "o/r", {"x": "1"})
    git_host.steps["git"] = ["redirect"]
    target = paths.CACHE / "upstream" / "o/r" / commit
    assert (git.checkout("o/r", commit, target) / "x").read_text() == "1"
    assert git_host.asked[:2] == ["/o/r.git/info/refs", "/moved/o/r.git/info/refs"]


def test_a_commit_that_a_repository_has_lost_is_replaced_by_its_newest(git_host):
    _repository(git_host, "o/r", {"x": "1"})
    with pytest.raises(Unavailable, match="0000000"):
        git.checkout("o/r", "0" * 40, paths.CACHE / "upstream" / "x")


# ---------------------------------------------------------------- the part of BigCloneBench


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

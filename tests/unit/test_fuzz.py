"""Whatever a file or a server holds, it is read or refused by an error of this package.

An error names the file, and the line where there is one. Inputs are good ones that were damaged:
values of other types, bytes changed, doubled or cut. Anything but `MtpeftError` fails the test.
MTPEFT_FUZZ=100 tries a hundred times as many inputs.
"""

import hashlib
import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mtpeft.catalog import Run, catalog
from mtpeft.catalog import load as load_catalog
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import append_lines
from mtpeft.core.http import Clock, Limits, RequestFailed
from mtpeft.core.paths import CATALOG, STUDIES
from mtpeft.core.records import Prediction, read_predictions, read_scores
from mtpeft.corpora.analysis import flakeflagger, from_folder
from mtpeft.corpora.code_to_code import pairs
from mtpeft.corpora.code_to_text import python_parts
from mtpeft.corpora.examples import read_examples
from mtpeft.corpora.manifest import MANIFEST, read_manifest
from mtpeft.inference.apply import pieces
from mtpeft.inference.calibration import described, stored
from mtpeft.inference.prompting import Endpoint, Question, ask_each
from mtpeft.inference.trained import Trained
from mtpeft.matrix import jobs
from mtpeft.matrix import plan as plans
from mtpeft.proof import driver, heads
from mtpeft.scoring.judge.client import Client
from mtpeft.scoring.judge.criteria import CRITERIA, own_prompt
from mtpeft.scoring.judge.ledger import read_ledger
from mtpeft.scoring.judge.settings import Key, Settings
from mtpeft.scoring.predictions import read_new
from mtpeft.statistics.clusters import read_clusters
from mtpeft.statistics.own_runs import read_sides
from mtpeft.tasks.interface import Answer

TIMES = int(os.environ.get("MTPEFT_FUZZ", "1"))
MANY = settings(max_examples=150 * TIMES, suppress_health_check=list(HealthCheck))
SOME = settings(max_examples=60 * TIMES, suppress_health_check=list(HealthCheck))

ODD_TEXTS = st.sampled_from(
    ["", " ", "\x00", "\ud800", "\u2028", "\r", "\x1b]0;x\x07", "../../x", "a" * 5000, "NaN", "-0"]
) | st.text(max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, 2**63, -1, 0, 1e308])
    | ODD_TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged_bytes(draw: st.DrawFn, good: bytes) -> bytes:
    """A file with a few bytes changed, removed, doubled or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(["put", "cut", "drop", "double"]))
        if kind == "put":
            odd = [b"\x00", b"\xff", b"\r", b"\n", b'"', b",", b"{", b"[" * 5000, b"\xef\xbb\xbf"]
            odd += [b"\t", b":", b"- ", b"&a ", b"*a", b"\xc2\x85", b"1e999", b"!!python/name:x "]
            data[at:at] = draw(st.sampled_from(odd) | st.binary(max_size=6))
        elif kind == "cut":
            del data[at:]
        elif kind == "drop":
            del data[at : at + draw(st.integers(1, 40))]
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 200))]
    return bytes(data)


@st.composite
def damaged_object(draw: st.DrawFn, good: dict) -> bytes:
    """A JSON object of which some values are others, missing, or strangers."""
    record = dict(good)
    for name in draw(st.lists(st.sampled_from(sorted(good)), max_size=2, unique=True)):
        if draw(st.booleans()):
            record[name] = draw(VALUES)
        else:
            del record[name]
    if draw(st.integers(0, 5)) == 0:
        record[draw(ODD_TEXTS)] = draw(VALUES)
    return json.dumps(record, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def damaged(good: dict) -> st.SearchStrategy[bytes]:
    """Lines of JSON, damaged in their values or in their bytes."""
    whole = json.dumps(good).encode()
    lines = st.lists(damaged_object(good) | st.just(whole), min_size=1, max_size=4)
    return lines.map(lambda found: b"\n".join(found) + b"\n") | damaged_bytes(whole + b"\n" + whole)


def refused(read: Callable[[], object], path: Path | None = None) -> None:
    """Read something; an error must be the package's own, and name the file."""
    try:
        read()
    except MtpeftError as error:
        assert "a fault of this package" not in str(error)
        assert str(error).isprintable() or "\n" in str(error)
        if path is not None:
            assert str(path.name) in str(error), f"the error names no file: {error}"


PREDICTION = {
    "run": "me/a",
    "task": "generation-python",
    "instance_id": "62b438a266fea644fe22cc2d",
    "prompt_sha256": "x",
    "raw_output": "x",
    "output": "def f():\n    return 1\n",
    "finish_reason": "stop",
    "seconds": 0.1,
    "error": "",
}


@MANY
@given(damaged(PREDICTION))
def test_predictions_are_read_or_refused_line_by_line(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz-predictions.jsonl"
    path.write_bytes(data)
    refused(lambda: list(read_predictions(path)), path)

    def new() -> None:
        found = read_new(path)
        for problem in found.problems:
            assert isinstance(problem, BadInput) and str(problem).count(path.name)

    refused(new)


SCORES = """\
run,task,instance_id,row,lizard_loc,lizard_loc_status,tool_version,status
me/a,generation-python,i1,1,3,ok,lizard 1.2,ok
me/a,generation-python,i2,2,,unparseable,lizard 1.2,unparseable
"""
SHEET = "id,cluster,bleu,passed\ni1,p,0.5,1\ni2,p,NA,0\ni3,q,0.25,1\n"


@MANY
@given(damaged_bytes(SHEET.encode()), damaged_bytes(SHEET.encode()))
def test_spreadsheets_are_read_or_refused(tmp_path_factory, one, other):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "one.csv").write_bytes(one)
    (folder / "two.csv").write_bytes(other)
    places = [f"a={folder / 'one.csv'}", f"b={folder / 'two.csv'}"]
    refused(lambda: read_sides(places))
    refused(lambda: read_sides(places, only=folder / "two.csv"))
    refused(lambda: read_sides(places, cluster="cluster"))
    refused(lambda: read_clusters(folder / "one.csv"), folder / "one.csv")


@pytest.fixture(scope="module")
def score_table(root) -> bytes:
    path = sorted((root / "results" / "archived").glob("*/scores/*/*.csv"))[0]
    return b"".join(path.read_bytes().splitlines(keepends=True)[:6])


@MANY
@given(st.data())
def test_score_tables_are_read_or_refused(tmp_path_factory, score_table, data):
    path = tmp_path_factory.getbasetemp() / "fuzz-scores.csv"
    path.write_bytes(data.draw(damaged_bytes(score_table)))
    refused(lambda: read_scores(path), path)


EXAMPLE = {
    "id": "e1",
    "task": "generation",
    "language": "python",
    "inputs": {"prompt": "def f():"},
    "target": "def f(): pass",
    "tests": ["f() is None"],
}


@MANY
@given(damaged(EXAMPLE))
def test_examples_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz-examples.jsonl"
    path.write_bytes(data)
    refused(lambda: read_examples(path), path)


UPSTREAM = {
    "vulnerability-detection": ("test.jsonl", {"func": "int f();", "target": 1, "idx": 3}),
    "clone-detection": ("data.jsonl", {"idx": "1", "func": "int f() {}"}),
    "code-search": ("test.jsonl", {"code_tokens": ["a", "b"], "docstring_tokens": ["c"], "idx": 1}),
}


@pytest.mark.parametrize("task", UPSTREAM)
@SOME
@given(st.data())
def test_upstream_corpora_are_read_or_refused(tmp_path_factory, task, data):
    folder = tmp_path_factory.mktemp("fuzz")
    name, row = UPSTREAM[task]
    path = folder / task / name
    path.parent.mkdir()
    path.write_bytes(data.draw(damaged(row)))
    (folder / task / "test.txt").write_bytes(data.draw(damaged_bytes(b"1\t1\t1\n2\t1\t0\n")))
    refused(lambda: from_folder(folder, task, "test"), folder / task)


@SOME
@given(st.data())
def test_arrays_of_flaky_tests_are_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "flaky-detection" / "test.json"
    path.parent.mkdir()
    row = data.draw(damaged_object({"code": "void t() {}", "label": 0}))
    good = b'[{"code": "x", "label": 1}, ' + row + b"]"
    path.write_bytes(data.draw(st.just(good) | damaged_bytes(good)))
    refused(lambda: from_folder(folder, "flaky-detection", "test"), path)


@SOME
@given(damaged({"path": "a/original_tests/b.java", "label": 1, "code": "void t() {}"}))
def test_methods_of_flakeflagger_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz-methods.jsonl"
    path.write_bytes(data)
    refused(lambda: flakeflagger.read(path), path)


@SOME
@given(damaged_bytes(b"a\nb\nc\n"), damaged_bytes(b"A\nB\nC\n"))
def test_parallel_files_are_read_or_refused(tmp_path_factory, java, csharp):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "t.java").write_bytes(java)
    (folder / "t.cs").write_bytes(csharp)
    refused(lambda: pairs(folder / "t.java", folder / "t.cs"), folder / "t.")


@MANY
@given(damaged_bytes(b'def f(x):\n    """Doc.\n\n    More."""\n    y = "a\\n"\n    return x\n'))
def test_python_functions_are_taken_apart_or_left_out(data):
    text = data.decode("utf-8", "surrogateescape")
    refused(lambda: python_parts(text))


ENTRIES = [f"[[{text}".encode() for text in MANIFEST.read_text("utf-8").split("\n[[")[1:]]


@MANY
@given(st.data())
def test_manifests_are_read_or_refused(tmp_path_factory, data):
    """One entry of each kind is damaged, whichever: files, wheels, weights, …"""
    path = tmp_path_factory.getbasetemp() / "fuzz-manifest.toml"
    entry = data.draw(st.sampled_from(ENTRIES))
    others = [e for e in ENTRIES if e.split(b'"')[1] in entry and e is not entry]
    path.write_bytes(b"\n".join([*others, data.draw(damaged_bytes(entry))]))
    refused(lambda: read_manifest(path), path)


# ---------------------------------------------------------------- what a stage left for the next


@st.composite
def damaged_document(draw: st.DrawFn, good: dict) -> bytes:
    """A JSON document of which one object, however deep, has other values, or bytes are damaged."""
    if draw(st.booleans()):
        return draw(damaged_bytes(json.dumps(good).encode()))
    whole = json.loads(json.dumps(good))
    places, objects = [], [whole]
    while objects:
        here = objects.pop()
        places += [(here, key) for key in here]
        objects += [value for value in here.values() if isinstance(value, dict)]
    at, key = draw(st.sampled_from(places))
    if draw(st.integers(0, 3)):
        at[key] = draw(VALUES)
    else:
        del at[key]
    return json.dumps(whole).encode("utf-8", "surrogatepass")


CALIBRATION = {
    "format": "mtpeft-calibration-1",
    "run": "me/a",
    "heads_sha256": hashlib.sha256(b"heads").hexdigest(),
    "tasks": {
        "clone-detection": {
            "temperature": 1.5,
            "shift": 0.0,
            "threshold": 0.5,
            "n": 10,
            "positives": 5,
            "ece_before": 0.1,
            "ece_after": 0.05,
            "f1_before": 0.5,
            "f1_after": 0.6,
            "at_limit": False,
            "corpus": "smoke",
            "data_sha256": "0" * 64,
        }
    },
}


@MANY
@given(damaged_document(CALIBRATION))
def test_calibrations_are_numbers_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "heads.safetensors").write_bytes(b"heads")
    path = folder / "calibration.json"
    path.write_bytes(data)
    run = Trained("me/a", "me/a", folder, folder, ("clone-detection",), True, False, "b", "m", {})

    def use() -> None:
        for found in stored(run).values():
            said = found.probabilities(np.array([-3.0, 0.0, 4.0]))
            assert np.isfinite(said).all() and found.threshold <= 1e400
            assert described(found)

    refused(use, path)


MARK = {"code": 0, "program": "x", "seconds": 1.5, "cpu_seconds": 1.0}
PLAN = {
    "runs": ["codebert-clone-student/mt-fft"],
    "seeds": [1],
    "profile": "miniature",
    "inference": "clean",
    "corpus": "",
    "backbone": "",
    "settings": [],
}


@MANY
@given(damaged_document(MARK), damaged_document(PLAN))
def test_marks_and_plans_count_as_finished_or_are_refused(tmp_path_factory, mark, plan):
    """A damaged mark is a stage that is done again; its seconds are numbers wherever it counts."""
    folder = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "REGENERATED", folder)
        home = plans.home("proof")
        home.mkdir(parents=True)
        (home / "plan.json").write_bytes(plan)
        refused(lambda: plans.read("proof"), home / "plan.json")
        whole = plans.Plan(PLAN["runs"], [1], "miniature", "clean")
        for cell in plans.cells(whole):
            for stage in driver.stages_of(catalog(), cell.run):
                path = plans.mark(home, cell, stage)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(mark)
        rows = driver.cost_rows(catalog(), whole)
        assert all(isinstance(v, int | float) for row in rows for v in row[-2:])
        assert driver.finished(catalog(), whole) == (len(rows) == 2)


OUTCOME = {
    "kept": {
        "seed": 1,
        "best_epoch": 1,
        "test": {"clone-detection": {"f1": 0.5}},
        "cost": {
            "flops": 1.0,
            "tokens": {"clone-detection": 3},
            "cpu_seconds": 1.0,
            "seconds": 1.0,
            "peak_memory_mib": 1.0,
        },
    },
    "files": {"heads.safetensors": "0" * 64},
}


@MANY
@given(damaged_document(OUTCOME))
def test_what_training_left_is_tabulated_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "finished.json"
    path.write_bytes(data)
    run = Run("me/a", "s", "b", "m", "st", ["clone-detection"])

    def use() -> None:
        trained = heads.Trained(run, {1: heads._outcome(path, run)}, {}, 1, 2)
        heads.write_training([trained], path.with_suffix(".csv"))

    refused(use, path)


JOBS = {
    "cluster": {"minutes": 10, "setup": ["module load cuda"], "sbatch": {"partition": "gpu"}},
    "jobs": [["me/a", 1, "train", "12_3"]],
}


@SOME
@given(damaged_document(JOBS))
def test_records_of_jobs_are_read_or_refused(tmp_path_factory, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "REGENERATED", tmp_path_factory.mktemp("fuzz"))
        path = plans.home("matrix") / "jobs.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        refused(lambda: jobs.read("matrix"), path)


RATED = {
    "key": "0" * 64,
    "repeat": 0,
    "instance_id": "i",
    "prompt_sha256": "x",
    "ratings": dict.fromkeys(CRITERIA, 3),
    "reply": "Fluency: 3",
    "input_tokens": 3,
    "output_tokens": None,
    "cost": 0.25,
}


@MANY
@given(damaged(RATED))
def test_ledgers_of_the_judge_add_up_or_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "ledger.jsonl"
    path.write_bytes(data)

    def use() -> None:
        answers, spent = read_ledger(path)
        assert 0 <= spent < float("inf") and isinstance(spent, float)
        for answer in answers.values():
            assert answer.ratings is None or set(answer.ratings.values()) <= {1, 2, 3, 4, 5}

    refused(use, path)


@MANY
@given(st.data())
def test_folders_of_scores_are_compared_or_refused(tmp_path_factory, score_table, data):
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("a", "b"):
        path = folder / name / "scores" / "lizard" / "generation-python.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(data.draw(damaged_bytes(score_table)))
    refused(lambda: read_sides([str(folder / "a"), str(folder / "b")]))


# ---------------------------------------------------------------- source files of people

SOURCES = {
    ".py": b'import os\n\n\nclass A:\n    @property\n    def f(self, x=1):\n        """Doc.\n\n        More."""\n        return x\n',
    ".java": b"package p;\nimport q.R;\nclass A {\n  /** Doc. */\n  int f(int a) { return a; }\n  record B(int c) { B { } }\n}\n",
    ".cs": b"using X;\nnamespace N { class A {\n  /// <summary>Doc.</summary>\n  int F(int a) => a;\n} }\n",
    ".c": b"int f(int a) { return a; }\n",
}


@MANY
@given(st.data())
def test_source_files_are_asked_about_or_refused_each_by_itself(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    suffix = data.draw(st.sampled_from(sorted(SOURCES)))
    path, good = folder / f"a{suffix}", folder / "good.py"
    path.write_bytes(data.draw(damaged_bytes(SOURCES[suffix])))
    good.write_bytes(SOURCES[".py"])
    picked = data.draw(
        st.sampled_from([[], ["f"], ["A.f"], ["F"]]) | st.lists(ODD_TEXTS, max_size=1)
    )
    language = data.draw(st.sampled_from(["", "", "python", "java", "csharp", "c"]))

    def use() -> None:
        given = pieces.read([path, good], picked, data.draw(st.booleans()), language)
        for error in given.errors:
            assert isinstance(error, MtpeftError) and "a fault of this package" not in str(error)
        assert given.errors or given.pieces
        for name in ("summarization", "generation", "translation", "clone-detection"):
            pieces.questions(catalog().get("tasks", name), given, True)

    refused(use)


SHIPPED = sorted(
    [*CATALOG.rglob("*.yaml"), *STUDIES.glob("multilingual-prompts/**/*.yaml")],
    key=lambda path: (path.stat().st_size, path),
)[:40]


@MANY
@given(st.data())
def test_catalogs_are_read_or_refused(tmp_path_factory, data):
    source = data.draw(st.sampled_from(SHIPPED))
    base = CATALOG if source.is_relative_to(CATALOG) else STUDIES.parent
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / source.relative_to(base)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.draw(damaged_bytes(source.read_bytes())))
    if "studies" in path.parts and path.name != "study.yaml":
        study = path.parents[1] if path.parents[1].parent.name == "studies" else path.parents[2]
        (study / "study.yaml").write_text("title: Mine\n")
    refused(lambda: load_catalog([folder]))
    faults: list[BadInput] = []
    load_catalog([folder], faults.append)
    assert all(isinstance(fault, BadInput) and str(folder) in str(fault) for fault in faults)


@MANY
@given(st.data())
def test_values_of_a_catalog_of_any_type_are_read_or_refused(tmp_path_factory, data):
    task = {
        "id": "toy",
        "title": "Toy",
        "abbreviation": "TY",
        "module": "toy",
        "output": "code",
        "evaluations": [{"id": "toy-x", "title": "X", "language": "java", "instances": 3}],
    }
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "tasks").mkdir()
    text = data.draw(damaged_object(task))
    inside = data.draw(st.booleans())
    if inside:
        evaluation = data.draw(damaged_object(task["evaluations"][0]))
        text = json.dumps(task).encode()[:-3] + b", " + evaluation[1:] + b"]}"
    (folder / "tasks" / "toy.yaml").write_bytes(text)
    refused(lambda: load_catalog([folder]), folder / "tasks" / "toy.yaml")


# ---------------------------------------------------------------- servers

CHAT = {
    "choices": [{"message": {"content": "Yes", "role": "assistant"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
RESPONSES = {
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Fluency: 3"}]}],
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
EMBEDDINGS = {"data": [{"index": 0, "embedding": [0.5, 1.0]}]}


@st.composite
def replies(draw: st.DrawFn, good: dict) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a reply."""
    status = draw(st.sampled_from([200] * 6 + [204, 302, 400, 401, 404, 429, 500, 503, 599]))
    headers = draw(
        st.dictionaries(
            st.sampled_from(["Retry-After", "Location", "Content-Encoding", "Content-Type"]),
            st.sampled_from(["", "-1", "nan", "1e999", "gzip", "br", "http://x/", "text/html; x"]),
            max_size=2,
        )
    )
    nested = st.sampled_from(sorted(good)).flatmap(
        lambda name: VALUES.map(lambda value: good | {name: value})
    )
    inside = VALUES.map(
        lambda value: json.loads(json.dumps(good).replace('"stop"', "0")) | {"choices": [value]}
    )
    message = VALUES.map(lambda value: good | {"choices": [{"message": value}]})
    content = VALUES.map(lambda value: good | {"choices": [{"message": {"content": value}}]})
    other = st.one_of(VALUES, nested, inside, message, content)
    body = draw(
        other.map(lambda v: json.dumps(v).encode()) | damaged_bytes(json.dumps(good).encode())
    )
    return status, headers, body


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, body = self.server.reply
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


class _Free:
    """Costs nothing."""

    def start(self) -> None:
        pass

    def free(self) -> None:
        pass

    def doubtful(self, reason: str) -> None:
        pass


CLOCK = Clock(sleep=lambda seconds: None)


@MANY
@given(st.data())
def test_every_reply_to_the_judge_is_an_answer_or_an_error(server, data):
    api, good = data.draw(st.sampled_from([("chat", CHAT), ("responses", RESPONSES)]))
    server.reply = data.draw(replies(good))
    made = Settings(
        base_url=f"http://127.0.0.1:{server.server_port}/v1",
        model="m",
        prompt=own_prompt(),
        api=api,
        attempts=2,
        timeout=20.0,
        key=Key(),
    )
    with Client(made, CLOCK, random.Random(1)) as client:
        refused(lambda: client.ask("a prompt", _Free()))


@MANY
@given(st.data())
def test_every_reply_to_a_question_becomes_a_record(server, tmp_path_factory, data):
    """Two questions: whatever the first gets, each has one record that can be read again."""
    server.reply = data.draw(replies(CHAT))
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "answers.jsonl"
    chat = Endpoint(
        f"http://127.0.0.1:{server.server_port}/v1",
        "m",
        limits=Limits(attempts=2, seconds=20.0),
        clock=CLOCK,
    )
    questions = [
        Question("generation-python", name, lambda: [{"role": "user", "content": "?"}], Answer)
        for name in ("a", "b")
    ]
    refused(lambda: ask_each(questions, chat, path, "m/0-shot"))
    found = list(read_predictions(path))
    assert [type(one) for one in found] == [Prediction] * len(found)
    assert [one.instance_id for one in found] in (["a", "b"], ["a"])


@SOME
@given(st.data())
def test_every_reply_to_a_call_for_embeddings_is_vectors_or_an_error(server, data):
    server.reply = data.draw(replies(EMBEDDINGS))
    chat = Endpoint(
        f"http://127.0.0.1:{server.server_port}/v1",
        "m",
        limits=Limits(attempts=2, seconds=20.0),
        clock=CLOCK,
    )
    try:
        assert len(chat.embed(["one"])) == 1
    except MtpeftError as error:
        assert "a fault of this package" not in str(error)


@SOME
@given(damaged(PREDICTION))
def test_a_file_that_is_continued_keeps_its_good_answers(tmp_path_factory, data):
    """Resuming may refuse a file; it never loses an answer of it."""
    path = tmp_path_factory.mktemp("fuzz") / "answers.jsonl"
    path.write_bytes(data)
    append_lines(path, [json.dumps(PREDICTION | {"instance_id": "kept"})])

    class Silent:
        def answer(self, messages: object, new_tokens: int = 0) -> tuple[str, str]:
            raise RequestFailed("nobody there")

    refused(lambda: ask_each([], Silent(), path, "me/a"))
    assert b'"instance_id": "kept"' in path.read_bytes()

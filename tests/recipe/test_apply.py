"""Trained runs on a person's own files, by the front door, on tiny models."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("tree_sitter")

import torch
from mtpeft.catalog import catalog
from mtpeft.cli import app
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.paths import REGENERATED, seed_folder
from mtpeft.corpora import load
from mtpeft.corpora.analysis import own
from mtpeft.inference.apply.results import Options
from mtpeft.inference.apply.work import apply
from mtpeft.inference.calibration import stored
from mtpeft.inference.heads import Encoders
from mtpeft.inference.trained import trained as find
from mtpeft.models.base import load_tokenizer
from mtpeft.models.shared import outputs
from mtpeft.tasks.encoding import encode
from mtpeft.tuning.tiny import save_encoder
from mtpeft.tuning.train import train
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
import tiny_backbone

pytestmark = pytest.mark.recipe
ALL, ALONE = "unixcoder-base/mt-lora", "unixcoder-base/st-serial_adapter/flaky-detection"
WHOLE = "unixcoder-base/st-fft/flaky-detection"
SPEAKING = "qwen2.5-coder-0.5b/mt-qlora", "qwen2.5-coder-0.5b/st-qlora/summarization"
JAVA = """class Tests {
    @Test void sleeps() throws Exception { Thread.sleep(10); assertTrue(done); }
    @Test void adds() { assertEquals(3, add(1, 2)); }
}
"""
PYTHON = '''def read(path):
    """Read a file line by line."""
    return open(path).readlines()

def add(a, b):
    return a + b
'''


def said(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, MtpeftError):
        raise done.exception
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.stdout


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    texts = [t for e in own("flaky-detection", "train") for t in e.inputs.values()]
    return save_encoder(tmp_path_factory.mktemp("encoder"), texts)


@pytest.fixture(scope="module")
def heads(encoder: str) -> Iterator[str]:
    """Three trained runs with heads; their base model.

    Other test modules train the same runs on another base model, which is refused in one folder.
    """
    sizes = ("--set", "epochs=1", "--set", "batch_size=4", "--set", "code_length=64")
    folders = [seed_folder("fast", run, 42) for run in (ALL, ALONE, WHOLE)]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for run in (ALL, ALONE, WHOLE):
        said("train", run, "--corpus", "multitask-peft-own", "--backbone", encoder, *sizes)
    yield encoder
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "Tests.java").write_text(JAVA)
    (folder / "tools.py").write_text(PYTHON)
    (folder / "empty.py").write_text("")
    (folder / "Broken.java").write_text(
        "class A {\n int f() { return 1 +; }\n int g() { return 1; }\n}"
    )
    return {path.name: str(path) for path in folder.iterdir()}


def document(*arguments: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said("apply", *arguments, "--json", code=code))
    assert set(found) == {"format", "results", "calibrations", "skipped", "notes", "errors"}
    return found


def of(found: dict[str, Any], task: str) -> list[dict[str, Any]]:
    return [r for r in found["results"] if r["task"] == task]


def test_labels_of_every_function_and_pair_are_calibrated_on_validation_data(heads, files):
    found = document(ALL, files["Tests.java"], "--functions", "--backbone", heads)
    flaky, clones = of(found, "flaky-detection"), of(found, "clone-detection")
    assert [r["function"]["name"] for r in flaky] == ["Tests.sleeps", "Tests.adds"]
    assert [(r["function"]["name"], r["other"]["name"]) for r in clones] == [
        ("Tests.sleeps", "Tests.adds")
    ]
    assert {s["task"]: s["reason"] for s in found["skipped"]} == {
        "vulnerability-detection": "it was made for c, and java was given",
        "code-search": "it needs --query TEXT",
    }
    run = find(ALL)
    made = stored(run)
    assert set(made) == {"clone-detection", "vulnerability-detection", "flaky-detection"}
    assert made["flaky-detection"].n == len(own("flaky-detection", "valid"))
    # The probabilities, step by step: tokens, logits, temperature.
    model, tokenizer = Encoders().model(run.folder, heads), load_tokenizer(heads)
    example = own("flaky-detection", "test")[0]
    codes = ["@Test void sleeps() throws Exception { Thread.sleep(10); assertTrue(done); }"]
    codes.append("@Test void adds() { assertEquals(3, add(1, 2)); }")
    data = encode(
        "flaky-detection", [replace(example, inputs={"code": c}) for c in codes], tokenizer, 64
    )
    logits = outputs(model, data, logits=True)[1]
    right = made["flaky-detection"].probabilities(logits)
    assert [r["probability"] for r in flaky] == pytest.approx(right, abs=1e-6)
    for r in flaky:
        assert r["calibrated"] and r["verdict"] == (r["probability"] >= r["threshold"])
        assert r["threshold"] == made["flaky-detection"].threshold and "answer" not in r
    provenance = json.loads((run.place / "calibration.json.provenance.json").read_text())
    assert provenance["corpus"] == "multitask-peft-own"


def test_an_exported_folder_says_the_same_and_without_calibration_that_it_has_none(
    heads, files, tmp_path
):
    for name in (ALL, ALONE, WHOLE):
        arguments = (files["Tests.java"], "--functions", "--task", "flaky-detection")
        first = document(name, *arguments, "--backbone", heads)
        target = tmp_path / name.replace("/", "-")
        said("train", "export", name, str(target), "--backbone", heads)
        again = document(str(target), *arguments, "--backbone", heads)
        assert again["calibrations"] == first["calibrations"]
        for a, b in zip(again["results"], first["results"], strict=True):
            assert a["probability"] == pytest.approx(b["probability"], abs=1e-5)
    (target / "calibration.json").unlink()
    bare = document(str(target), *arguments, "--backbone", heads)
    assert "mtpeft train calibrate" in bare["calibrations"][0]["uncalibrated"]
    assert {(r["calibrated"], r["threshold"]) for r in bare["results"]} == {(False, 0.5)}
    told = said("apply", str(target), *arguments, "--backbone", heads)
    assert "uncalibrated, threshold 0.5" in told


def test_several_runs_share_one_base_in_memory_and_say_what_each_says_alone(
    heads, files, monkeypatch
):
    from mtpeft.models import base

    loads = []
    real = base.load_encoder
    monkeypatch.setattr(base, "load_encoder", lambda *a, **k: loads.append(a) or real(*a, **k))
    options = Options([ALL, ALONE], [Path(files["Tests.java"])], every=True, backbone=heads)
    both = apply(replace(options, tasks=["flaky-detection"])).results
    assert len(loads) == 1
    for run in (ALL, ALONE):
        alone = apply(replace(options, runs=[run], tasks=["flaky-detection"])).results
        assert [r.probability for r in both if r.run == run] == [r.probability for r in alone]
    encoders = Encoders()
    models = [encoders.model(find(name).folder, heads) for name in (ALL, ALONE, WHOLE)]
    words = [{p.data_ptr() for p in m.encoder.parameters()} for m in models]
    assert words[0] & words[1] and not words[2] & (words[0] | words[1])


def test_functions_are_ranked_by_their_likeness_to_each_query(heads, files):
    queries = ("--query", "read a file", "--query", "sum", "--query", "third")
    found = document(ALL, files["tools.py"], *queries, "--backbone", heads)
    ranks = of(found, "code-search")
    assert [(r["query"], r["rank"]) for r in ranks] == [
        (q, n) for q in ("read a file", "sum", "third") for n in (1, 2)
    ]
    assert all(-1.001 <= r["similarity"] <= 1.001 for r in ranks)
    for first, second in zip(ranks[::2], ranks[1::2], strict=True):
        assert first["similarity"] >= second["similarity"]
        assert {first["function"]["name"], second["function"]["name"]} == {"read", "add"}
    # Each query is compared with each function, and not with the one that it was read beside.
    alone = of(document(ALL, files["tools.py"], *queries[2:4], "--backbone", heads), "code-search")
    assert [r["similarity"] for r in alone] == pytest.approx(
        [r["similarity"] for r in ranks[2:4]], abs=1e-5
    )
    assert (
        len(
            of(
                document(ALL, files["tools.py"], *queries, "--top", "1", "--backbone", heads),
                "code-search",
            )
        )
        == 3
    )


def test_a_bad_file_stops_no_other_and_is_seen_in_the_exit_code(heads, files):
    arguments = ("--functions", "--task", "flaky-detection", "--backbone", heads)
    names = ("empty.py", "Broken.java", "Tests.java")
    found = document(ALL, *(files[n] for n in names), files["tools.py"] + "x", *arguments, code=1)
    assert [r["function"]["name"] for r in found["results"]] == [
        "A.g",
        "Tests.sleeps",
        "Tests.adds",
    ]
    assert [Path(e["file"]).name for e in found["errors"]] == [
        "empty.py",
        "Broken.java",
        "tools.pyx",
    ]
    assert found["errors"][1]["line"] == 2
    assert all(e["found"] and e["expected"] and e["fix"] for e in found["errors"])
    unread = document(ALL, files["empty.py"], *arguments, code=2)
    assert unread["results"] == unread["skipped"] == []


def test_what_is_cut_off_is_said(heads, files, tmp_path):
    long = tmp_path / "Long.java"
    long.write_text("class L { void f() { " + "call(); " * 100 + "} }")
    found = document(
        ALL, str(long), "--functions", "--task", "flaky-detection", "--backbone", heads
    )
    assert found["results"][0]["cut"].startswith("64 of ")
    told = said(
        "apply", ALL, str(long), "--functions", "--task", "flaky-detection", "--backbone", heads
    )
    assert "64 of " in told and "tokens" in told


def test_runs_tasks_and_functions_that_are_not_there_are_refused(heads, files, tmp_path):
    for arguments, kind, found in (
        ((ALL, "--seed", "7"), MtpeftError, "no weights of"),
        ((ALL, "--task", "flaky"), UnknownName, "flaky-detection"),
        (("unixcoder-base/mt-lorra",), UnknownName, "mt-lora"),
        ((str(tmp_path),), MtpeftError, "no weights of"),
        ((ALL, "--query", " "), MtpeftError, "--query without a word"),
    ):
        with pytest.raises(kind, match=found):
            said("apply", arguments[0], files["Tests.java"], *arguments[1:], "--backbone", heads)
    # A name has to be in one of the files, not in each.
    both = [Path(files[name]) for name in ("Tests.java", "tools.py")]
    report = apply(Options([ALL], both, ["adds", "red"], tasks=["flaky-detection"], backbone=heads))
    assert [r.function.name for r in report.results] == ["Tests.adds"]
    assert [e.expected for e in report.errors] == ["did you mean read?"]


def test_a_run_with_another_base_model_is_refused(heads, files, tmp_path):
    other = save_encoder(tmp_path / "other", ["int f() { return 1; }"], 300)
    with pytest.raises(MtpeftError, match="are not those that"):
        said("apply", ALL, files["Tests.java"], "--backbone", other)


# ------------------------------------------------------------ language models


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two adapters trained on one tiny language model; its folder."""
    torch.set_num_threads(1)
    backbone = tiny_backbone.build(tmp_path_factory.mktemp("base"))
    for name in SPEAKING:
        entry = catalog().get("runs", name)
        job = tiny_backbone.job(backbone, REGENERATED / "training", tasks=entry.tasks, count=2)
        train(replace(job, run=entry))
    return str(backbone)


def test_summaries_translations_and_completions_come_with_their_scores(speaking, files):
    arguments = ("--training", "smoke", "--backbone", speaking, "--new-tokens", "8")
    both = document(SPEAKING[0], files["tools.py"], "--run", SPEAKING[1], "--functions", *arguments)
    names = [(r["run"], r["task"], r["function"]["name"]) for r in both["results"]]
    assert names == [
        (SPEAKING[0], "generation", "read"),
        (SPEAKING[0], "summarization", "read"),
        (SPEAKING[0], "summarization", "add"),
        (SPEAKING[1], "summarization", "read"),
        (SPEAKING[1], "summarization", "add"),
    ]
    assert all(r["mean_log_probability"] < 0 for r in both["results"])
    alone = document(SPEAKING[1], files["tools.py"], "--functions", *arguments)
    assert alone["results"] == both["results"][3:]
    java = document(
        SPEAKING[0], files["Tests.java"], "--functions", "--task", "translation", *arguments
    )
    assert {(r["language"], r["output"]) for r in java["results"]} == {("csharp", "code")}
    told = said("apply", SPEAKING[0], files["tools.py"], "--functions", *arguments)
    assert "cut off at its limit of tokens" in told and "mean log-probability -" in told


def test_code_longer_than_the_model_can_read_is_cut_at_its_end_and_said(speaking, tmp_path):
    long = tmp_path / "long.py"
    long.write_text("def f():\n" + "    call(1, 2, 3)\n" * 400)
    arguments = ("--training", "smoke", "--backbone", speaking, "--new-tokens", "8")
    found = document(SPEAKING[1], str(long), *arguments)
    assert "characters of the code" in found["results"][0]["cut"]
    with pytest.raises(AssertionError):  # exit code 2: no room at all
        document(SPEAKING[1], str(long), *arguments[:-1], "1020")


def test_an_exported_adapter_knows_its_run(speaking, tmp_path):
    said("train", "export", SPEAKING[1], str(tmp_path / "out"), "--profile", "smoke")
    run = find(str(tmp_path / "out"))
    assert (run.name, run.tasks, run.heads) == (SPEAKING[1], ("summarization",), False)
    assert load("smoke", "summarization", "test")
    assert seed_folder("smoke", SPEAKING[1], 42).is_dir()

"""A task and a metric that the package has never heard of go through every stage, from files
outside the package.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from mtpeft.core.records import read_scores

pytestmark = pytest.mark.recipe
TOY = Path(__file__).parent / "toy"
LOUD, QUIET, UNTRAINED = RUNS = (
    "toy-tiny/st-fft/shouting",
    "toy-tiny/st-fft/quiet",
    "toy-tiny/st-lora/untrained",
)
WORDS = 16


@pytest.fixture(scope="module")
def outside(root, tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A folder far from the package, and the environment that points to it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(TOY, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {
        "MTPEFT_CATALOG": str(folder),
        "MTPEFT_OUT": str(folder / "out"),
        "PYTHONPATH": os.pathsep.join((str(root / "code"), str(folder / "modules"))),
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        "RPY2_CFFI_MODE": "ABI",
        "HF_HUB_OFFLINE": "1",
    }
    return folder, environment


@pytest.fixture(scope="module")
def facts(outside) -> dict:
    """What came of all stages."""
    folder, environment = outside
    done = subprocess.run(
        [sys.executable, str(folder / "stages.py"), str(folder / "out")],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads((folder / "out" / "facts.json").read_text(encoding="utf-8"))


def cli(outside, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    folder, inherited = outside
    return subprocess.run(
        [sys.executable, "-m", "mtpeft", *arguments],
        cwd=folder,
        env=inherited | environment,
        text=True,
        capture_output=True,
        timeout=120,
    )


def test_nothing_of_the_toy_is_inside_the_package(root):
    files = [p for p in (root / "code").rglob("*") if p.suffix in (".py", ".yaml")]
    assert [p for p in files if "shouting" in p.read_text(encoding="utf-8")] == [] != files


def test_the_catalog_lists_what_was_added_outside(outside):
    for kind, name in (
        ("tasks", "shouting"),
        ("tools", "loudness"),
        ("runs", QUIET),
        ("comparisons", "toy-loudness"),
    ):
        assert name in cli(outside, "list", kind).stdout, kind


def test_training_and_inference_take_a_task_and_a_corpus_from_outside(facts):
    """Each run answers in the manner of its own corpus; the one without training answers in
    neither.
    """
    answers = {run: facts["answers"][run].values() for run in RUNS}
    assert all(len(found) == WORDS for found in answers.values())
    assert all(a[:-1].isalpha() and a.isupper() and a.endswith("!") for a in answers[LOUD]), answers
    assert all(a.isalpha() and a.islower() for a in answers[QUIET]), answers
    assert not any(a.isalpha() or a.endswith("!") for a in answers[UNTRAINED]), answers


def test_a_metric_from_outside_is_scored_and_what_it_cannot_read_is_no_zero(facts):
    table = read_scores(Path(facts["scores"]))
    assert (
        list(table.columns[4:]) == ["loudness_capitals", "loudness_marks"]
        and len(table) == 3 * WORDS
    )
    for run, marks in ((LOUD, 1), (QUIET, 0)):
        part = table[table["run"] == run]
        assert (part["status"] == "ok").all()
        assert (part["loudness_marks"] == marks).all() and (
            (part["loudness_capitals"] > 0) == bool(marks)
        ).all()
    unread = table[table["run"] == UNTRAINED]
    assert set(unread["status"]) <= {"empty", "unparseable"}
    assert unread[["loudness_capitals", "loudness_marks"]].isna().all(axis=None)


def test_a_comparison_from_outside_is_tested_and_judged(facts):
    loud, quiet = facts["capitals"]
    assert loud > quiet == 0
    assert facts["p"] < 0.001
    assert facts["read_back"]
    assert facts["verdicts"] == {"toy:1:cliffs_delta": "exact", "toy:1:p_adjusted": "differs"}


def test_tables_a_figure_and_a_part_of_the_report_come_from_outside(facts):
    texts = {Path(p).name: Path(p).read_text(encoding="utf-8") for p in facts["tables"]}
    assert "Capitals" in texts["toy-compared.md"] and "0.9876" in texts["toy-compared.md"]
    assert f"{LOUD},{WORDS}" in texts["toy-own.csv"] and f"{QUIET},0" in texts["toy-own.csv"]
    assert {Path(p).name for p in facts["figures"]} == {
        "toy-figure.svg",
        "toy-figure.png",
        "toy-figure.csv",
    }
    assert facts["sections"] == ["<p>3 runs shout.</p>"]


def test_a_mistake_in_a_catalog_outside_is_named_by_file_and_line(outside, tmp_path):
    (tmp_path / "tasks").mkdir()
    path = tmp_path / "tasks" / "wrong.yaml"
    path.write_text("id: wrong\nmodule: x\ntitel: Wrong\n", encoding="utf-8")
    done = cli(outside, "list", "tasks", MTPEFT_CATALOG=str(tmp_path))
    assert done.returncode == 2 and f"{path}:3" in done.stderr and "title" in done.stderr


def test_a_corpus_that_cannot_be_imported_is_named(outside):
    done = cli(outside, "train", LOUD, "--corpus", "shouting.nowhere", "--backbone", "nowhere")
    assert (
        done.returncode == 2
        and "shouting.nowhere" in done.stderr
        and "Traceback" not in done.stderr
    )

"""One bad line, file or seed does not cost the others."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from mtpeft.core.records import Prediction, numbered_predictions

GOOD = {
    "run": "me/a",
    "task": "generation-python",
    "instance_id": "62b438a266fea644fe22cc2d",
    "prompt_sha256": "x",
    "raw_output": "x",
    "output": "def f():\n    return 1\n",
    "finish_reason": "stop",
    "seconds": 0.1,
}
BAD = {
    "half a surrogate pair in a name": json.dumps(GOOD | {"instance_id": "\ud800x"}),
    "deep nesting": "[" * 100_000,
    "deep nesting inside": '{"run": ' + "[" * 100_000,
    "control characters in a name": json.dumps(GOOD | {"run": "\x1b]0;pwned\x07"}),
    "a line end in a name": json.dumps(GOOD | {"task": "a\nb"}),
    "a failure that UTF-8 cannot hold": json.dumps(GOOD | {"error": "oops \ud800", "run": "b"}),
    "no json": "{oops",
    "no object": "[]",
    "huge number": '{"seconds": 1' + "0" * 5000 + "}",
    "wrong type": json.dumps(GOOD | {"seconds": "x", "run": "c"}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_the_good_lines_are_scored_whatever_is_wrong_with_another(mtpeft, tmp_path, bad):
    path = tmp_path / "generation-python.jsonl"
    path.write_text(f"{bad}\n{json.dumps(GOOD)}\n")
    done = mtpeft("score", str(path), "lizard", "--out", str(tmp_path / "s"))
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert f"{path}:1" in done.stderr and "\x1b" not in done.stderr + done.stdout
    [table] = (tmp_path / "s" / "scores").rglob("generation-python.csv")
    assert "62b438a266fea644fe22cc2d" in table.read_text()
    assert len((tmp_path / "s" / "problems.csv").read_text().splitlines()) == 2


def test_packed_predictions_are_read_as_they_are_distributed(tmp_path):
    import gzip

    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    [(line, record)] = numbered_predictions(path)
    assert line == 1 and isinstance(record, Prediction)


@pytest.fixture
def fake(tmp_path: Path) -> tuple[Path, Path]:
    """An environment whose `python -m mtpeft` notes its arguments and ends as told by NAME=CODE."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    log = tmp_path / "log"
    program = tmp_path / "venv" / "bin" / "python"
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{log}\n'
        'case "$*" in *one.jsonl*|*"seed 1"*) exit "$ENDS";; *) exit 0;; esac\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for stamp in (".core", ".score", ".train", ".dev"):
        (tmp_path / "venv" / stamp).touch()
    return tmp_path / "venv", log


def make(root: Path, venv: Path, ends: int, goal: str, **more: str) -> int:
    environment = os.environ | {"ENDS": str(ends), "MTPEFT_OUT": str(venv.parent / "out")} | more
    command = ["make", "--no-print-directory", f"VENV={venv}", "SEEDS=1 2", goal]
    # Stamps are older than the locks of the checkout: `-o` says that they need no remaking.
    for group in (".core", ".score", ".train", "bin/python"):
        command += ["-o", f"{venv}/{group}"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True).returncode


def test_one_bad_file_does_not_keep_the_other_files_and_seeds_from_being_scored(root, fake):
    venv, log = fake
    for seed in (1, 2):
        folder = venv.parent / "out" / "training" / "fast" / "a/b" / f"seed-{seed}" / "predictions"
        folder.mkdir(parents=True)
        for name in ("one", "two"):
            (folder / f"{name}.jsonl").touch()
    assert make(root, venv, 2, "score-a/b") == 2
    scored = [line for line in log.read_text().splitlines() if "score" in line]
    assert len(scored) == 4
    assert make(root, venv, 0, "score-a/b") == 0


@pytest.mark.parametrize("goal", ["train-a/b", "infer-a/b"])
def test_make_hands_over_what_a_command_of_its_own_would_take(root, fake, goal):
    venv, log = fake
    assert make(root, venv, 0, goal, LIMIT="5", CORPUS="some folder", BACKBONE="base") == 0
    said = [line for line in log.read_text().splitlines() if " a/b " in line]
    assert said and all("--corpus some folder --backbone base --limit 5" in line for line in said)


def test_one_bad_seed_does_not_keep_the_others_from_being_predicted_but_an_interrupt_does(
    root, fake
):
    venv, log = fake
    assert make(root, venv, 2, "infer-a/b") == 2
    assert sum("infer" in line for line in log.read_text().splitlines()) == 2
    log.unlink()
    assert make(root, venv, 130, "infer-a/b") == 2
    assert sum("infer" in line for line in log.read_text().splitlines()) == 1

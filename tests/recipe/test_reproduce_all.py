"""The way from the archive to the report, as a user goes it: interrupted, resumed, repeated; and
from upstream to the archive.
"""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

pytestmark = [pytest.mark.recipe, pytest.mark.slow]

STAGES = ("statistics", "audit", "verification", "tables")


@pytest.fixture(scope="module")
def make(tmp_path_factory, root):
    """Start make with results in a folder of its own and this environment in the place of .venv.

    make("report", out) → the started process, in a process group of its own.
    """
    venv = tmp_path_factory.mktemp("venv")
    (venv / "bin").mkdir()
    launcher = venv / "bin" / "python"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    launcher.chmod(0o755)
    for group in ("core", "score", "dev"):
        (venv / f".{group}").touch()
        # Newer than any lock, whenever that is edited: a test must never install into the
        # environment it runs in.
        os.utime(venv / f".{group}", (2**32, 2**32))

    def start(target: str, out: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["make", "-j2", f"VENV={venv}", f"OUT={out}", target],
            cwd=root,
            text=True,
            env=os.environ | {"MTPEFT_OUT": str(out)},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return start


def finished(process: subprocess.Popen[str]) -> str:
    text = process.communicate(timeout=900)[0]
    assert process.returncode == 0, text
    return text


def contents(out: Path) -> dict[str, bytes]:
    """What the stages wrote, by name, less provenance (it names times) and what a killed process
    left under a hidden name.
    """
    return {
        p.relative_to(out).as_posix(): p.read_bytes()
        for stage in STAGES
        for p in sorted((out / stage).rglob("*"))
        if p.is_file() and not p.name.endswith(".provenance.json") and not p.name.startswith(".")
    }


@pytest.fixture(scope="module")
def reference(make, tmp_path_factory):
    """An undisturbed run: its folder, what it wrote, what it printed and how long it took."""
    out = tmp_path_factory.mktemp("reference")
    start = time.monotonic()
    text = finished(make("reproduce-all", out))
    return out, contents(out), text, time.monotonic() - start


def test_one_command_goes_from_the_archive_to_the_report(reference):
    out, written, text, _ = reference
    assert {
        "statistics/tests.csv",
        "audit/causes.csv",
        "audit/KNOWN_ISSUES.md",
        "verification/verdicts.csv",
    } <= set(written)
    assert (out / "report" / "index.html").is_file()
    assert re.search(r"^T1 printed values +\d+ exact", text, re.MULTILINE)
    assert "0 unexplained differences" in text


def test_no_table_of_numbers_changes_without_being_named(reference, root):
    """Every CSV that the stages write, against the checksums of the last accepted state.

    A change that is right is named in CHANGELOG.md under "Changes numbers"; the list is then renewed
    by `make reproduce-all record-tables`.
    """
    out, *_ = reference
    accepted = dict(
        line.split("  ")[::-1]
        for line in (root / "tests" / "recipe" / "tables.sha256").read_text().splitlines()
    )
    now = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in contents(out).items()
        if name.endswith(".csv")
    }
    changed = sorted(
        name for name in accepted.keys() | now.keys() if accepted.get(name) != now.get(name)
    )
    assert not changed, "changed, new or gone: " + ", ".join(changed)


def test_the_documents_print_what_the_command_prints(reference, root):
    """README.md shows the last lines, REPRODUCE.md the verdict of each claim: as they are now."""
    out = reference[0]
    done = subprocess.run(
        [sys.executable, "docs/documents.py", "--check"],
        cwd=root,
        env=os.environ | {"MTPEFT_OUT": str(out), "PYTHONPATH": "code"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}; to fix: make documents"
    shown = re.search(
        r"`make documents`: verdict -->\n(.*?)<!-- end -->",
        (root / "README.md").read_text(),
        re.DOTALL,
    )
    lines = [line.strip() for line in shown[1].splitlines() if line.strip()]
    printed = [line.strip() for line in reference[2].splitlines()]
    # Behind them make may remark on the fixture's stamps, which lie in the future.
    first = printed.index(lines[0])
    assert lines[:-1] == printed[first : first + len(lines) - 1]
    assert printed[first + len(lines) - 1].startswith("0 unexplained differences; report: ")


def test_the_results_take_the_disk_space_that_the_documents_state(reference, root):
    size = sum(p.stat().st_size for p in reference[0].rglob("*") if p.is_file())
    text = (root / "docs" / "measured.toml").read_text(encoding="utf-8")
    times = tomllib.loads(text)["times"]
    (stated,) = (row["disk"] for row in times if row["what"] == "`make reproduce-all`")
    assert 0.5 < size / 1e6 / float(stated.removesuffix(" MB")) < 1.05


def test_a_second_run_does_nothing_and_says_so(reference, make):
    out = reference[0]
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    text = finished(make("reproduce-all", out))
    assert "nothing to do: every result is up to date" in text
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before


def test_a_run_killed_again_and_again_ends_with_the_same_bytes(reference, make, tmp_path):
    _, wanted, _, seconds = reference
    moments = random.Random(20)
    for share in (0.15, 0.4, 0.4):
        process = make("reproduce-all", tmp_path)
        try:
            process.wait(timeout=seconds * share * moments.uniform(0.5, 1.5))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        torn = [name for name, data in contents(tmp_path).items() if data != wanted[name]]
        assert not torn, "a killed run left files that look finished"
    finished(make("reproduce-all", tmp_path))
    assert contents(tmp_path) == wanted


@pytest.mark.parametrize(
    ("stage", "last"), [("statistics", "tests"), ("audit", "causes"), ("verification", "verdicts")]
)
def test_what_make_looks_at_is_written_last(reference, stage, last):
    """So that a stage that was killed before, with tables of two runs beside each other, runs again."""
    folder = reference[0] / stage
    written = {p.stem: p.stat().st_mtime_ns for p in folder.glob("*.csv")}
    assert len(written) > 1
    assert max(written, key=written.__getitem__) == last


def test_a_table_that_went_missing_is_made_again(reference, make, tmp_path):
    """Also where the table by which `make` knows the stage is still there."""
    out = tmp_path / "out"
    shutil.copytree(reference[0], out)
    for name in ("statistics/contrasts.csv", "statistics/means.csv", "audit/consistency.csv"):
        (out / name).unlink()
    finished(make("verify", out))
    assert contents(out) == reference[1]


def test_a_page_without_the_files_that_belong_to_it_is_no_finished_report(
    reference, make, tmp_path
):
    """What a run leaves that was killed after it wrote the page and before anything else."""
    out = tmp_path / "out"
    shutil.copytree(reference[0], out)
    for name in (
        "report/verdict.json",
        "report/junit.xml",
        "ro-crate-metadata.json",
        "report/.complete",
    ):
        (out / name).unlink()
    finished(make("report", out))
    assert all(
        (out / name).is_file()
        for name in ("report/verdict.json", "report/junit.xml", "ro-crate-metadata.json")
    )


@pytest.mark.parametrize(
    "stage, makes",
    [
        ("statistics", "statistics/tests.csv"),
        ("audit", "audit/causes.csv"),
        ("verify", "verification/verdicts.csv"),
    ],
)
def test_a_stage_killed_at_any_moment_can_simply_be_run_again(
    reference, tmp_path, root, stage, makes
):
    complete, wanted = reference[:2]
    out = tmp_path / "out"
    shutil.copytree(complete, out)
    (out / makes).unlink()
    command, environment = (
        [sys.executable, "-m", "mtpeft", stage],
        os.environ | {"MTPEFT_OUT": str(out)},
    )
    moments = random.Random(stage)
    for _ in range(2):
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=moments.uniform(0.2, 6))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        now = contents(out)
        assert now.keys() <= wanted.keys()
        assert all(now[name] == wanted[name] for name in now)
    # With other hashes of strings: nothing may depend on the order of a set.
    subprocess.run(
        command,
        cwd=root,
        env=environment | {"PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
    )
    assert contents(out) == wanted


INTERRUPTED = """
import os, signal, sys
from mtpeft.statistics import compare

run, calls = compare.run_comparison, []

def interrupted(*arguments):
    calls.append(1)
    if len(calls) == 3:  # R runs by now
        os.kill(os.getpid(), signal.SIGINT)
    return run(*arguments)

compare.run_comparison = interrupted
sys.argv = ["mtpeft", "statistics"]
from mtpeft.cli import main
main()
"""


def test_an_interrupt_from_the_keyboard_ends_without_traceback_and_half_files(tmp_path, root):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=root,
        text=True,
        capture_output=True,
        env=os.environ | {"MTPEFT_OUT": str(tmp_path)},
    )
    assert done.returncode == 130
    assert "the same command resumes" in done.stderr and "Traceback" not in done.stderr
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_the_known_issues_at_the_top_begin_with_those_of_the_audit(reference, root):
    assert (root / "KNOWN_ISSUES.md").read_bytes().startswith(reference[1]["audit/KNOWN_ISSUES.md"])


def test_the_archive_is_what_the_upstream_files_give(mirror, tmp_path, root, known):
    from mtpeft.archive.stage import import_archive

    study = known.studies["multitask-qlora"]
    import_archive(study, archived=tmp_path / "archived", published=tmp_path / "published")
    compared = 0
    for made in sorted(tmp_path.rglob("*")):
        if made.is_file() and made.name not in ("SHA256SUMS", "ROWS"):
            assert (
                made.read_bytes() == (root / "results" / made.relative_to(tmp_path)).read_bytes()
            ), made.name
            compared += 1
    # One table per tool and evaluation set, the printed values, and the list of upstream files.
    assert compared == sum(len(known.tools[tool].archive) for tool in study.tools) + 2
    assert (tmp_path / "archived" / "SHA256SUMS").read_bytes() == (
        root / "results/archived/SHA256SUMS"
    ).read_bytes()

"""Every adversarial test program must be contained, as root and as an ordinary user, and each layer of the
sandbox must be needed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mtpeft.sandbox import runtimes
from mtpeft.sandbox.identity import Identity
from mtpeft.sandbox.selftest import read_folder

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "evil_programs"
PROGRAMS = read_folder(FOLDER)
ORDINARY = 12_345
# whoever is not root cannot become it; then there is one pass
USERS = ["root", "ordinary user"] if os.geteuid() == 0 else ["ordinary user"]


def command(user: str, code: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The self-test as that user, with an interpreter and a copy of the files that the user can
    read.
    """
    prefix, python = [], sys.executable
    if user == "ordinary user" and os.geteuid() == 0:
        prefix = [
            "setpriv",
            "--reuid",
            str(ORDINARY),
            "--regid",
            str(ORDINARY),
            "--clear-groups",
            "--",
        ]
        python = runtimes.python(Identity(ORDINARY, ORDINARY, dedicated=True)).argv[0]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(code),
        "HOME": str(code),
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        [*prefix, python, "-B", "-m", "mtpeft.sandbox.selftest", *arguments],
        cwd=code,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def make_copy() -> Path:
    """The runner and the evil programs where every user can read them."""
    folder = Path(tempfile.mkdtemp(prefix="mtpeft-copy-"))
    package = folder / "mtpeft"
    source = ROOT / "code" / "mtpeft"
    ignore = shutil.ignore_patterns("__pycache__")
    package.mkdir()
    shutil.copyfile(source / "__init__.py", package / "__init__.py")
    for room in ("core", "sandbox"):
        shutil.copytree(source / room, package / room, ignore=ignore)
    shutil.copytree(FOLDER, folder / "evil_programs", ignore=ignore)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.fixture(scope="module")
def reports():
    """user -> (program -> report, finished process): each user's pass runs once, all passes side by
    side.
    """
    folder = make_copy()
    try:
        with ThreadPoolExecutor(len(USERS)) as executor:
            passes = list(
                executor.map(
                    lambda user: command(user, folder, str(folder / "evil_programs"), "--json"),
                    USERS,
                )
            )
        yield {
            user: (
                {line["name"]: line for line in map(json.loads, finished.stdout.splitlines())},
                finished,
            )
            for user, finished in zip(USERS, passes, strict=True)
        }
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", [program.name for program in PROGRAMS])
def test_an_attack_gets_out_or_harms_the_next_instance(reports, user, name):
    found, finished = reports[user]
    assert name in found, finished.stderr[-2000:]
    assert found[name]["problems"] == []


@pytest.mark.parametrize("user", USERS)
def test_the_selftest_hides_an_escape_behind_its_exit_code(reports, user):
    found, finished = reports[user]
    assert finished.returncode == 0 and len(found) == len(PROGRAMS) >= 35
    assert ("uid 0" in finished.stderr) == (user == "root")


# layer taken away -> (file, line, its replacement, attacks that must then be reported, promise that
# must be refused)
LAYERS = {
    "landlock": (
        "confine.py",
        "landlock.restrict(launch.accesses, launch.abi)",
        ["read_shadow", "find_leftovers", "run_programs"],
        "reading what the interpreter needs only",
    ),
    "seccomp": (
        "confine.py",
        "seccomp.install(\n            seccomp.build(seccomp.FilterPolicy(os.getpid(), launch.limits.processes > 1))\n        )",
        [
            "socket_by_name",
            "unix_socket",
            "abstract_socket",
            "abi_x32",
            "message_queues",
            "fork_refused",
            "pipe_memory",
        ],
        "no network",
    ),
    "rlimits": ("confine.py", "_limit(launch.limits, tasks)", ["big_file"], "limit on memory"),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_missing_layer_goes_unnoticed(layer):
    """Without the layer the sandbox refuses, naming the promise; with that refusal gone too, the
    attacks succeed.
    """
    name, line, attacks, promise = LAYERS[layer]
    folder = make_copy()
    try:
        remove(folder / "mtpeft/sandbox" / name, line)
        refused = command(USERS[-1], folder, str(folder / "evil_programs"), "--only", attacks[0])
        assert refused.returncode == 2 and f"cannot guarantee '{promise}'" in refused.stderr
        assert "expected:" in refused.stderr and "to fix:" in refused.stderr
        remove(folder / "mtpeft/sandbox/runner.py", "guarantees.check(report)")
        finished = command(
            USERS[-1],
            folder,
            str(folder / "evil_programs"),
            "--json",
            "--workers",
            "1",
            "--only",
            *attacks,
        )
        lines = [json.loads(text) for text in finished.stdout.splitlines()]
        assert {item["name"] for item in lines if item["problems"]} == set(attacks), finished.stderr
        assert finished.returncode == 1
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("user", USERS)
def test_the_disk_is_filled_where_the_scratch_folder_is_no_file_system_of_its_own(user):
    """Without the right to mount, counting finds what a program hides."""
    folder = make_copy()
    attacks = sorted(p.name for p in PROGRAMS if p.expect[0] == "disk_limit")
    try:
        path = folder / "mtpeft/sandbox/supervisor.py"
        text = path.read_text()
        assert text.count("mounting = mounts.enter(base)") == 1
        path.write_text(text.replace("mounting = mounts.enter(base)", "mounting = False"))
        finished = command(
            user, folder, str(folder / "evil_programs"), "--json", "--only", *attacks
        )
        found = {
            item["name"]: item["status"] for item in map(json.loads, finished.stdout.splitlines())
        }
        assert len(attacks) >= 7 and set(attacks) <= found.keys()
        assert set(found.values()) <= {"disk_limit", "memory"}, found
    finally:
        shutil.rmtree(folder)


def remove(path: Path, line: str) -> None:
    text = path.read_text()
    assert text.count(line) == 1
    path.write_text(text.replace(line, "pass"))


def test_an_evil_program_lacks_its_header():
    for program in PROGRAMS:
        assert program.attack and program.expect
        assert len(program.path.read_text().splitlines()) <= 70

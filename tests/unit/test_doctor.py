"""`make doctor` promises only what the next command holds; set-up says what stands in its way."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The doctor as a user that is not root, whoever runs the tests.
ORDINARY = "import os, runpy, sys; os.geteuid = lambda: 1000; runpy.run_path(sys.argv[1], run_name='__main__')"


def program(folder: Path, name: str, says: str, code: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'E'\n{says}\nE\nexit {code}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The folder of a PATH on which everything is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat"):
        (folder / name).symlink_to(shutil.which(name) or "")
    for name, says in (("make", "GNU Make 4.3"), ("R", "R version 4.2.2 (2022-10-31)")):
        program(folder, name, says)
    return folder


def doctor(machine: Path, **more: str) -> tuple[int, str]:
    environment = {
        "PATH": str(machine),
        "VENV": str(machine.parent / "venv"),
        "MTPEFT_OUT": str(machine.parent / "out"),
    }
    done = subprocess.run(
        [sys.executable, "-c", ORDINARY, str(ROOT / "docker" / "setup" / "doctor.py")],
        env=environment | more,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


PROMISE = "what make reproduce-all needs of this machine is there"


def test_a_machine_that_has_everything_passes(machine):
    code, text = doctor(machine)
    assert code == 0 and PROMISE in text and "ok    R 4.2 or later" in text


@pytest.mark.parametrize(
    ("name", "says"),
    [("R", "R version 4.1.2 (2021-11-01)"), ("make", "GNU Make 3.81"), ("make", "bmake")],
)
def test_a_version_that_is_too_old_does_not_pass(machine, name, says):
    program(machine, name, says)
    code, text = doctor(machine)
    assert code == 2 and PROMISE not in text and "cannot run here yet" in text


def test_a_program_that_fails_to_say_its_version_does_not_pass(machine):
    program(machine, "R", "R version 4.2.2", code=127)
    assert doctor(machine)[0] == 2


def test_missing_r_counts_where_this_user_may_not_install_it(machine):
    (machine / "R").unlink()
    program(machine, "apt-get", "")
    code, text = doctor(machine)
    assert code == 2 and "MISS  R 4.2 or later" in text and "sudo apt-get" in text
    program(machine, "sudo", "a password is required", code=1)
    assert doctor(machine)[0] == 2


def test_missing_r_does_not_count_where_make_may_install_it(machine):
    (machine / "R").unlink()
    program(machine, "apt-get", "")
    program(machine, "sudo", "")
    code, text = doctor(machine, INSTALL="1")
    assert code == 0 and "make installs it" in text
    code, text = doctor(machine, INSTALL="0")
    assert code == 2 and "make INSTALL=1" in text


def test_nothing_is_installed_unasked(machine):
    for name in ("bash", "id", "env"):
        (machine / name).symlink_to(shutil.which(name) or "")
    (machine / "R").unlink()
    trace = machine.parent / "trace"
    for name in ("apt-get", "sudo"):
        program(machine, name, "", 0)
        (machine / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{trace}\n')
    script = [str(ROOT / "docker" / "setup" / "need.sh"), "R", "r-base-core"]
    for install, code in (("0", 2), ("1", 0)):
        done = subprocess.run(
            script,
            env={"PATH": str(machine), "INSTALL": install},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code
        assert ("install" in (trace.read_text() if trace.exists() else "")) == (install == "1")
        assert ("INSTALL=1" in done.stderr) == (install == "0")


def test_missing_r_counts_where_the_system_offers_only_an_older_one(machine):
    (machine / "R").unlink()
    for name in ("apt-get", "sudo"):
        program(machine, name, "")
    program(machine, "apt-cache", "r-base-core:\n  Installed: (none)\n  Candidate: 4.1.2-1ubuntu2")
    code, text = doctor(machine)
    assert code == 2 and "offers 4.1.2" in text


@pytest.mark.parametrize("name", ["VENV", "MTPEFT_OUT"])
def test_a_place_that_cannot_be_written_is_named_with_its_variable(machine, name):
    (machine.parent / "file").touch()
    code, text = doctor(machine, **{name: str(machine.parent / "file" / "below")})
    assert code == 2 and f"{name}=/another/folder" in text


def test_an_old_r_is_refused_before_anything_is_installed(machine):
    for name in ("bash", "dirname", "sed", "head", "sort", "env"):
        (machine / name).symlink_to(shutil.which(name) or "")
    script = [str(ROOT / "docker" / "setup" / "r.sh")]
    environment = {"PATH": str(machine)}
    assert subprocess.run(script, env=environment).returncode == 0
    program(machine, "R", "R version 4.1.2 (2021-11-01)")
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "R is 4.1.2; expected R 4.2" in done.stderr
    assert "to fix:" in done.stderr


def test_an_environment_that_cannot_be_made_is_refused_with_both_variables(tmp_path):
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "venv")
    script = [str(ROOT / "docker" / "setup" / "venv.sh"), sys.executable, place]
    done = subprocess.run(script, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2 and "VENV=" in done.stderr and "MTPEFT_OUT=" in done.stderr


def torch_in(venv: Path, cuda: str | None) -> None:
    """The file by which torch says what it was built for."""
    folder = venv / "lib" / "python3.11" / "site-packages" / "torch"
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("version.py").write_text(f"cuda: Optional[str] = {cuda!r}\nhip = None\n")


def test_an_old_driver_and_torch_without_cuda_are_named_where_there_is_a_gpu(machine):
    venv = machine.parent / "venv"
    torch_in(venv, None)
    assert "ok    torch's build suits this machine" in doctor(machine)[1]
    program(machine, "nvidia-smi", "570.86.15")
    text = doctor(machine)[1]
    assert "found driver 570.86.15; install a later one" in text
    assert f"MTPEFT_TORCH=cuda make {venv}/.train" in text
    program(machine, "nvidia-smi", "580.65.06")
    torch_in(venv, "13.0")
    text = doctor(machine)[1]
    assert "ok    torch's build suits this machine" in text and "install a later" not in text


@pytest.mark.parametrize("there, asked", [(None, "cuda"), ("13.0", "cpu"), ("13.0", "cuda")])
def test_a_build_of_torch_that_is_asked_for_replaces_the_other_one(tmp_path, there, asked):
    """Both have the version that the lock pins, so that pip alone would keep the one it finds."""
    venv, log = tmp_path / "venv", tmp_path / "log"
    torch_in(venv, there)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").write_text(f'#!/bin/sh\necho "$*" >>{log}\n')
    (venv / "bin" / "python").chmod(0o755)
    group = ["bash", str(ROOT / "docker" / "setup" / "group.sh"), str(venv), "train"]
    subprocess.run(group, check=True, capture_output=True)  # a first set-up, as the machine is
    torch_in(venv, there)
    log.write_text("")
    environment = os.environ | {"MTPEFT_TORCH": asked}
    subprocess.run(group, check=True, capture_output=True, env=environment)
    pip = [line for line in log.read_text().splitlines() if " pip " in line]
    if (asked == "cuda") == bool(there):
        assert not pip
        return
    assert "uninstall --yes torch" in pip[0]
    assert f"-r docker/locks/torch-{asked}.txt" in pip[1]


def test_make_looks_again_where_a_build_of_torch_is_asked_for(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    group = ROOT / "docker" / "setup" / "group.sh"
    for name in ("core", "train"):
        subprocess.run(["bash", group, tmp_path, name], check=True, capture_output=True)
    command = ["make", "-n", "-C", str(ROOT), f"VENV={tmp_path}", f"{tmp_path}/.train"]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MTPEFT_"))}
    for more, looks in (({}, False), ({"MTPEFT_TORCH": "cuda"}, True)):
        done = subprocess.run(command, env=plain | more, capture_output=True, text=True)
        assert ("group.sh" in done.stdout) == looks, done.stdout + done.stderr


@pytest.fixture
def setup_tree(tmp_path):
    """The parts of a checkout that install groups, and an environment whose pip writes a log and fails
    where a file `full` is there.
    """
    tree, venv = tmp_path / "tree", tmp_path / "venv"
    shutil.copytree(ROOT / "docker", tree / "docker")
    shutil.copy(ROOT / "Makefile", tree)
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text(
        f'#!/bin/sh\n[ "$1" = -m ] || exit 0\necho "$*" >>{tmp_path}/log\n[ ! -e {tmp_path}/full ]\n'
    )
    (venv / "bin" / "python").chmod(0o755)
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MTPEFT_"))}

    def make(name: str) -> tuple[int, list[str]]:
        (tmp_path / "log").write_text("")
        command = ["make", "-C", str(tree), f"VENV={venv}", f"{venv}/.{name}"]
        done = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
        found = re.findall(r"locks/([\w-]+)\.txt", (tmp_path / "log").read_text())
        return done.returncode, found

    return tree, venv, make


@pytest.mark.parametrize("name", ["score.txt", "torch-cpu.txt"])
def test_a_lock_that_says_something_else_is_installed_though_its_date_is_older(setup_tree, name):
    tree, _, make = setup_tree
    group = "score" if name == "score.txt" else "train"
    (tree / "docker" / "setup" / "r.sh").write_text("")  # R is not what is tested
    assert group in make(group)[1] and make(group) == (0, [])
    lock = tree / "docker" / "locks" / name
    lock.write_text(lock.read_text() + "# another version\n")
    os.utime(lock, (0, 0))
    assert group in make(group)[1] and make(group) == (0, [])


def test_an_installation_that_broke_off_is_done_again_also_with_the_lock_before_it(setup_tree):
    tree, venv, make = setup_tree
    (tree / "docker" / "setup" / "r.sh").write_text("")
    assert make("score") == (0, ["core", "score"])
    lock = tree / "docker" / "locks" / "score.txt"
    before = lock.read_text()
    lock.write_text(before + "# another version\n")
    (venv.parent / "full").touch()
    assert make("score") == (2, ["score"])
    (venv.parent / "full").unlink()
    lock.write_text(before)
    os.utime(lock, (0, 0))
    assert make("score") == (0, ["score"])


def test_make_test_needs_no_browser():
    recipe = (ROOT / "Makefile").read_text().partition("\ntest: ")[2].partition("\n\n")[0]
    assert "pytest" in recipe and "need.sh" not in recipe


def test_a_newer_file_time_installs_nothing_again(tmp_path):
    """In a fresh clone every lock is newer than the stamp of an environment that was there."""
    venv, log = tmp_path / "venv", tmp_path / "log"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text(f'#!/bin/sh\necho "$*" >>{log}\n')
    (venv / "bin" / "python").chmod(0o755)
    group = ["bash", str(ROOT / "docker" / "setup" / "group.sh"), str(venv), "core"]
    subprocess.run(group, check=True, capture_output=True)
    assert " pip " in log.read_text()
    log.write_text("")
    os.utime(venv / ".core", (0, 0))
    subprocess.run(group, check=True, capture_output=True)
    assert " pip " not in log.read_text()
    (venv / ".core").write_text("made from another lock\n")
    subprocess.run(group, check=True, capture_output=True)
    assert " pip " in log.read_text()

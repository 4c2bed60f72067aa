"""Outside programs end.

By themselves, by their time limit, or with the process that started them.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mtpeft.core import processes
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.processes import TimedOut, run

CODE = str(Path(__file__).resolve().parents[2] / "code")


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that nobody waits for has)."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_output_error_and_exit_code_come_back():
    done = run(
        [sys.executable, "-c", "import sys; print(input()); sys.exit('oh')"],
        seconds=20,
        given="hi\n",
    )
    assert (done.code, done.text, done.err) == (1, "hi\n", b"oh\n") and done.problem == "oh"


def test_large_input_and_output_do_not_block_each_other():
    data = os.urandom(3 << 20)
    echo = (
        "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); "
        "sys.stderr.write('x' * (1 << 20))"
    )
    done = run([sys.executable, "-c", echo], seconds=30, given=data)
    assert done.out == data and len(done.err) == 1 << 20


def test_a_program_that_does_not_read_its_input_is_no_error():
    assert run([sys.executable, "-c", "pass"], seconds=20, given=b"x" * (4 << 20)).code == 0


def test_a_program_that_is_not_there_is_unavailable():
    with pytest.raises(Unavailable, match="no-such-program is not installed") as error:
        run(["no-such-program"], seconds=1, fix="apt-get install it")
    assert error.value.fix == "apt-get install it"


def test_an_exit_code_that_is_not_accepted_is_an_error_with_the_last_words():
    with pytest.raises(MtpeftError, match="ended with code 3: broken"):
        run(
            [sys.executable, "-c", "import sys; print('broken', file=sys.stderr); sys.exit(3)"],
            seconds=20,
            accept=(0,),
        )


CHILD = (
    "import subprocess, sys, time; "
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']); "
    "print(p.pid, flush=True); time.sleep(300)"
)


def test_time_limit_ends_the_program_and_what_it_started(tmp_path):
    note = tmp_path / "pid"
    code = CHILD.replace("print(p.pid, flush=True)", f"open({str(note)!r}, 'w').write(str(p.pid))")
    with pytest.raises(TimedOut, match="has not ended after 1.5 s"):
        run([sys.executable, "-c", code], seconds=1.5)
    assert gone(int(note.read_text()))


def test_endless_output_is_cut_off():
    with pytest.raises(MtpeftError, match="wrote more than 1000000 bytes"):
        run([sys.executable, "-c", "while True: print('x' * 10000)"], seconds=60, most=1_000_000)


def test_a_grandchild_that_holds_the_output_open_does_not_hold_us(monkeypatch):
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.1)
    code = (
        "import subprocess, sys; "
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']).pid)"
    )
    done = run([sys.executable, "-c", code], seconds=60)
    assert done.code == 0 and gone(int(done.text))


@pytest.mark.parametrize("how", ["setpriv", "python"])
def test_a_killed_parent_takes_its_program_along(how):
    if how == "setpriv" and processes._setpriv() is None:
        pytest.skip("no setpriv that knows --pdeathsig")
    code = (
        "import sys; from mtpeft.core import processes\n"
        + ("processes._setpriv = lambda: None\n" if how == "python" else "")
        + "child = 'import os, sys, time; print(os.getpid(), file=sys.stderr); time.sleep(300)'\n"
        + "processes.run([sys.executable, '-c', child], seconds=300, to_terminal=True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": CODE}
    )
    assert parent.stderr is not None
    child = int(parent.stderr.readline())
    assert not gone_now(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(child)
    parent.stderr.close()


def gone_now(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_workers_of_a_killed_command_stay():
    """Every place that starts workers lets them die with their parent."""
    code = Path(processes.__file__).parents[1]
    starts = re.compile(r"\bProcessPoolExecutor\(|\bcontext\.Process\(")
    places = [p for p in code.rglob("*.py") if starts.search(p.read_text("utf-8"))]
    assert len(places) >= 6
    assert [p.name for p in places if "die_with_parent" not in p.read_text("utf-8")] == []


CODEBLEU = """
from mtpeft.scoring.codebleu.batch import score_pairs
pairs = [(f"class A {{ int f(int a) {{ return a + {n}; }} }}", f"class A {{ int g() {{ return {n}; }} }}")
         for n in range(50_000)]
print("begun", flush=True)
score_pairs(pairs, "java", corrected=False, processes=2)
"""


def test_workers_of_a_killed_codebleu_stay():
    pytest.importorskip("codebleu")
    mark = f"test-{os.getpid()}-{time.monotonic()}"
    parent = subprocess.Popen(
        [sys.executable, "-c", CODEBLEU], stdout=subprocess.PIPE, env=os.environ | {"MARK": mark}
    )

    def running() -> int:
        found = 0
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                found += f"MARK={mark}".encode() in environment.read_bytes()
        return found

    try:
        parent.stdout.readline()
        end = time.monotonic() + 60
        while running() < 3 and time.monotonic() < end:
            time.sleep(0.05)
        assert running() == 3
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    end = time.monotonic() + 10
    while running() and time.monotonic() < end:
        time.sleep(0.05)
    assert running() == 0

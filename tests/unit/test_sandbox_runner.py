"""One sandbox for the module: each way in which a run can end must get its own status, and none may
be forged.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from mtpeft.sandbox import guarantees, landlock, outcome
from mtpeft.sandbox.errors import SandboxRefused
from mtpeft.sandbox.instances import Case, FunctionInstance, ProgramInstance
from mtpeft.sandbox.limits import MIB, Limits
from mtpeft.sandbox.runner import Pool, Sandbox
from mtpeft.sandbox.selftest import left_running

TEST = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"
RIGHT = "def solve(x):\n    return x * x\n"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as running:
        yield running


def function(
    source: str, test: str = TEST, prelude: str = "", **limits: int | float
) -> FunctionInstance:
    return FunctionInstance("f", source, "solve", test, prelude, limits=Limits(**limits))


@pytest.mark.parametrize(
    "source, status, evidence",
    [
        (RIGHT, outcome.PASSED, "2 calls"),
        ("def solve(x):\n    return x\n", outcome.FAILED, "line 2 of the test"),
        ("def solve(x):\n    return 1 // 0\n", outcome.FAILED, "ZeroDivisionError"),
        ("def solve(x:\n", outcome.FAILED, "SyntaxError while the candidate was defined"),
        (
            "def other(x):\n    return x\n",
            outcome.FAILED,
            "KeyError while the candidate was defined",
        ),
        ("\0", outcome.FAILED, "while the candidate was defined"),
        (
            "def solve(x):\n    return [bytearray(1 << 20) for _ in range(2000)]\n",
            outcome.MEMORY,
            "MemoryError",
        ),
        ("import os\ndef solve(x):\n    os.abort()\n", outcome.CRASHED, "SIGABRT"),
        ("import os\ndef solve(x):\n    os._exit(0)\n", outcome.CRASHED, "exit code 0"),
        ("def solve(x):\n    return object()\n", outcome.FAILED, "object of type builtins.object"),
        (
            "def solve(x):\n    while True:\n        print('x' * 10000)\n",
            outcome.OUTPUT_LIMIT,
            "bytes of output",
        ),
    ],
)
def test_an_end_gets_the_wrong_status(sandbox, source, status, evidence):
    result = sandbox.run(function(source))
    assert result.status == status and evidence in result.evidence


def test_wall_and_cpu_time_are_not_told_apart(sandbox):
    sleeping = sandbox.run(
        function("import time\ndef solve(x):\n    time.sleep(99)\n", wall_seconds=0.3)
    )
    assert sleeping.status == outcome.TIMEOUT and "wall" in sleeping.evidence
    spinning = sandbox.run(
        function("def solve(x):\n    while True: pass\n", wall_seconds=60.0, cpu_seconds=1)
    )
    assert spinning.status == outcome.TIMEOUT and "CPU" in spinning.evidence


def test_the_tests_do_not_see_helpers_of_the_prompt(sandbox):
    test = "def check(candidate):\n    assert double(candidate(2)) == 8\n    assert candidate is solve\n"
    prelude = "def double(x):\n    return 2 * x\n\ndef solve(x):\n    '''doc'''\n"
    assert sandbox.run(function(RIGHT, test, prelude)).status == outcome.PASSED


def test_a_candidate_redefines_the_helpers_of_the_tests(sandbox):
    source = "def solve(x):\n    return 0\n\ndef expected(x):\n    return 0\n"
    test = "def check(candidate):\n    assert candidate(2) == expected(2)\n"
    assert (
        sandbox.run(function(source, test, "def expected(x):\n    return 4\n")).status
        == outcome.FAILED
    )


def test_changes_to_arguments_and_expected_exceptions_get_lost(sandbox):
    test = (
        "def check(candidate):\n    items = [3, 1]\n    try:\n        candidate(items)\n"
        "    except ValueError as error:\n        assert 'no' in str(error)\n"
        "    else:\n        assert False\n"
        "    assert items == [1, 3]\n"
    )
    source = "def solve(items):\n    items.sort()\n    raise ValueError('no')\n"
    assert sandbox.run(function(source, test)).status == outcome.PASSED


def test_a_test_that_forgives_everything_forgives_the_end_of_the_process(sandbox):
    test = "def check(candidate):\n    try:\n        candidate(1)\n    except BaseException:\n        pass\n"
    assert (
        sandbox.run(function("import os\ndef solve(x):\n    os._exit(0)\n", test)).status
        == outcome.CRASHED
    )


def test_a_broken_benchmark_is_a_wrong_answer(sandbox):
    for test in (
        "def check(candidate:\n",
        "x = 1\n",
        "def check(candidate):\n    pass\n",
        "def check(candidate):\n    candidate(lambda: 0)\n",
    ):
        assert sandbox.run(function(RIGHT, test)).status == outcome.INFRASTRUCTURE


def test_a_full_disk_is_a_wrong_answer(sandbox):
    result = sandbox.run(function(RIGHT, scratch_bytes=1 << 60))
    assert result.status == outcome.INFRASTRUCTURE and "bytes free" in result.evidence


def test_a_program_that_cannot_start_is_a_wrong_answer(sandbox):
    result = sandbox.run(function(RIGHT, memory_bytes=1 * MIB))
    assert result.status in (outcome.INFRASTRUCTURE, outcome.CRASHED)
    # below what the interpreter needs nothing was measured but the limit; it is never FAILED
    assert sandbox.run(function(RIGHT)).status == outcome.PASSED


def test_the_end_of_the_supervisor_is_a_wrong_answer_or_the_end_of_the_run(sandbox):
    process = sandbox._supervisor
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sandbox.run(function(RIGHT)).status == outcome.INFRASTRUCTURE
    assert sandbox.run(function(RIGHT)).status == outcome.PASSED


def test_a_lost_supervisor_leaves_its_programs_running(sandbox):
    source = (
        "import os, sys, time\nos.fork()\nos.fork()\nprint('up', flush=True)\ntime.sleep(600)\n"
    )
    limits = Limits(processes=4, wall_seconds=600.0)
    base, supervisor = sandbox.base, sandbox._supervisor.pid
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(
            sandbox.run, ProgramInstance("p", "python", source, limits=limits)
        )
        while len(left_running(base)) < 4:
            assert not running.done()
        os.kill(supervisor, signal.SIGKILL)
        assert running.result().status == outcome.INFRASTRUCTURE
    assert left_running(base) == [] and not os.path.exists(base)
    assert sandbox.run(function(RIGHT)).status == outcome.PASSED


def test_a_program_is_judged_by_its_exit_code_alone(sandbox):
    cases = (Case(b"2\n", b"4\n"), Case(b"3\n", b"9"))
    right = ProgramInstance("p", "python", "print(int(input()) ** 2)\n", cases)
    wrong = ProgramInstance("p", "python", "print(int(input()) * 2)\n", cases)
    assert sandbox.run(right).status == outcome.PASSED
    result = sandbox.run(wrong)
    assert (
        result.status == outcome.FAILED
        and "case 2 of 2" in result.evidence
        and result.stdout == b"6\n"
    )
    assert (
        sandbox.run(ProgramInstance("p", "python", "raise SystemExit(3)", cases)).status
        == outcome.CRASHED
    )


def test_the_environment_or_the_folder_holds_more_than_the_run_needs(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    source = "import os\nprint(sorted(os.environ), os.listdir('.'), sorted(os.listdir('/proc')) if 0 else '')\n"
    result = sandbox.run(ProgramInstance("p", "python", source))
    assert b"SECRET" not in result.stdout and b"['program.py']" in result.stdout
    assert b"PYTHONHASHSEED" in result.stdout


def test_asyncio_and_threads_of_an_honest_candidate_fail(sandbox):
    source = (
        "import asyncio, threading\n\nasync def later(x):\n    await asyncio.sleep(0)\n    return x * x\n\n"
        "def solve(x):\n    box = []\n"
        "    thread = threading.Thread(target=lambda: box.append(asyncio.run(later(x))))\n"
        "    thread.start()\n    thread.join()\n    return box[0]\n"
    )
    assert sandbox.run(function(source)).status == outcome.PASSED


def test_several_processes_cannot_be_allowed(sandbox):
    source = "import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\n    print('both')\n"
    limits = Limits(processes=2)
    assert (
        sandbox.run(ProgramInstance("p", "python", source, (Case(b"", b"both"),), limits)).status
        == outcome.PASSED
    )


def test_two_sandboxes_share_an_identity():
    with Pool(2) as pool:
        source = "import os\ndef solve(x):\n    return os.getuid()\n"
        test = "def check(candidate):\n    raise ValueError(candidate(1))\n"
        list(pool.map(lambda box, n: box.run(function(source, test)), range(6)))
        uids = [box.identity.uid for box in pool._sandboxes]
    if os.geteuid() == 0:
        assert len(set(uids)) == len(uids) == 2 and 0 not in uids
    else:
        assert set(uids) == {os.getuid()}


def test_the_sandbox_runs_without_landlock(monkeypatch):
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(SandboxRefused) as refusal:
        Sandbox()
    assert refusal.value.guarantee == "read-only file system" and refusal.value.exit_code == 2
    assert refusal.value.fix


@pytest.mark.parametrize("system, machine", [("darwin", "x86_64"), ("linux", "riscv64")])
def test_the_sandbox_runs_on_an_unknown_machine(monkeypatch, system, machine):
    monkeypatch.setattr(guarantees.sys, "platform", system)
    monkeypatch.setattr(guarantees.platform, "machine", lambda: machine)
    with pytest.raises(SandboxRefused):
        guarantees.require_kernel()


def test_a_promise_that_was_not_tried_counts_as_held():
    with pytest.raises(SandboxRefused, match="no network"):
        guarantees.check({})
    report = dict.fromkeys(guarantees.PROMISES, "held")
    guarantees.check(report)
    with pytest.raises(SandboxRefused, match="no tracing.*ptrace worked"):
        guarantees.check({**report, "no tracing": "ptrace worked"})


def test_an_interpreter_that_is_not_there_is_replaced_in_silence():
    with pytest.raises(SandboxRefused, match="interpreter"):
        Sandbox(python="/nonexistent/python3")


@pytest.mark.parametrize("abi", [1, 2, 4])
def test_an_older_kernel_gives_less(abi):
    # the probe tries every promise with the rights that this ABI knows
    with Sandbox(landlock_abi=abi) as older:
        assert older.landlock_abi == abi
        assert older.run(function(RIGHT)).status == outcome.PASSED


@pytest.mark.parametrize("name, value", [("wall_seconds", 0), ("memory_bytes", -1), ("tasks", 0)])
def test_a_limit_that_is_none_is_taken(name, value):
    with pytest.raises(ValueError, match=name):
        Limits(**{name: value})


CHECK = "def check(candidate):\n    assert candidate(3) == 9\n"


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("import os\ndef solve(x):\n    os.kill(os.getpid(), 40)\n", outcome.CRASHED, "signal 40"),
        ('raise type("X" * 5_000_000, (Exception,), {})("b")\n', outcome.FAILED, "XXX"),
        ('raise ValueError("y" * 8_000_000)\n', outcome.FAILED, "ValueError"),
        ('raise ValueError("\\udfff\\x1b")\n', outcome.FAILED, "\\udfff\\x1b"),
        ("import re\ndef solve(x):\n    return re.match('a', 'a')\n", outcome.FAILED, "re.Match"),
    ],
)
def test_what_a_candidate_chooses_is_a_bounded_verdict_on_it(sandbox, source, status, said):
    result = sandbox.run(function(source, CHECK))
    assert result.status == status and said in result.evidence
    assert len(result.evidence) < 2000 and result.evidence.isprintable()


def test_a_value_that_the_test_passes_back_blames_the_benchmark(sandbox):
    test = "def check(candidate):\n    assert candidate([candidate(1)]) == 1\n"
    deep = "def solve(x):\n    for _ in range(199):\n        x = [x]\n    return x\n"
    assert sandbox.run(function(deep, test)).status == outcome.FAILED


ENDLESS = """
import sys
from mtpeft.sandbox.instances import FunctionInstance
from mtpeft.sandbox.runner import Sandbox
with Sandbox() as sandbox:
    print(sandbox._supervisor.pid, flush=True)
    sandbox.run(FunctionInstance("a", "import time\\ndef solve(x):\\n    time.sleep(60)", "solve", "def check(c):\\n    c(1)"))
"""


@pytest.mark.parametrize("both", [False, True], ids=["client", "client and supervisor"])
def test_a_killed_run_leaves_its_folder(both):
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o711)  # the sandbox's user must reach its scratch below it
        client = subprocess.Popen(
            [sys.executable, "-c", ENDLESS],
            stdout=subprocess.PIPE,
            env=os.environ | {"TMPDIR": place},
        )
        supervisor = int(client.stdout.readline())
        time.sleep(0.5)
        client.kill()
        if both:
            os.kill(supervisor, signal.SIGKILL)
        client.wait()
        client.stdout.close()
        end = time.monotonic() + 20
        while os.path.exists(f"/proc/{supervisor}/fd") and time.monotonic() < end:
            time.sleep(0.05)
        if both:  # nobody is left that could; the next start does
            assert os.listdir(place)
            code = "from mtpeft.sandbox.runner import Sandbox\nSandbox().close()"
            subprocess.run(
                [sys.executable, "-c", code], check=True, env=os.environ | {"TMPDIR": place}
            )
        while os.listdir(place) and time.monotonic() < end:
            time.sleep(0.05)
        assert os.listdir(place) == []

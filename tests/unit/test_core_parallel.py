"""Work in several processes is the work of one: its order, its errors, its end."""

import os
import signal
import subprocess
import sys
import time

import pytest
from mtpeft.core.errors import BadInput
from mtpeft.core.parallel import in_order


@pytest.fixture(params=[1, 3], ids=["one-processor", "three-processors"])
def processors(request, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(request.param)))
    return request.param


def test_results_come_in_the_order_of_the_items(processors):
    def slow_first(n):
        time.sleep(0.2 if n == 0 else 0)
        return n * n, os.getpid()

    squares, workers = zip(*in_order(slow_first, range(6)), strict=True)
    assert squares == (0, 1, 4, 9, 16, 25)
    assert (os.getpid() in workers) == (processors == 1)


@pytest.mark.usefixtures("processors")
def test_an_error_keeps_its_file_its_line_and_its_fix():
    def fails(n):
        if n == 1:
            raise BadInput("scores.csv", "no number", "a number", "mtpeft verify", line=7)
        return n

    results = in_order(fails, range(3))
    assert next(results) == 0
    with pytest.raises(BadInput) as caught:
        next(results)
    error = caught.value
    assert (error.path.name, error.line, error.fix) == ("scores.csv", 7, "mtpeft verify")
    assert str(error).startswith("scores.csv:7: no number\n  expected: a number\n  to fix:")


def test_the_processes_end_with_a_parent_that_is_killed(tmp_path):
    program = (
        "import os, sys, time, pathlib\n"
        "from mtpeft.core.parallel import in_order\n"
        "os.sched_getaffinity = lambda pid: {0, 1}\n"
        "def work(n):\n"
        f"    (pathlib.Path({str(tmp_path)!r}) / str(os.getpid())).touch()\n"
        "    time.sleep(60)\n"
        "list(in_order(work, range(2)))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 30
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    workers = [int(p.name) for p in tmp_path.iterdir()]
    assert len(workers) == 2
    while any(_runs(w) for w in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [w for w in workers if _runs(w)]


def _runs(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False

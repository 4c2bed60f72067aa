"""Work in several processes is the work of one: its order, its errors, its end."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from mtpeft.core.errors import BadInput
from mtpeft.core.parallel import in_order, side_by_side


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


def test_a_slow_item_holds_up_no_other():
    last, lock, busy, most = threading.Event(), threading.Lock(), set(), []

    def work(n):
        with lock:
            busy.add(n)
            most.append(len(busy))
        if n == 0:
            assert last.wait(30), "the last item was not begun while the first one was busy"
        if n == 6:
            last.set()
        with lock:
            busy.remove(n)
        return n * n

    results = list(side_by_side(work, iter(range(7)), 2))
    assert sorted(results) == [0, 1, 4, 9, 16, 25, 36] and results.index(0) >= 5
    assert max(most) == 2


def test_an_error_of_a_thread_is_raised_where_results_are_taken():
    def fails(n):
        if n == 2:
            raise BadInput("scores.csv", "no number", "a number", "mtpeft verify", line=7)
        return n

    results = side_by_side(fails, range(4), 1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(BadInput, match="no number"):
        next(results)
    assert list(side_by_side(fails, [], 3)) == []


def test_who_is_interrupted_waits_for_no_thread():
    program = (
        "import time\n"
        "from mtpeft.core.parallel import side_by_side\n"
        "next(side_by_side(lambda n: time.sleep(600 * n), [0, 1, 1], 3))\n"
        "raise KeyboardInterrupt\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.endswith("KeyboardInterrupt\n")

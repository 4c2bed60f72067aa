"""Two processes on one result.

The second waits or is refused, and a killed holder blocks nobody.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mtpeft.core import locks
from mtpeft.core.errors import MtpeftError
from mtpeft.core.locks import InUse, held

HOLDER = """
import sys, pathlib
from mtpeft.core.locks import held
with held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock of `tmp_path/result`."""
    code = str(Path(__file__).resolve().parents[2] / "code")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "result")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": code},
    )
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_by_the_name_of_the_first(holder, tmp_path):
    with (
        pytest.raises(InUse, match=f"in use by process {holder.pid} on "),
        held(tmp_path / "result", wait=False),
    ):
        pass


def test_a_second_process_waits_for_the_first(holder, tmp_path, monkeypatch, capsys):
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        holder.communicate(b"")  # the first process ends

    monkeypatch.setattr(locks.time, "sleep", sleep)
    with held(tmp_path / "result"):
        assert len(waited) == 1
    assert f"in use by process {holder.pid}" in capsys.readouterr().err


def test_a_killed_holder_blocks_nobody(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with held(tmp_path / "result", wait=False):
        pass


def test_the_holder_may_ask_again_and_keeps_the_lock(tmp_path):
    refused = []

    def other() -> None:
        try:
            with held(tmp_path / "x", wait=False):
                pass
        except InUse as error:
            refused.append(error)

    with held(tmp_path / "x"):
        with held(tmp_path / "x", wait=False):
            pass
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(refused) == 1, "leaving the inner block gave the lock up"


def test_a_lock_that_cannot_be_made_is_an_error_with_a_fix(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MtpeftError, match="cannot lock") as error, held(tmp_path / "file" / "x"):
        pass
    assert error.value.fix

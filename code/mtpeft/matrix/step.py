"""One stage of one cell: its commands, its log, and the mark that says how it ended."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtpeft.core import processes
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.paths import shown
from mtpeft.matrix.plan import Cell, Plan, Stage, commands, mark

_SECONDS_TO_END = 30


def perform(
    plan: Plan,
    matrix: Path,
    cell: Cell,
    stage: Stage,
    *,
    stop: threading.Event,
    device: str = "",
    launcher: Sequence[str] = (),
    rank: int = 0,
    **about: Any,
) -> bool:
    """Run the commands of a stage and mark how it ended.

    Args:
        plan: Of the matrix.
        matrix: Its folder.
        cell: Which run and seed.
        stage: Which of its stages.
        stop: Ends the running command when it is set.
        device: What CUDA_VISIBLE_DEVICES is; empty: as it is here.
        launcher: Words between the interpreter and `-m mtpeft` (torchrun's, for several processes).
        rank: Of this node among those that do the stage together; the first one writes the mark.
        about: What the mark says besides.

    Returns:
        False where it was stopped.

    Raises:
        MtpeftError: A command ended with another code than 0.
    """
    path = mark(matrix, cell, stage)
    log = path.with_suffix(f".node{rank}.log" if rank else ".log")
    todo = commands(plan, cell, stage)
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.time()
    record: dict[str, Any] = {
        "commands": [["mtpeft", *words] for words in todo],
        "device": device,
        **about,
    }
    if not rank:
        write_atomic(path, json.dumps(record) + "\n")
    code: int | None = 0
    for words in todo:
        if (code := _program([*launcher, "-m", "mtpeft", *words], device, log, stop)) != 0:
            break
    if code is None:
        return False
    if not rank:
        record |= {"code": code, "seconds": round(time.time() - began, 1)}
        write_atomic(path, json.dumps(record) + "\n")
    if code:
        raise MtpeftError(
            f"{stage} ended with code {code}: {last_words(log.read_bytes())} ({shown(log)})"
        )
    return True


def _program(arguments: Sequence[str], device: str, log: Path, stop: threading.Event) -> int | None:
    """The exit code of a stage's command, None where it was stopped. What it prints goes to `log`."""
    environment = dict(os.environ)
    if device:
        environment["CUDA_VISIBLE_DEVICES"] = device
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [*processes.tied(), sys.executable, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                if stop.wait(0.2):
                    _end(process)
                    return None
        except BaseException:  # an interrupt, or a cluster that takes the machine back
            _end(process)
            raise
    return process.returncode


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a command: gently first, since torchrun then ends its workers, which have sessions of
    their own.
    """
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        processes.end_group(process)


def last_words(said: bytes) -> str:
    """The line of a command's output that says how it ended: its error, else the last one."""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    blamed = [line for line in lines if line.startswith("mtpeft: ")]
    return (blamed or lines or ["it said nothing"])[-1].removeprefix("mtpeft: ")[:300]

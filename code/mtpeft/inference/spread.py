"""The instances of a run divided among several devices, one process each.

The batches are those that one process would make; each process takes every n-th and writes what it
answered to a file of its own beside the set's (`SET.jsonl.share-1`). Whoever has the set's lock
takes these files up, so that a process that was killed loses one batch and nothing else.
"""

import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mtpeft.core.errors import MtpeftError
from mtpeft.core.processes import die_with_parent

Share = tuple[int, int]
"""The number of a process, from 0, and how many there are."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


def share_file(path: Path, number: int) -> Path:
    """Where a process writes its records of a set.

    Args:
        path: The set's file.
        number: Of the process.
    """
    return path.with_name(f"{path.name}.share-{number}")


def share_files(path: Path) -> list[Path]:
    """Files of processes that were not taken up yet."""
    name = re.compile(re.escape(path.name) + r"\.share-\d+")
    return sorted(p for p in path.parent.glob("*") if name.fullmatch(p.name))


def on_each(work: Callable[[Share], object], devices: Sequence[str]) -> list[int]:
    """Do a work in one process for each device, and wait for all of them.

    The processes begin anew (none inherits a device that this one has opened) and end with this one.

    Args:
        work: Can be pickled.
        devices: What CUDA_VISIBLE_DEVICES is for each; empty: as it is here.

    Returns:
        Their exit codes (negative: the signal that ended it).
    """
    context, before = multiprocessing.get_context("spawn"), os.environ.get(VISIBLE)
    begun = []
    try:
        for number, device in enumerate(devices):
            if device:
                os.environ[VISIBLE] = device
            begun.append(context.Process(target=_enter, args=(work, (number, len(devices)))))
            begun[-1].start()
    finally:
        if before is None:
            os.environ.pop(VISIBLE, None)
        else:
            os.environ[VISIBLE] = before
    try:
        for process in begun:
            process.join()
    finally:
        for process in begun:
            process.kill()
            process.join()
    return [process.exitcode or 0 for process in begun]


def _enter(work: Callable[[Share], object], share: Share) -> None:
    die_with_parent()
    try:
        work(share)
    except MtpeftError as error:
        print(f"mtpeft: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)

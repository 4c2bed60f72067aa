"""Counting and ending the processes of a run.

A run's process leads a process group that none of its descendants can leave (seccomp refuses setsid
and setpgid), so one signal to the group reaches all of them, and the kernel delivers it atomically
with respect to fork. The supervisor is their sub-reaper: whoever loses its parent becomes the
supervisor's child and is waited for.
"""

import os
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

# An ordinary user's other processes count against the same RLIMIT_NPROC and come and go during a
# run.
SHARED_UID_SLACK = 256
_PAGE = os.sysconf("SC_PAGE_SIZE")
_END_SECONDS = 5.0


def uids_in_use() -> set[int]:
    """Effective uids of all running processes."""
    return {owner for _, owner in _owners()}


def _owners() -> Iterator[tuple[int, int]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                yield int(name), os.stat(f"/proc/{name}").st_uid
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended while we looked


def tasks_of_uid(uid: int) -> int:
    """Processes and threads that count against RLIMIT_NPROC of `uid`."""
    total = 0
    for pid, owner in _owners():
        if owner == uid:
            total += _threads(pid)
    return total


def pids_of_uid(uid: int) -> list[int]:
    """Processes (zombies included) of `uid`."""
    return [pid for pid, owner in _owners() if owner == uid]


def _threads(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    except (FileNotFoundError, ProcessLookupError):
        return 0


@dataclass(frozen=True)
class Usage:
    """Tasks and resident bytes of a process group at one moment."""

    tasks: int
    resident_bytes: int


def usage(pids: list[int]) -> Usage:
    """Tasks and resident bytes of the given processes; those that have ended count nothing."""
    tasks = resident = 0
    for pid in pids:
        tasks += _threads(pid)
        try:
            with open(f"/proc/{pid}/statm", "rb") as stream:
                resident += int(stream.read().split()[1]) * _PAGE
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Usage(tasks, resident)


def members(group: int) -> list[int]:
    """Processes of a process group."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                fields = stream.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group:
            found.append(int(name))
    return found


def wait_on_processor(pid: int) -> float | None:
    """Seconds that the process's first thread was ready to run and had to wait; None where the
    kernel does not say.
    """
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as stream:
            return int(stream.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return None


def signal_group(group: int, number: int = signal.SIGKILL) -> bool:
    """Send a signal to every process of the group.

    Returns:
        Whether the group still exists.
    """
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # zombies only: nothing that a signal could end, but still to be waited for
    return True


def end_all(groups: list[int], reaped: dict[int, tuple[int, resource.struct_rusage]]) -> bool:
    """Kill the groups and wait until this process has no child left.

    Args:
        groups: The process groups.
        reaped: Filled with the wait status and resource usage, by pid, of every process that was
            waited for.

    Returns:
        Whether that succeeded in time.
    """
    deadline = time.monotonic() + _END_SECONDS
    pause, alive = 0.0002, list(groups)
    while True:
        # a group that is gone is not signalled again: its number may belong to somebody else by
        # then
        alive = [group for group in alive if signal_group(group)]
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                break
            reaped[pid] = (status, used)
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since boot (0 where it does not
    count).
    """
    try:
        with open("/proc/vmstat", "rb") as stream:
            for line in stream:
                if line.startswith(b"oom_kill "):
                    return int(line.split()[1])
    except OSError:
        return 0
    return 0

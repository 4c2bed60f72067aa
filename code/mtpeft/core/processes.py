"""The one way to run an outside program: with a time limit, bounded output, and an end when this
process ends.

The program gets a process group of its own, which is ended as a whole when time is up, when it says
too much, or when this process is interrupted. Where this process is killed outright, the kernel
ends the program (Linux).
"""

import contextlib
import ctypes
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import parent_process
from pathlib import Path

from mtpeft.core.errors import MtpeftError, Unavailable

_BLOCK = 1 << 16
_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 2.0
_SHIM = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)\n"
    "os.getppid() == int(sys.argv[1]) or os._exit(125)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)


class TimedOut(MtpeftError):
    """The program was ended because its time was up."""


@dataclass(frozen=True)
class Done:
    """What became of a program.

    Attributes:
        code: Its exit code (negative: the signal that ended it).
        out: What it wrote to standard output.
        err: What it wrote to standard error.
    """

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode("utf-8", "replace")

    @property
    def problem(self) -> str:
        """The last words of a program that failed, on one line."""
        said = (self.err.strip() or self.out.strip()).decode("utf-8", "replace")
        return " ".join(said[-500:].split())


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    seconds: float,
    cwd: Path | None = None,
    given: str | bytes = b"",
    environment: Mapping[str, str] | None = None,
    most: int = 256 << 20,
    accept: Sequence[int] | None = None,
    to_terminal: bool = False,
    fix: str = "",
) -> Done:
    """Run a program to its end.

    Args:
        command: The program and its arguments; no shell reads them.
        seconds: Time limit.
        cwd: Folder to run it in.
        given: Its standard input.
        environment: In place of this process's.
        most: Bytes of output, standard error included, after which it is ended.
        accept: Exit codes that are fine; any other is an error. None: the caller looks at the code
            itself.
        to_terminal: Let it write to this process's own output in place of collecting it.
        fix: What to do where it fails, for the message.

    Raises:
        Unavailable: The program is not there.
        TimedOut: It did not end in time.
        MtpeftError: It ended with another exit code than those accepted, or wrote too much.
    """
    words = [os.fspath(word) for word in command]
    if not shutil.which(words[0], path=(environment or os.environ).get("PATH")):
        raise Unavailable(f"{words[0]} is not installed", f"the program {words[0]}", fix)
    data = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    pipe = None if to_terminal else subprocess.PIPE
    try:
        process = subprocess.Popen(
            [*tied(), *words],
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE if data else subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            process_group=0,
        )
    except OSError as error:
        raise Unavailable(
            f"{words[0]} cannot be started: {error.strerror}", words[0], fix
        ) from error
    try:
        out, err = _communicate(process, data, time.monotonic() + seconds, most, words[0], seconds)
    except BaseException:
        end_group(process)
        raise
    done = Done(process.returncode, out, err)
    if accept is not None and done.code not in accept:
        raise MtpeftError(
            f"{Path(words[0]).name} ended with code {done.code}: {done.problem}",
            f"exit code {' or '.join(map(str, accept))}",
            fix,
        )
    return done


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a program and everything that it started in its group, and take its exit code."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


@cache
def _setpriv() -> str | None:
    """The system's own program for it, which starts faster than Python, where it can do it."""
    found = shutil.which("setpriv")
    if found is None:
        return None
    tried = subprocess.run(
        [found, "--pdeathsig", "KILL", "--", "true"], capture_output=True, check=False
    )
    return found if tried.returncode == 0 else None


def tied() -> list[str]:
    """Words before a command that have the kernel end it when this process dies."""
    if sys.platform != "linux":
        return []
    if found := _setpriv():
        return [found, "--pdeathsig", "KILL", "--"]
    return [sys.executable, "-S", "-E", "-c", _SHIM, str(os.getpid())]


def die_with_parent() -> None:
    """Let the kernel end this process when the one that started it dies.

    For a worker of `multiprocessing`: workers of a killed run would wait without end.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The kernel tells of deaths to come only: a parent that died while this process was starting is
    # no longer its parent.
    parent = parent_process()
    if parent is not None and os.getppid() != parent.pid:
        os._exit(1)


def _communicate(
    process: "subprocess.Popen[bytes]",
    data: bytes,
    deadline: float,
    most: int,
    name: str,
    seconds: float,
) -> tuple[bytes, bytes]:
    """Feed and read the program until it has ended and closed its output."""
    said: dict[int, bytearray] = {}
    view, ended = memoryview(data), 0.0
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                said[stream.fileno()] = bytearray()
                selector.register(stream, selectors.EVENT_READ)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise _late(name, seconds)
            if process.poll() is not None:
                # What it started may hold its output open without end; nobody waits for that.
                ended = ended or time.monotonic()
                if time.monotonic() - ended > _GRACE_SECONDS:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(process.pid, signal.SIGKILL)
                    break
            for key, _ in selector.select(min(left, 0.5)):
                if key.fileobj is process.stdin:
                    try:
                        view = view[os.write(key.fd, view[:_BLOCK]) :]
                    except BlockingIOError:
                        continue
                    except BrokenPipeError:  # it does not want the rest
                        view = view[:0]
                    if not view:
                        selector.unregister(key.fileobj)
                        with contextlib.suppress(BrokenPipeError):
                            process.stdin.close()
                    continue
                block = os.read(key.fd, _BLOCK)
                if not block:
                    selector.unregister(key.fileobj)
                    continue
                said[key.fd] += block
                if sum(map(len, said.values())) > most:
                    raise MtpeftError(
                        f"{Path(name).name} wrote more than {most} bytes",
                        "an answer of ordinary size",
                        "look at what it says by running it by hand",
                    )
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _late(name, seconds) from error
    collected = [
        bytes(said[stream.fileno()]) if stream is not None else b""
        for stream in (process.stdout, process.stderr)
    ]
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    return collected[0], collected[1]


def _late(name: str, seconds: float) -> TimedOut:
    return TimedOut(
        f"{Path(name).name} has not ended after {seconds:g} s",
        "an end within that time",
        "run it by hand to see what it waits for",
    )

"""The supervisor: a small process that runs one job at a time, watches it, ends it, and reports on
it.

One supervisor serves one worker for its whole life. It is single-threaded (it forks), it is the
sub-reaper of all that its programs leave behind, and it reads jobs from standard input and writes
answers to standard output, one JSON object a line. When its client goes away, it ends what runs and
itself.

Job:    {"files": {name: text}, "steps": [step…], "judge": step or absent, "nonce": text}
Step:   {"argv", "environment", "accesses": [[path, rights]…], "limits": {…}, "stdin": base64,
         "stage": "compile" or "run"}
Answer: {"outcomes": [{…}]}: one per step until one did not pass, and exactly one where there is a
judge.
        Before it {"groups": [pid…]} for each step that has started: what the client must end should
        the supervisor be killed.
"""

import base64
import contextlib
import ctypes
import json
import os
import re
import resource
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.core.files import scratch_prefix, sweep
from mtpeft.sandbox import confine, guarantees, landlock, mounts, outcome, processes, scratch
from mtpeft.sandbox.errors import SandboxRefused
from mtpeft.sandbox.identity import Identity, acquire
from mtpeft.sandbox.inside import wire
from mtpeft.sandbox.limits import Limits

TICK_SECONDS = 0.02
# As the interpreters say it, at the beginning of a line; what a program says besides is no evidence.
_JAVA = rb"(?:Exception in thread \"[^\"\n]*\" |Caused by: )?"
_OUT_OF_MEMORY = re.compile(
    rb"^(?:MemoryError\b|" + _JAVA + rb"java\.lang\.OutOfMemoryError\b"
    rb"|.*There is insufficient memory for the Java Runtime Environment)",
    re.MULTILINE,
)
_OUT_OF_SPACE = re.compile(
    rb"^(?:OSError: \[Errno 28\]|"
    + _JAVA
    + rb"java\.(?:io|nio\.file)\.\w+: (?:.*: )?No space left on device)",
    re.MULTILINE,
)
_CONTROL = 0
_PR_SET_CHILD_SUBREAPER = 36
# What a pipe takes although nobody reads yet: a page, where the user's pipes hold too much already.
_PIPE_BYTES = 4096
# Time that the host may keep the only thread of a run waiting for a processor before a timeout says
# more about the host than about the program, as a share of the wall time.
_STARVED = 0.5


@dataclass
class _Watched:
    """A running process and its captured output."""

    pid: int
    limits: Limits
    streams: dict[int, str]
    captured: dict[str, bytearray] = field(
        default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()}
    )
    ended: tuple[int, resource.struct_rusage] | None = None
    by_itself: bool = False

    def look(self) -> bool:
        """Whether the process has ended, asked without waiting."""
        if self.ended is None:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.ended, self.by_itself = (status, used), True
        return self.ended is not None


class Supervisor:
    """Runs jobs.

    Args:
        identity: As whom programs run.
        base: Folder for scratch folders, passable for the identity.
        abi: The Landlock ABI to use.
        mounting: Whether each scratch folder is a file system of its own.
        announce: Told of the process groups that have started.
    """

    def __init__(
        self,
        identity: Identity,
        base: str,
        abi: int,
        mounting: bool,
        announce: Callable[[dict[str, Any]], None],
    ) -> None:
        self.identity, self.base, self.abi, self.announce = identity, base, abi, announce
        self.mounting = mounting
        self.wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise SandboxRefused(
                "process cleanup",
                "the kernel refuses PR_SET_CHILD_SUBREAPER",
                "Linux >= 3.4",
                "use a newer kernel",
            )

    # ------------------------------------------------------------ jobs

    def job(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """The outcomes of a job. Everything that goes wrong on our side is an outcome
        `infrastructure`.
        """
        limits = [Limits(**step["limits"]) for step in job["steps"]]
        folder = None
        try:
            room = (
                max(limit.scratch_bytes for limit in limits),
                max(limit.scratch_files for limit in limits),
            )
            scratch.wait_for_space(
                partial(scratch.check_memory, room[0])
                if self.mounting
                else partial(scratch.check_space, self.base, *room)
            )
            folder = scratch.create(
                self.base, self.identity, job["files"], room if self.mounting else None
            )
            results = self._steps(job, limits, folder)
        except _ClientGone:
            if (
                folder is not None
            ):  # what is mounted could not be removed with the folders around it
                with contextlib.suppress(OSError):
                    self._drop(folder)
            raise
        except Exception as error:  # whatever goes wrong with one job must not end the supervisor
            results = [_infrastructure(f"{type(error).__name__}: {error}")]
        if folder is not None:
            try:
                self._drop(folder)
            except OSError as error:
                results = [_infrastructure(f"the scratch folder cannot be removed: {error}")]
        left = self._left_behind()
        return [_infrastructure(f"left running: {left}")] if left else results

    def _drop(self, folder: str) -> None:
        if self.mounting:
            mounts.unmount(folder)
        scratch.remove(folder)

    def _steps(
        self, job: dict[str, Any], limits: list[Limits], folder: str
    ) -> list[dict[str, Any]]:
        results = []
        for step, limit in zip(job["steps"], limits, strict=True):
            result = self._step(step, limit, folder, job.get("judge"), job.get("nonce", ""))
            results.append(result)
            if result["status"] != outcome.PASSED:
                break
        return results

    def _left_behind(self) -> str:
        if self.identity.dedicated:
            pids = processes.pids_of_uid(self.identity.uid)
            return f"processes {pids} of uid {self.identity.uid}" if pids else ""
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ""
        return "a child of the supervisor"

    # ------------------------------------------------------------ one step

    def _step(
        self,
        step: dict[str, Any],
        limits: Limits,
        folder: str,
        judge: dict[str, Any] | None,
        nonce: str,
    ) -> dict[str, Any]:
        kills_before = processes.oom_kills()
        opened: list[int] = []
        watched: list[_Watched] = []
        reaped: dict[int, tuple[int, resource.struct_rusage]] = {}
        verdict: dict[str, Any] | None = None
        limit_hit: tuple[str, str] | None = None
        try:
            channels = _Channels(opened) if judge is not None else None
            start = time.monotonic()
            watched.append(
                self._launch(
                    step, limits, folder, opened, channels.candidate() if channels else None
                )
            )
            if judge is not None and channels is not None:
                watched.append(
                    self._launch(
                        judge, Limits(**judge["limits"]), self.base, opened, channels.judge()
                    )
                )
                channels.close_ours()
            self.announce({"groups": [process.pid for process in watched]})
            limit_hit, verdict = self._watch(watched, folder, start, channels)
            wall = time.monotonic() - start
            starved = processes.wait_on_processor(watched[0].pid)
        finally:
            clean = processes.end_all([process.pid for process in watched], reaped)
            for process in watched:
                if process.pid in reaped:
                    process.ended = reaped[process.pid]
                _drain(process)
            for descriptor in opened:
                _close(descriptor)
        if not clean:
            return _infrastructure(f"process group {watched[0].pid} did not end")
        # a program that filled its folder and ended between two samples
        limit_hit = limit_hit or _over_output(watched[0]) or self._over_scratch(watched[0], folder)
        facts = _facts(watched[0], wall)
        result = _status(
            watched, limit_hit, verdict, nonce, judge is not None, step.get("stage", "run")
        )
        if (
            result[0] == outcome.TIMEOUT
            and limits.tasks == 1
            and starved is not None
            and starved > _STARVED * wall
        ):
            result = (
                outcome.INFRASTRUCTURE,
                f"the host kept the program waiting {starved:.1f} s of {wall:.1f} s",
            )
        if (
            facts["signal"] == signal.SIGKILL
            and watched[0].by_itself
            and processes.oom_kills() > kills_before
        ):
            result = (
                outcome.INFRASTRUCTURE,
                "the kernel killed a process for want of memory during the run",
            )
        return {"status": result[0], "evidence": outcome.evidence_of(result[1]), **facts}

    def _launch(
        self,
        step: dict[str, Any],
        limits: Limits,
        folder: str,
        opened: list[int],
        extra: dict[int, int] | None,
    ) -> _Watched:
        out, out_write = os.pipe2(os.O_CLOEXEC)
        err, err_write = os.pipe2(os.O_CLOEXEC)
        opened += [out, err]
        stdin = self._input(base64.b64decode(step["stdin"]))
        try:
            accesses = [landlock.Access(path, rights) for path, rights in step["accesses"]]
            environment = dict(step["environment"])
            if folder != self.base:
                accesses.append(landlock.Access(folder, landlock.SCRATCH))
                environment.update(HOME=folder, TMPDIR=folder)
            pid = confine.start(
                confine.Launch(
                    step["argv"],
                    environment,
                    folder,
                    {0: stdin, 1: out_write, 2: err_write, **(extra or {})},
                    accesses,
                    limits,
                    self.identity,
                    self.abi,
                    extra_tasks=2,
                )
            )
        finally:
            for descriptor in (stdin, out_write, err_write):
                os.close(descriptor)
        os.set_blocking(out, False)
        os.set_blocking(err, False)
        return _Watched(pid, limits, {out: "stdout", err: "stderr"})

    def _input(self, data: bytes) -> int:
        """A read-only descriptor that gives `data` once and then ends: a pipe where it holds them,
        else an unnamed file, which can be read again.
        """
        if not data:
            return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        if len(data) <= _PIPE_BYTES:
            read, write = os.pipe2(os.O_CLOEXEC)
            with os.fdopen(write, "wb") as pipe:
                pipe.write(data)
            return read
        descriptor, path = tempfile.mkstemp(dir=self.base)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.unlink(path)

    # ------------------------------------------------------------ watching

    def _watch(
        self, watched: list[_Watched], folder: str, start: float, channels: "_Channels | None"
    ) -> tuple[tuple[str, str] | None, dict[str, Any] | None]:
        """Watch until the program or its judge has ended, or a limit is hit.

        Args:
            watched: The processes of the run, the candidate first.
            folder: The scratch folder.
            start: When the run began, by the monotonic clock.
            channels: The pipes of a function instance.

        Returns:
            The limit that was hit, with the evidence, and the verdict of the judge; None each where
            there is none.
        """
        poll = select.poll()
        readers = {fd: process for process in watched for fd in process.streams}
        for descriptor in [*readers, self.wake, _CONTROL]:
            poll.register(descriptor, select.POLLIN)
        if channels is not None:
            poll.register(channels.verdict, select.POLLIN)
        main, limits = watched[0], watched[0].limits
        next_sample = start + TICK_SECONDS
        while True:
            now = time.monotonic()
            if now - start > limits.wall_seconds:
                return (outcome.TIMEOUT, f"more than {limits.wall_seconds:g} s of wall time"), None
            if now >= next_sample:
                next_sample = now + TICK_SECONDS
                hit = self._sample(main, folder)
                if hit:
                    return hit, None
            for descriptor, event in poll.poll(
                max(0.0, min(next_sample - now, TICK_SECONDS)) * 1000 + 1
            ):
                if descriptor == self.wake:
                    _swallow(self.wake)
                elif descriptor == _CONTROL:
                    if event & (select.POLLHUP | select.POLLERR):
                        raise _ClientGone
                elif channels is not None and descriptor == channels.verdict:
                    frame = wire.read_frame(channels.verdict)
                    verdict = wire.decode(frame) if frame is not None else None
                    if verdict and verdict["status"] == "ended":
                        _let_end(main)
                    return None, verdict
                elif not _read(readers[descriptor], descriptor):
                    poll.unregister(descriptor)
                hit = _over_output(main)
                if hit:
                    return hit, None
            for process in watched:
                process.look()
            # with a judge its verdict decides, or its end without one (the pipe closes)
            if channels is None and main.ended is not None:
                return None, None

    def _sample(self, process: _Watched, folder: str) -> tuple[str, str] | None:
        limits = process.limits
        pids = processes.members(process.pid) if limits.processes > 1 else [process.pid]
        used = processes.usage(pids)
        if used.tasks > limits.tasks:
            return (
                outcome.PROCESS_LIMIT,
                f"{used.tasks} processes and threads, {limits.tasks} allowed",
            )
        if len(pids) > limits.processes:
            return outcome.PROCESS_LIMIT, f"{len(pids)} processes, {limits.processes} allowed"
        if used.resident_bytes > limits.memory_bytes:
            return (
                outcome.MEMORY,
                f"{used.resident_bytes} bytes resident, {limits.memory_bytes} allowed",
            )
        if self.mounting:
            return self._over_scratch(process, folder)
        device = os.stat(folder).st_dev
        hidden = sum(
            scratch.deleted_open_bytes(pid, device)
            + scratch.deleted_mapped_files(pid, folder) * limits.file_bytes
            for pid in pids
        )
        return self._over_scratch(process, folder, hidden)

    def _over_scratch(
        self, process: _Watched, folder: str, hidden: int = 0
    ) -> tuple[str, str] | None:
        limits = process.limits
        if self.mounting:
            size, entries = mounts.used(folder)
        else:
            found = scratch.use(folder, limits.scratch_bytes, limits.scratch_files)
            size, entries = found.size + hidden, found.entries
        if size > limits.scratch_bytes:
            return (
                outcome.DISK_LIMIT,
                f"more than {limits.scratch_bytes} bytes in the scratch folder",
            )
        if entries > limits.scratch_files:
            return (
                outcome.DISK_LIMIT,
                f"more than {limits.scratch_files} entries in the scratch folder",
            )
        return None


class _ClientGone(Exception):
    """Whoever asked is not there any more."""


class _Channels:
    """The pipes of a function instance: calls to the candidate, its answers, the judge's verdict."""

    def __init__(self, opened: list[int]) -> None:
        self._pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        (self._call_read, self._call_write), (self._answer_read, self._answer_write) = self._pipes[
            :2
        ]
        self.verdict, self._verdict_write = self._pipes[2]
        self._opened = opened
        opened += [fd for pipe in self._pipes for fd in pipe]

    def candidate(self) -> dict[int, int]:
        return {3: self._call_read, 4: self._answer_write}

    def judge(self) -> dict[int, int]:
        return {3: self._answer_read, 4: self._call_write, 5: self._verdict_write}

    def close_ours(self) -> None:
        """Keep the verdict only, so that each side sees the other's end."""
        for descriptor in [fd for pipe in self._pipes for fd in pipe if fd != self.verdict]:
            os.close(descriptor)
            self._opened.remove(descriptor)


def _let_end(process: _Watched) -> None:
    """The judge saw the pipe close; a process that is ending closes it a moment before it can be
    waited for.
    """
    deadline = time.monotonic() + 0.25
    while not process.look() and time.monotonic() < deadline:
        time.sleep(0.001)


def _status(
    watched: list[_Watched],
    limit_hit: tuple[str, str] | None,
    verdict: dict[str, Any] | None,
    nonce: str,
    judged: bool,
    stage: str,
) -> tuple[str, str]:
    main = watched[0]
    if limit_hit:
        return limit_hit
    if not judged:
        return _program_status(main, stage)
    if verdict is None:
        return _lost_judge(watched[1])
    if verdict.get("nonce") != nonce:
        return outcome.INFRASTRUCTURE, "the verdict belongs to another run"
    status, evidence = verdict["status"], str(verdict["evidence"])
    if status == "passed":
        return outcome.PASSED, evidence
    if status == "unfit":
        return outcome.INFRASTRUCTURE, evidence
    if status == "ended":
        return _ended_status(main, evidence)
    if verdict["raised"] == "MemoryError":
        return outcome.MEMORY, f"MemoryError in the candidate; {evidence}"
    if verdict["raised"]:
        evidence = f"{evidence} (the candidate raised {verdict['raised']})"
    return outcome.FAILED, evidence


def _lost_judge(judge: _Watched) -> tuple[str, str]:
    """A judge that ended without a verdict. It runs the benchmark's tests, which the right answers
    pass, so what ended it is what the candidate answered, unless the kernel killed it.
    """
    said = judge.captured["stderr"][-500:].decode("utf-8", "replace").strip() or "no message"
    killed = judge.ended is not None and (
        os.WIFSIGNALED(judge.ended[0]) and os.WTERMSIG(judge.ended[0]) == signal.SIGKILL
    )
    status = outcome.INFRASTRUCTURE if killed and judge.by_itself else outcome.FAILED
    return status, f"the judge ended without a verdict: {said}"


def _ended_status(main: _Watched, evidence: str) -> tuple[str, str]:
    if _cpu_spent(main):
        return outcome.TIMEOUT, f"more than {main.limits.cpu_seconds} s of CPU time"
    return outcome.CRASHED, f"{evidence} ({_how(main)})"


def _program_status(main: _Watched, stage: str) -> tuple[str, str]:
    code = os.waitstatus_to_exitcode(main.ended[0]) if main.ended else None
    if code == 0:
        return outcome.PASSED, "ended with exit code 0"
    last = main.captured["stderr"][-2000:]
    if _OUT_OF_MEMORY.search(last):
        return outcome.MEMORY, f"out of memory ({_how(main)})"
    if _OUT_OF_SPACE.search(last):
        return outcome.DISK_LIMIT, f"the scratch folder was full ({_how(main)})"
    if _cpu_spent(main):
        return outcome.TIMEOUT, f"more than {main.limits.cpu_seconds} s of CPU time"
    if stage == "compile":
        return outcome.COMPILE_ERROR, f"the compiler {_how(main)}"
    return outcome.CRASHED, _how(main)


def _cpu_spent(main: _Watched) -> bool:
    if main.ended is None or not main.by_itself or not os.WIFSIGNALED(main.ended[0]):
        return False
    used = main.ended[1].ru_utime + main.ended[1].ru_stime
    # A program can send itself the signal. The kernel's comes by ticks, of which it counts more than
    # were used where others run as well.
    share = 0.5 if os.WTERMSIG(main.ended[0]) == signal.SIGXCPU else 1.0
    return used >= share * main.limits.cpu_seconds


def _how(main: _Watched) -> str:
    if main.ended is None or not main.by_itself:
        return "closed its channel and was ended by the supervisor"
    code = os.waitstatus_to_exitcode(main.ended[0])
    return f"ended with exit code {code}" if code >= 0 else f"was ended by {_name_of_signal(-code)}"


def _name_of_signal(number: int) -> str:
    """Real-time signals have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _facts(main: _Watched, wall: float) -> dict[str, Any]:
    status, used = main.ended or (0, None)
    exited = main.ended is not None and os.WIFEXITED(status)
    return {
        "exit_code": os.WEXITSTATUS(status) if exited else None,
        "signal": os.WTERMSIG(status)
        if main.ended is not None and os.WIFSIGNALED(status)
        else None,
        "wall_seconds": round(wall, 4),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 4) if used else 0.0,
        "max_rss_bytes": used.ru_maxrss * 1024 if used else 0,
        **{name: base64.b64encode(bytes(text)).decode() for name, text in main.captured.items()},
    }


def _infrastructure(evidence: str) -> dict[str, Any]:
    return {
        "status": outcome.INFRASTRUCTURE,
        "evidence": outcome.evidence_of(evidence),
        "exit_code": None,
        "signal": None,
        "wall_seconds": 0.0,
        "cpu_seconds": 0.0,
        "max_rss_bytes": 0,
        "stdout": "",
        "stderr": "",
    }


def _over_output(process: _Watched) -> tuple[str, str] | None:
    total = sum(len(text) for text in process.captured.values())
    if total > process.limits.output_bytes:
        return outcome.OUTPUT_LIMIT, f"more than {process.limits.output_bytes} bytes of output"
    return None


def _read(process: _Watched, descriptor: int) -> bool:
    """Take what the stream has; returns False at its end. What is over the limit is read and
    dropped.
    """
    try:
        data = os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return True
    room = process.limits.output_bytes + 1 - sum(len(text) for text in process.captured.values())
    process.captured[process.streams[descriptor]] += data[: max(0, room)]
    return bool(data)


def _drain(process: _Watched) -> None:
    for descriptor in process.streams:
        while _read(process, descriptor) and _has_more(descriptor):
            pass


def _has_more(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(0))


def _swallow(descriptor: int) -> None:
    try:
        os.read(descriptor, 4096)
    except BlockingIOError:
        pass  # somebody was faster


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # closed before, when a launch failed half-way


def main() -> int:
    """Serve jobs until standard input closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # nothing but answers may reach the client
    base = None
    try:
        try:
            abi = guarantees.require_kernel(int(sys.argv[1]) if len(sys.argv) > 1 else None)
            identity = acquire()
            base = _base_folder(identity)
            files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            wanted = 4096 if files == resource.RLIM_INFINITY else min(files, 4096)
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, files))
            mounting = mounts.enter(base)
            supervisor = Supervisor(
                identity, base, abi, mounting, lambda value: _answer(answers, value)
            )
        except SandboxRefused as refusal:
            _answer(
                answers,
                {"refused": [refusal.guarantee, refusal.reason, refusal.expected, refusal.fix]},
            )
            return refusal.exit_code
        _answer(
            answers,
            {
                "ready": {
                    "uid": identity.uid,
                    "gid": identity.gid,
                    "dedicated": identity.dedicated,
                    "base": base,
                    "landlock_abi": abi,
                    "mounting": mounting,
                }
            },
        )
        for line in sys.stdin:
            _answer(answers, {"outcomes": supervisor.job(json.loads(line))})
    except (_ClientGone, BrokenPipeError, KeyboardInterrupt):
        return 1
    finally:
        if base is not None:
            shutil.rmtree(base, ignore_errors=True)
    return 0


def _base_folder(identity: Identity) -> str:
    """A new folder for the scratch folders, below TMPDIR, that the identity can pass.

    Raises:
        SandboxRefused: No such folder can be made.
    """
    fix = "set TMPDIR to a writable folder that every user may enter"
    try:
        sweep(Path(tempfile.gettempdir()))
        base = tempfile.mkdtemp(prefix=scratch_prefix("sandbox"))
        os.chmod(base, 0o711)
    except OSError as error:
        raise SandboxRefused(
            "a scratch folder",
            f"no folder can be made: {error}",
            "a writable temporary folder",
            fix,
        ) from error
    if identity.dedicated and not all(
        parent.stat().st_mode & stat.S_IXOTH for parent in Path(base).resolve().parents
    ):
        os.rmdir(base)
        raise SandboxRefused(
            "a scratch folder",
            f"uid {identity.uid} cannot pass the folders above {base}",
            "folders that others may enter",
            fix,
        )
    return base


def _answer(answers: Any, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()

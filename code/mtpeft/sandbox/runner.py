"""The client's side: one supervisor process per `Sandbox`, one job at a time, and a pool of them."""

import base64
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from mtpeft.sandbox import guarantees, outcome, processes, runtimes, scratch
from mtpeft.sandbox.errors import SandboxRefused
from mtpeft.sandbox.identity import Identity
from mtpeft.sandbox.inside import wire
from mtpeft.sandbox.instances import (
    JAVA,
    Case,
    FunctionInstance,
    Instance,
    ProgramInstance,
    same_output,
)
from mtpeft.sandbox.limits import MIB, Limits
from mtpeft.sandbox.outcome import Outcome

_CODE = Path(__file__).resolve().parents[2]
_INSIDE = Path(__file__).resolve().parent / "inside"
JAVA_POLICY = "java.policy"
"""What a Java program may ask of its virtual machine: a file beside the scratch folders."""
_START = (
    "import sys; sys.path.insert(0, {code!r}); "
    "from mtpeft.sandbox.supervisor import main; sys.exit(main())"
)
# Beyond a job's wall times: launching, killing, cleaning. A supervisor silent for longer is broken.
_PATIENCE_SECONDS = 60.0
_LOADER = (
    "import sys, types; w = types.ModuleType('wire'); sys.modules['wire'] = w; a = sys.argv; "
    "exec(compile(a[1], 'wire', 'exec'), w.__dict__); "
    "exec(compile(a[2], 'inside', 'exec'), {'__name__': 'inside'})"
)

T = TypeVar("T")
R = TypeVar("R")


def _inside(name: str) -> str:
    return (_INSIDE / f"{name}.py").read_text(encoding="utf-8")


class Sandbox:
    """Runs untrusted programs one after another. A context manager.

    Args:
        python: Interpreter for Python instances (default MTPEFT_SANDBOX_PYTHON, then this
            interpreter, then the system's; the first that the sandbox's identity can reach).
        landlock_abi: At most this ABI.

    Raises:
        SandboxRefused: A guarantee does not hold on this machine; nothing has run.
    """

    def __init__(self, python: str | None = None, landlock_abi: int | None = None) -> None:
        self._wanted_python = python or os.environ.get("MTPEFT_SANDBOX_PYTHON")
        self._wanted_abi = landlock_abi
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._groups: list[int] = []
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------ life of the supervisor

    def _start(self) -> None:
        guarantees.require_kernel(self._wanted_abi)
        command = [sys.executable, "-S", "-E", "-B", "-c", _START.format(code=str(_CODE))]
        if self._wanted_abi is not None:
            command.append(str(self._wanted_abi))
        environment = {name: os.environ[name] for name in ("TMPDIR",) if name in os.environ}
        self._supervisor = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**environment, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        self._buffer = b""
        answer = self._answer(_PATIENCE_SECONDS)
        if answer is None or not {"refused", "ready"} & answer.keys():
            self.close()
            raise SandboxRefused(
                "a running supervisor",
                "it ended while it started",
                "a supervisor that is ready",
                "see its message above",
            )
        if "refused" in answer:
            self.close()
            raise SandboxRefused(*answer["refused"])
        ready = answer["ready"]
        self.landlock_abi = int(ready["landlock_abi"])
        self.base = str(ready["base"])
        self.mounting = bool(ready["mounting"])
        self.identity = Identity(ready["uid"], ready["gid"], ready["dedicated"])
        try:
            self.python = runtimes.python(self.identity, self._wanted_python)
            self._probe()
        except SandboxRefused:
            self.close()
            raise

    def _probe(self) -> None:
        limits = guarantees.PROBE_LIMITS
        names = [name for name, _ in self.python.environment] + ["HOME", "TMPDIR", "LC_CTYPE"]
        source = guarantees.probe_source(str(Path.home()), os.getcwd(), names, limits, os.getpid())
        result = self._job({"files": {}, "steps": [self._python_step(source, b"", limits)]})[0]
        report = guarantees.report_of(result.stdout)
        if not report:
            raise SandboxRefused(
                "a probe of all guarantees",
                f"{result.status}: {result.evidence} {result.stderr[-300:].decode('utf-8', 'replace')}",
                "a report of the probe",
                "fix what the message names",
            )
        guarantees.check(report)

    def close(self) -> None:
        """End the supervisor and whatever it runs."""
        process, self._supervisor = self._supervisor, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _answer(self, patience: float) -> dict[str, Any] | None:
        """The supervisor's next line, or None where it has ended or says nothing for too long."""
        assert self._supervisor is not None
        assert self._supervisor.stdout is not None
        descriptor = self._supervisor.stdout.fileno()
        while True:
            while b"\n" not in self._buffer:
                if not select.select([descriptor], [], [], patience)[0]:
                    return None
                part = os.read(descriptor, 1 << 20)
                if not part:
                    return None
                self._buffer += part
            line, _, self._buffer = self._buffer.partition(b"\n")
            answer: dict[str, Any] = json.loads(line)
            if "groups" not in answer:
                self._groups = []
                return answer
            self._groups = answer["groups"]

    def _job(self, job: dict[str, Any]) -> list[Outcome]:
        if self._supervisor is None:
            raise ValueError("the sandbox is closed")
        assert self._supervisor.stdin is not None
        patience = _PATIENCE_SECONDS + sum(step["limits"]["wall_seconds"] for step in job["steps"])
        try:
            line = memoryview(json.dumps(job).encode() + b"\n")
            while line:
                line = line[self._supervisor.stdin.write(line) or 0 :]
            answer = self._answer(patience)
        except BrokenPipeError:
            answer = None
        if answer is None:
            return [self._replace_supervisor()]
        return [_outcome(fields) for fields in answer["outcomes"]]

    def _replace_supervisor(self) -> Outcome:
        """End a supervisor that is lost, what it ran and what it made; start another."""
        assert self._supervisor is not None
        code = self._supervisor.poll()
        self._supervisor.kill()
        self._supervisor.wait()
        self.close()
        for group in self._groups:
            processes.signal_group(group)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (
            any(processes.members(group) for group in self._groups) and time.monotonic() < deadline
        ):
            time.sleep(0.001)
        for path in Path(self.base).glob("*"):  # none where the folder is gone
            if path.is_dir() and not path.is_symlink():
                scratch.remove(str(path))
        shutil.rmtree(self.base, ignore_errors=True)
        self._start()
        return outcome.infrastructure(
            f"the supervisor ended ({code}) or fell silent, and was started again"
        )

    # ------------------------------------------------------------ instances

    def run(self, instance: Instance) -> Outcome:
        """What became of one instance. Never raises for what the instance does."""
        if isinstance(instance, FunctionInstance):
            return self._run_function(instance)
        return self._run_program(instance)

    def _python_step(self, source: str, stdin: bytes, limits: Limits) -> dict[str, Any]:
        return _step(self.python, ["-c", source], stdin, limits)

    def _java_policy(self) -> str:
        """The policy of Java programs, where they can read it and not write to it."""
        path = Path(self.base, JAVA_POLICY)
        if not path.exists():
            path.write_bytes((_INSIDE / JAVA_POLICY).read_bytes())
            path.chmod(0o644)
        return str(path)

    def _run_function(self, instance: FunctionInstance) -> Outcome:
        nonce = secrets.token_hex(16)
        limits = instance.limits
        try:
            candidate = wire.encode((instance.source, instance.entry_point))
            config = wire.encode(
                {
                    "nonce": nonce,
                    "prelude": instance.prelude,
                    "test": instance.test,
                    "check": instance.check,
                    "entry_point": instance.entry_point,
                }
            )
        except wire.NotPlain as error:
            return Outcome(outcome.FAILED, f"the source cannot be handed over: {error}")
        # the judge computes on what the candidate answers: the wall time, which is the candidate's,
        # must bind first
        judge = Limits(
            wall_seconds=limits.wall_seconds,
            cpu_seconds=int(limits.wall_seconds) + 30,
            memory_bytes=max(limits.memory_bytes, 1024 * MIB),
            tasks=4,
        )
        step = _step(
            self.python, ["-c", _LOADER, _inside("wire"), _inside("candidate")], candidate, limits
        )
        return self._job(
            {
                "files": {},
                "nonce": nonce,
                "steps": [step],
                "judge": _step(
                    self.python, ["-c", _LOADER, _inside("wire"), _inside("judge")], config, judge
                ),
            }
        )[0]

    def _run_program(self, instance: ProgramInstance) -> Outcome:
        limits = cast(Limits, instance.limits)  # the instance sets it where none was given
        files, started = {instance.file_name: instance.source}, instance.main_class
        if instance.harness:
            name, text, started = instance.harness
            files[name] = text
        if instance.language == JAVA:
            javac = runtimes.java(self.identity, "javac")
            java = runtimes.java(self.identity, "java", self._java_policy())
            compile_limits = replace(
                limits,
                wall_seconds=60.0,
                cpu_seconds=60,
                memory_bytes=max(limits.memory_bytes, 1024 * MIB),
            )
            steps = [
                _step(
                    javac,
                    ["-proc:none", "-encoding", "UTF-8", "-d", ".", *files],
                    b"",
                    compile_limits,
                    "compile",
                )
            ]
            runtime, arguments = java, ["-cp", ".", started]
        else:
            steps, runtime, arguments = [], self.python, [instance.file_name]
        steps += [_step(runtime, arguments, case.stdin, limits) for case in instance.cases]
        job = {"files": files, "steps": steps}
        outcomes = self._job(job)
        if (
            instance.language == JAVA
            and len(outcomes) == 1
            and outcomes[0].status == outcome.TIMEOUT
        ):
            # A compiler that hangs once under load is no fault of the program.
            outcomes = self._job(job)
        return _judged_by_output(outcomes, instance.cases, len(steps) - len(instance.cases))


def _step(
    runtime: runtimes.Runtime,
    arguments: list[str],
    stdin: bytes,
    limits: Limits,
    stage: str = "run",
) -> dict[str, Any]:
    return {
        "argv": [*runtime.argv, *arguments],
        "environment": dict(runtime.environment),
        "accesses": [[access.path, access.rights] for access in runtime.accesses],
        "limits": asdict(limits),
        "stdin": base64.b64encode(stdin).decode(),
        "stage": stage,
    }


def _judged_by_output(outcomes: list[Outcome], cases: tuple[Case, ...], compiled: int) -> Outcome:
    """The first outcome that is not passed or whose output is wrong; else the last."""
    for number, result in enumerate(outcomes):
        if result.status != outcome.PASSED or number < compiled:
            if result.status != outcome.PASSED:
                return result
            continue
        case = cases[number - compiled]
        if case.expected is not None and not same_output(result.stdout, case.expected):
            fields = {
                **vars(result),
                "status": outcome.FAILED,
                "evidence": f"case {number - compiled + 1} of {len(cases)}: not the expected output",
            }
            return Outcome(**fields)
    return outcomes[-1]


def _outcome(fields: dict[str, Any]) -> Outcome:
    decoded = {name: base64.b64decode(fields[name]) for name in ("stdout", "stderr")}
    return Outcome(**{**fields, **decoded})


class Pool:
    """Several sandboxes that work at the same time, each with an identity of its own. A context
    manager.

    Args:
        workers: How many (default: one per processor that this process may use).
        python: As in `Sandbox`.
    """

    def __init__(self, workers: int | None = None, python: str | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._python = python
        self._sandboxes: list[Sandbox] = []
        self._free: list[Sandbox] = []
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        first = Sandbox(self._python)  # refuses here, in the caller's thread
        self._sandboxes.append(first)
        self._free = [first]
        self._executor = ThreadPoolExecutor(self.workers, "sandbox")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._executor is not None
        self._executor.shutdown(wait=True, cancel_futures=True)
        for sandbox in self._sandboxes:
            sandbox.close()

    def _take(self) -> Sandbox:
        with self._lock:
            if self._free:
                return self._free.pop()
        sandbox = Sandbox(self._python)
        with self._lock:
            self._sandboxes.append(sandbox)
        return sandbox

    def _one(self, work: Callable[[Sandbox, T], R], item: T) -> R:
        sandbox = self._take()
        try:
            return work(sandbox, item)
        finally:
            with self._lock:
                self._free.append(sandbox)

    def map(self, work: Callable[[Sandbox, T], R], items: Iterable[T]) -> Iterator[R]:
        """`work(sandbox, item)` for every item, in parallel, as each finishes (in no order)."""
        assert self._executor is not None
        pending: set[Future[R]] = set()
        for item in items:
            pending.add(self._executor.submit(self._one, work, item))
            if len(pending) >= 4 * self.workers:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)

    @property
    def sandbox(self) -> Sandbox:
        """The first sandbox, for facts about the runtime."""
        return self._sandboxes[0]

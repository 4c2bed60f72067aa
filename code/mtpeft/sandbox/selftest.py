"""Run a folder of adversarial test programs against the sandbox of this machine.

    python -m mtpeft.sandbox.selftest tests/evil_programs

Each program states in its first lines what it attempts (`attack:`), what it is (`kind:` program,
answering program, or candidate), which outcomes contain it (`expect:`), and limits that differ from
the defaults (`limits:`). A program that gets somewhere prints a line that begins with ESCAPED.
Beyond that the host is looked at from outside after each attack: bait files, listening sockets, a
bystander process, left-over processes and files, the secret in what was printed. Then a right and a
wrong instance must be scored as right and wrong by the same sandbox.

Exit code: 0 all contained, 1 an escape or a wrong score, 2 the sandbox refuses to run here (and
says why).
"""

import argparse
import glob
import json
import os
import re
import secrets
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.sandbox import limits as limits_module
from mtpeft.sandbox import outcome
from mtpeft.sandbox.instances import JAVA, PYTHON, Case, FunctionInstance, Instance, ProgramInstance
from mtpeft.sandbox.limits import Limits
from mtpeft.sandbox.outcome import Outcome
from mtpeft.sandbox.runner import JAVA_POLICY, Sandbox

KINDS = ("program", "answering program", "candidate")
MARK = "mtpeft-evil"
_HEADER = re.compile(r"^(?:#|//) (attack|kind|expect|limits): (.+)$")
_TEST = "def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(20) == 400\n"
_RIGHT = "def solve(number):\n    return number * number\n"
_WRONG = "def solve(number):\n    return number * 3\n"


@dataclass(frozen=True)
class EvilProgram:
    """One attack.

    Attributes:
        path: Its file.
        attack: What it attempts.
        kind: `program`, `answering program` or `candidate`.
        expect: The statuses that contain it.
        limits: What it may use.
    """

    path: Path
    attack: str
    kind: str
    expect: tuple[str, ...]
    limits: Limits

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def language(self) -> str:
        return JAVA if self.path.suffix == ".java" else PYTHON

    def instance(self, targets: bytes) -> Instance:
        """The attack as something to execute.

        Args:
            targets: JSON on its standard input.
        """
        source = self.path.read_text(encoding="utf-8")
        if self.kind == "candidate":
            return FunctionInstance(self.name, source, "solve", _TEST, limits=self.limits)
        expected = b"the right answer" if self.kind == "answering program" else None
        return ProgramInstance(
            self.name, self.language, source, (Case(targets, expected),), self.limits
        )


def read_program(path: Path) -> EvilProgram:
    """Parse the header of a test program.

    Raises:
        BadInput: It is not complete.
    """
    fields: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _HEADER.match(line)
        if not match:
            break
        fields[match[1]] = match[2]
    missing = {"attack", "kind", "expect"} - fields.keys()
    if missing:
        raise BadInput(
            path, f"the header lacks {', '.join(sorted(missing))}", "attack, kind and expect"
        )
    expect = tuple(word.strip() for word in fields["expect"].split(","))
    unknown = [word for word in expect if word not in outcome.VERDICTS]
    if fields["kind"] not in KINDS or unknown:
        raise BadInput(
            path,
            f"kind {fields['kind']!r}, expect {unknown or expect}",
            f"kind out of {KINDS}, expect out of {outcome.VERDICTS}",
        )
    base = limits_module.JAVA if path.suffix == ".java" else Limits()
    try:
        changed: dict[str, Any] = {
            name: float(value) if name == "wall_seconds" else int(value)
            for name, value in (word.split("=") for word in fields.get("limits", "").split())
        }
        return EvilProgram(path, fields["attack"], fields["kind"], expect, replace(base, **changed))
    except (TypeError, ValueError) as error:
        raise BadInput(
            path, f"limits {fields['limits']!r}: {error}", "name=value of mtpeft's Limits"
        ) from error


def read_folder(folder: Path) -> list[EvilProgram]:
    """All test programs of a folder by name.

    Raises:
        BadInput: There are none.
    """
    programs = [
        read_program(path) for path in sorted(folder.iterdir()) if path.suffix in (".py", ".java")
    ]
    if not programs:
        raise BadInput(folder, "no test program", "*.py and *.java with a header")
    return programs


class Bait:
    """Things of the host that an attack would like to reach, and the check that none was touched.

    A context manager; one per sandbox, so that an attack is blamed for its own doing only.
    """

    def __init__(self) -> None:
        self.secret = secrets.token_hex(12)
        self.folder = Path(tempfile.mkdtemp(prefix="mtpeft-bait-"))
        self.folder.chmod(0o755)
        # open to everybody: what keeps an attack out must be the sandbox, not the mode bits
        self.shared = self.folder / "shared"
        self.shared.mkdir()
        self.shared.chmod(0o777)
        self.canary = self.folder / "canary"
        self.canary.write_text(self.secret)
        self.canary.chmod(0o666)
        self._stat, self._marked = self._facts(), marked()
        os.environ["MTPEFT_BAIT_SECRET"] = self.secret
        self.victim = subprocess.Popen(
            [sys.executable, "-S", "-c", "import time; time.sleep(3600)"], stdin=subprocess.DEVNULL
        )
        self._listeners = self._listen()

    def _listen(self) -> list[socket.socket]:
        tcp = socket.create_server(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        self.unix = str(self.folder / "socket")
        stream, abstract = (
            socket.socket(socket.AF_UNIX),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        )
        stream.bind(self.unix)
        os.chmod(self.unix, 0o777)
        stream.listen()
        self.abstract = f"mtpeft-bait-{self.secret[:8]}"
        abstract.bind("\0" + self.abstract)
        return [tcp, stream, abstract]

    def _facts(self) -> tuple[object, ...]:
        found = [path.stat() for path in (self.canary, self.shared)]
        return tuple((s.st_mode, s.st_uid, s.st_size, s.st_nlink, s.st_mtime_ns) for s in found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.victim.kill()
        self.victim.wait()
        for listener in self._listeners:
            listener.close()
        shutil.rmtree(self.folder)

    def targets(self) -> bytes:
        """What the attack is told about, as JSON."""
        return json.dumps(
            {
                "victim": self.victim.pid,
                "client": os.getpid(),
                "canary": str(self.canary),
                "shared": str(self.shared),
                "home": str(Path.home()),
                "repository": os.getcwd(),
                "tcp_port": self.port,
                "unix_socket": self.unix,
                "abstract_socket": self.abstract,
                "secret_name": "MTPEFT_BAIT_SECRET",
            }
        ).encode()

    def touched(self) -> Iterator[str]:
        """What an attack has done to the host."""
        if self.victim.poll() is not None:
            yield f"the bystander was ended ({self.victim.returncode})"
        if self.canary.read_text() != self.secret or self._facts() != self._stat:
            yield "the bait file or folder was changed"
            self._stat = self._facts()
        if any(self.shared.iterdir()):
            yield "files in the bait folder"
        ready, _, _ = select.select(self._listeners, [], [], 0)
        if ready:
            yield f"a connection to {[listener.getsockname() for listener in ready]}"
        left = marked()
        if left - self._marked:
            yield f"left behind: {sorted(left - self._marked)}"
        self._marked = left


def marked() -> set[str]:
    """Files under the test programs' name in places where they try to write."""
    places = (
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/run/lock",
        "/etc",
        "/usr/lib",
        str(Path.home()),
        os.getcwd(),
    )
    return {path for place in places for path in glob.glob(f"{glob.escape(place)}/*{MARK}*")}


def left_running(base: str) -> list[int]:
    """Processes whose environment names a scratch folder below `base`."""
    needle, found = f"TMPDIR={base}/".encode(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as stream:
                    if needle in stream.read():
                        found.append(int(name))
            except OSError:
                continue  # ended, or another user's
    return found


# These end their first process at once by design, and what remains of them is killed before it can
# say anything.
_ENDS_EARLY = ("double_fork_daemon", "fleeing_chain")


@dataclass(frozen=True)
class Report:
    """One attack's outcome.

    Attributes:
        program: The attack.
        result: What became of it.
        problems: Everything that went wrong (empty: contained).
    """

    program: EvilProgram
    result: Outcome
    problems: tuple[str, ...]


def attack(sandbox: Sandbox, program: EvilProgram, bait: Bait) -> Report:
    """Run one attack, look at the host, then have the same sandbox score a right and a wrong
    instance.
    """
    result = sandbox.run(program.instance(bait.targets()))
    lines = (result.stdout + b"\n" + result.stderr).splitlines()
    problems = [
        line.decode("utf-8", "replace")[:200] for line in lines if line.startswith(b"ESCAPED")
    ]
    if result.status not in program.expect:
        problems.append(
            f"outcome {result.status} ({result.evidence}), expected {' or '.join(program.expect)}; "
            f"{result.stderr[-300:].decode('utf-8', 'replace').strip()}"
        )
    if (
        result.status == outcome.PASSED
        and program.kind == "program"
        and program.name not in _ENDS_EARLY
        and b"contained" not in result.stdout.splitlines()
    ):
        problems.append("it ended before it had tried everything")
    if bait.secret.encode() in result.stdout + result.stderr:
        problems.append("the secret was read")
    problems += bait.touched()
    running = left_running(sandbox.base)
    if running:
        problems.append(f"still running: {running}")
    if set(os.listdir(sandbox.base)) - {JAVA_POLICY}:
        problems.append("the scratch folder is still there")
    for source, wanted in ((_RIGHT, outcome.PASSED), (_WRONG, outcome.FAILED)):
        found = sandbox.run(FunctionInstance("next", source, "solve", _TEST))
        if found.status != wanted:
            problems.append(
                f"the next instance is {found.status} ({found.evidence}), should be {wanted}"
            )
    return Report(program, result, tuple(problems))


def run(programs: list[EvilProgram], workers: int = 2) -> list[Report]:
    """Run all programs, each worker with a sandbox and bait of its own.

    Raises:
        SandboxRefused: A guarantee does not hold on this machine.
    """
    shares = [programs[number::workers] for number in range(workers)]

    def share(own: list[EvilProgram]) -> list[Report]:
        with Bait() as bait, Sandbox() as sandbox:
            return [attack(sandbox, program, bait) for program in own]

    with ThreadPoolExecutor(workers) as executor:
        reports = [report for part in executor.map(share, shares) for report in part]
    return sorted(reports, key=lambda report: report.program.name)


def overhead(samples: int = 15) -> dict[str, float]:
    """Median seconds of an empty Python program, plain and sandboxed, and of a function instance of
    two calls.

    All three use the sandbox's interpreter; they are measured in turn, so that a change in load
    hits all alike.
    """
    function = FunctionInstance("function", _RIGHT, "solve", _TEST)
    seconds: dict[str, list[float]] = {"plain": [], "program": [], "function": []}
    with Sandbox() as sandbox:
        program = ProgramInstance("program", PYTHON, "pass\n")
        environment = dict(sandbox.python.environment)
        for _ in range(samples):
            for name, work in (
                (
                    "plain",
                    lambda: subprocess.run(
                        [*sandbox.python.argv, "-c", "pass"], env=environment, check=True
                    ),
                ),
                ("program", lambda: sandbox.run(program)),
                ("function", lambda: sandbox.run(function)),
            ):
                start = time.perf_counter()
                work()
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main(arguments: list[str] | None = None) -> int:
    """Print one line per attack.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m mtpeft.sandbox.selftest", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("tests/evil_programs"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="these programs only")
    parser.add_argument("--without-java", action="store_true", help="where no JDK is installed")
    parser.add_argument(
        "--overhead", action="store_true", help="measure the cost per instance instead"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line instead of a table"
    )
    options = parser.parse_args(arguments)
    try:
        if options.overhead:
            print(
                "\n".join(f"{name:9} {1000 * value:6.1f} ms" for name, value in overhead().items())
            )
            return 0
        programs = [
            program
            for program in read_folder(options.folder)
            if (not options.only or program.name in options.only)
            and not (options.without_java and program.language == JAVA)
        ]
        reports = run(programs, max(1, min(options.workers, len(programs))))
    except MtpeftError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for report in reports:
        if options.json:
            print(
                json.dumps(
                    {
                        "name": report.program.name,
                        "problems": report.problems,
                        **report.result.summary(),
                    }
                )
            )
        else:
            print(
                f"{'contained' if not report.problems else 'ESCAPED  '}  {report.program.name:24} "
                f"{report.result.status:14} {report.result.wall_seconds:6.2f} s  {report.program.attack}"
            )
            for problem in report.problems:
                print(f"{'':11}! {problem}")
    escaped = sum(bool(report.problems) for report in reports)
    with Sandbox() as box:
        held = (
            "a file system of its own" if box.mounting else "counted, since nothing can be mounted"
        )
    print(
        f"{len(reports)} attacks as uid {os.getuid()}: {escaped} not contained; scratch is {held}",
        file=sys.stderr,
    )
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())

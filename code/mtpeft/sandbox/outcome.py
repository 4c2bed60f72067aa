"""What became of one run of an untrusted program."""

from dataclasses import asdict, dataclass
from typing import Any

PASSED = "passed"
FAILED = "failed"  # ran to the end of its tests or output, and was wrong
COMPILE_ERROR = "compile_error"
TIMEOUT = "timeout"  # wall or CPU time
MEMORY = "memory"
OUTPUT_LIMIT = "output_limit"
PROCESS_LIMIT = "process_limit"
DISK_LIMIT = "disk_limit"
CRASHED = "crashed"  # the process ended, by a signal or by itself, before it answered
INFRASTRUCTURE = "infrastructure"  # the runner's own failure: says nothing about the program

# A verdict on the program. INFRASTRUCTURE is none: such an instance has no score and is run again.
VERDICTS = (
    PASSED,
    FAILED,
    COMPILE_ERROR,
    TIMEOUT,
    MEMORY,
    OUTPUT_LIMIT,
    PROCESS_LIMIT,
    DISK_LIMIT,
    CRASHED,
)
STATUSES = (*VERDICTS, INFRASTRUCTURE)


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes:
        status: One of `STATUSES`.
        evidence: One sentence that says why.
        exit_code: Of the (last) process; None where it did not end that way.
        signal: That ended the (last) process; None where none did.
        wall_seconds: From exec to end.
        cpu_seconds: User and system time of the candidate and the children that it waited for.
        max_rss_bytes: Their peak of resident memory.
        stdout: What it wrote there; with `stderr` at most `Limits.output_bytes`.
        stderr: Likewise.
    """

    status: str
    evidence: str
    exit_code: int | None = None
    signal: int | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    stdout: bytes = b""
    stderr: bytes = b""

    def summary(self) -> dict[str, Any]:
        """The outcome as JSON-able fields, without the captured output."""
        fields = asdict(self)
        del fields["stdout"], fields["stderr"]
        return fields


NOT_CARRIED = "the tests cannot be told what the candidate returned, "
"""How the evidence begins where a value is none that the runner carries. A right answer that meets
this is the runner's limit; any other one is wrong, since the right answers' values are carried.
"""
LONGEST_EVIDENCE = 1000
"""Characters of what a program made the runner say."""


def evidence_of(text: str) -> str:
    """A text that a program may have chosen, bounded and made fit for every file and terminal."""
    shown = text if len(text) <= LONGEST_EVIDENCE else f"{text[:LONGEST_EVIDENCE]} ..."
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown
    )


def infrastructure(evidence: str) -> Outcome:
    """The outcome where the runner itself failed."""
    return Outcome(INFRASTRUCTURE, evidence)

"""What can be executed: a function with tests, or a program with expected outputs."""

import re
from dataclasses import dataclass, field

from mtpeft.core.errors import MtpeftError
from mtpeft.sandbox.limits import JAVA as JAVA_LIMITS
from mtpeft.sandbox.limits import Limits

PYTHON, JAVA = "python", "java"


@dataclass(frozen=True)
class FunctionInstance:
    """A Python function and a benchmark's tests of it.

    Tests and candidate live in different processes, so arguments and results are plain values
    (`inside/wire.py`).

    Attributes:
        id: Of the instance.
        source: The candidate's whole program, which must define `entry_point`.
        entry_point: Name of the candidate.
        test: Defines `check`, a function of one argument, the candidate, that raises where it is
            wrong.
        prelude: Definitions that the tests may use.
        check: Name of the check function.
        limits: What it may use.
    """

    id: str
    source: str
    entry_point: str
    test: str
    prelude: str = ""
    check: str = "check"
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Case:
    """One run of a program.

    Attributes:
        stdin: Its standard input.
        expected: The standard output wanted (None: exit code 0 is all that is asked).
    """

    stdin: bytes = b""
    expected: bytes | None = None


@dataclass(frozen=True)
class ProgramInstance:
    """One source file with a main, run once per case; it passes when every run ends with 0 and the
    expected output.

    Only as trustworthy as its expected outputs: a case without one accepts any program that ends
    with exit code 0.

    Attributes:
        id: Of the instance.
        language: `python` or `java`.
        source: The text of the file.
        cases: The runs, in their order.
        limits: What a run may use (None: the language's default).
        main: The Java class in the source that is started; empty: the source says which.
        harness: A second Java source that is compiled along, by its file's name, and the class in it
            that is started in place of the source's own; None: there is none.
    """

    id: str
    language: str
    source: str
    cases: tuple[Case, ...] = (Case(),)
    limits: Limits | None = None
    main: str = ""
    harness: tuple[str, str, str] | None = None

    def __post_init__(self) -> None:
        if self.language not in (PYTHON, JAVA):
            raise MtpeftError(f"language {self.language!r}", f"{PYTHON} or {JAVA}")
        if not self.cases:
            raise MtpeftError(f"program {self.id} has no test case", "at least one test case")
        if self.limits is None:
            object.__setattr__(self, "limits", JAVA_LIMITS if self.language == JAVA else Limits())

    @property
    def main_class(self) -> str:
        """The Java class to start: the public one, else the one that has a main, else `Main`."""
        if self.main:
            return self.main
        public = re.search(
            r"\bpublic\s+(?:final\s+|abstract\s+)*(?:class|record|enum|interface)\s+(\w+)",
            self.source,
        )
        if public:
            return public[1]
        before_main = re.split(r"\bstatic\s+(?:final\s+)?void\s+main\b", self.source)[0]
        classes = re.findall(r"\b(?:class|record|enum|interface)\s+(\w+)", before_main)
        return classes[-1] if classes else "Main"

    @property
    def file_name(self) -> str:
        """The name under which the source is written into the scratch folder."""
        return "program.py" if self.language == PYTHON else f"{self.main_class}.java"


Instance = FunctionInstance | ProgramInstance


def same_output(found: bytes, expected: bytes) -> bool:
    """Equal up to blanks at line ends and empty lines at the end."""

    def lines(text: bytes) -> list[bytes]:
        return [line.rstrip() for line in text.rstrip().splitlines()]

    return lines(found) == lines(expected)

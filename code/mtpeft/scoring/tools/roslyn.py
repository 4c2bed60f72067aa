"""Roslyn: parser diagnostics of C# outputs, under the study's rule and under a correct one.

The study counts diagnostics whose id begins with CS01 as syntax errors and all others as
maintainability. But the parser's own errors have ids such as CS1002, CS1003 or CS1513, and no
maintainability rule is ever run: what the study calls maintainability are syntax errors. `roslyn`
keeps the study's rule; `roslyn-corrected` (option `published: false`) counts by the severity that
Roslyn gives. The program is docker/roslyn; it needs a .NET SDK to be built.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import scratch, text_lines
from mtpeft.core.processes import run
from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.tools.setup_analysers import install_folder

PROJECT = paths.ROOT / "docker" / "roslyn"


@dataclass(frozen=True)
class Diagnostic:
    """One message of Roslyn's parser.

    Attributes:
        id: Such as CS1002.
        severity: As Roslyn gives it.
        line: From 1.
        message: The text.
    """

    id: str
    severity: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.line}: {self.id} {self.message} ({self.severity.lower()})"


class RoslynScorer:
    """Roslyn's parser under one rule of counting.

    Args:
        tool: The catalog's name for it.
        metrics: Names of the two counts.
        published: Count by the study's rule of ids, else by severity.
    """

    batch = 1000
    workers = 2
    seconds = 600
    uses_references = False

    def __init__(self, tool: str, metrics: tuple[str, str], published: bool) -> None:
        self.tool, self.metrics, self._published = tool, metrics, published

    def version(self) -> str:
        """As `Scorer.version`."""
        program()
        return "4.14.0"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """The study's script gives 0 and 0 for an empty output; it has no value here."""
        requests = "".join(
            json.dumps({"key": str(n), "code": item.output}) + "\n" for n, item in enumerate(items)
        )
        done = run(
            program(),
            seconds=self.seconds,
            given=requests,
            accept=(0,),
            fix="make setup-analysers",
        )
        found = parse_results(done.text)
        for number, item in enumerate(items):
            if not item.output.strip():
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, "empty", "an empty output"
                )
                continue
            counts = count(found[str(number)], self._published)
            yield from measured(
                self.tool,
                self.version(),
                item,
                dict(zip(self.metrics, counts, strict=True)),
                {self.metrics[0]: "\n".join(map(str, found[str(number)]))},
            )


def parse_results(text: str) -> dict[str, list[Diagnostic]]:
    """The diagnostics by key, from what the program printed.

    Raises:
        MtpeftError: A line is anything else; the error names it.
    """
    result: dict[str, list[Diagnostic]] = {}
    for number, line in enumerate(text_lines(text), start=1):
        try:
            record = json.loads(line)
            found = [
                Diagnostic(str(d["id"]), str(d["severity"]), int(d["line"]), str(d["message"]))
                for d in record["diagnostics"]
            ]
            key = str(record["key"])
        except (ValueError, KeyError, TypeError) as error:
            raise MtpeftError(
                f"line {number} of Roslyn's answer is unreadable: {error!r}",
                "a JSON object with key and diagnostics",
                "make setup-analysers",
            ) from error
        if key in result:
            raise MtpeftError(
                f"line {number} of Roslyn's answer: key {key} again", "one line per text"
            )
        result[key] = found
    return result


def count(diagnostics: Sequence[Diagnostic], published: bool) -> tuple[int, int]:
    """The two counts of one file.

    Args:
        diagnostics: What the parser says.
        published: Which rule.

    Returns:
        As published: ids that begin with CS01, and all others. Else: errors, and diagnostics of
        lower severity.
    """
    first = sum(
        d.id.startswith("CS01") if published else d.severity == "Error" for d in diagnostics
    )
    return first, len(diagnostics) - first


def program() -> list[str]:
    """The command that runs the built program.

    Raises:
        Unavailable: It is not built, or no .NET is here.
    """
    dotnet = shutil.which("dotnet")
    built = paths.CACHE / "tools" / _name() / "RoslynDiagnostics.dll"
    if not dotnet or not built.is_file():
        raise Unavailable(
            "Roslyn needs a .NET 8 SDK to be built and run"
            if not dotnet
            else "RoslynDiagnostics is not built",
            "dotnet and data/cache/tools/" + _name(),
            "install the .NET 8 SDK, then: make setup-analysers",
        )
    return [dotnet, str(built)]


def build() -> str:
    """Build the program with the .NET SDK.

    Returns:
        What was done.

    Raises:
        Unavailable: There is no SDK.
    """
    dotnet = shutil.which("dotnet")
    if not dotnet:
        raise Unavailable(
            "no dotnet: Roslyn (C# diagnostics) cannot run here",
            "a .NET 8 SDK",
            "install the .NET 8 SDK (the container has it), then: make setup-analysers",
        )

    def fill(made: Path) -> str:
        with scratch("roslyn") as folder:
            shutil.copytree(PROJECT, folder / "source")
            done = run(
                [
                    dotnet,
                    "publish",
                    "--configuration",
                    "Release",
                    "--output",
                    str(made),
                    str(folder / "source"),
                ],
                seconds=900,
                environment=os.environ | {"DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"},
            )
        if done.code:
            raise Unavailable(
                f"dotnet publish failed: {done.text.strip()[-400:]}",
                "a build of docker/roslyn",
                "run it by hand: dotnet publish docker/roslyn",
            )
        return "docker/roslyn"

    return install_folder(_name(), fill)


def _name() -> str:
    text = b"".join(path.read_bytes() for path in sorted(PROJECT.glob("*.cs*")))
    return "roslyn-" + hashlib.sha256(text).hexdigest()[:16]


def scorer(
    tool: str = "roslyn",
    metrics: Sequence[str] = ("roslyn_syntax_errors", "roslyn_maintainability"),
    published: bool = True,
) -> RoslynScorer:
    """Roslyn under one rule of counting; default: the study's. The parameters are those of
    `RoslynScorer`.
    """
    first, second = metrics
    return RoslynScorer(tool, (first, second), published)

"""Roslyn: parser diagnostics of C# outputs, under the study's rule and under a correct one.

The study counts diagnostics whose id begins with CS01 as syntax errors and all others as
maintainability, in an output as it is. But the parser's own errors have ids such as CS1002, CS1003
or CS1513, and no maintainability rule is ever run: what the study calls maintainability are syntax
errors; and the modifier of a method outside a class is one that begins with CS01. `roslyn` keeps
the study's rule; `roslyn-corrected` (option `published: false`) puts a member into a class and
counts by the severity that Roslyn gives.

No .NET SDK is needed: a wheel brings the runtime, another package Roslyn's assemblies, and Python
loads both. What a version of Roslyn reports differs, and so each is a tool of its own: 4.8.0 is
pinned and installed by `make setup-analysers`; the study's 4.14.0, which no package index has, is
used where an installed .NET SDK brings it.
"""

import importlib
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mtpeft.core.errors import Unavailable
from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.tools.setup_analysers import (
    LOCK,
    folder,
    install_distributions,
    install_folder,
    unpack_npm,
)
from mtpeft.scoring.wrapping import wrap

_ASSEMBLIES = ("Microsoft.CodeAnalysis.dll", "Microsoft.CodeAnalysis.CSharp.dll")
_PRODUCT = re.compile("ProductVersion".encode("utf-16-le") + rb"(?:\0\0)+((?:[\d.]\0)+)")


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


@dataclass(frozen=True)
class Place:
    """Where a version of Roslyn can be run.

    Attributes:
        root: Of the .NET runtime.
        config: Which runtime it is, as .NET reads it.
        assemblies: The folder of Roslyn's assemblies.
    """

    root: Path
    config: Path
    assemblies: Path


class RoslynScorer:
    """Roslyn's parser under one rule of counting.

    Args:
        tool: The catalog's name for it.
        metrics: Names of the two counts.
        published: Count by the study's rule of ids in the output alone, else by severity in a file.
        version: Of Roslyn.
    """

    batch = 1000
    workers = 2
    seconds = 600
    uses_references = False
    finds_faults = True

    def __init__(self, tool: str, metrics: tuple[str, str], published: bool, version: str) -> None:
        self.tool, self.metrics = tool, metrics
        self._published, self._version = published, version

    def version(self) -> str:
        """As `Scorer.version`."""
        place(self._version)
        return self._version

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """The study's script gives 0 and 0 for an empty output; it has no value here."""
        for item in items:
            if not item.output.strip():
                yield from unmeasured(
                    self.tool, self._version, item, self.metrics, "empty", "an empty output"
                )
                continue
            found = diagnostics(item.output if self._published else wrap(item), self._version)
            counts = count(found, self._published)
            yield from measured(
                self.tool,
                self._version,
                item,
                dict(zip(self.metrics, counts, strict=True)),
                {self.metrics[0]: "\n".join(map(str, found))},
            )


def diagnostics(code: str, version: str) -> list[Diagnostic]:
    """What the parser of a version of Roslyn says about a C# text, by position.

    Raises:
        Unavailable: The version is not on this machine.
    """
    tree = _syntax_tree(version).ParseText(code)
    return [
        Diagnostic(
            str(d.Id),
            str(d.Severity),
            int(d.Location.GetLineSpan().StartLinePosition.Line) + 1,
            str(d.GetMessage()),
        )
        for d in tree.GetDiagnostics()
    ]


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


def place(version: str) -> Place:
    """Where a version of Roslyn can be run: what `make setup-analysers` installed, else a .NET SDK.

    Raises:
        Unavailable: Neither has the version, or what Python loads .NET with is not installed.
    """
    own = folder(f"roslyn-{_pinned()['version']}")
    if version == _pinned()["version"]:
        runtime = own / "python" / "dnv" / "net" / "runtime"
        return Place(runtime / ".net", runtime / "runtimeconfig.json", own / "lib")
    for root, assemblies in _installed():
        if version_of(assemblies / _ASSEMBLIES[1]) == version:
            return Place(root, assemblies / "csc.runtimeconfig.json", assemblies)
    raise Unavailable(
        f"Roslyn {version} is not here",
        f"a .NET SDK with Roslyn {version}",
        f"install it and put dotnet on the PATH; Roslyn {_pinned()['version']} is a tool of its own",
    )


def _installed() -> Iterator[tuple[Path, Path]]:
    """The .NET installation on the PATH, with each folder of Roslyn's assemblies in it."""
    if dotnet := shutil.which("dotnet"):
        root = Path(dotnet).resolve().parent
        for assemblies in sorted(root.glob("sdk/*/Roslyn/bincore")):
            yield root, assemblies


def version_of(assembly: Path) -> str:
    """The version that an assembly gives itself, in three numbers; empty where it gives none."""
    found = _PRODUCT.search(assembly.read_bytes()) if assembly.is_file() else None
    return ".".join(found[1].decode("utf-16-le").split(".")[:3]) if found else ""


@cache
def _syntax_tree(version: str) -> Any:
    """Roslyn's class of syntax trees, with .NET loaded into this process.

    A process that has loaded .NET must not fork: a signal that ends the child ends the parent, too.
    Scorers run in processes of their own (`scoring.engine`).
    """
    found = place(version)
    # Without this the language of messages is the machine's.
    os.environ.setdefault("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
    sys.path.append(str(folder(f"roslyn-{_pinned()['version']}") / "python"))
    runtime = importlib.import_module("clr_loader").get_coreclr(
        dotnet_root=str(found.root), runtime_config=str(found.config)
    )
    importlib.import_module("pythonnet").set_runtime(runtime)
    clr = importlib.import_module("clr")
    for name in _ASSEMBLIES:
        clr.AddReference(str(found.assemblies / name))
    return importlib.import_module("Microsoft.CodeAnalysis.CSharp").CSharpSyntaxTree


@cache
def _pinned() -> dict[str, Any]:
    with open(LOCK, "rb") as stream:
        pinned: dict[str, Any] = tomllib.load(stream)["roslyn"]
    return pinned


def install() -> str:
    """Install the pinned version, the .NET runtime and what Python loads it with.

    Returns:
        What was done.

    Raises:
        Unavailable: A package cannot be had, or the runtime is not for this machine.
    """
    pinned = _pinned()

    def fill(made: Path) -> str:
        install_distributions(pinned["requirements"], made / "python", "roslyn")
        (made / "lib").mkdir()
        unpacked = unpack_npm(pinned, made.parent)
        for name in _ASSEMBLIES:
            shutil.copyfile(unpacked / name, made / "lib" / name)
        return str(pinned["package"])

    return install_folder(f"roslyn-{pinned['version']}", fill)


def scorer(
    tool: str = "roslyn",
    metrics: Sequence[str] = ("roslyn_syntax_errors", "roslyn_maintainability"),
    published: bool = True,
    version: str = "4.14.0",
) -> RoslynScorer:
    """Roslyn under one rule of counting; default: the study's, in its version. The parameters are
    those of `RoslynScorer`.
    """
    first, second = metrics
    return RoslynScorer(tool, (first, second), published, version)

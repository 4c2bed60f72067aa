"""PMD: violations per rule category of the wrapped Java file.

One virtual machine checks a whole batch against all categories; the counts are those of one run per
file and category, which is how the study did it. PMD gives nothing for a file it cannot parse (the
study then has 0 everywhere).
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.switches import code_only
from mtpeft.scoring.tools import jvm
from mtpeft.scoring.tools.setup_analysers import folder
from mtpeft.scoring.wrapping import wrap

# PMD's own names of the categories in the archive; the study also ran documentation and security,
# but kept no values.
CATEGORIES = {
    "Best Practices": "bestpractices",
    "Code Style": "codestyle",
    "Design": "design",
    "Error Prone": "errorprone",
    "Multithreading": "multithreading",
    "Performance": "performance",
}
# Rules that do nothing until someone lists packages for them; the study did not.
_UNCONFIGURED = ("LoosePackageCoupling",)
# What PMD calls an error of the text; every other one is its own.
_UNREAD = re.compile(
    r"\b(?:ParseException|LexException|TokenMgrError|TokenMgrException|MalformedSourceException)\b"
)
_PACKAGE = re.compile(r"^\s*package\b", re.MULTILINE)


class PmdScorer:
    """PMD in one version.

    Args:
        tool: The catalog's name for it.
        version: One of those that `make setup-analysers` fetches.
        prefix: What the metrics' names begin with.
    """

    batch = 2500
    workers = 4
    seconds = 900
    uses_references = False
    finds_faults = True

    def __init__(self, tool: str, version: str, prefix: str) -> None:
        self.tool, self._version, self._prefix = tool, version, prefix
        self.metrics = tuple(f"{prefix}_{name}" for name in CATEGORIES.values())

    def version(self) -> str:
        """As `Scorer.version`."""
        folder(f"pmd-{self._version}")
        return self._version

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        with jvm.sources(items) as files:
            report = check(self._version, files)
        for path, item in files.items():
            if path in report.errors:
                # Of an archived output the study wrote 0 in either case, as for a text that cannot be
                # read; PMD fails on the same file every time.
                broken = item.archived or _UNREAD.search(report.errors[path])
                status = "unparseable" if broken else "infrastructure"
                yield from unmeasured(
                    self.tool, self._version, item, self.metrics, status, report.errors[path]
                )
                continue
            lines: dict[str, list[str]] = {m: [] for m in self.metrics}
            found = report.violations.get(path, [])
            if not item.archived:
                # An answer cannot take itself off the count by an annotation or a comment.
                found = found + report.suppressed.get(path, [])
            for violation in found:
                lines[f"{self._prefix}_{CATEGORIES[violation['ruleset']]}"].append(
                    f"{violation['beginline']}: {violation['rule']}: {violation['description'].strip()}"
                )
            yield from measured(
                self.tool,
                self._version,
                item,
                {m: len(v) for m, v in lines.items()},
                {m: "\n".join(v) for m, v in lines.items()},
            )


@dataclass(frozen=True)
class Report:
    """What PMD says, by file.

    Attributes:
        violations: Of its rules.
        suppressed: Violations that the text suppresses.
        errors: The first line of the error where PMD could not process the file.
    """

    violations: dict[Path, list[dict[str, Any]]]
    suppressed: dict[Path, list[dict[str, Any]]]
    errors: dict[Path, str]


def check(version: str, files: jvm.Sources) -> Report:
    """Run PMD over files that `jvm.sources` made.

    Raises:
        MtpeftError: PMD itself fails, also by a configuration error that would silently drop a
            rule, or leaves out a file.
    """
    place = folder(f"pmd-{version}")
    work = files.root
    names = work / "files.txt"
    names.write_text("".join(f"{path}\n" for path in files), encoding="utf-8")
    report = work / "report.json"
    report.unlink(missing_ok=True)
    rulesets = ",".join(f"category/java/{name}.xml" for name in CATEGORIES.values())
    # 0: nothing found, 4: violations, 5: files with errors, 1: also where it only logged an error
    # about one file; whether the report is whole is seen below.
    jvm.run(
        [
            "-cp",
            f"{place}/conf:{place}/lib/*",
            "net.sourceforge.pmd.cli.PmdCli",
            "check",
            "--file-list",
            str(names),
            "-R",
            rulesets,
            "-f",
            "json",
            "-r",
            str(report),
            "--no-cache",
            "--no-progress",
            "--show-suppressed",
            "-t",
            "1",
        ],
        work,
        accept=(0, 1, 4, 5),
    )
    try:
        data = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MtpeftError(
            f"PMD {version} left no whole report: {error}", "a JSON report", "make setup-analysers"
        ) from error
    dropped = [e for e in data["configurationErrors"] if e["rule"] not in _UNCONFIGURED]
    if dropped:
        raise MtpeftError(f"PMD {version}: {dropped[0]}", "rules without configuration errors")
    violations, suppressed = (
        {Path(entry["filename"]): entry["violations"] for entry in data[name]}
        for name in ("files", "suppressedViolations")
    )
    errors = {
        Path(e["filename"]): " ".join(e["message"].replace(f"{path.parent}/", "").split())
        for e in data["processingErrors"]
        for path in [Path(e["filename"])]
    }
    # A file outside any package violates a rule in every version, so that silence about it means
    # that it was lost.
    silent = [
        path
        for path, item in files.items()
        if not (path in violations or path in suppressed or path in errors)
        and (item.archived or not _PACKAGE.search(code_only(wrap(item))))
    ]
    if silent:
        raise MtpeftError(
            f"PMD {version} reports nothing on {len(silent)} of {len(files)} files",
            "an entry per file",
        )
    return Report(violations, suppressed, errors)


def scorer(tool: str = "pmd", version: str = "7.6.0", prefix: str = "pmd") -> PmdScorer:
    """PMD in one version; default: that of the study. The parameters are those of `PmdScorer`."""
    return PmdScorer(tool, version, prefix)

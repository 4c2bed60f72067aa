"""PMD: violations per rule category of the wrapped Java file.

One virtual machine checks a whole batch against all categories; the counts are those of one run per
file and category, which is how the study did it. PMD gives nothing for a file it cannot parse (the
study then has 0 everywhere).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtpeft.catalog import Evaluation
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Score
from mtpeft.scoring import jvm
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.setup_analysers import folder

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


class PmdScorer:
    """PMD in one version."""

    batch = 2500
    workers = 4
    seconds = 900

    def __init__(self, tool: str, version: str, prefix: str) -> None:
        self.tool, self._version, self._prefix = tool, version, prefix
        self.metrics = tuple(f"{prefix}_{name}" for name in CATEGORIES.values())

    def version(self) -> str:
        folder(f"pmd-{self._version}")
        return self._version

    def accepts(self, evaluation: Evaluation) -> bool:
        return evaluation.language == "java" and not evaluation.id.startswith("summarization")

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        with jvm.sources(items) as files:
            violations, errors = check(self._version, files)
        for path, item in files.items():
            if path in errors:
                # Also where the fault is PMD's own: it fails on the same file every time, and the
                # study wrote 0.
                yield from unmeasured(
                    self.tool, self._version, item, self.metrics, "unparseable", errors[path]
                )
                continue
            lines = {m: [] for m in self.metrics}
            for violation in violations.get(path, []):
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


def check(
    version: str, files: Sequence[Path] | dict[Path, Item]
) -> tuple[dict[Path, list[dict]], dict[Path, str]]:
    """PMD's violations per file, and the first line of the error for each file that it could not
    process.

    Raises MtpeftError where PMD itself fails, also on a configuration error that would silently
    drop a rule.
    """
    place = folder(f"pmd-{version}")
    work = next(iter(files)).parent
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
    violations = {Path(entry["filename"]): entry["violations"] for entry in data["files"]}
    errors = {
        Path(e["filename"]): " ".join(e["message"].replace(f"{work}/", "").split())
        for e in data["processingErrors"]
    }
    silent = [path for path in files if path not in violations and path not in errors]
    if silent:
        # A file outside any package violates a rule in every version, so that silence means a lost
        # file.
        raise MtpeftError(
            f"PMD {version} reports nothing on {len(silent)} of {len(files)} files",
            "an entry per file",
        )
    return violations, errors


def scorer() -> PmdScorer:
    """PMD in the version of the study."""
    return PmdScorer("pmd", "7.6.0", "pmd")

"""Checkstyle with Sun's conventions (sun_checks.xml): violations of the wrapped Java file.

The study names version 10.21.1 but has its call commented out, and no archived value exists.
Debian's 8.36.1 is used unless MTPEFT_CHECKSTYLE_JAR names the jar (`-all`) of another version; the
version stands in every score.
"""

import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.records import Score
from mtpeft.corpora.trees import below
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.tools import jvm
from mtpeft.scoring.tools.setup_analysers import folder
from mtpeft.scoring.trees import tree
from mtpeft.scoring.wrapping import wrap

# What Checkstyle reports in place of checks when it cannot read a file.
_FAILED = re.compile(r"com\.puppycrawl\.tools\.checkstyle\.(Checker|TreeWalker)")
# A check about the folder, not the output: every file lacks a package description.
# What Checkstyle 8.36.1 does not know, by its node in tree-sitter's tree.
_AFTER_16 = {
    "sealed": "sealed types",
    "permits": "sealed types",
    "non-sealed": "sealed types",
    "record_pattern": "record patterns",
    "type_pattern": "patterns in a switch",
    "guard": "patterns in a switch",
}
_ABOUT_FOLDER = "JavadocPackageCheck"


class CheckstyleScorer:
    """Checkstyle as a `Scorer`."""

    tool = "checkstyle"
    metrics = ("checkstyle_sun_violations", "checkstyle_sun_checks")
    batch = 2500
    workers = 4
    seconds = 900
    uses_references = False
    finds_faults = True

    def version(self) -> str:
        """As `Scorer.version`."""
        return f"{classpath()[1]} sun_checks"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Two counts per file: violations, and different checks violated."""
        version = self.version()
        with jvm.sources(items) as files:
            found = check(files)
        for path, item in files.items():
            violations = found[path]
            broken = [v for v in violations if _FAILED.match(v["source"])]
            if broken:
                status, cause = _cause(broken[0]["message"])
                if status == "unparseable" and not item.archived and (newer := _newer(item)):
                    status, cause = "cannot run here", f"Checkstyle {version} reads no {newer}"
                yield from unmeasured(self.tool, version, item, self.metrics, status, cause)
                continue
            lines = [
                f"{v['line']}: {v['source'].rsplit('.', 1)[-1].removesuffix('Check')}: {v['message']}"
                for v in violations
            ]
            yield from measured(
                self.tool,
                version,
                item,
                {
                    self.metrics[0]: len(violations),
                    self.metrics[1]: len({v["source"] for v in violations}),
                },
                {self.metrics[0]: "\n".join(lines)},
            )


def _newer(item: Item) -> str:
    """What a sound answer has that came into Java after 16; empty where nothing."""
    root = tree(wrap(item), "java")
    found = {node.type for node in below(root)} if not root.has_error else set()
    return next((name for sign, name in _AFTER_16.items() if sign in found), "")


def _cause(message: str) -> tuple[str, str]:
    """Status, and line and reason out of the stack trace that Checkstyle reports, without the
    temporary file's name. What is no error of the text is Checkstyle's own.
    """
    match = re.search(r"\.java:(\d+):\d+: ([^\n]+)", message) or re.search(
        r"line (\d+):\d+: ?([^\n]+)", message
    )
    if match:
        return "unparseable", f"{match[1]}: {match[2].strip()}"[:300]
    reason = re.search(r"^(?:Caused by:|Got an exception -) (?:\w+\.)*(\w+)", message, re.MULTILINE)
    return "infrastructure", f"Checkstyle failed ({reason[1] if reason else 'no reason given'})"


def classpath() -> tuple[str, str]:
    """Class path and version of the Checkstyle in use.

    Raises:
        Unavailable: There is none.
    """
    own = os.environ.get("MTPEFT_CHECKSTYLE_JAR")
    if not own:
        return f"{folder('checkstyle-8.36.1')}/lib/*", "8.36.1"
    try:
        with zipfile.ZipFile(own) as jar:
            manifest = jar.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise Unavailable(
            f"MTPEFT_CHECKSTYLE_JAR={own}: {error}", "the -all jar of a Checkstyle release"
        ) from error
    match = re.search(r"^(?:Implementation|Bundle)-Version: *(\S+)", manifest, re.MULTILINE)
    if not match:
        raise Unavailable(
            f"MTPEFT_CHECKSTYLE_JAR={own}: no version in its manifest", "the -all jar of a release"
        )
    return own, match[1]


def sun_checks() -> str:
    """The rules in Checkstyle's own jar, told to go on after a file that it cannot read (by default
    it stops there).

    Raises:
        MtpeftError: The jar has no such rules.
    """
    path = classpath()[0]
    jars = (
        [Path(path)] if path.endswith(".jar") else sorted(Path(path).parent.glob("checkstyle*.jar"))
    )
    with zipfile.ZipFile(jars[0]) as jar:
        text = jar.read("sun_checks.xml").decode("utf-8")
    head = '<module name="Checker">'
    if text.count(head) != 1:
        raise MtpeftError(f"sun_checks.xml in {jars[0]} has no single Checker", head)
    return text.replace(head, head + '<property name="haltOnException" value="false"/>')


def check(files: jvm.Sources) -> dict[Path, list[dict[str, str]]]:
    """Checkstyle's violations per file (attributes of its XML report).

    Raises:
        MtpeftError: Checkstyle fails.
    """
    work = files.root
    report, rules = work / "report.xml", work / "rules.config"
    rules.write_text(sun_checks(), encoding="utf-8")
    # The exit code is the number of violations modulo 256, so that it says nothing.
    _, log = jvm.run(
        [
            "-cp",
            classpath()[0],
            "com.puppycrawl.tools.checkstyle.Main",
            "-c",
            str(rules),
            "-f",
            "xml",
            "-o",
            str(report),
            str(work),
        ],
        work,
        accept=tuple(range(-1, 256)),
    )
    if not report.is_file() or not report.stat().st_size:
        raise MtpeftError(
            f"Checkstyle wrote no report: {log.strip()[-500:]}",
            "an XML report",
            "make setup-analysers",
        )
    found: dict[Path, list[dict[str, str]]] = defaultdict(list)
    seen = set()
    for entry in ET.parse(report).getroot().iter("file"):
        path = Path(entry.attrib["name"])
        seen.add(path)
        found[path] += [
            {"line": "", **e.attrib}
            for e in entry.iter("error")
            if not e.attrib["source"].endswith(_ABOUT_FOLDER)
        ]
    lost = set(files) - seen
    if lost:
        raise MtpeftError(
            f"Checkstyle reports nothing on {len(lost)} of {len(files)} files", "an entry per file"
        )
    return found


def scorer() -> CheckstyleScorer:
    """Checkstyle with Sun's conventions."""
    return CheckstyleScorer()

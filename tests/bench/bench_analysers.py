"""The study's way (one process per file) against this package's, side by side, with identical
results.

    python tests/bench/bench_analysers.py [TOOL …] [--files 24] [--out
    results/regenerated/bench/analysers.csv]

The study's way is measured on a sample of archived outputs, evenly spread over the eleven runs, and
stated per file; this package's way on all archived outputs, without its cache, start of all
processes included (equal outputs of one instance are scored once). Counts of the sample must be
equal. Needs MTPEFT_MIRROR (or `make predictions`) and `make setup-analysers`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.files import write_atomic
from mtpeft.core.records import csv_text
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.predictions import read_archived
from mtpeft.scoring.tools import pmd
from mtpeft.scoring.tools.setup_analysers import folder
from mtpeft.scoring.wrapping import SUFFIX, wrap

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Case:
    """A tool, where its outputs come from, how the study runs it on one file (→ its counts), the
    factor to reach, and the largest sample (PMD: eight virtual machines per file).
    """

    tool: str
    evaluations: tuple[str, ...]
    alone: Callable[[Path, Item], list[int]]
    factor: float
    sample: int = 1 << 30


def output_of(command: Sequence[str], work: Path) -> str:
    return subprocess.run(
        command,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYLINTHOME": str(work)},
    ).stdout


def lizard_alone(work: Path, item: Item) -> list[int]:
    path = work / f"f{SUFFIX[item.language]}"
    path.write_text(item.output, encoding="utf-8", newline="")
    loc = tokens = complexity = 0
    # The study takes every line that begins with a digit and holds an @, the warnings section
    # included.
    for line in output_of([str(BIN / "lizard"), path.name], work).splitlines():
        fields = line.split()
        if fields and fields[0].isdigit() and "@" in line:
            loc, complexity, tokens = (
                loc + int(fields[0]),
                complexity + int(fields[1]),
                tokens + int(fields[2]),
            )
    return [loc, tokens, int(bool(loc)), complexity]


def pylint_alone(work: Path, item: Item) -> list[int]:
    path = work / f"{item.instance_id}.py"
    path.write_text(item.output, encoding="utf-8", newline="")
    counts: Counter[str] = Counter()
    for line in output_of([str(BIN / "pylint"), path.name], work).splitlines():
        parts = line.split(":")
        if len(parts) > 4:
            counts[parts[3].strip()[:1]] += 1
    path.unlink()
    return [counts[letter] for letter in "EWCR"]


def flake8_alone(work: Path, item: Item) -> list[int]:
    path = work / "f.py"
    path.write_text(item.output, encoding="utf-8", newline="")
    counts: Counter[str] = Counter()
    for line in output_of([str(BIN / "flake8"), "--isolated", path.name], work).splitlines():
        parts = line.split(":", 3)
        if len(parts) == 4:
            counts[parts[3].strip()[:1]] += 1
    return [counts[letter] for letter in "EWFC"]


def pmd_alone(work: Path, item: Item) -> list[int]:
    path = work / "f.java"
    path.write_text(wrap(item), encoding="utf-8", newline="")
    place = folder("pmd-7.6.0")
    # Eight categories, one virtual machine each, as the study does it; the archive kept six of the
    # counts.
    counts = [
        sum(
            ":\t" in line
            for line in output_of(
                [
                    "java",
                    "-cp",
                    f"{place}/conf:{place}/lib/*",
                    "net.sourceforge.pmd.cli.PmdCli",
                    "check",
                    "-d",
                    path.name,
                    "-R",
                    f"category/java/{name}.xml",
                    "-f",
                    "text",
                    "--no-cache",
                    "--no-progress",
                ],
                work,
            ).splitlines()
        )
        for name in [*pmd.CATEGORIES.values(), "documentation", "security"]
    ]
    return counts[: len(pmd.CATEGORIES)]


CASES = (
    Case(
        "lizard", ("generation-java", "generation-python", "translation-cs-java"), lizard_alone, 75
    ),
    Case("pylint", ("generation-python",), pylint_alone, 25),
    Case("flake8", ("generation-python",), flake8_alone, 35),
    Case("pmd", ("generation-java", "translation-cs-java"), pmd_alone, 500, sample=6),
)
UNREAD = {"pylint": [1, 0, 0, 0], "flake8": None}


def spread(items: list[Item], count: int) -> list[Item]:
    """`count` of the items, evenly spread over their order."""
    return [items[i * len(items) // count] for i in range(min(count, len(items)))]


def bench(case: Case, files: int) -> list[object]:
    """One line of the table. Raises AssertionError where the two ways count differently."""
    items = [i for e in case.evaluations for i in read_archived(e).items]
    sample = spread(items, min(files, case.sample))
    work = Path(tempfile.mkdtemp(prefix="mtpeft-bench-"))
    try:
        start = time.monotonic()
        theirs = [case.alone(work, item) for item in sample]
        alone = (time.monotonic() - start) / len(sample)
        start = time.monotonic()
        ours = engine.score(case.tool, items, cache=work / "cache")
        together = (time.monotonic() - start) / len(items)
    finally:
        shutil.rmtree(work)
    outcome = dict(zip(items, ours, strict=True))
    compared = 0
    for item, counts in zip(sample, theirs, strict=True):
        mine = outcome[item]
        if mine.status == "ok":
            expected: list[int] | None = [int(v) for v, _, _ in mine.cells.values()]
        else:
            expected = UNREAD.get(case.tool, [0] * len(counts))
        if expected is not None:
            assert counts == expected, (
                f"{case.tool} {item.run} {item.instance_id}: alone {counts}, here {expected}"
            )
            compared += 1
    return [
        case.tool,
        len(sample),
        round(alone, 4),
        len(items),
        round(together, 5),
        round(alone / together, 1),
        case.factor,
        f"{compared} of {compared} equal",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tools", nargs="*", default=[case.tool for case in CASES])
    parser.add_argument(
        "--files", type=int, default=24, help="sample for the study's way (default 24)"
    )
    parser.add_argument("--out", type=Path, default=paths.REGENERATED / "bench" / "analysers.csv")
    options = parser.parse_args()
    columns = [
        "tool",
        "sample_files",
        "seconds_per_file_alone",
        "outputs_here",
        "seconds_per_output_here",
        "times_faster",
        "to_reach",
        "results",
    ]
    rows = []
    for case in CASES:
        if case.tool in options.tools:
            rows.append(bench(case, options.files))
            print("  ".join(f"{c} {v}" for c, v in zip(columns, rows[-1], strict=True)), flush=True)
    write_atomic(options.out, csv_text(columns, rows))


if __name__ == "__main__":
    main()

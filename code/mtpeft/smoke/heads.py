"""The part of the smoke run with heads: expected vs. actual for every kind of backbone and method."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from mtpeft.core import paths
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.smoke import expected

FOLDER = paths.REGENERATED / "smoke-heads"
EXPECTED = paths.DATA / "smoke" / "expected-heads.csv"
METRICS = ("trained", "mflops", "first_loss", "last_loss", "seen", "easiest_weight")
LEARNED_LOSS, LEARNED = 1 / 3, 0.9


def run(root: Path = FOLDER, update: bool = False) -> int:
    """Train everything from the beginning below `root` and print expected vs. actual.

    Args:
        root: The folder, which is emptied first.
        update: Write the expected table instead of comparing; tolerances stay (0 for a new cell).

    Returns:
        The exit code: 0 where the table agrees and the models have learned, else 1.
    """
    from mtpeft.smoke.backbones import run as train

    started = time.monotonic()
    shutil.rmtree(root, ignore_errors=True)
    rows = train(root)
    write_provenance(root / "smoke.csv", [], seeds=[42])
    obtained = cells(rows)
    if update:
        kept = expected.read_table(EXPECTED, "tolerance") if EXPECTED.is_file() else {}
        write_atomic(EXPECTED, expected.table(obtained, kept))
        print(f"smoke-heads: wrote {paths.shown(EXPECTED)}")
        return 0
    comparisons = expected.compare(obtained, EXPECTED)
    print(expected.shown(comparisons))
    problems = [
        f"{' '.join(c.cell)}: {c.verdict}"
        for c in comparisons
        if c.verdict in ("differs", "not run")
    ]
    problems += learning_problems(rows)
    counts = {
        v: sum(c.verdict == v for c in comparisons)
        for v in ("exact", "within tolerance", "differs", "not run")
    }
    write_atomic(
        root / "verdict.json",
        json.dumps({"cells": counts, "problems": problems}, indent=1, sort_keys=True) + "\n",
    )
    print(
        f"smoke-heads: {', '.join(f'{n} {v}' for v, n in counts.items())}; {time.monotonic() - started:.0f} s"
    )
    for problem in problems:
        print(f"smoke-heads: PROBLEM {problem}")
    passed = "passed: every kind and method trains, the table agrees, the models have learned"
    print("smoke-heads: " + ("failed" if problems else passed))
    return 1 if problems else 0


def cells(rows: list[dict[str, Any]]) -> dict[expected.Cell, float]:
    """What is compared: figures by run, and for each run whether it could be trained."""
    found: dict[expected.Cell, float] = {}
    for row in rows:
        found[row["run"], "heads", "runs"] = float(row["status"] == "ok")
        found |= {
            (row["run"], "heads", metric): float(row[metric]) for metric in METRICS if metric in row
        }
    return found


def learning_problems(rows: list[dict[str, Any]]) -> list[str]:
    """What shows that a model has not memorized its training examples."""
    problems = []
    for row in (r for r in rows if "seen" in r):
        if not row["last_loss"] < LEARNED_LOSS * row["first_loss"]:
            problems.append(
                f"{row['run']} has not learned: loss {row['first_loss']:.3f} -> {row['last_loss']:.3f}"
            )
        if not row["seen"] > LEARNED:
            problems.append(
                f"{row['run']} knows {row['seen']:.0%} of what it has seen, expected more than {LEARNED:.0%}"
            )
    return problems if any("seen" in r for r in rows) else ["no model memorized anything"]

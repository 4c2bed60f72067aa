"""The smoke run from beginning to end: base model, runs, predictions, scores, tests, table,
verdict.
"""

import json
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mtpeft.catalog import Catalog, Run
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import ScoreSet, Test, write_records
from mtpeft.smoke import expected, heads
from mtpeft.smoke.base import Size, smoke_catalog

FOLDER = paths.REGENERATED / "smoke"
SHOWN = ("smoke_exact_match", "smoke_bleu", "smoke_pass")
LEARNED_LOSS, LEARNED_MATCH = 1 / 3, 0.8
SIZE = Size()
# One thread and the vector instructions that x86-64 processors have had since 2015, whatever more
# this one has: the same machine repeats the run to the last bit, and another one comes as near as
# its libraries allow. Half-learned adapters answer differently after a difference in that bit. A
# name that is set already keeps its value.
ARITHMETIC = {
    "OMP_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
# Full tuning knows the code, adapters of a tiny model do not: these contrasts are the same on every
# machine. Summaries both know, but for what a machine rounds otherwise.
CLEAR = (("smoke-rq2", "smoke_bleu"), ("smoke-pass1", "smoke_pass"))
KNOWN_TO_BOTH = "summarization"


def run(
    jobs: int = 2,
    root: Path = FOLDER,
    size: Size = SIZE,
    overrides: dict[str, Any] | None = None,
    update: bool = False,
) -> int:
    """Run everything from the beginning below `root`, then the runs with heads, and print expected
    vs. actual.

    Args:
        jobs: Processes that train at the same time.
        root: The folder, which is emptied first.
        size: How much is done.
        overrides: Training settings.
        update: Write the expected table instead of comparing; tolerances stay (0 for a new cell).

    Returns:
        The exit code: 0 where the tables agree and the models have learned, else 1.
    """
    started = time.monotonic()
    shutil.rmtree(root, ignore_errors=True)
    known = smoke_catalog()
    runs = known.of("runs", "smoke")
    losses = _trained(runs, root, size, overrides or {}, jobs)
    _say(started, "scoring")
    from mtpeft.smoke.scores import score_all

    score_all(runs, root, size)
    _say(started, "statistics")
    tests = _tests(known, root)
    obtained = _table(runs, root, losses, tests)
    write_atomic(root / "table.csv", expected.table(obtained))
    write_provenance(root / "table.csv", sorted((root / "scores").rglob("*.csv")), seeds=[42])
    seconds = time.monotonic() - started
    if update:
        kept = (
            expected.read_table(expected.EXPECTED, "tolerance")
            if expected.EXPECTED.is_file()
            else {}
        )
        write_atomic(expected.EXPECTED, expected.table(obtained, kept))
        print(f"smoke: wrote {paths.shown(expected.EXPECTED)} in {seconds:.0f} s")
        return heads.run(update=True)
    code = _verdict(obtained, losses, root, seconds)
    return max(code, heads.run())


def _trained(
    runs: list[Run], root: Path, size: Size, overrides: dict[str, Any], jobs: int
) -> dict[str, dict[str, float]]:
    """Make the base, then train and predict every run, the longest first.

    Args:
        runs: The runs.
        root: Folder of the smoke run.
        size: How much is done.
        overrides: Training settings.
        jobs: Processes that train at the same time.

    Returns:
        Losses by run.
    """
    from mtpeft.smoke.base import make_base
    from mtpeft.smoke.work import one_run

    for name, value in {
        **ARITHMETIC,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "0",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }.items():
        os.environ.setdefault(name, value)
    started, backbone = time.monotonic(), root / "backbone"
    losses: dict[str, dict[str, float]] = {}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_quiet) as pool:
        losses["smoke/base"] = pool.submit(make_base, backbone, size).result()
        _say(
            started,
            f"base model: loss {losses['smoke/base']['first']:.2f} -> {losses['smoke/base']['last']:.3f}",
        )
        order = sorted(runs, key=lambda r: -len(r.tasks))
        futures = {pool.submit(one_run, r, backbone, root, size, overrides): r for r in order}
        for future in as_completed(futures):
            made = future.result()
            losses[made["run"]] = made
            _say(
                started,
                f"{made['run']}: loss {made['first']:.2f} -> {made['last']:.3f}, {made['steps']} steps in "
                f"{made['seconds']:.0f} s",
            )
    return losses


def _quiet() -> None:
    """In each worker: no life beyond the parent's, and no chatter of the libraries (their errors
    still reach the parent).
    """
    import logging
    import warnings

    from mtpeft.core.processes import die_with_parent

    die_with_parent()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for the life of the process)
    from transformers.utils import logging as chatter

    chatter.disable_progress_bar()


def _tests(known: Catalog, root: Path) -> list[Test]:
    from mtpeft.statistics.compare import run_all

    tests = run_all(ScoreSet.load(root), known.of("comparisons", "smoke"), known)
    write_records(root / "tests.csv", tests, Test)
    return tests


def _table(
    runs: list[Run], root: Path, losses: dict[str, dict[str, float]], tests: list[Test]
) -> dict[expected.Cell, float]:
    """The cells of the smoke table: last loss of every run, mean of every metric, pairs of every
    corrected test, and p of the tests whose sides differ clearly (p of a contrast of half-learned
    runs is chance, and would make no check).
    """
    cells: dict[expected.Cell, float] = {}
    for name in ["smoke/base", *(r.id for r in runs)]:
        cells[name, "", "last_loss"] = losses[name]["last"]
    scores = ScoreSet.load(root)
    for (_, task), frame in sorted(scores.tables.items()):
        for metric in (m for m in SHOWN if m in frame.columns):
            for name, part in frame.groupby("run", sort=True):
                if part[metric].notna().any():
                    cells[str(name), task, metric] = float(part[metric].mean())
    for test in tests:
        if test.protocol == "corrected":
            cells[test.comparison, test.block, f"pairs({test.metric})"] = float(test.n_pairs)
            clear = (test.comparison, test.metric) in CLEAR
            if clear and not test.block.startswith(KNOWN_TO_BOTH) and test.p == test.p:
                cells[test.comparison, test.block, f"p({test.metric})"] = test.p
    return cells


def _verdict(
    obtained: dict[expected.Cell, float],
    losses: dict[str, dict[str, float]],
    root: Path,
    seconds: float,
) -> int:
    comparisons = expected.compare(obtained)
    print(expected.shown(comparisons))
    problems = [
        f"{' '.join(c.cell)}: {c.verdict}"
        for c in comparisons
        if c.verdict in ("differs", "not run")
    ]
    problems += learning_problems(obtained, losses)
    counts = {
        v: sum(c.verdict == v for c in comparisons)
        for v in ("exact", "within tolerance", "differs", "not run")
    }
    write_atomic(
        root / "verdict.json",
        json.dumps(
            {"cells": counts, "problems": problems, "seconds": round(seconds, 1), "losses": losses},
            indent=1,
            sort_keys=True,
        )
        + "\n",
    )
    print(f"smoke: {', '.join(f'{n} {v}' for v, n in counts.items())}; {seconds:.0f} s")
    for problem in problems:
        print(f"smoke: PROBLEM {problem}")
    print(
        "smoke: "
        + (
            "failed"
            if problems
            else "passed: every stage ran, the table agrees, the model has learned"
        )
    )
    return 1 if problems else 0


def learning_problems(
    obtained: dict[expected.Cell, float], losses: dict[str, dict[str, float]]
) -> list[str]:
    """What shows that the model has not learned: a smoke run that cannot fail would prove nothing."""
    problems = []
    for name in ("smoke/base", "smoke/mt-fft"):
        first, last = losses[name]["first"], losses[name]["last"]
        if not last < LEARNED_LOSS * first:
            problems.append(
                f"{name} has not learned: loss {first:.3f} -> {last:.3f}, expected under a third"
            )
    matches = [
        v
        for (run, _, metric), v in obtained.items()
        if run == "smoke/mt-fft" and metric == "smoke_exact_match"
    ]
    if not matches:
        raise MtpeftError("no exact match of smoke/mt-fft", "one for each evaluation set")
    if not sum(matches) / len(matches) > LEARNED_MATCH:
        problems.append(
            f"smoke/mt-fft knows {sum(matches) / len(matches):.0%} of what it has seen, expected more than {LEARNED_MATCH:.0%}"
        )
    return problems


def _say(started: float, what: str) -> None:
    print(f"smoke: {time.monotonic() - started:5.0f} s  {what}", file=sys.stderr, flush=True)

"""`mtpeft proof`: every run of a study under every seed, trained, asked and scored in one process.

The stages are the commands that a matrix of runs would start one by one; here they share a process,
since most of a small run's time would be imports. Each stage leaves a mark with its wall and CPU
seconds; a stage that has one is not done again, so that the same command resumes.
"""

import contextlib
import fnmatch
import io
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from mtpeft.catalog import Catalog, Study
from mtpeft.catalog.schema import Form
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.objects import typed
from mtpeft.core.records import csv_text
from mtpeft.matrix import plan as plans
from mtpeft.tasks.encoding import has_heads
from mtpeft.tuning import identity

Invoke = Callable[[Sequence[str]], int]
"""Performs a command of `mtpeft` in this process; its exit code."""
NAME = "proof"
COST = ("backbone", "run", "seed", "stage", "seconds", "cpu_seconds")


def form_of(study: Study, *, quick: bool) -> Form:
    """The size in which a study is run.

    Raises:
        MtpeftError: The study has an archive and is not run here.
    """
    if study.proof is None:
        raise MtpeftError(
            f"{study.id} does not say how it is run on this machine",
            "a study with `proof:` in its study.yaml",
            "mtpeft list studies",
        )
    return study.proof.quick if quick else study.proof.full


def home(study: str, *, quick: bool, root: Path | None = None) -> Path:
    """The folder in which everything of a study's run lies, the outputs of all stages included."""
    return (root or paths.REGENERATED) / "proofs" / study / ("quick" if quick else "full")


def plan_of(known: Catalog, study: Study, form: Form) -> plans.Plan:
    """Runs that are not withdrawn, and seeds, in the order in which the study's runs stand.

    Raises:
        UnknownName: A pattern of the form fits no run of the study.
    """
    fitting = _fitting([r.id for r in known.runs.values() if r.study == study.id], form.runs)
    runs = [name for name in fitting if not known.runs[name].withdrawn]
    settings = [f"{name}={value}" for name, value in form.settings.items()]
    return plans.Plan(
        runs, form.seeds, form.profile, form.inference, corpus=form.corpus, settings=settings
    )


def _fitting(runs: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The runs that fit one of some patterns, in their own order.

    Raises:
        UnknownName: A pattern fits none; it would silently leave out what it was meant to name.
    """
    for pattern in patterns:
        if not fnmatch.filter(runs, pattern):
            raise UnknownName("run or pattern of runs", pattern, runs, "mtpeft list runs")
    return [run for run in runs if any(fnmatch.fnmatchcase(run, p) for p in patterns)]


def perform(
    known: Catalog, study: Study, form: Form, invoke: Invoke, only: Sequence[str] = ()
) -> bool:
    """Do every stage that has no mark yet.

    Args:
        known: The catalog.
        study: The study.
        form: Its size.
        invoke: Performs a command.
        only: Patterns of runs; the others are left for later, or to another process.

    Returns:
        Whether every stage of every run is finished.

    Raises:
        MtpeftError: A stage failed, or the folder was begun with another plan.
        UnknownName: A pattern fits no run.
    """
    plan = plan_of(known, study, form)
    wanted = _fitting(plan.runs, only or ["*"])
    plans.write(NAME, plan)
    matrix, program = plans.home(NAME), identity.of_sources()
    todo = [
        (cell, stage)
        for cell in plans.cells(plan)
        for stage in stages_of(known, cell.run)
        if cell.run in wanted
    ]
    # One backbone after the other, so that one is whole before the next begins.
    order = list(dict.fromkeys(known.runs[run].backbone for run in plan.runs))
    todo.sort(key=lambda one: order.index(known.runs[one[0].run].backbone))
    for number, (cell, stage) in enumerate(todo, start=1):
        mark = plans.mark(matrix, cell, stage)
        if _used(matrix, cell, stage) and plans.marked(matrix, cell, stage)["program"] == program:
            continue
        used = _once(invoke, plan, form, cell, stage, mark)
        write_atomic(mark, json.dumps({"code": 0, "program": program, **used}) + "\n")
        print(
            f"proof: {number} of {len(todo)}: {cell.run} seed {cell.seed} {stage}: "
            f"{used['seconds']:.0f} s, CPU {used['cpu_seconds']:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return finished(known, plan)


def stages_of(known: Catalog, run: str) -> list[plans.Stage]:
    """The stages of a run. Trained heads answer their test sets before their training ends; a base
    model as it is needs no training.
    """
    entry = known.get("runs", run)
    without = "train" if entry.regime == "untuned" else "infer" if has_heads(entry) else ""
    return [stage for stage in plans.STAGES if stage != without]


def finished(known: Catalog, plan: plans.Plan) -> bool:
    """Whether every stage of every cell has its mark."""
    return all(
        _used(plans.home(NAME), cell, stage)
        for cell in plans.cells(plan)
        for stage in stages_of(known, cell.run)
    )


@dataclass(frozen=True)
class _Mark:
    """What is written when a stage has ended well."""

    code: Literal[0]
    program: str
    seconds: float
    cpu_seconds: float


def _used(matrix: Path, cell: plans.Cell, stage: plans.Stage) -> dict[str, float]:
    """The seconds that a finished stage used; empty where its mark is missing or damaged."""
    try:
        mark = typed(_Mark, plans.marked(matrix, cell, stage))
    except ValueError:
        return {}
    return {"seconds": mark.seconds, "cpu_seconds": mark.cpu_seconds}


def _once(
    invoke: Invoke, plan: plans.Plan, form: Form, cell: plans.Cell, stage: plans.Stage, mark: Path
) -> dict[str, float]:
    """Perform a stage; what it used, in seconds. What it says goes to a file beside its mark."""
    wall, cpu = time.monotonic(), _cpu()
    log = mark.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    for words in _commands(plan, form, cell, stage):
        with _into(log):
            code = invoke(words)
        if code:
            raise MtpeftError(
                f"{stage} of {cell.run}, seed {cell.seed}, ended with code {code}",
                "0; the last lines say why",
                f"tail {paths.shown(log)}",
            )
    return {"seconds": round(time.monotonic() - wall, 2), "cpu_seconds": round(_cpu() - cpu, 2)}


def _commands(
    plan: plans.Plan, form: Form, cell: plans.Cell, stage: plans.Stage
) -> Iterator[list[str]]:
    """The commands of a matrix, with what the form says besides."""
    for words in plans.commands(plan, cell, stage):
        if stage == "infer":
            limit = ["--limit", str(form.limit)] if form.limit else []
            yield [*words, "--dtype", "float32", *limit]
            continue
        if stage == "score":
            yield [*words[:3], *form.tools, *words[3:]]
            if Path(words[2]).stem in form.tested:
                yield [*words[:3], "execution", *words[3:]]
            continue
        yield words


def _cpu() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


class _Log(io.TextIOBase):
    """The stream of whatever log is open. Libraries keep the stream that they find when they are
    imported: with a file of its own, the next stage's messages would go to a closed one.
    """

    def __init__(self) -> None:
        self.target: TextIO | None = None

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return (self.target or sys.__stderr__ or io.StringIO()).write(text)

    def flush(self) -> None:
        if self.target is not None:
            self.target.flush()

    def fileno(self) -> int:
        if self.target is None:
            raise io.UnsupportedOperation("no log is open")
        return self.target.fileno()


_LOG = _Log()


@contextlib.contextmanager
def _into(log: Path) -> Iterator[None]:
    """Add what is printed meanwhile to a file; libraries draw no progress bars."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with log.open("at", encoding="utf-8") as stream:
        _LOG.target = stream
        try:
            with contextlib.redirect_stdout(_LOG), contextlib.redirect_stderr(_LOG):
                yield
        finally:
            _LOG.target = None


def cost_rows(known: Catalog, plan: plans.Plan) -> list[list[object]]:
    """What every finished stage used, a row each, in the columns of `COST`."""
    rows: list[list[object]] = []
    for cell in plans.cells(plan):
        for stage in stages_of(known, cell.run):
            if used := _used(plans.home(NAME), cell, stage):
                backbone = known.get("runs", cell.run).backbone
                rows.append(
                    [backbone, cell.run, cell.seed, stage, used["seconds"], used["cpu_seconds"]]
                )
    return rows


def write_cost(known: Catalog, plan: plans.Plan, folder: Path) -> Path:
    """Write `cost.csv`: wall and CPU seconds of every stage."""
    path = folder / "cost.csv"
    write_atomic(path, csv_text(COST, cost_rows(known, plan)))
    return path

"""The arms of a study of ours against each other: every metric, instance by instance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path

from mtpeft.catalog import Catalog, Study
from mtpeft.core import paths
from mtpeft.core.provenance import write_result
from mtpeft.core.records import csv_text
from mtpeft.matrix import plan as plans
from mtpeft.reporting import own_runs as own_runs_page
from mtpeft.statistics import own_runs, r_session
from mtpeft.statistics.own_runs import Contrast, Side

SOURCES = ("source", "version", "licence", "split", "examples")
MEANS = ("run", "seed", "evaluation", "metric", "n", "without_value", "mean")
_LEFT_OUT = ("dropped_ids",)
LEVEL = 0.95


@dataclass(frozen=True)
class Arm:
    """A scored run.

    Attributes:
        run: Its id.
        seed: Its seed.
        side: Its values.
        folder: Where its score tables lie.
    """

    run: str
    seed: int
    side: Side
    folder: Path


def write(known: Catalog, study: Study, plan: plans.Plan, folder: Path) -> list[Path]:
    """Write `scores.csv` (means of every scored run), `contrasts.csv` (every pair that the study
    asks for and whose both runs are scored), for each question and seed a page with the instances
    behind its tests, and `corpus.csv` where the corpus says what it is made of.

    Args:
        known: The catalog.
        study: The study.
        plan: Its runs and seeds.
        folder: Where the tables go.

    Returns:
        The files.
    """
    arms = [
        arm for cell in plans.cells(plan) if (arm := _arm(plan, cell.run, cell.seed)) is not None
    ]
    files = [path for arm in arms for path in sorted(arm.folder.glob("scores/*/*.csv"))]
    made = [folder / "scores.csv", folder / "contrasts.csv"]
    write_result(made[0], csv_text(MEANS, means_of(arms)), files)
    rows = []
    for question in study.questions:
        for seed in plan.seeds:
            tests = contrasts_of(study, arms, question.id, seed)
            if not tests:
                continue
            sides = [arm.side for arm in arms if arm.seed == seed]
            how = own_runs.rule(tests, "holm", LEVEL)
            made.append(
                own_runs_page.write(sides, tests, folder / question.id / str(seed), files, how)
            )
            rows += [(question.id, seed, test) for test in tests]
    made_of = getattr(import_module(known.corpora()[plan.corpus].module), "made_of", None)
    if made_of is not None:
        made.append(folder / "corpus.csv")
        write_result(made[-1], csv_text(SOURCES, made_of()), [])
    shown = [f.name for f in fields(Contrast) if f.name not in _LEFT_OUT]
    text = csv_text(
        ["question", "seed", *shown],
        ([question, seed, *(getattr(c, n) for n in shown)] for question, seed, c in rows),
    )
    write_result(made[1], text, files)
    return made


def means_of(arms: Sequence[Arm]) -> list[list[object]]:
    """A row for each run, seed, evaluation set and metric, in the columns of `MEANS`."""
    return [
        [
            arm.run,
            arm.seed,
            evaluation,
            metric,
            len(values),
            len(arm.side.lost[evaluation, metric]),
            math.fsum(values.values()) / len(values),
        ]
        for arm in arms
        for (evaluation, metric), values in sorted(arm.side.values.items())
    ]


def contrasts_of(study: Study, arms: Sequence[Arm], question: str, seed: int) -> list[Contrast]:
    """The tests of a question, p-values adjusted over all of them by Holm's rule; of pairs of runs
    whose both are scored.

    Args:
        study: The study.
        arms: The scored runs.
        question: Id of a question.
        seed: Of both runs.
    """
    by = {arm.run: arm.side for arm in arms if arm.seed == seed}
    wanted = [c for c in study.proof.contrasts if c.question == question] if study.proof else []
    found: list[Contrast] = []
    for pair in wanted:
        a, b = by.get(pair.a), by.get(pair.b)
        if a is not None and b is not None and a.values.keys() & b.values.keys():
            found += own_runs.compare([a, b], "none", LEVEL)
    if not found:
        return []
    adjusted = r_session.call("adjust_family", [c.p for c in found]).reshape(2, -1)[0]
    return [replace(c, p_adjusted=float(p)) for c, p in zip(found, adjusted, strict=True)]


def _arm(plan: plans.Plan, run: str, seed: int) -> Arm | None:
    folder = paths.answers_folder(paths.seed_folder(plan.profile, run, seed), plan.inference)
    if not (folder / "scores").is_dir():
        return None
    sides = own_runs.read_place(folder, "", "")
    return Arm(run, seed, sides[0], folder) if sides else None

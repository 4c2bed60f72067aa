"""Trained heads → the records in which the figures of a study are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mtpeft.catalog import Catalog, Run, Study
from mtpeft.catalog.schema import Form
from mtpeft.core import paths
from mtpeft.core.errors import BadInput
from mtpeft.core.figures import (
    EvaluationSet,
    LossWeight,
    PrintedCell,
    PublishedFigure,
    PublishedRun,
    SeedFigure,
)
from mtpeft.core.files import write_atomic
from mtpeft.core.finished import FINISHED, outcome
from mtpeft.core.objects import typed
from mtpeft.core.records import csv_text, write_records
from mtpeft.corpora import load
from mtpeft.tuning.settings import how, parse_overrides, resolve

SPLITS = ("train", "valid", "test")
TRAINING = (
    "backbone",
    "run",
    "seed",
    "trained",
    "flops",
    "tokens",
    "cpu_seconds",
    "seconds",
    "epoch",
)


@dataclass(frozen=True)
class Trained:
    """A run and what came of each of its seeds.

    Attributes:
        run: The run.
        outcomes: By seed, what the mark of completion keeps.
        settings: How it was trained.
        trained: Its trained parameters, heads apart.
        every: The parameters of its backbone.
    """

    run: Run
    outcomes: Mapping[int, Mapping[str, Any]]
    settings: Mapping[str, Any]
    trained: int
    every: int


def finished_runs(
    known: Catalog, runs: Sequence[str], form: Form, overrides: Sequence[str]
) -> list[Trained]:
    """The runs of which every seed is trained."""
    from mtpeft.models.counts import counted  # with torch, which reading figures does not need

    found = []
    for name in runs:
        run = known.runs[name]
        places = {s: paths.seed_folder(form.profile, name, s) / FINISHED for s in form.seeds}
        if not all(path.is_file() for path in places.values()):
            continue
        read = how(resolve(run, form.profile, parse_overrides(list(overrides))))
        counts = counted(
            known.backbones[run.backbone],
            known.methods[run.method],
            {**read, "tasks": len(run.tasks)},
        )
        outcomes = {seed: _outcome(path, run) for seed, path in places.items()}
        found.append(Trained(run, outcomes, read, counts.trained, counts.every))
    return found


@dataclass(frozen=True)
class _Cost:
    """What tables take from the cost of a training; the rest of it is the ledger's."""

    flops: float
    tokens: dict[str, float]
    cpu_seconds: float
    seconds: float
    peak_memory_mib: float


def _outcome(path: Path, run: Run) -> dict[str, Any]:
    """What the mark of completion of a seed keeps, with everything that tables take from it.

    Raises:
        BadInput: It is damaged.
    """
    kept = outcome(path).kept
    try:
        typed(_Cost, {f.name: kept["cost"][f.name] for f in fields(_Cost)})
        values = [v for task in run.tasks for v in kept["test"][task].values()]
        if not all(isinstance(v, int | float) for v in [*values, kept["best_epoch"]]):
            raise ValueError("best epoch or a metric is no number")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            path,
            f"{type(error).__name__}: {error}",
            "costs, metrics and best epoch of a finished seed",
            f"rm -r {paths.shown(path.parent)}, then run the same command again",
        ) from error
    return kept


def write(study: Study, form: Form, trained: Sequence[Trained], folder: Path) -> None:
    """Write the figures of trained runs, one mean over the seeds each, and the values by seed.

    Args:
        study: Whose edition and tasks they are.
        form: What they were trained on.
        trained: The runs.
        folder: Where figures of a study are read from.
    """
    edition = study.editions[0]
    assert study.numbers is not None
    order = [task.id for task in study.numbers.tasks]
    metrics = {task.id: task.metric for task in study.numbers.tasks}
    origin = {"repository": "", "commit": "", "file": "training"}
    runs, figures, seeds = [], [], []
    for one in trained:
        run = one.run
        tasks = "+".join(sorted(run.tasks, key=order.index))
        setting = {1: "single", len(order): "multi"}.get(len(run.tasks), "pair")
        costs = [outcome["cost"] for outcome in one.outcomes.values()]
        runs.append(
            PublishedRun(
                id=run.id,
                generation=edition.id,
                basis=edition.basis,
                source="trained here",
                setting=setting,
                backbone=run.backbone,
                method=run.method,
                variant="",
                weighting=one.settings["balancing"],
                sampler=one.settings["mixing"],
                tasks=tasks,
                epochs=one.settings["epochs"],
                batch_size=one.settings["batch_size"],
                trainable_params=one.trained,
                total_params=one.every,
                params_basis="counted",
                seconds=sum(cost["cpu_seconds"] for cost in costs) / len(costs),
                peak_memory_gb=max(cost["peak_memory_mib"] for cost in costs) / 1024,
                stack="",
                status="complete",
                params_file="",
                params_line=None,
                **origin,
            )
        )
        for task in run.tasks:
            values = {s: o["test"][task][metrics[task]] for s, o in one.outcomes.items()}
            seeds += [
                SeedFigure(
                    run.id,
                    setting,
                    run.backbone,
                    run.method,
                    tasks,
                    task,
                    metrics[task],
                    s,
                    100 * v,
                )
                for s, v in values.items()
            ]
            figures.append(
                PublishedFigure(
                    generation=edition.id,
                    basis=edition.basis,
                    run=run.id,
                    task=task,
                    split="test",
                    selection=edition.selection,
                    metric=metrics[task],
                    value=sum(values.values()) / len(values),
                    epoch=None,
                    cell=None,
                    line=1,
                    **origin,
                )
            )
    for name, records, record in (
        ("runs", runs, PublishedRun),
        ("figures", figures, PublishedFigure),
        ("seeds", seeds, SeedFigure),
        ("sets", [_set(form.corpus, t, s) for t in order for s in SPLITS], EvaluationSet),
        ("printed", [], PrintedCell),
        ("weights", [], LossWeight),
    ):
        write_records(folder / f"{name}.csv", records, record)


def _set(corpus: str, task: str, split: str) -> EvaluationSet:
    examples = load(corpus, task, split)
    positives = sum(e.target == "1" for e in examples)
    return EvaluationSet(
        task=task,
        split=split,
        examples=len(examples),
        positives=positives,
        positive_share=positives / len(examples),
        basis="derived",
        repository="",
        commit="",
        file=corpus,
        line=None,
    )


def write_training(trained: Sequence[Trained], path: Path) -> None:
    """Write what every training cost, a row each, in the columns of `TRAINING`."""
    rows = [
        [
            one.run.backbone,
            one.run.id,
            seed,
            one.trained,
            outcome["cost"]["flops"],
            sum(outcome["cost"]["tokens"].values()),
            outcome["cost"]["cpu_seconds"],
            outcome["cost"]["seconds"],
            outcome["best_epoch"],
        ]
        for one in trained
        for seed, outcome in one.outcomes.items()
    ]
    write_atomic(path, csv_text(TRAINING, rows))

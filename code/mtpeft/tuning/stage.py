"""`mtpeft train`: a run of the catalog, once for each seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mtpeft.catalog import Run, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text
from mtpeft.corpora import Example, evaluation_of, load, subsample_evenly
from mtpeft.corpora.weights import fingerprint, model_folder, revision_of, source_of
from mtpeft.models.device import suits
from mtpeft.tasks.classification import random_ranking, trivial
from mtpeft.tasks.encoding import (
    RANKING,
    SELECTION,
    TaskData,
    encoded,
    head_of,
)
from mtpeft.tasks.tokens import Ragged
from mtpeft.tuning import identity
from mtpeft.tuning.job import Job, named
from mtpeft.tuning.settings import (
    HEADS,
    Settings,
    how,
    objective_of,
    parse_overrides,
    resolve,
    within_ranges,
)
from mtpeft.tuning.train import train

if TYPE_CHECKING:
    from mtpeft.tuning.objective.heads import Outcome

Predict = Callable[..., Path]


def run(
    name: str,
    profile: str,
    seeds: Sequence[int],
    corpus: str,
    backbone: str,
    changes: list[str],
    limit: int,
    generate: Callable[..., list[str]] | None = None,
    predict: Predict | None = None,
) -> None:
    """Train a run for every seed.

    Args:
        name: Of the run.
        profile: How it is trained.
        seeds: Which (default: the settings' one).
        corpus: As in `corpora.load` (default: the study's own sets).
        backbone: Folder in place of the run's own base.
        changes: Settings, `key=value`.
        limit: Examples of each task and split, evenly spaced (0: all).
        generate: The inference stage's function, for selection on generated text.
        predict: The inference stage's function that answers the test sets of trained heads.

    Raises:
        MtpeftError: Something is missing; it says how to get it.
    """
    entry = catalog().usable_run(name)
    if entry.regime == "untuned":
        raise MtpeftError(
            f"nothing is trained in {name}: its base model answers as it came",
            "a run with a method that trains",
            f"mtpeft infer run {name}",
        )
    settings = resolve(entry, profile, parse_overrides(changes))
    objective = objective_of(entry)
    corpus = corpus or catalog().corpus_of(entry)
    if corpus.endswith(".jsonl"):
        raise MtpeftError(
            f"{corpus} is one file, and training needs three splits",
            "a folder with train.jsonl, valid.jsonl and test.jsonl",
            "--corpus FOLDER",
        )
    base = catalog().get("backbones", entry.backbone)
    # Examples first: a corpus that is not there is said before weights are fetched.
    data: dict[str, dict[str, Sequence[Example]]] = {
        split: {task: subsample_evenly(load(corpus, task, split), limit) for task in entry.tasks}
        for split in ("train", "valid")
        if objective != HEADS
    }
    source, called = (model_folder(backbone), backbone) if backbone else (source_of(base), base.hub)
    suits(source)
    chosen = [within_ranges(replace(settings, seed=seed)).seed for seed in seeds or [settings.seed]]
    if objective == HEADS:
        _heads(entry, profile, settings, chosen, corpus, source, called, limit, predict)
        return
    for seed in chosen:
        job = Job(
            entry,
            replace(settings, seed=seed),
            profile,
            source,
            called,
            data["train"],
            data["valid"],
            corpus=corpus,
            limit=limit,
        )
        made = train(job, generate=generate)
        print(f"train: {name}, profile {profile}, seed {seed}: {paths.shown(made)}")


def _heads(
    entry: Run,
    profile: str,
    settings: Settings,
    seeds: list[int],
    corpus: str,
    source: str,
    called: str,
    limit: int,
    predict: Predict | None,
) -> None:
    """Train heads, predict their test sets, and write `results.csv`: mean and spread over seeds,
    and what no model scores.

    Args:
        entry: The run.
        profile: How it is trained.
        settings: Of the run.
        seeds: Which.
        corpus: As in `corpora.load`.
        source: Folder of the base model.
        called: How results name the base model.
        limit: Examples of each task and split (0: all).
        predict: The inference stage's function that answers the test sets.
    """
    from mtpeft.models import nf4
    from mtpeft.models.base import load_encoder, load_tokenizer, longest_input
    from mtpeft.models.methods import positions_taken, trains_whole
    from mtpeft.models.shared import SharedModel
    from mtpeft.tuning.objective.heads import over_seeds, positive_weights, train_seeds

    tokenizer, read = load_tokenizer(source), how(settings)
    method = catalog().get("methods", entry.method)
    if settings.weights == "nf4" and trains_whole(method):
        raise MtpeftError(
            f"weights are nf4, but {method.id} trains every weight",
            "float32",
            "--set weights=float32",
        )
    room = longest_input(source)
    if room is not None:
        room -= positions_taken(method, read)
    data = {
        split: encoded(entry, corpus, split, tokenizer, read, room, limit)
        for split in ("train", "valid", "test")
    }
    valid = {
        task: some.subsample_evenly(settings.valid_examples) for task, some in data["valid"].items()
    }
    if identity.rank() == 0:
        for said in cut(data, settings):
            print(f"train {entry.id}: {said}")
    weights, base = positive_weights(data["train"]), fingerprint(source)
    backbone = catalog().get("backbones", entry.backbone)

    def make(seed: int) -> SharedModel:
        return SharedModel(
            load_encoder(
                source,
                settings.attention,
                nf4.wanted(read),
                mixed=settings.mixed_precision == "bf16",
            ),
            backbone,
            method,
            {task: head_of(task) for task in entry.tasks},
            read,
            weights,
            {"run": entry.id, "base": called, **base},
        )

    def after(model: SharedModel, place: Path) -> None:
        for task, some in data["test"].items():
            wanted = evaluation_of(task, corpus)
            if predict is not None:
                predict(model, some, entry.id, wanted, place / "predictions" / f"{wanted}.jsonl")

    folder = paths.REGENERATED / "training" / profile / entry.id
    about = {"run": entry.id, "method": entry.method, "positive_weights": weights, **base}
    names = named(called, corpus, limit)
    outcomes = train_seeds(
        make, data["train"], valid, data["test"], settings, folder, seeds, about, after, names
    )
    if identity.rank() > 0:
        return
    path = folder / "results.csv"
    write_atomic(path, _results(entry, outcomes, data["test"]))
    write_provenance(
        path,
        [],
        run=entry.id,
        profile=profile,
        seeds=seeds,
        **names,
        device=outcomes[0].cost["device"],
        **revision_of(source),
        **base,
    )
    numbers = [study.numbers for study in catalog().studies.values() if study.numbers]
    printed = {task.id: task.metric for some in numbers for task in some.tasks}
    for task in entry.tasks:
        metric = printed.get(task, SELECTION[data["test"][task].head])
        mean, spread, number = over_seeds(outcomes, task, metric)
        more = f" ± {spread:.4f} over {number} seeds" if number > 1 else ""
        print(f"train: {entry.id}, {task}: {metric} {mean:.4f}{more}")
    print(f"train: {entry.id}: {paths.shown(path)}")


def cut(data: Mapping[str, Mapping[str, TaskData]], settings: Settings) -> list[str]:
    """How many texts of each task and split fill the tokens that they may have: what stood behind
    those is not read.

    Args:
        data: By split and task.
        settings: Of the run.
    """
    said = []
    for split, by_task in data.items():
        for task, some in by_task.items():
            parts: dict[str, tuple[Sequence[list[int]], int]]
            parts = {"texts": (some.rows, settings.code_length)}
            if some.head == RANKING:
                parts = {
                    "queries": (some.rows, settings.query_length),
                    "codes": (some.codes, settings.code_length),
                }
            for what, (rows, length) in parts.items():
                full = int((cast(Ragged, rows).lengths() >= length).sum())
                if full:
                    said.append(
                        f"{full} of {len(rows)} {what} of {task} ({split}) have {length} tokens or "
                        "more; what is behind those is not read"
                    )
    return said


def _results(entry: Run, outcomes: "list[Outcome]", test: dict[str, TaskData]) -> str:
    from mtpeft.tuning.objective.heads import over_seeds

    rows: list[list[Any]] = []
    for task in entry.tasks:
        rows += [
            [entry.id, task, metric, *over_seeds(outcomes, task, metric)]
            # A resumed run reads its outcome from a file whose keys are sorted.
            for metric in sorted(outcomes[0].test[task])
        ]
        if test[task].head == RANKING:
            rows.append(["random ranking", task, "mrr", random_ranking(len(test[task])), "", ""])
            continue
        for name, found in trivial(test[task].labels).items():
            rows += [[name, task, metric, value, "", ""] for metric, value in found.items()]
    return csv_text(["row", "task", "metric", "value", "sd", "seeds"], rows)

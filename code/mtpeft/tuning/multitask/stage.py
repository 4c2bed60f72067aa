"""`mtpeft train` and `mtpeft infer` for runs with a shared module: from a run of the catalog to
predictions of its test sets.

Everything of a run lies in results/regenerated/training/PROFILE/RUN: `results.csv` (mean and spread
over seeds beside what no model scores) and, for each seed, `best` (weights), `outcome.json` (scores
by epoch, cost) and `predictions`.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import yaml

from mtpeft.catalog import Method, Run, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import Prediction, csv_text, write_predictions
from mtpeft.corpora import evaluation_of, load, spaced
from mtpeft.corpora.weights import fingerprint, model_folder, source_of
from mtpeft.tasks.classification import random_ranking, trivial
from mtpeft.tuning.identity import differences
from mtpeft.tuning.multitask.encoding import TaskData, encode, shared_task
from mtpeft.tuning.multitask.heads import BINARY, RETRIEVAL, SELECTION, positive_weight
from mtpeft.tuning.multitask.loop import Options, Outcome, over_seeds, train_seeds
from mtpeft.tuning.multitask.methods import has_shared_module
from mtpeft.tuning.multitask.model import SharedModel
from mtpeft.tuning.multitask.samplers import SAMPLERS
from mtpeft.tuning.multitask.weighting import RULES

PROFILES = Path(__file__).with_name("profiles.yaml")
CHOICES: dict[str, Any] = {
    "sampler": SAMPLERS,
    "weighting": RULES,
    "mixed_precision": ("bf16", "no"),
    # No knobs: both generations of the study train alike here.
    "optimizer": ("adamw",),
    "schedule": ("linear",),
}


def run(
    name: str,
    profile: str,
    seeds: Sequence[int],
    corpus: str,
    backbone: str,
    changes: dict[str, Any],
    limit: int,
) -> None:
    """Train run `name` for every seed (default: the method's) and predict its test sets. What is
    finished is not redone.

    corpus: as in `corpora.load` (default: the study's own sets); backbone: folder in place of the
    run's own base; changes: settings by name; limit: examples of each task and split, evenly spaced
    (0: all).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise MtpeftError(
            f"{name} on {os.environ['WORLD_SIZE']} processes",
            "one: shared modules train on one GPU",
            f"mtpeft train {name}",
        )
    if corpus.endswith(".jsonl"):
        raise MtpeftError(
            f"{corpus} is one file, and training needs three splits",
            "a folder with train.jsonl, valid.jsonl and test.jsonl",
            "--corpus FOLDER",
        )
    entry = catalog().usable_run(name)
    options, method = resolve(entry, profile, changes)
    options = replace(options, seeds=list(seeds) or options.seeds)
    source, called = _source(entry, backbone)
    corpus = corpus or catalog().corpus_of(entry)
    data = {
        split: _encoded(entry, corpus, split, source, options, limit)
        for split in ("train", "valid", "test")
    }
    valid = {task: some.some(options.valid_examples) for task, some in data["valid"].items()}
    device, folder = _device(), paths.REGENERATED / "training" / profile / entry.id
    weights = {
        task: positive_weight(some.labels)
        for task, some in data["train"].items()
        if some.head == BINARY
    }

    def make(seed: int) -> SharedModel:
        return _model(entry, method, source, weights)

    def after(model: SharedModel, place: Path) -> None:
        for task, some in data["test"].items():
            path = place / "predictions" / f"{evaluation_of(task, corpus)}.jsonl"
            _predict(entry, model, some, evaluation_of(task, corpus), path, device)

    outcomes = train_seeds(
        make,
        data["train"],
        valid,
        data["test"],
        options,
        folder,
        device,
        {
            "run": entry.id,
            "tuning": method.tuning,
            "positive_weights": weights,
            **fingerprint(source),
        },
        after,
    )
    path = folder / "results.csv"
    write_atomic(path, _results(entry, outcomes, data["test"]))
    write_provenance(
        path, [], run=entry.id, profile=profile, base=called, corpus=corpus, seeds=options.seeds
    )
    for task in entry.tasks:
        metric = _printed_metrics().get(task, SELECTION[data["test"][task].head])
        mean, spread, number = over_seeds(outcomes, task, metric)
        print(
            f"train: {name}, {task}: {metric} {mean:.4f}"
            + (f" ± {spread:.4f} over {number} seeds" if number > 1 else "")
        )
    print(f"train: {name}: {paths.shown(path)}")


def infer(
    name: str,
    evaluations: Sequence[str],
    profile: str,
    seed: int,
    adapter: Path | None,
    backbone: str,
    corpus: str,
) -> bool:
    """Predict the test sets of a trained run anew, into the folder of its seed. False where it is
    no such run.

    adapter: folder with `shared.safetensors` and `heads.safetensors` (default: the best checkpoint
    of the seed).
    """
    entry = catalog().usable_run(name)
    if not has_shared_module(entry):
        return False
    corpus = corpus or catalog().corpus_of(entry)
    trained = paths.seed_folder(profile, entry.id, seed)
    folder, known = (
        adapter or trained / "best",
        {evaluation_of(task, corpus): task for task in entry.tasks},
    )
    for wanted in evaluations:
        if wanted not in known:
            raise UnknownName(f"evaluation set of {name}", wanted, known)
    if not (folder / "shared.safetensors").is_file():
        raise MtpeftError(
            f"no shared module of {name} at {paths.shown(folder)}",
            "shared.safetensors and heads.safetensors",
            f"mtpeft train {name} --profile {profile}, or --adapter FOLDER",
        )
    options, method = resolve(entry, profile, {})
    if (record := folder.parent / "outcome.json").is_file():
        made = json.loads(record.read_text(encoding="utf-8"))["made_from"]
        options, method = (
            Options(**(made["options"] | {"seeds": [seed]})),
            replace(method, tuning=made["about"]["tuning"]),
        )
    source, called = _source(entry, backbone)
    if record.is_file():
        trained_on = {key: made["about"].get(key) for key in ("base_weights", "tokenizer")}
        if different := differences(trained_on, fingerprint(source)):
            raise MtpeftError(
                f"{called} is not the base model that {name} was trained on: {'; '.join(different)}",
                "the same weights and tokenizer",
                "--backbone FOLDER with these weights",
            )
    model = _model(entry, method, source, {}).to(_device())
    model.load(folder)
    data = _encoded(entry, corpus, "test", source, options)
    for wanted in evaluations or known:
        path = trained / "predictions" / f"{wanted}.jsonl"
        _predict(entry, model, data[known[wanted]], wanted, path, _device())
        write_provenance(
            path,
            [folder / "shared.safetensors", folder / "heads.safetensors"],
            run=entry.id,
            corpus=corpus,
        )
        print(f"infer: {name} {wanted}: {paths.shown(path)}")
    return True


def resolve(entry: Run, profile: str, changes: dict[str, Any]) -> tuple[Options, Method]:
    """The knobs of a run and its method: the catalog's settings, then the profile's, then
    `changes`.

    Raises `UnknownName` or `MtpeftError` for what is no profile, no setting or no value.
    """
    known = yaml.safe_load(PROFILES.read_text(encoding="utf-8"))
    if profile not in known:
        raise UnknownName("profile", profile, known)
    method = catalog().get("methods", entry.method)
    values = dict(method.tuning)
    for section in ("all", entry.backbone, entry.method, f"{entry.backbone}+{entry.method}"):
        values |= known[profile].get(section, {})
    hints, knobs, own = get_type_hints(Options), {}, {}
    for key, value in (values | changes).items():
        if key not in {*hints, *method.tuning, *CHOICES}:
            raise UnknownName("training setting", key, {*hints, *method.tuning})
        if key in CHOICES and value not in CHOICES[key]:
            raise UnknownName(key, str(value), CHOICES[key])
        if key in hints:
            knobs[key] = _typed(key, value, get_origin(hints[key]) or hints[key])
        elif key not in CHOICES:
            own[key] = value
    return Options(**knobs), replace(method, tuning=own)


def _typed(key: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise MtpeftError(f"setting {key} is {value!r}", f"a {kind.__name__}", f"--set {key}=…")
    return value


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _source(entry: Run, backbone: str) -> tuple[str, str]:
    """(folder of the base model, how results name it)."""
    if backbone:
        return model_folder(backbone), backbone
    base = catalog().get("backbones", entry.backbone)
    return source_of(base), base.hub


def _model(
    entry: Run, method: Method, source: str, positive_weights: dict[str, float]
) -> SharedModel:
    from mtpeft.tuning.multitask.backbones import load_encoder

    base = catalog().get("backbones", entry.backbone)
    return SharedModel(
        load_encoder(source),
        base.kind,
        method,
        {t: shared_task(t).HEAD for t in entry.tasks},
        positive_weights,
    )


def _encoded(
    entry: Run, corpus: str, split: str, source: str, options: Options, limit: int = 0
) -> dict[str, TaskData]:
    from mtpeft.tuning.backbone import load_tokenizer
    from mtpeft.tuning.multitask.backbones import longest_input

    longest = longest_input(source)
    if longest is not None and options.code_length > longest:
        raise MtpeftError(
            f"code_length is {options.code_length}",
            f"at most {longest}, the positions of {source}",
            f"--set code_length={longest}",
        )
    tokenizer, found = load_tokenizer(source), {}
    for task in entry.tasks:
        examples = spaced(load(corpus, task, split), limit)
        if not examples:
            raise MtpeftError(
                f"corpus {corpus} has no example of {task} in split {split}",
                "at least one",
                "see --corpus",
            )
        found[task] = encode(task, examples, tokenizer, options.code_length, options.query_length)
    return found


def _predict(
    entry: Run, model: SharedModel, data: TaskData, evaluation: str, path: Path, device: str
) -> None:
    """One record an example: the probability as raw output and the class as answer, or the rank of
    the right code as both.
    """
    from mtpeft.tuning.multitask.evaluation import classes, predict

    start = time.monotonic()
    said = predict(model, data, device=device)
    each = round((time.monotonic() - start) / len(data), 6)
    if data.head == RETRIEVAL:
        texts = [(str(rank), str(rank)) for rank in said.values]
        asked = [i for i, rank in enumerate(said.values) if rank]
    else:
        texts = [(f"{p:.6f}", str(c)) for p, c in zip(said.values, classes(said), strict=True)]
        asked = list(range(len(data)))
    write_predictions(
        path,
        [
            Prediction(entry.id, evaluation, data.ids[i], _read(data, i), *texts[i], "stop", each)
            for i in asked
        ],
    )


def _read(data: TaskData, i: int) -> str:
    """Hash of the tokens that the model read."""
    return hashlib.sha256(
        str([data.rows[i], data.codes[i] if data.codes else []]).encode()
    ).hexdigest()


def _results(entry: Run, outcomes: list[Outcome], test: dict[str, TaskData]) -> str:
    rows: list[list[Any]] = []
    for task in entry.tasks:
        for metric in outcomes[0].test[task]:
            rows.append([entry.id, task, metric, *over_seeds(outcomes, task, metric)])
        if test[task].head == RETRIEVAL:
            rows.append(["random ranking", task, "mrr", random_ranking(len(test[task])), "", ""])
            continue
        for name, scores in trivial(test[task].labels).items():
            rows += [[name, task, metric, value, "", ""] for metric, value in scores.items()]
    return csv_text(["row", "task", "metric", "value", "sd", "seeds"], rows)


def _printed_metrics() -> dict[str, str]:
    """The metric that a study prints for a task."""
    numbers = [study.numbers for study in catalog().studies.values() if study.numbers]
    return {task.id: task.metric for entry in numbers for task in entry.tasks}

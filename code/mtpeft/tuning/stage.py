"""`mtpeft train`: a run of the catalog, once for each seed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mtpeft.catalog import catalog
from mtpeft.core.paths import shown
from mtpeft.corpora import load, spaced
from mtpeft.corpora.weights import model_folder, source_of
from mtpeft.tuning.multitask.methods import has_shared_module
from mtpeft.tuning.settings import parse_overrides, resolve
from mtpeft.tuning.train import Job, train


def run(
    name: str,
    profile: str,
    seeds: Sequence[int],
    corpus: str,
    backbone: str,
    changes: list[str],
    limit: int,
    generate: Callable[..., list[str]],
) -> None:
    """Train run `name` for every seed (default: the settings' one). backbone: folder in place of
    the run's own base.

    generate: the inference stage's function, for selection on generated text. Raises `MtpeftError`s
    that say what is missing and how to get it. A run with one module and a head per task is trained
    by `multitask.stage`.
    """
    entry = catalog().usable_run(name)
    if has_shared_module(entry):
        from mtpeft.tuning.multitask.stage import run as train_shared

        train_shared(name, profile, seeds, corpus, backbone, parse_overrides(changes), limit)
        return
    settings = resolve(entry, profile, parse_overrides(changes))
    base = catalog().get("backbones", entry.backbone)
    corpus = corpus or catalog().corpus_of(entry)
    data = {
        split: {task: spaced(load(corpus, task, split), limit) for task in entry.tasks}
        for split in ("train", "valid")
    }
    if backbone:
        source, called = model_folder(backbone), backbone
    else:
        source, called = source_of(base), base.hub
    for seed in seeds or [settings.seed]:
        job = Job(
            entry,
            replace(settings, seed=seed),
            profile,
            source,
            called,
            data["train"],
            data["valid"],
        )
        print(
            f"train: {name}, profile {profile}, seed {seed}: {shown(train(job, generate=generate))}"
        )

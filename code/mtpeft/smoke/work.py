"""What one worker process does: train one run and predict with it."""

import json
from pathlib import Path
from typing import Any

from mtpeft.catalog import Run, catalog
from mtpeft.corpora import Example, evaluation
from mtpeft.inference.backends import Transformers
from mtpeft.inference.command import four_bit
from mtpeft.inference.generate import texts
from mtpeft.inference.settings import profile
from mtpeft.inference.stage import Request, infer
from mtpeft.smoke.base import Size, chosen, examples
from mtpeft.tuning.job import Job
from mtpeft.tuning.settings import resolve
from mtpeft.tuning.train import train

EVALUATIONS = {
    "generation": ("generation-java", "generation-python"),
    "summarization": ("summarization-java", "summarization-python"),
    "translation": ("translation-java-cs", "translation-cs-java"),
}


def seen(name: str, size: Size) -> list[Example]:
    """The instances of an evaluation set on the functions that were learned."""
    keep = chosen(size)
    return [e for e in evaluation(name, "smoke", "train") if e.id in keep]


def predictions_path(root: Path, run: str, evaluation: str) -> Path:
    """Where the predictions of a smoke run on an evaluation set lie."""
    return root / "predictions" / run / f"{evaluation}.jsonl"


def one_run(
    run: Run, backbone: Path, root: Path, size: Size, overrides: dict[str, Any]
) -> dict[str, Any]:
    """Train a run and predict its evaluation sets.

    Args:
        run: The run.
        backbone: Folder of the base.
        root: Folder of the smoke run.
        size: How much is done.
        overrides: Training settings.

    Returns:
        First and last loss, seconds and tokens.
    """
    import torch

    torch.set_num_threads(1)
    given, held_out = examples(size), examples(size, "valid")
    job = Job(
        run,
        resolve(run, "smoke", overrides),
        "smoke",
        str(backbone),
        "smoke",
        {t: given[t] for t in run.tasks},
        {t: held_out[t] for t in run.tasks},
        root / "training",
    )
    train(job, generate=texts)
    backend = Transformers(
        str(backbone), job.result, "float32", four_bit(catalog().get("methods", run.method))
    )
    for task in run.tasks:
        for name in EVALUATIONS[task]:
            infer(
                Request(run.id, name, run.regime, profile("smoke"), seen(name, size)),
                backend,
                predictions_path(root, run.id, name),
            )
    ledger = json.loads((job.folder / "ledger.json").read_text())
    curve = (job.folder / "loss_curve.csv").read_text().splitlines()
    at = curve[0].split(",").index("loss")
    losses = [float(line.split(",")[at]) for line in curve[1:]]
    return {
        "run": run.id,
        "first": sum(losses[:3]) / len(losses[:3]),
        "last": sum(losses[-10:]) / len(losses[-10:]),
        "steps": len(losses),
        "seconds": ledger["seconds"],
        "tokens": sum(ledger["tokens"].values()),
    }

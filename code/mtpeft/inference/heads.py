"""Answers of trained heads: one record an example."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtpeft.catalog import Run, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import Prediction, write_predictions
from mtpeft.corpora import evaluation_of
from mtpeft.corpora.weights import fingerprint, model_folder, source_of
from mtpeft.models.device import local, suits
from mtpeft.tasks.encoding import RANKING, TaskData, answers, classes, encoded

if TYPE_CHECKING:
    from mtpeft.models.shared import SharedModel


def run(
    entry: Run,
    evaluations: Sequence[str],
    training: str,
    seed: int,
    adapter: Path | None,
    backbone: str,
    corpus: str,
) -> None:
    """Predict the test sets of a trained run into the folder of its seed; earlier predictions are
    replaced.

    Args:
        entry: The run.
        evaluations: Which sets (default: all of its tasks').
        training: Profile of the training.
        seed: Of the training.
        adapter: Folder with `shared.safetensors` and `heads.safetensors` (default: the best
            checkpoint of the seed).
        backbone: Folder in place of the run's own base.
        corpus: As in `corpora.load`.

    Raises:
        MtpeftError: There are no heads, or they were trained on another base model.
    """
    from mtpeft.models.base import load_tokenizer
    from mtpeft.models.shared import about, rebuilt

    trained = paths.seed_folder(training, entry.id, seed)
    folder = adapter or trained / "best"
    known = {evaluation_of(task, corpus): task for task in entry.tasks}
    for wanted in evaluations:
        if wanted not in known:
            raise UnknownName(f"evaluation set of {entry.id}", wanted, known)
    if not (folder / "heads.safetensors").is_file():
        raise MtpeftError(
            f"no heads of {entry.id} at {paths.shown(folder)}",
            "shared.safetensors and heads.safetensors",
            f"mtpeft train run {entry.id} --profile {training}, or --adapter FOLDER",
        )
    base = catalog().get("backbones", entry.backbone)
    source = model_folder(backbone) if backbone else source_of(base)
    suits(source)
    model = rebuilt(folder, source, fingerprint(source)).to(local())
    how = about(folder)["how"]
    data = encoded(entry, corpus, "test", load_tokenizer(source), how)
    for wanted in evaluations or known:
        path = trained / "predictions" / f"{wanted}.jsonl"
        write(model, data[known[wanted]], entry.id, wanted, path)
        write_provenance(
            path,
            [folder / "shared.safetensors", folder / "heads.safetensors"],
            run=entry.id,
            corpus=corpus,
        )
        print(f"infer: {entry.id} {wanted}: {paths.shown(path)}")


def write(model: "SharedModel", data: TaskData, run: str, evaluation: str, path: Path) -> Path:
    """Answer the examples of one set: the probability as raw output and the class as answer, or the
    rank of the right code as both.

    Args:
        model: The trained model.
        data: The examples.
        run: That the predictions name.
        evaluation: That the predictions name.
        path: The file, which is replaced.

    Returns:
        `path`.
    """
    from mtpeft.models.shared import outputs

    start = time.monotonic()
    said = answers(data, outputs(model, data, device=local())[1])
    each = round((time.monotonic() - start) / len(data), 6)
    if data.head == RANKING:
        texts = [(str(rank), str(rank)) for rank in said]
        asked = [i for i, rank in enumerate(said) if rank]
    else:
        texts = [(f"{p:.6f}", str(c)) for p, c in zip(said, classes(said), strict=True)]
        asked = list(range(len(data)))
    write_predictions(
        path,
        [
            Prediction(run, evaluation, data.ids[i], _read(data, i), *texts[i], "stop", each)
            for i in asked
        ],
    )
    return path


def _read(data: TaskData, i: int) -> str:
    """Hash of the tokens that the model read."""
    tokens = [data.rows[i], data.codes[i] if data.codes else []]
    return hashlib.sha256(str(tokens).encode()).hexdigest()

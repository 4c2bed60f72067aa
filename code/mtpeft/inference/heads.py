"""Answers of trained heads: one record an example."""

import hashlib
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtpeft.catalog import Run, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import Prediction, write_predictions
from mtpeft.corpora import evaluation_of
from mtpeft.corpora.weights import fingerprint, model_folder, source_of
from mtpeft.inference.stage import failed
from mtpeft.models.device import local, stop_where_lost, suits, synchronize
from mtpeft.tasks.encoding import RANKING, TaskData, answers, classes, encoded

if TYPE_CHECKING:
    from mtpeft.models.shared import SharedModel

NO_NUMBER = "the model's output is no finite number"


def run(
    entry: Run,
    evaluations: Sequence[str],
    training: str,
    seed: int,
    adapter: Path | None,
    backbone: str,
    corpus: str,
) -> int:
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

    Returns:
        How many instances failed.

    Raises:
        MtpeftError: There are no heads, or they were trained on another base model.
        DeviceLost: The device failed; the set it failed in is not written.
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
    failures = 0
    for wanted in evaluations or known:
        path = trained / "predictions" / f"{wanted}.jsonl"
        try:
            write(model, data[known[wanted]], entry.id, wanted, path)
        except RuntimeError as error:
            stop_where_lost(error)
            raise
        write_provenance(
            path,
            [folder / "shared.safetensors", folder / "heads.safetensors"],
            run=entry.id,
            corpus=corpus,
        )
        wrong = failed(path)
        more = f"; {wrong} have no finite value" if wrong else ""
        print(f"infer: {entry.id} {wanted}: {paths.shown(path)}{more}")
        failures += wrong
    return failures


def write(model: "SharedModel", data: TaskData, run: str, evaluation: str, path: Path) -> Path:
    """Answer the examples of one set: the probability as raw output and the class as answer, or the
    rank of the right code as both; an error where the model gave something that is no number.

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

    synchronize()
    start = time.monotonic()
    values = outputs(model, data, device=local())[1]
    finite = np.isfinite(values).reshape(len(data), -1).all(1)
    said = answers(data, values)
    synchronize()
    each = round((time.monotonic() - start) / len(data), 6)
    if data.head == RANKING:
        texts = [(str(rank), str(rank)) for rank in said]
        asked = np.flatnonzero(data.labels).tolist()
    else:
        texts = [(f"{p:.6f}", str(c)) for p, c in zip(said, classes(said), strict=True)]
        asked = list(range(len(data)))
    write_predictions(
        path,
        [
            Prediction(run, evaluation, data.ids[i], _read(data, i), *texts[i], "stop", each)
            if finite[i]
            else Prediction(
                run, evaluation, data.ids[i], _read(data, i), "", "", "error", each, NO_NUMBER
            )
            for i in asked
        ],
    )
    return path


class Encoders:
    """Trained runs with heads whose encoders share the weights of one base in memory.

    Each has modules of its own, so that any method can change them; their frozen tensors are the
    same. A run that trained every weight has its own.
    """

    def __init__(self) -> None:
        self._bases: dict[tuple[str, ...], Any] = {}

    def model(self, folder: Path, source: str) -> "SharedModel":
        """A run's model on this process's device.

        Args:
            folder: With its weights (see `models.shared.rebuilt`).
            source: Folder of the base model, whose hashes are the run's.
        """
        from mtpeft.models import nf4
        from mtpeft.models.base import attention_to_answer, load_encoder
        from mtpeft.models.methods import trains_whole
        from mtpeft.models.shared import about, rebuilt

        told = about(folder)
        if trains_whole(catalog().get("methods", told["method"])):
            whole: SharedModel = rebuilt(folder, source, {}).to(local())
            whole.eval()
            return whole
        how = told["how"]
        settings = ("weights", "compute_dtype", "double_quantisation", "mixed_precision")
        bits = [str(how.get(name)) for name in settings]
        key = source, attention_to_answer(str(how["attention"])), *bits
        if key not in self._bases:
            suits(source)
            mixed = how["mixed_precision"] == "bf16"
            self._bases[key] = load_encoder(key[0], key[1], nf4.wanted(how), mixed=mixed)
        base = self._bases[key]
        kept = {id(t): t for t in (*base.parameters(), *base.buffers())}
        made: SharedModel = rebuilt(folder, source, {}, deepcopy(base, kept)).to(local())
        made.eval()
        return made


def _read(data: TaskData, i: int) -> str:
    """Hash of the tokens that the model read."""
    tokens = [data.rows[i], data.codes[i] if data.codes else []]
    return hashlib.sha256(str(tokens).encode()).hexdigest()

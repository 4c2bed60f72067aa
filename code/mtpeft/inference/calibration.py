"""Probabilities and thresholds of label heads, fitted on validation data.

A head gives a logit z. Where positives had a weight w in training, log w is taken off it, since a
loss with that weight is least at logits that are too large by just that much. Temperature scaling
(Guo et al. 2017, arXiv:1706.04599) divides the rest by a number T > 0: p = 1 / (1 + exp(-(z - log
w) / T)). T is the one that makes the labels of the validation split likeliest. The threshold is the
one with the largest F1 there: of all cuts between two neighbouring probabilities, and one below
all of them, the highest among equals; the value is the middle of the cut.

The expected calibration error (ECE) is Σ_b n_b / n · |mean p - share of positives| over 15 bins of
equal width. Before: of the head's own 1 / (1 + exp(-z)). After: of p. Both are of the data that T
was fitted on.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.objects import read_object, typed
from mtpeft.core.provenance import sha256, write_result
from mtpeft.corpora import default_corpus, load, subsample_evenly
from mtpeft.inference.trained import Trained, read_json, trained
from mtpeft.tasks.classification import binary_scores
from mtpeft.tasks.encoding import LABEL, encode

if TYPE_CHECKING:
    from mtpeft.models.shared import SharedModel

FORMAT = "mtpeft-calibration-1"
BINS = 15
RANGE = (0.05, 20.0)
"""Temperatures that are tried: where labels are told apart without a fault, the likeliest is 0."""
LIMIT = 2000
"""Validation examples, evenly spaced: one number is fitted."""


@dataclass(frozen=True)
class Calibration:
    """How a logit of one task becomes a probability and a verdict.

    Attributes:
        temperature: T.
        shift: log w, taken off the logit.
        threshold: From which probability on the verdict is yes.
        n: Validation examples.
        positives: Of them.
        ece_before: Of the head as it is.
        ece_after: Of the calibrated probabilities.
        f1_before: Of the head as it is, at one half.
        f1_after: At the threshold.
        at_limit: Whether T is a limit of the range that is tried.
        corpus: That the validation split is of.
        data_sha256: Hash of the examples as the model reads them.
    """

    temperature: float
    shift: float
    threshold: float
    n: int
    positives: int
    ece_before: float
    ece_after: float
    f1_before: float
    f1_after: float
    at_limit: bool
    corpus: str
    data_sha256: str

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of logits, shape [n]."""
        return sigmoid((logits - self.shift) / self.temperature)


@dataclass(frozen=True)
class _Stored:
    """The file in which calibrations lie beside a run."""

    format: Literal["mtpeft-calibration-1"]
    run: str
    heads_sha256: str
    tasks: dict[str, dict[str, Any]]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)) without overflow."""
    made: np.ndarray = np.exp(-np.logaddexp(0, -np.asarray(logits, dtype=float)))
    return made


def temperature(logits: Sequence[float] | np.ndarray, labels: Sequence[int]) -> float:
    """The T of the range that makes the labels likeliest.

    The likelihood is concave in 1 / T, so that bisection of its slope finds the one maximum.

    Args:
        logits: Shape [n].
        labels: 1 or 0 for each.
    """
    z, y = np.asarray(logits, dtype=float), np.asarray(labels, dtype=float)

    def slope(inverse: float) -> float:
        return float((z * (y - sigmoid(inverse * z))).sum())

    low, high = 1 / RANGE[1], 1 / RANGE[0]
    if slope(low) <= 0:
        return RANGE[1]
    if slope(high) >= 0:
        return RANGE[0]
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return 2 / (low + high)


def threshold(probabilities: Sequence[float] | np.ndarray, labels: Sequence[int]) -> float:
    """The threshold with the largest F1, by the rule above; one half without any positive.

    Args:
        probabilities: Shape [n].
        labels: 1 or 0 for each.
    """
    p, y = np.asarray(probabilities, dtype=float), np.asarray(labels)
    if not y.sum():
        return 0.5
    order = np.argsort(-p, kind="stable")
    p, hits = p[order], np.cumsum(y[order])
    claimed = np.arange(1, len(p) + 1)
    f1 = 2 * hits / (claimed + y.sum())
    below: np.ndarray = np.append(p[1:], 0.0)
    f1[p == below] = -1  # no cut between equals
    best = int(np.argmax(f1))
    return float((p[best] + below[best]) / 2)


def ece(probabilities: Sequence[float] | np.ndarray, labels: Sequence[int]) -> float:
    """Expected calibration error, as defined above.

    Args:
        probabilities: Shape [n].
        labels: 1 or 0 for each.
    """
    p, y = np.asarray(probabilities, dtype=float), np.asarray(labels, dtype=float)
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=p - y, minlength=BINS)
    return float(np.abs(gaps).sum() / len(p))


def fitted(
    logits: np.ndarray, labels: Sequence[int], weight: float, corpus: str, data_sha256: str
) -> Calibration:
    """The calibration of one task.

    Args:
        logits: Of the validation examples, shape [n].
        labels: 1 or 0 for each.
        weight: w, of positives in training.
        corpus: For the record.
        data_sha256: For the record.
    """
    shift = math.log(weight)
    scale = temperature(logits - shift, labels)
    after = sigmoid((logits - shift) / scale)
    cut = threshold(after, labels)
    before = sigmoid(logits)
    return Calibration(
        scale,
        shift,
        cut,
        len(labels),
        int(sum(labels)),
        ece(before, labels),
        ece(after, labels),
        binary_scores(labels, [int(p > 0.5) for p in before])["f1"],
        binary_scores(labels, [int(p >= cut) for p in after])["f1"],
        scale in RANGE,
        corpus,
        data_sha256,
    )


def calibrate(
    run: Trained, model: "SharedModel", tokenizer: Any, corpus: str = "", limit: int = LIMIT
) -> dict[str, Calibration]:
    """Fit every label task of a run on its validation split, and write the result beside the run.

    Args:
        run: The run.
        model: Its model, on its device.
        tokenizer: Of the base model.
        corpus: As in `corpora.load` (default: the one that it was trained on, where it says so).
        limit: Validation examples of each task, evenly spaced (0: all).

    Returns:
        By task.

    Raises:
        MtpeftError: There are no validation data, or no label tasks.
    """
    from mtpeft.models.device import local
    from mtpeft.models.shared import outputs

    tasks = [task for task, output in model.outputs.items() if output == LABEL]
    if not tasks:
        raise MtpeftError(
            f"{run.name} has no task with a label",
            "a run with a yes-or-no task",
            "mtpeft list runs",
        )
    corpus = corpus or corpus_of(run) or default_corpus(tasks[0])
    how, made = model.about["how"], {}
    for task in tasks:
        examples = subsample_evenly(load(corpus, task, "valid"), limit)
        if not examples:
            raise MtpeftError(
                f"corpus {corpus} has no example of {task} in split valid",
                "at least one",
                f"mtpeft train calibrate {run.called} --corpus NAME",
            )
        data = encode(task, examples, tokenizer, how["code_length"], how["query_length"])
        logits = outputs(model, data, device=local(), logits=True)[1]
        if not np.isfinite(logits).all():
            raise MtpeftError(
                f"{run.name} gives no finite logits for {task}",
                "a model whose weights and activations are finite",
                f"mtpeft train run {run.name}, with another seed or a smaller learning rate",
            )
        weight = model.positive_weights.get(task, 1.0)
        made[task] = fitted(logits, data.labels, weight, corpus, data.sha256())
    record = {
        "format": FORMAT,
        "run": run.name,
        "heads_sha256": sha256(run.folder / "heads.safetensors"),
        "tasks": {task: asdict(found) for task, found in made.items()},
    }
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    inputs = sorted(run.folder.glob("*.safetensors"))
    write_result(
        run.place / paths.CALIBRATION, text, inputs, run=run.name, corpus=corpus, limit=limit
    )
    return made


def stored(run: Trained) -> dict[str, Calibration]:
    """The calibration beside a run; empty where there is none.

    Raises:
        BadInput: It cannot be read, or is of other heads.
    """
    path = run.place / paths.CALIBRATION
    if not path.is_file():
        return {}
    again = f"mtpeft train calibrate {run.called}"
    names = {f.name for f in fields(Calibration)}
    expected = f"{FORMAT} with {', '.join(sorted(names))} of each task"
    record = read_object(path, expected, again)
    try:
        told = typed(_Stored, record)
        found = {task: typed(Calibration, some) for task, some in told.tasks.items()}
        if wrong := [task for task, some in found.items() if not some.temperature > 0]:
            raise ValueError(f"the temperature of {wrong[0]} is not above 0")
    except ValueError as error:
        raise BadInput(path, str(error), expected, again) from error
    if told.heads_sha256 != sha256(run.folder / "heads.safetensors"):
        raise BadInput(path, "of other heads than those here", "a calibration of them", again)
    return found


def corpus_of(run: Trained) -> str:
    """The corpus that a run was trained on; empty where nothing beside it says so."""
    told = read_json(run.place.parent / "results.csv.provenance.json")
    return str(told.get("corpus", ""))


def described(found: Calibration) -> str:
    """One line about a calibration, for people. A threshold whose F1 is hardly above that of saying yes
    to everything tells nothing apart.
    """
    always = 2 * found.positives / (found.n + found.positives)
    return (
        f"{found.n} validation examples ({found.positives} positive) of {found.corpus}, "
        f"temperature {found.temperature:.3g}{' (limit of the range)' if found.at_limit else ''}, "
        f"ECE {found.ece_before:.3f} before, {found.ece_after:.3f} after, threshold "
        f"{found.threshold:.3f} (largest F1: {found.f1_after:.3f}; always yes: {always:.3f}; at 0.5 before: {found.f1_before:.3f})"
    )


def shown(run: Trained) -> str:
    """Where the calibration of a run lies, for people."""
    return paths.shown(run.place / paths.CALIBRATION)


def run(
    name: str, training: str, seed: int, backbone: str = "", corpus: str = "", limit: int = LIMIT
) -> None:
    """`mtpeft train calibrate`: load a run, calibrate it, say what came of it.

    Args:
        name: As in `trained`.
        training: Profile of the training.
        seed: Of the training.
        backbone: Folder in place of the base model.
        corpus: As in `calibrate`.
        limit: As in `calibrate`.

    Raises:
        MtpeftError: It has no weights, no label task, or no validation data.
    """
    from mtpeft.inference.heads import Encoders
    from mtpeft.models.base import load_tokenizer

    found = trained(name, training, seed)
    if not found.heads:
        raise MtpeftError(
            f"{found.name} is a language model, which gives no logit for yes and no",
            "an encoder with heads",
            "mtpeft list runs",
        )
    source = found.source(backbone)
    model = Encoders().model(found.folder, source)
    for task, made in calibrate(found, model, load_tokenizer(source), corpus, limit).items():
        print(f"calibrate: {task}: {described(made)}")
    print(f"calibrate: {found.name}: {shown(found)}")

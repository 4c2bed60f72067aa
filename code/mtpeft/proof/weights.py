"""T3 on published weights: what they answer, and whether that depends on threads or batches.

Every classifier that came with published weights predicts its whole test set, and a language model
answers some prompts, each once for every number of threads and every size of batch. The first way
is the reference; whatever another way says otherwise is listed, instance by instance.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import describe, provenance_path, sha256, write_provenance
from mtpeft.core.records import Prediction, csv_text, read_predictions
from mtpeft.corpora import default_corpus, load, subsample_evenly
from mtpeft.corpora.examples import Example
from mtpeft.corpora.load import evaluation
from mtpeft.corpora.weights import fingerprint, source_of
from mtpeft.inference import published
from mtpeft.inference.backends import Transformers, swift_dtype
from mtpeft.inference.settings import InferenceProfile, TaskDecoding
from mtpeft.inference.stage import Request, infer
from mtpeft.statistics import r_session
from mtpeft.tasks.classification import binary_scores

THREADS = (1, 2)
BATCHES = (64, 16)
"""Functions at a time; the first number of threads with the first batch is the reference."""
ANSWERED = (16, 1)
"""Prompts at a time: batches beside one by one."""
TASK, ASKED = "translation", "translation-java-cs"
"""One direction: both together have every id twice."""
LEVEL = 0.95
COST = ("backbone", "dtype", "threads", "batch", "n", "seconds", "cpu_seconds")
AGREEMENT = (
    "backbone", "dtype", "threads", "batch", "reference_threads", "reference_batch", "n", "flipped",
    "probabilities_other", "largest_change",
)  # fmt: skip
FLIPS = ("backbone", "dtype", "threads", "batch", "instance_id", "reference", "new", "equal_until")
SCORES = (
    "backbone", "task", "corpus", "n", "positives", "majority", "accuracy", "accuracy_low",
    "accuracy_high", "precision", "recall", "f1", "macro_f1",
)  # fmt: skip


@dataclass(frozen=True)
class Amount:
    """How much is asked.

    Attributes:
        examples: Of each classifier's test set in the first way, evenly spaced (0: all).
        again: Of it in the other ways, likewise.
        prompts: Of the language model, evenly spaced over its test set.
        new_tokens: The most tokens of its answers.
    """

    examples: int = 0
    again: int = 500
    prompts: int = 20
    new_tokens: int = 64


QUICK = Amount(24, 12, 3, 8)


@dataclass(frozen=True)
class Comparison:
    """What one way of predicting says otherwise than another.

    Attributes:
        n: Instances.
        flipped: Those with another class, or another text.
        probabilities_other: Those whose probability differs in the sixth decimal; None of texts.
        largest_change: Of a probability; None of texts.
        flips: Of each flipped instance: id, both classes (of texts the numbers of characters), and
            how many characters both texts begin with (None of classes).
    """

    n: int
    flipped: int
    probabilities_other: int | None
    largest_change: float | None
    flips: list[tuple[str, str, str, int | None]] = field(default_factory=list)


def compared(reference: Sequence[Prediction], new: Sequence[Prediction], label: bool) -> Comparison:
    """Compare predictions with others of the same instances, or of more.

    Args:
        reference: Those of all instances.
        new: Of some of them, in any order.
        label: Whether they are classes, whose raw output is a probability; else texts.

    Raises:
        MtpeftError: They are of other instances, or one of them has failed.
    """
    by_id = {p.instance_id: p for p in new}
    pairs = [(p, by_id[p.instance_id]) for p in reference if p.instance_id in by_id]
    if not pairs or not len(pairs) == len(by_id) == len(new):
        raise MtpeftError(
            f"{len(new)} predictions, {len(pairs)} of which have a counterpart",
            "predictions of instances of the reference, each once",
            "remove the folder `answers` of the proof and start again",
        )
    if failed := next((p for pair in pairs for p in pair if p.error), None):
        raise MtpeftError(
            f"{failed.instance_id} of {failed.run} has no answer: {failed.error}",
            "an answer to every instance",
            "remove the folder `answers` of the proof and start again",
        )
    flips: list[tuple[str, str, str, int | None]]
    if not label:
        flips = [
            (a.instance_id, str(len(a.raw_output)), str(len(b.raw_output)), _equal_until(a, b))
            for a, b in pairs
            if a.raw_output != b.raw_output
        ]
        return Comparison(len(pairs), len(flips), None, None, flips)
    flips = [(a.instance_id, a.output, b.output, None) for a, b in pairs if a.output != b.output]
    changes = [abs(float(a.raw_output) - float(b.raw_output)) for a, b in pairs]
    return Comparison(
        len(pairs), len(flips), sum(c > 0 for c in changes), round(max(changes), 6), flips
    )


def _equal_until(a: Prediction, b: Prediction) -> int:
    both = zip(a.raw_output, b.raw_output, strict=False)
    return sum(1 for _ in takewhile(lambda c: c[0] == c[1], both))


@dataclass(frozen=True)
class Way:
    """One way of predicting a set.

    Attributes:
        threads: That compute.
        batch: Functions or prompts at a time.
    """

    threads: int
    batch: int


@dataclass
class _Tables:
    """The tables, written anew after each set: an interrupted run leaves those of its finished
    sets.
    """

    root: Path
    scores: list[list[Any]] = field(default_factory=list)
    agreement: list[list[Any]] = field(default_factory=list)
    flips: list[list[Any]] = field(default_factory=list)
    cost: list[list[Any]] = field(default_factory=list)

    def write(self) -> None:
        for name, columns, rows in (
            ("scores", SCORES, self.scores),
            ("agreement", AGREEMENT, self.agreement),
            ("flips", FLIPS, self.flips),
            ("cost", COST, self.cost),
        ):
            path = self.root / f"{name}.csv"
            write_atomic(path, csv_text(columns, rows))
            write_provenance(path, [])

    def compare(self, name: str, dtype: str, ways: Sequence[Way], label: bool) -> list[Prediction]:
        """Add what each way but the first says otherwise than the first, and what each has cost.

        Returns:
            The predictions of the first.
        """
        first: list[Prediction] = []
        for way in ways:
            path = self.place(name, dtype, way)
            said = [p for p in read_predictions(path) if isinstance(p, Prediction)]
            used = json.loads(provenance_path(path).read_text(encoding="utf-8"))["used"]
            head = [name, dtype, way.threads, way.batch]
            self.cost.append([*head, len(said), used["seconds"], used["cpu_seconds"]])
            if way is ways[0]:
                first = said
                continue
            found = compared(first, said, label)
            self.agreement.append(
                [*head, ways[0].threads, ways[0].batch, found.n, found.flipped,
                 found.probabilities_other, found.largest_change]
            )  # fmt: skip
            self.flips += [[*head, *flip] for flip in found.flips]
        return first

    def place(self, name: str, dtype: str, way: Way) -> Path:
        """The predictions of one way."""
        return self.root / "answers" / f"{name}-{dtype}-{way.threads}x{way.batch}.jsonl"


def run(
    corpus: str, model: str, amount: Amount, root: Path, classifiers: Sequence[str] = ()
) -> None:
    """Predict in every way, score, compare and tabulate; predictions of the same committed code are
    not made again.

    Args:
        corpus: Of the classifiers' tasks, as in `corpora.load`.
        model: A backbone of the catalog that writes text; empty: none is asked.
        amount: How much is asked.
        root: Folder of the tables; predictions lie in `answers/`.
        classifiers: Backbones that come with one (none: every one).

    Raises:
        MtpeftError: Weights or examples cannot be had.
    """
    os.environ["MTPEFT_DEVICE"] = "cpu"  # threads are what is compared
    tables = _Tables(root)
    known = [b.id for b in catalog().backbones.values() if b.classifier is not None]
    for name in classifiers or known:
        if name not in known:
            raise UnknownName("backbone with a classifier", name, known, "mtpeft list backbones")
        _classified(name, corpus, amount, tables)
        tables.write()
    if model:
        _answered(model, swift_dtype(), amount, tables)
        tables.write()
    for row in tables.scores:
        said = dict(zip(SCORES, row, strict=True))
        print(
            f"{said['backbone']}: accuracy {said['accuracy']:.4f} of {said['n']} examples "
            f"(larger class {said['majority']:.4f})"
        )
    for row in tables.agreement:
        said = dict(zip(AGREEMENT, row, strict=True))
        print(
            f"{said['backbone']}, {said['dtype']}, threads {said['threads']}, batch "
            f"{said['batch']}: {said['flipped']} of {said['n']} flipped"
        )
    print(f"tables in {paths.shown(root)}")


def _classified(name: str, corpus: str, amount: Amount, tables: _Tables) -> None:
    """One classifier: its scores in the first way, and what the other ways say otherwise."""
    ways = [Way(number, batch) for number in THREADS for batch in BATCHES]
    for way in ways:
        path = tables.place(name, "float32", way)
        limit = amount.examples if way is ways[0] else amount.again
        with _made(path, name, way, corpus=corpus, limit=limit) as wanted:
            if wanted:
                published.run(name, path, corpus, way.batch, limit)
    predictions = tables.compare(name, "float32", ways, label=True)
    task = catalog().get("backbones", name).classifier.task
    right = {e.id: e.target for e in load(corpus, task, "test")}
    labels = [int(right[p.instance_id]) for p in predictions]
    classes = [int(p.output) for p in predictions]
    tables.scores.append([name, task, corpus, *scored(labels, classes)])


def scored(labels: Sequence[int], classes: Sequence[int]) -> list[Any]:
    """What `SCORES` says after the corpus, the interval of the accuracy at `LEVEL` included.

    Args:
        labels: 1 or 0 for each example.
        classes: What was predicted.
    """
    hits = [float(a == b) for a, b in zip(labels, classes, strict=True)]
    low, high = r_session.call("rate_interval", hits, level=LEVEL)
    n, positives, scores = len(labels), sum(labels), binary_scores(labels, classes)
    return [
        n,
        positives,
        max(positives, n - positives) / n,
        scores["acc"],
        low,
        high,
        *(scores[metric] for metric in ("precision", "recall", "f1", "macro_f1")),
    ]


def _asked(corpus: str, amount: Amount) -> list[Example]:
    """What a language model is asked to translate."""
    return subsample_evenly(evaluation(ASKED, corpus), amount.prompts)


def _answered(name: str, dtype: str, amount: Amount, tables: _Tables) -> None:
    """One language model in one precision: what it writes in each way."""
    ways = [Way(number, batch) for number in THREADS for batch in ANSWERED]
    corpus = default_corpus(TASK)
    examples = _asked(corpus, amount)
    source = source_of(catalog().get("backbones", name))
    engine = Transformers(source, None, dtype, False)
    for way in ways:
        path = tables.place(name, dtype, way)
        how = InferenceProfile(
            "threads-and-batches", tasks={TASK: TaskDecoding(amount.new_tokens, way.batch)}
        )
        with _made(path, name, way, corpus=corpus, amount=asdict(amount), dtype=dtype) as wanted:
            if wanted:
                path.unlink(missing_ok=True)
                infer(Request(name, TASK, "untuned", how, examples), engine, path)
    tables.compare(name, dtype, ways, label=False)


@contextmanager
def _made(path: Path, name: str, way: Way, **made_by: Any) -> Iterator[bool]:
    """A file of predictions that the block makes where it is wanted; its cost and what decides it
    go beside it.

    Yields:
        Whether it is wanted: no, where the same committed code with the same locks has made it from
        the same weights in the same way.
    """
    source = source_of(catalog().get("backbones", name))
    decided = {"run": name, **asdict(way), **made_by, **fingerprint(source)}
    if _is(path, decided):
        yield False
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _threads(way.threads):
        wall, processor = time.monotonic(), time.process_time()
        yield True
        used = {
            "seconds": round(time.monotonic() - wall, 1),
            "cpu_seconds": round(time.process_time() - processor, 1),
        }
    write_provenance(path, [], decided=decided, used=used)


def _is(path: Path, decided: dict[str, Any]) -> bool:
    if not (path.is_file() and provenance_path(path).is_file()):
        return False
    known = json.loads(provenance_path(path).read_text(encoding="utf-8"))
    now = describe([], decided=decided, result_sha256=sha256(path))
    same = ("code", "locks_sha256", "python", "decided", "result_sha256")
    committed = now["code"]["commit"] is not None and now["code"]["dirty"] is False
    return committed and all(known.get(key) == now[key] for key in same)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Compute with so many threads while the block runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)

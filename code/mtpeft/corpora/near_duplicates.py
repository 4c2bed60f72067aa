"""Near-duplicates between training and test examples: the part of a test set that a model has seen.

A text becomes the set of its shingles (five tokens in a row), without comments and white space. In
code a name stands for itself only where it is called or begins with a capital (a type, a constant),
so that renamed variables, parameters and functions change nothing. Two texts are near-duplicates where the Jaccard index of their sets
reaches the threshold, 0.8 by default, as in Allamanis, "The adverse effects of code duplication in
machine learning models of code" (2019). MinHash (Broder, "On the resemblance and containment of
documents", 1997) in bands (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4) finds
the candidates, of which the exact index is then computed: a pair at 0.8 is missed once in 10,000.
"""

import hashlib
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.names import safe_name
from mtpeft.core.provenance import write_result
from mtpeft.core.records import csv_text, records_text
from mtpeft.core.text import printable
from mtpeft.corpora.examples import Example, examples_text
from mtpeft.corpora.load import default_corpus, load

SHINGLE = 5
THRESHOLD = 0.8
LEAST_TOKENS = 20
"""Shorter texts resemble each other by chance: they are compared as they are, names included."""
SHOWN = 10
"""Pairs that are printed, the most similar first."""
BANDS, ROWS = 24, 5
"""A pair of index s is a candidate with probability 1 - (1 - s^5)^24: 0.9999 at 0.8, 0.06 at 0.3."""

Shingles: TypeAlias = npt.NDArray[np.uint64]

_STRINGS = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
_TOKEN = re.compile(rf"{_STRINGS}|[^\W\d]\w*|\d[\w.]*|[^\w\s]")
_COMMENTS = {
    "python": re.compile(rf"({_STRINGS})|#[^\n]*"),
    "": re.compile(rf"({_STRINGS})|/\*.*?\*/|//[^\n]*", re.DOTALL),
}
_BLOCK_COMMENTS = re.compile(rf"({_STRINGS})|/\*.*?\*/", re.DOTALL)
_BEFORE_A_CALL = {"and", "assert", "await", "case", "else", "elif", "if", "in", "is", "lambda"} | {
    *("new", "not", "or", "return", "throw", "while", "yield")
}
_WORDS = _BEFORE_A_CALL | {
    *("break", "catch", "class", "continue", "def", "do", "except", "final", "finally", "for"),
    *("from", "import", "instanceof", "pass", "private", "protected", "public", "raise", "static"),
    *("super", "switch", "this", "throws", "try", "void", "with", "None", "True", "False", "null"),
    *("true", "false", "int", "long", "float", "double", "boolean", "char", "byte", "self"),
}


@dataclass(frozen=True)
class Duplicate:
    """One test text and the training text that resembles it most.

    Attributes:
        instance_id: The test example.
        language: Of the test example.
        field: The text of it: an input, or `target`.
        train_id: The training example.
        train_field: The text of that one.
        similarity: Jaccard index of their shingles, 1 where only names, layout and comments differ.
        target: Of the test example, where it is the class of this one text, else empty.
        train_target: Of the training example, likewise.
    """

    instance_id: str
    language: str
    field: str
    train_id: str
    train_field: str
    similarity: float
    target: str
    train_target: str


def tokens(text: str, language: str) -> list[str]:
    """The tokens of a text as they are compared.

    Args:
        text: Code, or words where `language` is empty.
        language: Of the code. In code of one line a line comment cannot be told from what follows
            it: there only comments with an end are left out.
    """
    if not language:
        return _TOKEN.findall(text.lower())
    one_line = "\n" not in text
    comment = _BLOCK_COMMENTS if one_line else _COMMENTS.get(language, _COMMENTS[""])
    found = _TOKEN.findall(comment.sub(lambda m: m[1] or " ", text))
    if len(found) < LEAST_TOKENS:
        return found
    return [_spelled(found, at) for at in range(len(found))]


def _spelled(found: Sequence[str], at: int) -> str:
    """A token, or the one word that stands for all names."""
    token = found[at]
    if token in _WORDS or not (token[0].isalpha() or token[0] == "_"):
        return token
    called = at + 1 < len(found) and found[at + 1] == "("
    before = found[at - 1] if at else ""
    defined = before[:1].isalpha() and before not in _BEFORE_A_CALL
    return token if (called and not defined) or (not called and token[0].isupper()) else "name"


@lru_cache(maxsize=1 << 18)
def _hashed(token: str) -> int:
    data = token.encode("utf-8", "replace")
    return zlib.crc32(data) << 32 | zlib.crc32(data, 0x9E3779B9)


def shingles(text: str, language: str) -> Shingles:
    """The set of hashes of `SHINGLE` tokens in a row, sorted; a shorter text is one shingle."""
    words = np.array([_hashed(t) for t in tokens(text, language)], dtype=np.uint64)
    if not len(words):
        return words
    width = min(SHINGLE, len(words))
    total: Shingles = np.zeros(len(words) - width + 1, dtype=np.uint64)
    for offset in range(width):
        total = total * np.uint64(0x9E3779B97F4A7C15) + words[offset : offset + len(total)]
    return np.unique(total ^ (total >> np.uint64(29)))


_RNG = np.random.default_rng(1997)
_FACTORS = _RNG.integers(0, 1 << 63, (BANDS * ROWS, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(
    1
)
_TERMS = _RNG.integers(0, 1 << 63, (BANDS * ROWS, 1), dtype=np.uint64)


def _bands(one: Shingles) -> list[bytes]:
    """The MinHash signature, cut into bands; hash functions by multiply and shift."""
    minima = ((one * _FACTORS + _TERMS) >> np.uint64(32)).min(axis=1).astype(np.uint32)
    return [minima[at : at + ROWS].tobytes() for at in range(0, BANDS * ROWS, ROWS)]


def jaccard(one: Shingles, other: Shingles) -> float:
    """Size of the intersection by that of the union."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


class Index:
    """Texts, to be asked for the one that resembles another most; equal ones are held once."""

    def __init__(self) -> None:
        self._sets: list[Shingles] = []
        self._names: list[int] = []
        self._known: dict[bytes, int] = {}
        self._bands: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(BANDS)]

    def add(self, one: Shingles, name: int) -> None:
        """Add a text under a number; of equal ones the first number stays."""
        data = one.tobytes()
        if not data or data in self._known:
            return
        self._known[data] = len(self._sets)
        for buckets, band in zip(self._bands, _bands(one), strict=True):
            buckets[band].append(len(self._sets))
        self._sets.append(one)
        self._names.append(name)

    def nearest(self, one: Shingles, threshold: float) -> tuple[int, float] | None:
        """Number and Jaccard index of the most similar text; None where none reaches the threshold."""
        data = one.tobytes()
        if not data:
            return None
        if data in self._known:
            return self._names[self._known[data]], 1.0
        candidates = {
            other
            for buckets, band in zip(self._bands, _bands(one), strict=True)
            for other in buckets.get(band, ())
            if threshold * len(one) <= len(self._sets[other]) <= len(one) / threshold
        }
        found = max(((jaccard(one, self._sets[c]), -c) for c in candidates), default=(0.0, 0))
        return (self._names[-found[1]], found[0]) if found[0] >= threshold else None


def texts(example: Example) -> Iterator[tuple[str, str, str]]:
    """(field, text, language) of what is compared: code inputs, the prompt, a target that is code.

    The language is empty for words. An example with neither is compared by all its inputs.
    """
    code = {n: t for n, t in example.inputs.items() if n.startswith("code")}
    words = {n: t for n, t in example.inputs.items() if n == "prompt"}
    for name, text in code.items():
        yield name, text, example.source_language or example.language
    for name, text in (words or ({} if code else example.inputs)).items():
        yield name, text, ""
    task = catalog().tasks.get(example.task)
    if example.target and task is not None and task.output == "code":
        yield "target", example.target, example.language


def find(
    train: Sequence[Example], test: Sequence[Example], threshold: float = THRESHOLD
) -> list[Duplicate]:
    """The test texts that have a near-duplicate in the training set, each with the nearest one.

    Args:
        train: The training examples.
        test: The test examples.
        threshold: The least Jaccard index, above 0 and at most 1.

    Raises:
        MtpeftError: For another threshold, or where a side has no example.
    """
    if not 0 < threshold <= 1:
        raise MtpeftError(f"threshold {threshold}", "a Jaccard index above 0, at most 1", "0.8")
    if not train or not test:
        raise MtpeftError(
            f"{len(train)} training and {len(test)} test examples", "examples on both sides"
        )
    indices: dict[bool, Index] = {True: Index(), False: Index()}
    read = cache(shingles)  # pairs name the same function many times

    @cache
    def nearest_to(text: str, language: str) -> tuple[int, float] | None:
        return indices[bool(language)].nearest(read(text, language), threshold)

    known: list[tuple[Example, str]] = []
    for example in train:
        for name, text, language in texts(example):
            indices[bool(language)].add(read(text, language), len(known))
            known.append((example, name))
    classes = {"0", "1"}
    result = []
    for example in test:
        one = len(list(texts(example))) == 1
        for name, text, language in texts(example):
            nearest = nearest_to(text, language)
            if nearest is not None:
                other, field = known[nearest[0]]
                labelled = one and {example.target, other.target} <= classes
                result.append(
                    Duplicate(
                        example.id,
                        example.language,
                        name,
                        other.id,
                        field,
                        round(nearest[1], 4),
                        example.target if labelled else "",
                        other.target if labelled else "",
                    )
                )
    return result


@dataclass(frozen=True)
class Overlap:
    """What two sides of a task share, in numbers.

    Attributes:
        task: Id of the task.
        train: Examples of the training set.
        test: Instances of the test set.
        near: Of them, those of which a text has a near-duplicate in the training set.
        same: Of those, the ones that differ in names, layout and comments alone.
        other_label: Of those, the ones whose near-duplicate is of another class.
    """

    task: str
    train: int
    test: int
    near: int
    same: int
    other_label: int


def overlap(
    task: str, train: Sequence[Example], test: Sequence[Example], found: Sequence[Duplicate]
) -> Overlap:
    """Count the instances behind near-duplicates.

    Args:
        task: Id of the task.
        train: Its training examples.
        test: Its test examples.
        found: What `find` found between them.
    """
    return Overlap(
        task,
        len(train),
        len({e.id for e in test}),
        len({d.instance_id for d in found}),
        len({d.instance_id for d in found if d.similarity == 1}),
        len({d.instance_id for d in found if d.target != d.train_target}),
    )


def audit(task: str, train: str = "", test: str = "", threshold: float = THRESHOLD) -> Path:
    """Write which test examples have a near-duplicate in the training set, and which have none.

    Args:
        task: Id of a task.
        train: The corpus whose training split is looked through, as in `load`.
        test: The corpus whose test split is audited; empty: the same.
        threshold: The least Jaccard index.

    Returns:
        The folder with duplicates.csv (one row a text) and clean.csv (ids, for `mtpeft compare
        --only`).

    Raises:
        MtpeftError: A corpus cannot be had, or the threshold is none.
    """
    train = train or default_corpus(task)
    test = test or train
    sides = {"train": load(train, task, "train"), "test": load(test, task, "test")}
    found = find(sides["train"], sides["test"], threshold)
    dirty = {d.instance_id for d in found}
    clean = list(dict.fromkeys(e.id for e in sides["test"] if e.id not in dirty))
    name = "-".join(
        safe_name(Path(c).stem, "name of a corpus") for c in dict.fromkeys((train, test))
    )
    folder = paths.REGENERATED / "near-duplicates" / safe_name(task, "task") / name
    made_from = {
        side: {
            "corpus": corpus,
            "examples": len(sides[side]),
            "sha256": hashlib.sha256(
                examples_text(sides[side]).encode("utf-8", "replace")
            ).hexdigest(),
        }
        for side, corpus in (("train", train), ("test", test))
    }
    write_result(
        folder / "duplicates.csv",
        records_text(found, Duplicate),
        [],
        threshold=threshold,
        **made_from,
    )
    write_result(
        folder / "clean.csv",
        csv_text(["instance_id"], ([i] for i in clean)),
        [],
        threshold=threshold,
        **made_from,
    )
    count = overlap(task, sides["train"], sides["test"], found)
    print(
        f"{task}: {count.near} of {count.test} test instances ({count.near / count.test:.1%}) have a "
        f"near-duplicate among {count.train} training examples (Jaccard index of at least "
        f"{threshold:g}); {count.same} differ in names, layout or comments alone, "
        f"{count.other_label} have another label there; {len(clean)} are clean"
    )
    for one in sorted(found, key=lambda d: (-d.similarity, d.instance_id))[:SHOWN]:
        print(printable(f"  {one.similarity:.2f}  {one.instance_id}  like  {one.train_id}"))
    return folder

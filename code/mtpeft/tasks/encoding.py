"""Examples → padded batches of tokens, for models with a head per task; and what such a model says
about the examples of a task.

What the task's output is (`label` or `ranking`, in its YAML) decides how its texts are read: those
of a label as one sequence, those of a ranking as a query and a candidate.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import numpy as np

from mtpeft.catalog import Run, catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.corpora import Example, load, subsample_evenly
from mtpeft.tasks.classification import binary_scores, ranks, reciprocal_rank
from mtpeft.tasks.tokens import Ragged, kept, of_code, of_tokenizer

LABEL, RANKING = "label", "ranking"
SELECTION = {LABEL: "f1", RANKING: "mrr"}
"""The metric that chooses the epoch, by output (the revision's choice)."""


def head_of(task: str) -> str:
    """What a head for a task gives: the task's output.

    Raises:
        UnknownName: The output takes no head.
    """
    output = catalog().get("tasks", task).output
    if output not in SELECTION:
        raise UnknownName(f"output with a head of its own, of task {task},", output, SELECTION)
    return str(output)


def has_heads(run: Run) -> bool:
    """Whether a head per task trains a run: every task's output is a label or a ranking.

    Raises:
        MtpeftError: Some are, others are code or text.
    """
    outputs = {task: catalog().get("tasks", task).output for task in run.tasks}
    kinds = {output in SELECTION for output in outputs.values()}
    if len(kinds) != 1:
        raise MtpeftError(
            f"{run.id} has tasks with {', '.join(f'{t} ({o})' for t, o in outputs.items())}",
            "code and text alone, or labels and rankings alone",
            "two runs",
        )
    return kinds.pop()


def encoded_task(task: str) -> ModuleType:
    """The module of a task, which must offer texts and label to be trained with a head of its own.

    Raises:
        MtpeftError: One is missing.
    """
    module = import_module(catalog().get("tasks", task).module)
    missing = [name for name in ("texts", "label") if not hasattr(module, name)]
    if missing:
        raise MtpeftError(
            f"module {module.__name__} of task {task} lacks {', '.join(missing)}",
            "texts(example) and label(example)",
            "see mtpeft/tasks/clone_detection.py",
        )
    return module


@dataclass(frozen=True)
class TaskData:
    """Tokenized examples of one task.

    Attributes:
        task: The task.
        head: The kind of its head: `label` or `ranking`.
        ids: The id of each example.
        rows: The tokens of each example; of a ranking pair those of the query.
        labels: 1 or 0 for each example.
        codes: The tokens of the second sequence of a ranking pair; empty for a label.
        padding: The token that fills a batch up.
    """

    task: str
    head: str
    ids: list[str]
    rows: Sequence[list[int]]
    labels: list[int]
    codes: Sequence[list[int]]
    padding: int

    def __post_init__(self) -> None:
        for name in ("rows", "codes"):
            if not isinstance(given := getattr(self, name), Ragged):
                object.__setattr__(self, name, Ragged.of(given))

    def __len__(self) -> int:
        return len(self.rows)

    def lengths(self) -> list[int]:
        """Tokens of each example; of a ranking pair those of the longer sequence."""
        every = [
            part.lengths() for part in (self.rows, self.codes) if isinstance(part, Ragged) and part
        ]
        return [int(n) for n in np.max(every, axis=0)] if every else []

    def subsample_evenly(self, number: int) -> "TaskData":
        """`number` examples, evenly spaced; all of them where number is 0 or there are no more."""
        if not number or number >= len(self):
            return self
        at = [i * len(self) // number for i in range(number)]
        return replace(
            self,
            ids=[self.ids[i] for i in at],
            rows=[self.rows[i] for i in at],
            labels=[self.labels[i] for i in at],
            codes=[self.codes[i] for i in at] if self.codes else [],
        )

    def sha256(self) -> str:
        """Hash of everything that training can see."""
        named = f"{self.task} {self.head} {self.padding} {self.labels} {self.ids}"
        digest = hashlib.sha256(named.encode())
        for part in (self.rows, self.codes):
            if isinstance(part, Ragged):
                digest.update(np.ascontiguousarray(part.offsets).tobytes())
                digest.update(np.ascontiguousarray(part.values).tobytes())
        return digest.hexdigest()

    def batch(self, positions: Sequence[int], device: str = "cpu") -> dict[str, Any]:
        """The examples at some positions as tensors, padded on the right.

        Args:
            positions: Of the examples.
            device: Where the tensors go.

        Returns:
            `ids` and `mask`, shape [B, L], and `labels`, shape [B]; of a ranking task ids and mask
            have shape [2 B, L], queries first.
        """
        import torch

        parts = (self.rows, self.codes) if self.head == RANKING else (self.rows,)
        rows = [cast(Ragged, part).row(i) for part in parts for i in positions]
        lengths = np.array([len(row) for row in rows])
        ids = np.full((len(rows), lengths.max()), self.padding)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
        made = {"ids": ids, "mask": mask, "labels": np.array([self.labels[i] for i in positions])}
        tensors = {name: torch.from_numpy(array) for name, array in made.items()}
        if not device.startswith("cuda"):
            return {name: tensor.to(device) for name, tensor in tensors.items()}
        # From pinned memory a copy is only queued: the next batch is made while the GPU computes.
        return {
            name: tensor.pin_memory().to(device, non_blocking=True)
            for name, tensor in tensors.items()
        }


def encode(
    task: str,
    examples: Sequence[Example],
    tokenizer: Any,
    code_length: int,
    query_length: int = 128,
) -> TaskData:
    """Tokenize the examples of a task.

    A text without any token (36 of FlakeFlagger's methods are empty, and not every tokenizer adds a
    first token) becomes one end token: the mean of an empty sequence would be NaN.

    Args:
        task: The task.
        examples: Its examples.
        tokenizer: Of the base model.
        code_length: The most tokens of a function, and of a classified example, whose texts are one
            joint sequence.
        query_length: The most tokens of a query.
    """
    module, head = encoded_task(task), head_of(task)
    columns = [list(column) for column in zip(*map(module.texts, examples), strict=True)]
    parts = [(columns, code_length)]
    if head == RANKING:
        parts = [([columns[0]], query_length), ([columns[1]], code_length)]
    rows, codes = ([_rows(task, tokenizer, *part) for part in parts] + [Ragged.of([])])[:2]
    padding = tokenizer.pad_token_id
    return TaskData(
        task,
        head,
        [e.id for e in examples],
        rows,
        [module.label(e) for e in examples],
        codes,
        tokenizer.eos_token_id if padding is None else padding,
    )


def encoded(
    run: Run,
    corpus: str,
    split: str,
    tokenizer: Any,
    how: Mapping[str, Any],
    longest: int | None = None,
    limit: int = 0,
) -> dict[str, TaskData]:
    """The examples of every task of a run, tokenized.

    Args:
        run: Whose tasks.
        corpus: As in `corpora.load`.
        split: `train`, `valid` or `test`.
        tokenizer: Of the base model.
        how: Settings: code_length and query_length.
        longest: Positions of the base model that texts can have (None: any number).
        limit: Examples of each task, evenly spaced (0: all).

    Raises:
        MtpeftError: Texts may be longer than the positions, or there are no examples.
    """
    room = f"at most {longest}, the positions that the base model and the method leave to a text"
    if longest is not None and how["code_length"] > longest:
        raise MtpeftError(
            f"code_length is {how['code_length']}", room, f"--set code_length={longest}"
        )
    found = {}
    for task in run.tasks:
        examples = subsample_evenly(load(corpus, task, split), limit)
        if not examples:
            raise MtpeftError(
                f"corpus {corpus} has no example of {task} in split {split}",
                "at least one",
                "mtpeft train run --help says what --corpus takes",
            )
        made = encode(task, examples, tokenizer, how["code_length"], how["query_length"])
        # Queries are short, whatever length is allowed: only one that is there can be too long.
        queries = int(max(made.lengths())) if made.head == RANKING else 0
        if longest is not None and queries > longest:
            raise MtpeftError(
                f"a query of {task} has {queries} tokens", room, f"--set query_length={longest}"
            )
        found[task] = made
    return found


def _rows(task: str, tokenizer: Any, columns: list[list[str]], length: int) -> Ragged:
    def decides() -> dict[str, Any]:
        return {
            "texts": hashlib.sha256(json.dumps(columns).encode()).hexdigest(),
            "length": length,
            "tokenizer": of_tokenizer(tokenizer),
            "code": of_code([task]),
        }

    def make() -> dict[str, np.ndarray]:
        return vars(Ragged.of(_tokens(tokenizer, columns, length)))

    return Ragged(**kept(len(columns[0]), decides, make))


def _tokens(
    tokenizer: Any, columns: list[list[str]], length: int, chunk: int = 10_000
) -> list[list[int]]:
    """The tokens of each example. Texts are tokenized many at a time: five times as fast as each by
    itself.

    Args:
        tokenizer: Of the base model.
        columns: The first texts, and the second ones where two are read as one sequence.
        length: The most tokens of an example.
        chunk: Examples at a time.
    """
    found: list[list[int]] = []
    for start in range(0, len(columns[0]), chunk):
        found += tokenizer(
            *(column[start : start + chunk] for column in columns),
            max_length=length,
            return_attention_mask=False,
            truncation="longest_first" if len(columns) > 1 else True,
        )["input_ids"]
    end = tokenizer.pad_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    return [row or [end] for row in found]


def answers(data: TaskData, outputs: np.ndarray) -> np.ndarray:
    """What a model says about each example, from its raw outputs.

    Args:
        data: The examples.
        outputs: Probability of the positive class [n] of a label task; vectors of query and code
            [n, 2, h] of a ranking task.

    Returns:
        The probabilities as they are; of a ranking task the rank of the right code among the codes
        of the set, 0 for an example whose pair does not belong together (it only adds its code).
        Codes that read alike are one candidate.
    """
    if data.head == LABEL:
        return outputs
    first: dict[tuple[int, ...], int] = {}
    candidate = np.array([first.setdefault(tuple(code), len(first)) for code in data.codes])
    _, kept = np.unique(candidate, return_index=True)
    asked = np.flatnonzero(data.labels)
    found: np.ndarray = np.zeros(len(data), dtype=int)
    found[asked] = ranks(outputs[asked, 0], outputs[kept, 1], candidate[asked])
    return found


def classes(probabilities: np.ndarray) -> list[int]:
    """1 where the probability exceeds one half."""
    return [int(p > 0.5) for p in probabilities]


def scores(data: TaskData, loss: float, said: np.ndarray) -> dict[str, float]:
    """The scores of a model's answers.

    Args:
        data: The examples.
        loss: Over the examples.
        said: What `answers` gives, shape [n].

    Returns:
        For a label the loss and `classification.binary_scores` at the threshold 0.5; for a ranking
        the loss and `mrr`.
    """
    if data.head == RANKING:
        return {"loss": loss, "mrr": float(reciprocal_rank(said[said > 0]).mean())}
    return {"loss": loss, **binary_scores(data.labels, classes(said))}

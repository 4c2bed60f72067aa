"""Examples → padded batches of tokens. The task's module says what is read and whether it is
classified or retrieved.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.corpora import Example
from mtpeft.tuning.multitask.heads import HEADS, RETRIEVAL


def shared_task(task: str) -> ModuleType:
    """The module of a task, which must offer HEAD, texts and label to be trained with a head of its
    own.

    Raises `MtpeftError` where one is missing, `UnknownName` for a kind of head that there is not.
    """
    module = import_module(catalog().get("tasks", task).module)
    missing = [name for name in ("HEAD", "texts", "label") if not hasattr(module, name)]
    if missing:
        raise MtpeftError(
            f"module {module.__name__} of task {task} lacks {', '.join(missing)}",
            "HEAD, texts and label",
        )
    if module.HEAD not in HEADS:
        raise UnknownName(f"kind of head of task {task}", module.HEAD, HEADS)
    return module


@dataclass(frozen=True)
class TaskData:
    """Tokenized examples of one task. rows: tokens of each example; codes: of the second sequence
    of a retrieval pair.
    """

    task: str
    head: str
    ids: list[str]
    rows: list[list[int]]
    labels: list[int]
    codes: list[list[int]]
    padding: int

    def __len__(self) -> int:
        return len(self.rows)

    def lengths(self) -> list[int]:
        """Tokens of each example; of a retrieval pair those of the longer sequence."""
        return [
            max(map(len, pair)) for pair in zip(self.rows, self.codes or self.rows, strict=True)
        ]

    def some(self, number: int) -> "TaskData":
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
        digest = hashlib.sha256(f"{self.task} {self.head} {self.padding} {self.labels}".encode())
        for texts in (self.ids, self.rows, self.codes):
            for text in texts:
                digest.update(str(text).encode())
        return digest.hexdigest()

    def batch(self, positions: Sequence[int], device: str = "cpu") -> dict[str, Any]:
        """ids and mask [B, L], labels [B]; of a retrieval task [2 B, L], queries first. Padded on
        the right.
        """
        import torch

        rows = [self.rows[i] for i in positions]
        if self.head == RETRIEVAL:
            rows += [self.codes[i] for i in positions]
        longest = max(len(row) for row in rows)
        ids = torch.full((len(rows), longest), self.padding)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = 1
        labels = torch.tensor([self.labels[i] for i in positions])
        return {"ids": ids.to(device), "mask": mask.to(device), "labels": labels.to(device)}


def encode(
    task: str,
    examples: Sequence[Example],
    tokenizer: Any,
    code_length: int,
    query_length: int = 128,
) -> TaskData:
    """Tokenize. Texts of a classified example are one joint sequence, cut at the longest; a query
    has its own limit.

    A text without any token (36 of FlakeFlagger's methods are empty, and not every tokenizer adds a
    first token) becomes one end token: a mean over no positions is no number.
    """
    module = shared_task(task)
    columns = [list(column) for column in zip(*map(module.texts, examples), strict=True)]
    codes: list[list[int]] = []
    if module.HEAD == RETRIEVAL:
        queries, wanted = columns
        rows, codes = (
            _tokens(tokenizer, [queries], query_length),
            _tokens(tokenizer, [wanted], code_length),
        )
    else:
        rows = _tokens(tokenizer, columns, code_length)
    padding = tokenizer.pad_token_id
    return TaskData(
        task,
        module.HEAD,
        [e.id for e in examples],
        rows,
        [module.label(e) for e in examples],
        codes,
        tokenizer.eos_token_id if padding is None else padding,
    )


def _tokens(
    tokenizer: Any, columns: list[list[str]], length: int, chunk: int = 10_000
) -> list[list[int]]:
    """columns: first texts, and second ones where two are read as one sequence. Many at a time:
    five times as fast as each.
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

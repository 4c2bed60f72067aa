"""The plan of a run: every row it will see, in order, known before the first step.

All epochs are laid out at once, so that a resumed run, another micro-batch or more processes see
the same rows in the same optimizer steps; the plan's hash is part of the provenance.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtpeft.tuning.mixing import strategy
from mtpeft.tuning.packing import PACKINGS, Rows
from mtpeft.tuning.settings import Settings
from mtpeft.tuning.store import TokenStore

IGNORED = -100  # the label that torch's cross entropy skips
PADDED = -1  # the task of a position that belongs to no example


@dataclass(frozen=True)
class Plan:
    """Rows over a token store.

    A data set in torch's sense: `len` counts rows, an item is a mapping of int64 arrays
    `input_ids`, `labels`, `position_ids`, `token_tasks`, each of shape [tokens of the row].

    Attributes:
        store: The tokens of the examples.
        rows: Row r has segments rows[r]:rows[r + 1]; shape [rows + 1].
        segments: Example, start and end of each, shape [segments, 3].
        answer_only: Whether only the answers have labels.
        isolated: Whether positions start again at each segment.
    """

    store: TokenStore
    rows: np.ndarray
    segments: np.ndarray
    answer_only: bool
    isolated: bool

    def __len__(self) -> int:
        return len(self.rows) - 1

    def __getitem__(self, row: int) -> dict[str, np.ndarray]:
        parts: dict[str, list[np.ndarray]] = {
            "input_ids": [],
            "labels": [],
            "position_ids": [],
            "token_tasks": [],
        }
        at = 0
        for example, start, end in self.segments[self.rows[row] : self.rows[row + 1]]:
            begin = self.store.offsets[example]
            tokens: np.ndarray = self.store.tokens[begin + start : begin + end].astype(np.int64)
            labels = tokens.copy()
            if self.answer_only:
                labels[: max(0, int(self.store.prompts[example]) - start)] = IGNORED
            if self.isolated:
                labels[0] = IGNORED  # nothing before it belongs to this example
            parts["input_ids"].append(tokens)
            parts["labels"].append(labels)
            parts["position_ids"].append(np.arange(len(tokens)) + (0 if self.isolated else at))
            parts["token_tasks"].append(
                np.full(len(tokens), self.store.tasks[example], dtype=np.int64)
            )
            at += len(tokens)
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}

    def sha256(self) -> str:
        """Hash of tokens, labels and order: two runs with equal hashes train on the same things in
        the same order.
        """
        digest = hashlib.sha256(f"{self.answer_only} {self.isolated}\n".encode())
        for array in (
            self.store.tokens,
            self.store.offsets,
            self.store.prompts,
            self.store.tasks,
            self.rows,
            self.segments,
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def plan(store: TokenStore, settings: Settings, multiple: int) -> Plan:
    """Lay out all epochs of a run.

    Args:
        store: The tokens of the examples.
        settings: Of the run.
        multiple: Rows of one optimizer step; the last step is filled up with rows from the
            beginning of the plan, so that every step has as many and no row is lost.
    """
    rng = np.random.default_rng(settings.seed)
    pack = PACKINGS[settings.packing]
    rows: Rows = []
    first: Rows = []
    for order in strategy(settings.mixing)(
        store.sizes, settings.epochs, rng, settings.mixing_temperature
    ):
        if settings.packing == "wrapped" and first:
            rows += [
                first[i] for i in rng.permutation(len(first))
            ]  # the study packed once and shuffled the rows
            continue
        first = pack(order, store.lengths, settings.max_length, rng)
        rows += first
    if settings.max_steps > 0:
        rows = rows[: settings.max_steps * multiple]
    whole = len(rows)
    for extra in range(-whole % multiple if whole else 0):
        rows.append(rows[extra % whole])
    return _laid_out(store, rows, settings)


def validation_plan(store: TokenStore, settings: Settings, limit: int) -> Plan:
    """The first `limit` rows of the validation examples, packed as training is, shuffled once by
    the seed.
    """
    rng = np.random.default_rng(settings.seed)
    order = rng.permutation(len(store))
    return _laid_out(
        store,
        PACKINGS[settings.packing](order, store.lengths, settings.max_length, rng)[:limit],
        settings,
    )


def _laid_out(
    store: TokenStore, rows: list[list[tuple[int, int, int]]], settings: Settings
) -> Plan:
    segments = np.array([s for row in rows for s in row], dtype=np.int32).reshape(-1, 3)
    return Plan(
        store,
        np.cumsum([0] + [len(row) for row in rows], dtype=np.int64),
        segments,
        settings.loss_on == "answer",
        settings.packing != "wrapped",
    )


def collate(rows: list[dict[str, np.ndarray]], padding: int, flat: bool = False) -> dict[str, Any]:
    """A batch of torch tensors in which no example sees another one, whatever the kernel.

    Args:
        rows: Items of a `Plan`.
        padding: Token that fills short rows up.
        flat: For kernels that read the boundaries of sequences (flash attention): all rows behind
            one another, shape [1, tokens], with `cu_seq_lens_*` and `max_length_*`. Otherwise
            [rows, longest row], padded on the right; the model's mask follows the positions, and
            padding is a segment of its own (positions start at 0 again, no labels).
    """
    import torch

    if flat:
        # The row layout shifts labels within each row; here the row before would predict the first.
        rows = [{**row, "labels": np.concatenate([[IGNORED], row["labels"][1:]])} for row in rows]
        joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        starts: np.ndarray = np.append(
            np.flatnonzero(joined["position_ids"] == 0), len(joined["labels"])
        )
        bounds, longest = torch.from_numpy(starts.astype(np.int32)), int(np.diff(starts).max())
        flattened: dict[str, Any] = {n: torch.from_numpy(a)[None] for n, a in joined.items()}
        return flattened | {
            **dict.fromkeys(("cu_seq_lens_q", "cu_seq_lens_k"), bounds),
            **dict.fromkeys(("max_length_q", "max_length_k"), longest),
        }
    longest = max(len(row["input_ids"]) for row in rows)
    batch = {
        "input_ids": np.full((len(rows), longest), padding),
        "labels": np.full((len(rows), longest), IGNORED),
        "position_ids": np.zeros((len(rows), longest), dtype=np.int64),
        "token_tasks": np.full((len(rows), longest), PADDED),
    }
    for number, row in enumerate(rows):
        size = len(row["input_ids"])
        for name, array in row.items():
            batch[name][number, :size] = array
        batch["position_ids"][number, size:] = np.arange(longest - size)
    return {name: torch.from_numpy(array.astype(np.int64)) for name, array in batch.items()}

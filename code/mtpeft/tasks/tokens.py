"""Tokens of many texts as flat arrays, tokenized once for all seeds, resumes and processes.

Large sets are kept below `CACHE/tokens`, under a name that follows from everything that decides
them: texts, tokenizer, settings, libraries and the code of this room. Whoever comes second maps the
file into memory, where all processes of a machine share it. What is damaged is made again.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, overload

import numpy as np

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import scratch, write_atomic
from mtpeft.core.locks import held
from mtpeft.core.provenance import sha256

Arrays = dict[str, np.ndarray]
LARGE = 20_000
"""Examples from which tokens are kept: fewer are tokenized in seconds."""
SEAL = "sha256.json"
"""Hashes of the files of a set of arrays."""


class Ragged(Sequence[list[int]]):
    """Rows of tokens in one array: four bytes a token, where lists take forty.

    Args:
        values: All tokens, int32.
        offsets: Row i is values[offsets[i]:offsets[i + 1]].
    """

    def __init__(self, values: np.ndarray, offsets: np.ndarray) -> None:
        self.values, self.offsets = values, offsets

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> "Ragged":
        """The rows, copied."""
        parts = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        return cls(np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, at: int) -> list[int]: ...
    @overload
    def __getitem__(self, at: slice) -> "Ragged": ...
    def __getitem__(self, at: int | slice) -> "list[int] | Ragged":
        if isinstance(at, slice):
            return Ragged.of(self[i] for i in range(*at.indices(len(self))))
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        found: list[int] = self.row(at % len(self)).tolist()
        return found

    def row(self, at: int) -> np.ndarray:
        """Row `at`, from 0, as a view, int32."""
        found: np.ndarray = self.values[self.offsets[at] : self.offsets[at + 1]]
        return found

    def __iter__(self) -> Iterator[list[int]]:
        return (self[i] for i in range(len(self)))

    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        made: np.ndarray = np.diff(self.offsets)
        return made


def of_tokenizer(tokenizer: Any) -> str:
    """Hash of everything that a tokenizer does to a text.

    Args:
        tokenizer: Of transformers.
    """
    fast = getattr(tokenizer, "backend_tokenizer", None)
    whole = json.loads(fast.to_str()) if fast is not None else tokenizer.get_vocab()
    # What the last call asked for.
    said = [
        {name: part for name, part in whole.items() if name not in ("truncation", "padding")},
        type(tokenizer).__name__,
        str(tokenizer.chat_template),
        str(tokenizer.special_tokens_map),
        tokenizer.truncation_side,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def of_code(tasks: Iterable[str]) -> str:
    """Hash of the sources that turn examples of tasks into tokens."""
    here = Path(__file__).resolve().parent
    files = {*here.glob("*.py")} | {
        Path(str(import_module(catalog().get("tasks", task).module).__file__)) for task in tasks
    }
    return hashlib.sha256(" ".join(sorted(map(sha256, files))).encode()).hexdigest()


def kept(
    number: int, decides: Callable[[], Mapping[str, Any]], make: Callable[[], Arrays]
) -> Arrays:
    """Arrays that `make` makes, or made before.

    Args:
        number: Of examples; few are not kept.
        decides: Everything that decides the arrays, the libraries apart, as JSON.
        make: Makes them.
    """
    if number < LARGE:
        return make()
    libraries = {name: version(name) for name in ("tokenizers", "transformers")}
    key = json.dumps({**decides(), **libraries}, sort_keys=True)
    folder = paths.CACHE / "tokens" / hashlib.sha256(key.encode()).hexdigest()[:32]
    # What is there came whole into its place: a cache that nobody may write serves, too.
    if _whole(folder):
        return _mapped(folder)
    with ExitStack() as lock:
        try:
            lock.enter_context(held(folder))
        except MtpeftError as error:
            return _said(make(), error)
        if _whole(folder):
            return _mapped(folder)
        if os.path.lexists(folder):
            print(f"mtpeft: {folder} is damaged; its texts are tokenized again", file=sys.stderr)
        made = make()
        try:
            _write(folder, made)
        except (OSError, MtpeftError) as error:
            return _said(made, error)
        return _mapped(folder)


def _write(folder: Path, arrays: Arrays) -> None:
    with scratch("tokens", folder.parent) as place:
        for name, array in arrays.items():
            np.save(place / f"{name}.npy", array)
        hashes = {p.name: sha256(p) for p in place.iterdir()}
        write_atomic(place / SEAL, json.dumps(hashes, sort_keys=True))
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.unlink(missing_ok=True)
        place.rename(folder)


def _whole(folder: Path) -> bool:
    """Whether a folder holds the arrays that were written, byte for byte: damaged ones would train on
    other texts, without a word.
    """
    try:
        hashes = json.loads((folder / SEAL).read_bytes())
        found = {p.name: sha256(p) for p in folder.iterdir() if p.name != SEAL}
    except (OSError, ValueError):
        return False
    return bool(hashes == found)


def _mapped(folder: Path) -> Arrays:
    return {p.stem: np.load(p, mmap_mode="r") for p in sorted(folder.glob("*.npy"))}


def _said(made: Arrays, error: Exception) -> Arrays:
    print(f"mtpeft: the tokens are not kept for the next start: {error}", file=sys.stderr)
    return made

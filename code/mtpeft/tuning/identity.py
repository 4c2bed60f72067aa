"""What decides a training result, and the refusal to take up a result or a checkpoint that
something else decided.

A seed's folder begins with `identity.json`, written before the first step. Whoever comes back to
the folder, to go on or because the run is finished, must ask for the same: settings, method, base
weights, tokenizer, examples, number of processes, libraries, and the code that trains. What differs
is named and refused, so that no record is ever rewritten with what it was not made with. A finished
result also has to be the one that was written: its files are there, with the same bytes.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mtpeft.core import environment
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.objects import read_object
from mtpeft.core.paths import shown
from mtpeft.core.provenance import sha256
from mtpeft.corpora import Example
from mtpeft.models.device import kind

FILE, LOGS = "identity.json", "tensorboard"
LIBRARIES = (
    *("torch", "transformers", "peft", "accelerate", "bitsandbytes", "tokenizers", "numpy"),
    *("flash-attn", "liger-kernel", "torchjd"),  # used where they are installed
)
CALLED = "called"
"""The entry of what a person called it: named in a refusal, and not compared."""
ROOMS = ("tuning", "models", "tasks", "catalog/methods", "catalog/backbones")
"""Whose sources decide what training does with given settings and examples."""


def of_examples(examples: Iterable[Example]) -> str:
    """Hash of everything that training can see of examples, in their order."""
    digest = hashlib.sha256()
    for e in examples:
        digest.update(
            json.dumps(
                [e.id, e.task, e.language, dict(e.inputs), e.target], ensure_ascii=False
            ).encode()
        )
        digest.update(b"\n")
    return digest.hexdigest()


def of_sources() -> str:
    """The hash of the sources that train."""
    package, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for room in ROOMS:
        for path in sorted((package / room).rglob("*")):
            if path.suffix in (".py", ".yaml"):
                digest.update(f"{path.relative_to(package).as_posix()} {sha256(path)}\n".encode())
    return digest.hexdigest()


def of_program() -> dict[str, Any]:
    """What computes: hash of the sources that train, versions of the libraries, kind of device, number
    of processes.
    """
    return {
        "code": of_sources(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "device": kind(),
        "processes": processes(),
    }


def processes() -> int:
    """How many processes train together."""
    return environment.count("WORLD_SIZE", 1)


def rank() -> int:
    """The number of this process among them; 0 says what is said once."""
    return environment.count("RANK", 0)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def claim(
    folder: Path,
    wanted: Mapping[str, Any],
    began: Iterable[str],
    called: Mapping[str, Any] | None = None,
) -> None:
    """Make `folder` that of a result which `wanted` decides, or make sure that it is.

    A folder that holds nothing but an identity and logs is of an attempt that ended before its
    first checkpoint (a setting that the base model does not take, no memory): it is cleared. Of
    several processes the first decides.

    Args:
        folder: Of one seed.
        wanted: Everything that decides the result, as JSON.
        began: Names in the folder that show that something was trained there.
        called: How people name what decides it (corpus, base model, limit), for people.

    Raises:
        MtpeftError: Something else was trained there, or nobody knows what; it names what differs.
    """
    if rank():  # the first process decides; where it refuses, torchrun ends the others
        return
    path = folder / FILE
    plain = json.loads(json.dumps(wanted, sort_keys=True))
    if path.is_file():
        again = f"rm -r {shown(folder)}, or give another MTPEFT_OUT"
        known = read_object(path, "what decides the result", again)
        names = known.pop(CALLED, {})
        different = differences(known, plain)
        if different and _has_results(folder):
            of = ", ".join(f"{key} {value}" for key, value in names.items())
            raise MtpeftError(
                f"{shown(folder)} holds a result of something else: {'; '.join(different)}",
                f"what the folder was begun with{f': {of}' if of else ''}",
                again,
            )
        if not different:
            return
        shutil.rmtree(folder)  # its logs, too: they would pass for the new run's
    elif any((folder / name).exists() for name in began):
        raise MtpeftError(
            f"{shown(folder)} does not say what it was trained with",
            f"{FILE} next to its files",
            f"rm -r {shown(folder)}, or give another MTPEFT_OUT",
        )
    record = {**plain, CALLED: dict(called)} if called else plain
    write_atomic(path, json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _has_results(folder: Path) -> bool:
    logs = folder / LOGS
    files = (p for p in folder.rglob("*") if p.is_file() and logs not in p.parents)
    return any(path != folder / FILE for path in files)


def differences(known: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two identities, as `name: known, not wanted`; hashes are cut short."""
    found = []
    for key in sorted(known.keys() | wanted.keys()):
        a, b = known.get(key), wanted.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key} ")
        elif a != b:
            found.append(f"{prefix}{key} {_short(a)}, not {_short(b)}")
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 and " " not in text else text


def seal(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Hashes of a result's files, by path below `folder`, for the mark of completion."""
    return {p.relative_to(folder).as_posix(): sha256(p) for p in sorted(files)}


def unbroken(folder: Path, sealed: Mapping[str, str]) -> None:
    """Make sure that the files of a finished result are there, as they were written.

    Raises:
        MtpeftError: A file is missing or has other bytes.
    """
    for name, expected in sealed.items():
        path = folder / name
        if not path.is_file() or sha256(path) != expected:
            what = "has changed since it was written" if path.is_file() else "is missing"
            raise MtpeftError(
                f"{shown(path)} of a finished run {what}",
                "the files that training wrote",
                f"rm -r {shown(folder)}, then train again",
            )

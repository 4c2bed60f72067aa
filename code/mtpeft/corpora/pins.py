"""What nobody upstream pins is pinned here: a base model or a built file by its first use, a data
set of the hub by whoever uses it (`choose`).

The pins lie in `pins.json` in the cache; another value is refused. Two processes that pin at once
wait for each other, so that a pin that was written is never lost.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import read_text, write_atomic
from mtpeft.core.locks import held


def pin(name: str, value: str) -> None:
    """Record a value under a name, at its first use.

    Args:
        name: What is pinned.
        value: A revision or a SHA-256.

    Raises:
        MtpeftError: Another value is recorded.
    """
    path = _path()
    with held(path):
        pins = _read(path)
        known = pins.get(name)
        if known is None:
            write_atomic(path, json.dumps({**pins, name: value}, indent=1, sort_keys=True) + "\n")
        if known in (None, value):
            return
    raise MtpeftError(
        f"{name} is now {value}",
        f"{known}, as at its first use on this machine ({path})",
        f"use that revision, or remove the entry from {path} and start the experiment again",
    )


def choose(name: str, revision: str, known: Iterable[str]) -> None:
    """`mtpeft data pin`: record which commit of the hub is used on this machine.

    Args:
        name: OWNER/NAME of a data set or base model.
        revision: The commit, in full: a branch or tag may move.
        known: The names that are used without a published revision.

    Raises:
        UnknownName: No such data set or model is used without one.
        MtpeftError: It is no commit, or another one is recorded.
    """
    known = list(known)
    if name not in known:
        raise UnknownName("data set or model without a revision", name, known)
    if len(revision) != 40 or set(revision) - set("0123456789abcdef"):
        raise MtpeftError(
            f"{revision!r} is no commit",
            "its 40 lower-case hexadecimal digits: branches and tags move",
            f"mtpeft data pin {name} COMMIT",
        )
    pin(name, revision)


def pinned(name: str) -> str:
    """The recorded value, empty where there is none yet."""
    return _read(_path()).get(name, "")


def _path() -> Path:
    return paths.CACHE / "pins.json"


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        pins = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(
            path,
            f"malformed JSON: {error}",
            "an object of names and values",
            "restore the file; without it the next use pins what it finds",
        ) from error
    if not isinstance(pins, dict) or not all(isinstance(value, str) for value in pins.values()):
        raise BadInput(path, "no object of texts", "names and values", "restore the file")
    return pins

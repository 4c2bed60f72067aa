"""The mark of a finished seed: what training wrote last, and what others read of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput
from mtpeft.core.objects import read_object, typed
from mtpeft.core.paths import shown

FINISHED = "finished.json"


@dataclass(frozen=True)
class Finished:
    """The mark of completion.

    Attributes:
        kept: What `fit` kept.
        files: SHA-256 of the files that make up the result, by path below the folder.
    """

    kept: dict[str, Any]
    files: dict[str, str]


def outcome(path: Path) -> Finished:
    """What a mark of completion says.

    Raises:
        BadInput: It is damaged.
    """
    expected = "what training writes when a seed is finished"
    fix = f"rm -r {shown(path.parent)}, then train again"
    try:
        return typed(Finished, read_object(path, expected, fix))
    except ValueError as error:
        raise BadInput(path, str(error), expected, fix) from error

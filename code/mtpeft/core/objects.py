"""JSON objects that this package wrote for itself and reads again: whole and of the right types, or
refused with the name of the file.

A file may have been cut off by a full disk, edited, or written by an older program: what it holds is
input, as any other file is.
"""

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mtpeft.core.errors import BadInput
from mtpeft.core.files import read_text, unique

T = TypeVar("T")


def read_object(path: Path, expected: str, fix: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: The file.
        expected: What it should hold, for the message.
        fix: What makes it anew, for the message.

    Raises:
        BadInput: It cannot be read, or holds anything else.
    """
    try:
        found = json.loads(read_text(path), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise BadInput(path, f"malformed JSON: {error}", expected, fix) from error
    if not isinstance(found, dict):
        raise BadInput(path, f"a {type(found).__name__}", expected, fix)
    return found


def typed(kind: type[T], values: Any) -> T:
    """A record made of the values that JSON gave, each of the type that the record declares.

    Args:
        kind: A dataclass.
        values: An object with its fields; those with a default may be absent.

    Raises:
        ValueError: A field is unknown, absent, of another type, or no finite number.
    """
    assert dataclasses.is_dataclass(kind)
    if not isinstance(values, Mapping):
        raise ValueError(f"a {type(values).__name__} in place of an object")
    hints, fields = get_type_hints(kind), {f.name: f for f in dataclasses.fields(kind)}
    needed = {
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    for what, names in (
        ("no", needed - values.keys()),
        ("unknown", values.keys() - fields.keys()),
    ):
        if names:
            raise ValueError(f"{what} {ascii(min(map(str, names)))[1:-1]}")
    for name, value in values.items():
        if not fits(value, hints[name]):
            raise ValueError(f"{name} is {ascii(value)[:60]}")
    return kind(**values)


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value of JSON is of a type; a number must be finite.

    Args:
        value: What JSON gave.
        wanted: `str`, `int`, `float`, `bool`, `Any`, a list, dictionary, Literal or union of these.
    """
    origin, inner = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return True
    if origin is Literal:
        return value in inner
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is list:
        return isinstance(value, list) and all(fits(one, inner[0]) for one in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(fits(one, inner[1]) for one in value.values())
    if wanted in (int, float):
        number = isinstance(value, int if wanted is int else (int, float))
        return number and not isinstance(value, bool) and _finite(value)
    return isinstance(value, type(None) if wanted is None else wanted)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False

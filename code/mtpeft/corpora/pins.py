"""What nobody upstream pins is pinned here by its first use: `pins.json` in the cache, refused when
it changes.
"""

import json

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic


def pin(name: str, value: str) -> None:
    """Record `value` (a revision or a SHA-256) under `name`, or refuse it where another one is
    recorded.
    """
    path = paths.CACHE / "pins.json"
    pins = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known = pins.setdefault(name, value)
    if known != value:
        raise MtpeftError(
            f"{name} is now {value}",
            f"{known}, as at its first use on this machine ({path})",
            f"use that revision, or remove the entry from {path} and start the experiment anew",
        )
    write_atomic(path, json.dumps(pins, indent=1, sort_keys=True) + "\n")


def pinned(name: str) -> str:
    """The recorded value, or '' where there is none yet."""
    path = paths.CACHE / "pins.json"
    return json.loads(path.read_text(encoding="utf-8")).get(name, "") if path.is_file() else ""

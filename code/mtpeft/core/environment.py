"""Values of environment variables that must have a form: amounts, whole numbers, folders.

They are checked at the start of every command, so that a wrong one does not end hours of work when
it is first needed.
"""

import math
import os
from pathlib import Path

from mtpeft.core.errors import MtpeftError

PRICE = "MTPEFT_PRICE_PER_HOUR"
BACKBONES = "MTPEFT_BACKBONES"
EPOCH = "SOURCE_DATE_EPOCH"
COUNTS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_RESTART_COUNT", EPOCH)


def check() -> None:
    """Read each variable of a form once.

    Raises:
        MtpeftError: One has another form.
    """
    amount(PRICE)
    folder(BACKBONES)
    for name in COUNTS:
        count(name, 0)


def amount(name: str) -> float | None:
    """A finite number that is not negative, or None where the variable is not set or empty.

    Raises:
        MtpeftError: It is something else.
    """
    value = os.environ.get(name)
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise _other(name, value, "a number that is not negative, such as 2.49")
    return number


def count(name: str, default: int) -> int:
    """A whole number that is not negative.

    Args:
        name: The variable.
        default: What holds where it is not set or empty.

    Raises:
        MtpeftError: It is something else.
    """
    value = os.environ.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit()):
        raise _other(name, value, "a whole number that is not negative")
    return int(value)


def folder(name: str) -> Path | None:
    """A folder that is there, or None where the variable is not set or empty.

    Raises:
        MtpeftError: There is no such folder.
    """
    value = os.environ.get(name)
    if not value:
        return None
    path = Path(value)
    if not path.is_dir():
        raise _other(name, value, "a folder that is there")
    return path


def _other(name: str, value: str, wanted: str) -> MtpeftError:
    return MtpeftError(f"{name} is {value!r}", wanted, f"unset {name}, or correct it")

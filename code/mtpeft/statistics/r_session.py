"""One embedded R session with the functions of stats/*.R.

R is not thread-safe: every call holds rpy2's lock. Missing values are NaN on both sides.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import temporary_files_of
from mtpeft.core.paths import STATS

if TYPE_CHECKING:  # a verdict that needs no R should not wait for it
    import numpy as np

# ABI mode needs R's shared library alone, not its development files.
os.environ.setdefault("RPY2_CFFI_MODE", "ABI")
# Of the packages that R attaches by itself these are in use; without the others it starts in half
# the time.
os.environ.setdefault("R_DEFAULT_PACKAGES", "utils,stats")


@lru_cache(maxsize=1)
def _environment() -> Any:
    libraries = os.environ.get("LD_LIBRARY_PATH")
    try:
        # R removes the folder of its session when it is ended, not when it is killed, nor in a
        # worker.
        with temporary_files_of("r"):
            from rpy2 import rinterface
            from rpy2.rinterface_lib import callbacks, embedded

            # A package that prints to the console of the host would mix with our own output.
            callbacks.consolewrite_print = lambda text: None
            embedded.set_initoptions(("rpy2", "--quiet", "--vanilla"))
            rinterface.initr()
    except MtpeftError:
        raise
    except Exception as error:  # rpy2 raises many kinds when R or its library is missing
        raise Unavailable(
            f"R cannot be started: {type(error).__name__}: {error}",
            "R 4.2 or later with its shared library",
            "docker/setup/r.sh",
        ) from error
    # R put the system's libraries first for every later child process; a Python with a library of
    # its own breaks then.
    if libraries is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = libraries
    for path in sorted(STATS.glob("*.R")):
        rinterface.evalr(path.read_text(encoding="utf-8"))
    return rinterface.globalenv


def start() -> None:
    """Start R now, so that processes forked from this one find it running.

    Raises:
        Unavailable: R cannot be started.
    """
    _environment()


_known: "dict[tuple[Any, ...], np.ndarray]" = {}


def call(
    function: str, *vectors: "Sequence[float] | np.ndarray", **scalars: float | bool | str
) -> "np.ndarray":
    """Call an R function on numeric vectors and scalars; returns its numeric value as float64
    (column-major if a matrix).

    The functions are pure, so that a call with the same arguments is answered from memory: both
    protocols mostly compare the same pairs. Errors: `Unavailable` where R cannot be started; an R
    error is raised as rpy2's RRuntimeError with R's message.
    """
    import numpy as np

    arrays = [np.asarray(v, dtype="float64") for v in vectors]
    key = (function, *(a.tobytes() for a in arrays), *sorted(scalars.items()))
    if key not in _known:
        _known[key] = _call(function, arrays, scalars)
    return _known[key].copy()


def _call(
    function: str, arrays: "list[np.ndarray]", scalars: dict[str, float | bool | str]
) -> "np.ndarray":
    environment = _environment()
    import numpy as np
    from rpy2 import rinterface
    from rpy2.rinterface_lib import openrlib

    with openrlib.rlock:
        arguments = [rinterface.FloatSexpVector(a) for a in arrays]
        named = {name: _scalar(value) for name, value in scalars.items()}
        result = environment.find(function)(*arguments, **named)
        # A matrix arrives as two-dimensional and column-major.
        values: np.ndarray = np.array(result, dtype="float64").ravel(order="F")
        return values


def _scalar(value: float | bool | str) -> Any:
    from rpy2 import rinterface

    if isinstance(value, bool):
        return rinterface.BoolSexpVector([value])
    if isinstance(value, str):
        return rinterface.StrSexpVector([value])
    return rinterface.FloatSexpVector([float(value)])


def version() -> str:
    """R's version, such as `4.2.2`."""
    _environment()
    from rpy2 import rinterface

    return str(rinterface.evalr("paste(R.version$major, R.version$minor, sep = '.')")[0])

"""The boundary of every command.

Whatever ended it, a person reads what was found, expected and helps.
"""

import errno
import json
import os
import re
import traceback

from mtpeft.core.errors import MtpeftError, missing_package
from mtpeft.core.text import said

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
SHOW = "MTPEFT_TRACEBACK"
"""Environment variable that lets a traceback through, for developers."""


def explained(error: Exception) -> MtpeftError:
    """The error of this package for any other one that reached the end of a command.

    A stage turns what it can foresee into an error that names file and line; this is for the rest.
    """
    if isinstance(error, MtpeftError):
        return error
    if isinstance(error, ModuleNotFoundError) and (missing := missing_package(error)):
        return missing
    if isinstance(error, _packed()):
        return MtpeftError(
            f"damaged packed data: {said(error)} ({_place(error)})",
            "a whole file",
            f"fetch the file again: make data; {SHOW}=1 shows which step read it",
        )
    if isinstance(error, UnicodeError):
        return MtpeftError(
            f"text that cannot be read or written: {said(error)} ({_place(error)})",
            "UTF-8 text",
            f"correct the file; {SHOW}=1 shows which step read it",
        )
    if isinstance(error, json.JSONDecodeError):
        return MtpeftError(
            f"a damaged JSON file: {said(error)} ({_place(error)})",
            "a JSON document",
            f"remove the file and make it again; {SHOW}=1 shows which step read it",
        )
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, MemoryError):
        return MtpeftError("memory is used up", "more free memory", "free -h; end other programs")
    if number := _number_of_the_system(error):
        return _of_the_system(OSError(number, os.strerror(number)), _place(error))
    return MtpeftError(
        f"a fault of this package: {said(error)} ({_place(error)})",
        "a result, or an error that names its cause",
        f"run the command again with {SHOW}=1 and report what it prints",
    )


def _packed() -> tuple[type[Exception], ...]:
    import gzip
    import tarfile
    import zipfile
    import zlib

    return EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile


def _number_of_the_system(error: Exception) -> int:
    """The number of the system's error that a library in another language tells in words; 0: none."""
    text = str(error)
    if found := re.search(r"\(os error (\d+)\)", text):  # Rust: safetensors, tokenizers
        return int(found[1])
    # PyTorch's writer of archives keeps the reason to itself; a full disk is the usual one.
    if "PytorchStreamWriter failed writing" in text or "unexpected pos" in text:
        return errno.ENOSPC
    numbers = (*sorted(_DISK), *sorted(_DENIED))
    return next((number for number in numbers if os.strerror(number) in text), 0)


def _of_the_system(error: OSError, place: str = "") -> MtpeftError:
    name = error.filename if error.filename is not None else place or _place(error)
    found = f"{name}: {error.strerror or said(error)}"
    if error.errno in _DISK:
        return MtpeftError(found, "free disk space", 'df -h . "$MTPEFT_OUT" "$MTPEFT_CACHE"')
    if error.errno in _DENIED:
        return MtpeftError(
            found,
            "a file or folder that this user may read and write",
            "MTPEFT_OUT, MTPEFT_CACHE and (for make) VENV name folders elsewhere; ls -ld the path",
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return MtpeftError(found, "more open files", "ulimit -n 4096")
    if error.filename is None:  # a library's own words: there is no path to look at
        return MtpeftError(
            found, "what a library asks for in these words", f"{SHOW}=1 shows which step asked"
        )
    return MtpeftError(found, "a file that can be read or written", f"ls -ld {name}")


def _place(error: BaseException) -> str:
    """The last line of this package that the error passed."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if f"{os.sep}mtpeft{os.sep}" in frame.filename:
            name = frame.filename.rpartition(f"{os.sep}mtpeft{os.sep}")[2]
            return f"{name}:{frame.lineno}"
    return "in a library"

"""One lock for two processes that write one result.

The second waits, or is refused by the name of the first.
"""

import contextlib
import fcntl
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import cannot
from mtpeft.core.output import claim
from mtpeft.core.paths import shown

_mine: dict[Path, int] = {}
_guard = threading.Lock()
_POLL_SECONDS = 0.2


class InUse(MtpeftError):
    """Another process works on this result."""


@contextlib.contextmanager
def held(path: Path, *, wait: bool = True, again: bool = True) -> Iterator[None]:
    """Hold the lock of `path`, a file or folder that is about to be changed, made or read while
    others may change it.

    The lock is the file `.NAME.lock` next to it and ends with the process, however that ends. The
    thread that holds it may ask for it again.

    Args:
        path: What the lock is about; it need not exist.
        wait: Whether to wait for another holder (said once on standard error).
        again: Whether the thread that holds it may enter once more.

    Raises:
        InUse: Another process or thread holds it and `wait` is false.
        MtpeftError: The lock cannot be made.
    """
    path = Path(os.path.realpath(path))  # unlike resolve() no error for a loop of links
    me = threading.get_ident()
    with _guard:
        entered = _mine.get(path) == me
    if entered and again:
        yield
        return
    try:
        claim(path)  # before a folder is made that would pass for somebody else's
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(
            path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
        )
    except OSError as error:
        raise cannot("lock", path, error) from error
    try:
        _take(descriptor, path, wait and not entered)
        with _guard:
            _mine[path] = me
        try:
            yield
        finally:
            with _guard:
                _mine.pop(path, None)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, wait: bool) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(descriptor, 500, 0).decode("utf-8", "replace").strip()
            holder = holder or "another process"
        if not wait:
            raise InUse(
                f"{shown(path)} is in use by {holder}",
                "one process for one result",
                "wait until it has ended, then run the same command again",
            )
        if not told:
            print(f"mtpeft: waiting for {shown(path)}, in use by {holder}", file=sys.stderr)
            told = True
        time.sleep(_POLL_SECONDS)
    # For whoever comes second. A name that is left behind after a kill means nothing: the lock
    # itself is gone then.
    name = f"process {os.getpid()} on {os.uname().nodename} ({' '.join(sys.argv)[:300]})\n"
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, name.encode("utf-8", "replace"), 0)

"""The one folder that a run may write: made, measured and removed by the supervisor.

What is in it was made by hostile code: any depth, any names, any modes, links to anywhere. Nothing
here follows a link, recurses, or builds a path longer than two names.
"""

import os
import secrets
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass

from mtpeft.sandbox import mounts
from mtpeft.sandbox.identity import Identity

# What the host must have left over on top of the scratch limit; below it the run would measure the
# disk, not the program.
RESERVE_BYTES = 16 << 20


class NoSpace(OSError):
    """The host's disk is too full for a run."""


@dataclass(frozen=True)
class Use:
    """Bytes and entries below a scratch folder; counting stops at the limits."""

    size: int
    entries: int


def check_space(base: str, size: int, entries: int) -> None:
    """Make sure that a file system has room for a run and a reserve.

    Args:
        base: A folder on it.
        size: Bytes that the run may write.
        entries: Files that it may make.

    Raises:
        NoSpace: It has not.
    """
    found = os.statvfs(base)
    free = found.f_bavail * found.f_frsize
    if free < size + RESERVE_BYTES:
        raise NoSpace(f"{free} bytes free below {base}, {size + RESERVE_BYTES} needed")
    if found.f_files and found.f_favail < entries:
        raise NoSpace(f"{found.f_favail} inodes free below {base}, {entries} needed")


def wait_for_space(check: Callable[[], None], seconds: float = 3.0) -> None:
    """Check for room, once more as long as another run may still be cleaning up.

    Raises:
        NoSpace: There is none after that time either.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            check()
        except NoSpace:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def check_memory(size: int) -> None:
    """Make sure that the machine has memory for a file system in it and a reserve.

    Args:
        size: Bytes that it may hold.

    Raises:
        NoSpace: It has not.
    """
    with open("/proc/meminfo", "rb") as stream:
        facts = dict(line.split(b":") for line in stream)
    free = int(facts[b"MemAvailable"].split()[0]) * 1024
    if free < size + RESERVE_BYTES:
        raise NoSpace(f"{free} bytes free in memory, {size + RESERVE_BYTES} needed")


def create(
    base: str, identity: Identity, files: dict[str, str], limits: tuple[int, int] | None = None
) -> str:
    """A new folder of the identity's own.

    Args:
        base: The folder in which it is made.
        identity: To whom it belongs.
        files: The text of each file in it, by name.
        limits: Bytes and entries of the file system to mount on it; None: none is mounted.

    Raises:
        OSError: It cannot be made.
        ValueError: A name is no plain file name.
    """
    folder = os.path.join(base, secrets.token_hex(8))
    os.mkdir(folder, 0o700)
    if limits:
        mounts.mount(folder, *limits)
    for name, text in files.items():
        if os.path.basename(name) != name or name in ("", ".", ".."):
            raise ValueError(f"{name!r} is no plain file name")
        descriptor = os.open(
            os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(
            descriptor, "w", encoding="utf-8", errors="surrogatepass", newline=""
        ) as stream:
            stream.write(text)
            if identity.dedicated:
                os.fchown(stream.fileno(), identity.uid, identity.gid)
    if identity.dedicated:
        os.chown(folder, identity.uid, identity.gid)
    return folder


def use(folder: str, max_size: int, max_entries: int) -> Use:
    """What lies below the folder at this moment.

    A file with several names counts once by its size and each time as an entry. Entries that vanish
    meanwhile count nothing; a folder that cannot be listed counts as over the limit.

    Args:
        folder: The folder.
        max_size: Bytes at which counting stops.
        max_entries: Entries at which counting stops.
    """
    size = entries = 0
    seen: set[int] = set()
    pending = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)]
    try:
        while pending and size <= max_size and entries <= max_entries:
            current = pending.pop()
            try:
                with os.scandir(current) as listing:
                    for entry in listing:
                        entries += 1
                        try:
                            found = entry.stat(follow_symlinks=False)
                            if found.st_ino not in seen:
                                seen.add(found.st_ino)
                                size += found.st_blocks * 512
                            if stat.S_ISDIR(found.st_mode):
                                pending.append(_listed(entry.name, current))
                        except FileNotFoundError:
                            continue
                        except OSError:
                            return Use(size, max_entries + 1)
                        if entries > max_entries:
                            break
            finally:
                os.close(current)
    finally:
        for descriptor in pending:
            os.close(descriptor)
    return Use(size, entries)


def _listed(name: str, parent: int) -> int:
    """A folder, opened for listing also where its owner took the right away.

    Its mode is changed through a descriptor: a name may be replaced by a link meanwhile.
    """
    flags = os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, os.O_RDONLY | flags, dir_fd=parent)
    except PermissionError:
        found = os.open(name, os.O_PATH | flags, dir_fd=parent)
    except NotADirectoryError:  # replaced meanwhile
        raise FileNotFoundError(name) from None
    try:
        os.chmod(f"/proc/self/fd/{found}", 0o700)
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_DIRECTORY)
    finally:
        os.close(found)


def deleted_mapped_files(pid: int, folder: str) -> int:
    """How many deleted files below the folder the process has mapped into memory.

    Their size is not told to an ordinary user; each may hold as much as one file may.
    """
    found = set()
    try:
        with open(f"/proc/{pid}/maps", "rb") as stream:
            for line in stream:
                fields = line.split(None, 5)
                name = fields[5].rstrip() if len(fields) == 6 else b""
                if name.endswith(b"(deleted)") and name.startswith(os.fsencode(folder)):
                    found.add(fields[4])
    except OSError:
        return len(found)
    return len(found)


def deleted_open_bytes(pid: int, device: int) -> int:
    """Bytes of files on `device` that the process holds open after deleting them."""
    total = 0
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            found = os.stat(f"/proc/{pid}/fd/{name}")
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_dev == device:
                total += found.st_blocks * 512
    except OSError:
        # ended meanwhile, or not ours to look at: then open_files times file_bytes is the bound
        return total
    return total


def remove(folder: str) -> None:
    """Remove the folder and everything below it.

    Each subfolder is moved up next to its parent before it is emptied, so depth never matters. Must
    run after the last process of the run has ended: nobody changes the tree meanwhile.

    Raises:
        OSError: Something is left.
    """
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except PermissionError:
        os.chmod(folder, 0o700, follow_symlinks=True)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(top, 0o700)
        _empty(top, top)
        while True:
            with os.scandir(top) as listing:
                lifted = [entry.name for entry in listing]
            if not lifted:
                break
            for name in lifted:
                current = _open_folder(name, top)
                try:
                    _empty(current, top)
                finally:
                    os.close(current)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(folder)


def _open_folder(name: str, parent: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        descriptor = os.open(name, flags, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        descriptor = os.open(name, flags, dir_fd=parent)
    os.fchmod(descriptor, 0o700)
    return descriptor


def _empty(current: int, top: int) -> None:
    """Unlink the files of a folder and lift its subfolders to `top` under fresh names."""
    with os.scandir(current) as listing:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    for name, folder in entries:
        if folder:
            os.close(_open_folder(name, current))
            os.rename(name, secrets.token_hex(8), src_dir_fd=current, dst_dir_fd=top)
        else:
            os.unlink(name, dir_fd=current)

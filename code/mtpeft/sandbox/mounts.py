"""A scratch folder of a fixed size: a file system in memory, in a mount namespace of the supervisor's own.

The kernel then holds the limits on bytes and entries whatever a program does with its files; nothing
has to be listed or sampled. Root needs the capability for mounts, an ordinary user the right to
namespaces of users. Where neither is to be had, `scratch.use` counts instead.
"""

import ctypes
import os

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
_MNT_DETACH = 2
SPARE_BYTES, SPARE_ENTRIES = 64 << 10, 4
"""What the file system holds beyond the limits, so that a program at its end is seen above them."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _enter() -> None:
    """Move this process into a mount namespace of its own; an ordinary user keeps uid and gid."""
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _checked(_libc.unshare(_CLONE_NEWNS))
    else:
        _checked(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER))
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
                stream.write(text)
    _checked(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None))


def enter(folder: str) -> bool:
    """Move this process into a mount namespace of its own, if it may mount there.

    A child tries first: half a move would leave this process with another identity.

    Args:
        folder: On which the child tries to mount.

    Returns:
        Whether `mount` works from now on.
    """
    pid = os.fork()
    if pid == 0:
        try:
            _enter()
            mount(folder, 1 << 20, 10)
            os.close(os.open(os.path.join(folder, "try"), os.O_CREAT | os.O_WRONLY, 0o600))
            os._exit(0)
        except BaseException:
            os._exit(1)
    if os.waitpid(pid, 0)[1]:
        return False
    _enter()
    return True


def mount(folder: str, size: int, entries: int) -> None:
    """Mount an empty file system on a folder.

    Args:
        folder: The folder.
        size: The most bytes.
        entries: The most files and folders.

    Raises:
        OSError: It cannot be mounted.
    """
    # The file system's root is an entry of its own.
    options = f"size={size + SPARE_BYTES},nr_inodes={entries + SPARE_ENTRIES + 1},mode=0700"
    _checked(
        _libc.mount(
            b"mtpeft-scratch",
            os.fsencode(folder),
            b"tmpfs",
            ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC),
            options.encode("ascii"),
        )
    )


def used(folder: str) -> tuple[int, int]:
    """Bytes and entries that a mounted file system holds, nameless files included."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree - 1


def unmount(folder: str) -> None:
    """Drop a mounted file system with everything in it.

    Raises:
        OSError: It cannot be dropped.
    """
    _checked(_libc.umount2(os.fsencode(folder), _MNT_DETACH))

"""Landlock: which files one process may read, write and run, through the three system calls
directly.

Source of the constants: linux/landlock.h. Works from ABI 1 (kernel 5.13); later ABIs add TCP,
device ioctls, abstract sockets and signals, which are used where the kernel has them although
seccomp refuses the same things by itself.
"""

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on x86-64 and aarch64
_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_OF_ABI_1 = (1 << 13) - 1
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1

_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = READ_FILE | READ_DIR
SCRATCH = (
    READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER | TRUNCATE
)
RUN = READ_FILE | EXECUTE
DEVICE = READ_FILE | WRITE_FILE

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Access:
    """Rights on everything below a path (or on the file itself)."""

    path: str
    rights: int


def abi() -> int:
    """The kernel's Landlock ABI, 0 where Landlock is absent, off, or blocked by an outer filter."""
    version = int(_libc.syscall(_CREATE_RULESET, None, 0, 1))
    return max(version, 0)


def handled(version: int) -> tuple[int, int, int]:
    """What a kernel of this ABI can take away: file-system rights, network rights, scopes."""
    files = _ALL_OF_ABI_1 | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    files |= IOCTL_DEV if version >= 5 else 0
    return (
        files,
        _BIND_TCP | _CONNECT_TCP if version >= 4 else 0,
        _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if version >= 6 else 0,
    )


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock call {number}: {errno.errorcode.get(code, code)}")
    return result


def restrict(accesses: list[Access], version: int) -> None:
    """Take every file-system right away from this thread and its future children but those granted.

    Needs no_new_privs.

    Args:
        accesses: What is granted. A path that does not exist gives no right and is no error.
        version: The ABI to use, at most `abi()`.

    Raises:
        OSError: The kernel refused.
    """
    files, network, scopes = handled(version)
    attributes = struct.pack("<QQQ", files, network, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _call(_CREATE_RULESET, attributes[:size], ctypes.c_size_t(size), 0)
    try:
        for access in accesses:
            try:
                descriptor = os.open(access.path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                folder = os.path.isdir(access.path)
                rights = access.rights & files & (-1 if folder else _FILE_RIGHTS)
                rule = struct.pack("<Qi", rights, descriptor)
                _call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
            finally:
                os.close(descriptor)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)

"""The seccomp filter: an allow-list of system calls with argument checks, as classic BPF, built
without a library.

The filter looks at registers only (it cannot follow pointers), so calls whose danger lies behind a
pointer are refused whole: sendmsg (an address in a struct), openat2 and clone3 (flags in a struct).
"""

import ctypes
import errno
import platform
import struct
from dataclasses import dataclass

from mtpeft.sandbox.syscalls import ALLOWED, CONDITIONAL, DENIED

# audit architecture tag and column of the number tables; linux/audit.h
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
X32_BIT = 0x40000000

# linux/bpf_common.h, linux/seccomp.h
_LD, _JEQ, _JGT, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06
KILL_PROCESS, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
EPERM = ERRNO | errno.EPERM
ENOSYS = ERRNO | errno.ENOSYS

# sched.h: CLONE_PARENT, CLONE_PTRACE, CLONE_UNTRACED and every CLONE_NEW* that clone(2) takes
_CLONE_REFUSED = 0x8000 | 0x2000 | 0x00800000 | 0x7E020000
_CLONE_THREAD = 0x00010000
# F_SETSIG, F_SETOWN and F_SETOWN_EX would signal any process of the same user; leases,
# notifications and pipe sizes reach beyond the process as well
_FCNTL_REFUSED = (8, 10, 15, 1024, 1026, 1031)
# Harmless questions: TCGETS (isatty), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_IOCTL_ALLOWED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS,
# PR_SET_VMA
_PRCTL_ALLOWED = (3, 15, 16, 21, 23, 39, 0x53564D41)
_AF_UNIX = 1
# MAP_SHARED and MAP_ANONYMOUS: a part of such memory that is unmapped stays filled, and no count of
# a process shows it.
_MAP_HIDDEN = 0x1 | 0x20
_O_TRUNC, _O_ACCMODE = 0o1000, 0o3

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


@dataclass(frozen=True)
class FilterPolicy:
    """What the filter depends on.

    Attributes:
        pid: The process that it is for (signals may go to it and its group only).
        fork: Whether it may fork.
    """

    pid: int
    fork: bool


def _load(offset: int) -> Instruction:
    return (_LD, 0, 0, offset)


def _argument(index: int, high: bool = False) -> Instruction:
    # struct seccomp_data: int nr, u32 arch, u64 instruction_pointer, u64 args[6]; both
    # architectures little-endian
    return _load(16 + 8 * index + (4 if high else 0))


def _ret(action: int) -> Instruction:
    return (_RET, 0, 0, action)


def _one_of(index: int, values: tuple[int, ...], inside: int, outside: int) -> list[Instruction]:
    """Instructions that test the low word of an argument.

    Args:
        index: Of the argument.
        values: What it may be.
        inside: What is answered where it is one of them.
        outside: What is answered where it is not.
    """
    tests = [(_JEQ, len(values) - n, 0, value & 0xFFFFFFFF) for n, value in enumerate(values)]
    return [_argument(index), *tests, _ret(outside), _ret(inside)]


def _truncating_read(index: int) -> list[Instruction]:
    """EPERM for O_TRUNC on a descriptor opened for reading.

    Landlock before ABI 3 does not see that truncation.
    """
    return [
        _argument(index),
        (_JSET, 0, 3, _O_TRUNC),
        (_AND, 0, 0, _O_ACCMODE),
        (_JEQ, 0, 1, 0),
        _ret(EPERM),
        _ret(ALLOW),
    ]


def _conditional(policy: FilterPolicy) -> dict[str, list[Instruction]]:
    pid = policy.pid
    clone = [_argument(0), (_JSET, 0, 1, _CLONE_REFUSED), _ret(EPERM)]
    clone += (
        [_ret(ALLOW)] if policy.fork else [(_JSET, 1, 0, _CLONE_THREAD), _ret(EPERM), _ret(ALLOW)]
    )
    fork = [_ret(ALLOW if policy.fork else EPERM)]
    return {
        "kill": _one_of(0, (pid, 0, -pid), ALLOW, EPERM),
        "tgkill": _one_of(0, (pid,), ALLOW, EPERM),
        "rt_sigqueueinfo": _one_of(0, (pid,), ALLOW, EPERM),
        "rt_tgsigqueueinfo": _one_of(0, (pid,), ALLOW, EPERM),
        "clone": clone,
        "fork": fork,
        "vfork": fork,
        "prctl": _one_of(0, _PRCTL_ALLOWED, ALLOW, EPERM),
        "prlimit64": _one_of(0, (0, pid), ALLOW, EPERM),
        "fcntl": _one_of(1, _FCNTL_REFUSED, EPERM, ALLOW),
        "ioctl": _one_of(1, _IOCTL_ALLOWED, ALLOW, EPERM),
        "socketpair": _one_of(0, (_AF_UNIX,), ALLOW, EPERM),
        # without a destination address sendto is send; with one it reaches the host's sockets from
        # a socketpair
        "sendto": [
            _argument(4),
            (_JEQ, 0, 2, 0),
            _argument(4, high=True),
            (_JEQ, 1, 0, 0),
            _ret(EPERM),
            _ret(ALLOW),
        ],
        "mmap": [
            _argument(3),
            (_AND, 0, 0, _MAP_HIDDEN),
            (_JEQ, 0, 1, _MAP_HIDDEN),
            _ret(EPERM),
            _ret(ALLOW),
        ],
        "open": _truncating_read(1),
        "openat": _truncating_read(2),
    }


def _ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """Sorted numbers as inclusive runs."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _answer(numbers: set[int], action: int) -> list[Instruction]:
    result: list[Instruction] = []
    for low, high in _ranges(numbers):
        if low == high:
            result += [(_JEQ, 0, 1, low), _ret(action)]
        else:
            result += [(_JGE, 0, 2, low), (_JGT, 1, 0, high), _ret(action)]
    return result


def build(policy: FilterPolicy, machine: str | None = None) -> list[Instruction]:
    """The filter for one process as a list of BPF instructions.

    Args:
        policy: What it depends on.
        machine: `x86_64` or `aarch64`, as platform.machine() names it (default: this one).

    Raises:
        KeyError: The machine is any other.
    """
    audit, column = ARCHITECTURES[machine or platform.machine()]

    def numbers(table: dict[str, tuple[int | None, int | None]]) -> set[int]:
        found = (pair[column] for pair in table.values())
        return {number for number in found if number is not None}

    program: list[Instruction] = [
        _load(4),
        (_JEQ, 1, 0, audit),
        _ret(KILL_PROCESS),
        _load(0),
        (_JGE, 0, 1, X32_BIT),
        _ret(KILL_PROCESS),
    ]
    program += _answer(numbers(ALLOWED), ALLOW)
    for name, block in _conditional(policy).items():
        number = CONDITIONAL[name][column]
        if number is not None:
            program += [(_JEQ, 0, len(block), number), *block]
    program += _answer(numbers(DENIED), EPERM)
    program.append(_ret(ENOSYS))
    return program


def assemble(program: list[Instruction]) -> bytes:
    """The filter as the kernel reads it: struct sock_filter[], eight bytes an instruction."""
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


class _SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def install(program: list[Instruction]) -> None:
    """Bind this thread and its future children to the filter. Needs no_new_privs.

    Raises:
        OSError: The kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    code = assemble(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    argument = _SockFprog(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(argument), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(
            number, f"seccomp filter refused by the kernel: {errno.errorcode.get(number, number)}"
        )

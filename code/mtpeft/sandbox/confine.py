"""From fork to exec: the steps that turn a child of the supervisor into a confined process."""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import struct
from dataclasses import dataclass, field

from mtpeft.sandbox import landlock, processes, seccomp
from mtpeft.sandbox.errors import ConfinementError
from mtpeft.sandbox.identity import Identity
from mtpeft.sandbox.limits import Limits

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPSET = {"x86_64": 126, "aarch64": 91}
_HIGH = 200  # descriptors are parked here while 0, 1, 2 … are laid out

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Launch:
    """One process to be started.

    Attributes:
        argv: The program and its arguments.
        environment: Nothing else is inherited.
        folder: The scratch folder, in which it starts.
        descriptors: The supervisor's descriptor by its number in the new process; nothing else is
            inherited.
        accesses: What it may read and run, the scratch folder included.
        limits: What it may use.
        identity: As whom it runs.
        abi: The Landlock ABI to use.
        extra_tasks: Tasks that the identity may have on top of the limits.
    """

    argv: list[str]
    environment: dict[str, str]
    folder: str
    descriptors: dict[int, int]
    accesses: list[landlock.Access]
    limits: Limits
    identity: Identity
    abi: int
    extra_tasks: int = field(default=0)


def start(launch: Launch) -> int:
    """Fork, confine, exec; return once exec has succeeded.

    Returns:
        The pid, which is also the process group and the session of everything that the program
        starts.

    Raises:
        ConfinementError: A step failed in the child.
        OSError: There is no fork or pipe to be had.
    """
    report, told = os.pipe2(os.O_CLOEXEC)
    tasks = launch.limits.tasks + launch.extra_tasks
    if not launch.identity.dedicated:
        tasks += processes.tasks_of_uid(launch.identity.uid) + processes.SHARED_UID_SLACK
    pid = os.fork()
    if pid == 0:
        _become(launch, tasks, told)
    os.close(told)
    with os.fdopen(report, "rb") as stream:
        problem = stream.read()
    if problem:
        os.waitpid(pid, 0)
        number, _, step = problem.decode().partition(" ")
        raise ConfinementError(int(number), f"{step}: {os.strerror(int(number))}")
    return pid


def _become(launch: Launch, tasks: int, told: int) -> None:
    step = "start"
    try:
        told = fcntl.fcntl(told, fcntl.F_DUPFD_CLOEXEC, _HIGH + 50)
        step = "session"
        os.setsid()
        step = "descriptors"
        _lay_out(launch.descriptors, told)
        step = "signals"
        _default_signals()
        step = "folder"
        os.umask(0o077)
        os.chdir(launch.folder)
        step = "out-of-memory score"
        _prefer_for_oom()
        step = "rlimits"
        _limit(launch.limits, tasks)
        step = "identity"
        if launch.identity.dedicated:
            os.setgroups([])
            os.setresgid(*[launch.identity.gid] * 3)
            os.setresuid(*[launch.identity.uid] * 3)
        step = "capabilities"
        _drop_capabilities()
        step = "death signal"
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        step = "no_new_privs"
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        step = "Landlock"
        landlock.restrict(launch.accesses, launch.abi)
        step = "seccomp"
        seccomp.install(
            seccomp.build(seccomp.FilterPolicy(os.getpid(), launch.limits.processes > 1))
        )
        step = f"exec {launch.argv[0]}"
        os.execve(launch.argv[0], launch.argv, launch.environment)
    except OSError as error:
        os.write(told, f"{error.errno or errno.EINVAL} {step}".encode())
    except BaseException as error:
        os.write(told, f"{errno.EINVAL} {step} ({type(error).__name__}: {error})".encode())
    finally:
        os._exit(127)


def _prctl(option: int, argument: int, second: int = 0) -> None:
    if _libc.prctl(
        option,
        ctypes.c_ulong(argument),
        ctypes.c_ulong(second),
        ctypes.c_ulong(0),
        ctypes.c_ulong(0),
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _lay_out(descriptors: dict[int, int], told: int) -> None:
    parked = {
        target: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        for target, source in descriptors.items()
    }
    for target, source in parked.items():
        os.dup2(source, target, inheritable=True)
    os.closerange(max(descriptors) + 1, told)
    os.closerange(told + 1, os.sysconf("SC_OPEN_MAX"))


def _default_signals() -> None:
    """Python ignores SIGPIPE, and exec would hand that on."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _prefer_for_oom() -> None:
    """If the host runs out of memory, this is what the kernel should take first."""
    with open("/proc/self/oom_score_adj", "w") as stream:
        stream.write("1000")


def _limit(limits: Limits, tasks: int) -> None:
    wanted = {
        resource.RLIMIT_CPU: (limits.cpu_seconds, limits.cpu_seconds + 1),
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_STACK: limits.stack_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_NPROC: tasks,
        # 1, not 0: the kernel hands a core to a handler program even where the limit is 0
        resource.RLIMIT_CORE: 1,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_SIGPENDING: 256,
    }
    for kind, value in wanted.items():
        soft, hard = value if isinstance(value, tuple) else (value, value)
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


def _drop_capabilities() -> None:
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("<Ii", 0x20080522, 0)
    if _libc.syscall(_CAPSET[os.uname().machine], header, bytes(24)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

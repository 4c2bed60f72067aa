"""Each promise of the sandbox, tried before the first instance.

One that does not hold stops everything, by name.
"""

import json
import platform
import sys

from mtpeft.sandbox import landlock, seccomp
from mtpeft.sandbox.errors import SandboxRefused
from mtpeft.sandbox.limits import MIB, Limits

PROBE_LIMITS = Limits(
    wall_seconds=20.0, memory_bytes=256 * MIB, processes=2, tasks=8, file_bytes=MIB
)

_FIX_CONTAINER = (
    "run on Linux >= 5.13 with Landlock and seccomp on; inside a container use an engine whose seccomp "
    "profile passes the landlock and seccomp calls (Docker >= 20.10.10, podman >= 3.4)"
)

# guarantee -> what must come back from the probe below
PROMISES = {
    "no network": "no inet socket, by name or by number",
    "no sockets of the host": "no unix socket, and no address given to a socket pair",
    "no new privileges": "no_new_privs set, no capability in any set, not root",
    "system-call filter": "seccomp in filter mode",
    "reading what the interpreter needs only": "no reading of /etc/passwd, /proc, home, working folder",
    "read-only file system": "no writing, making, renaming or truncating outside the scratch folder",
    "a scratch folder": "writing inside the scratch folder",
    "file modes and times of the host": "no chmod, chown or utime",
    "no signals to others": "no signal to any process outside the run",
    "no tracing": "no ptrace, no reading of another process's memory",
    "no programs of the host": "no shell and no tool to be run by its path; by the loader only under the same confinement",
    "no leaving the process group": "no setsid, no setpgid",
    "no namespaces": "no unshare, no clone with a new namespace",
    "a scrubbed environment": "no variable beyond the sandbox's own",
    "no inherited descriptors": "descriptors 0, 1 and 2 only",
    "limit on memory": "RLIMIT_AS as asked for",
    "limit on CPU time": "RLIMIT_CPU as asked for",
    "limit on file size": "RLIMIT_FSIZE as asked for",
    "limit on processes": "RLIMIT_NPROC set and binding",
}


def require_kernel(wanted_abi: int | None = None) -> int:
    """The Landlock ABI to use.

    Args:
        wanted_abi: Use an older ABI than the kernel's (to show what an older kernel would give).

    Raises:
        SandboxRefused: The kernel or the machine lacks what the sandbox is built on.
    """
    if sys.platform != "linux":
        raise SandboxRefused(
            "any containment",
            f"the system is {sys.platform}",
            "Linux >= 5.13",
            "run inside the container image",
        )
    if platform.machine() not in seccomp.ARCHITECTURES or sys.byteorder != "little":
        raise SandboxRefused(
            "system-call filter",
            f"the machine is {platform.machine()}",
            " or ".join(seccomp.ARCHITECTURES),
            "run on one of these machines",
        )
    abi = landlock.abi()
    if abi < 1:
        raise SandboxRefused(
            "read-only file system",
            "the kernel offers no Landlock (or an outer filter blocks it)",
            "Landlock ABI >= 1",
            _FIX_CONTAINER,
        )
    return abi if wanted_abi is None else min(abi, wanted_abi)


def check(report: dict[str, str]) -> None:
    """Judge the probe's report.

    Args:
        report: `held`, or what happened, by promise.

    Raises:
        SandboxRefused: A promise does not hold; the error names the first one.
    """
    for promise, expected in PROMISES.items():
        found = report.get(promise, "the probe did not get that far")
        if found != "held":
            raise SandboxRefused(promise, found, expected, _FIX_CONTAINER)


def report_of(stdout: bytes) -> dict[str, str]:
    """The probe's report out of what it printed; empty where it printed none."""
    try:
        report = json.loads(stdout)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def probe_source(
    home: str, folder: str, allowed_environment: list[str], limits: Limits, parent: int
) -> str:
    """A Python program that tries, from inside, what must not work, and prints the report.

    Args:
        home: The home folder of whoever starts the sandbox.
        folder: Their working folder.
        allowed_environment: The only variables that the program may see.
        limits: Those that it runs under.
        parent: A process that it must not be able to signal.
    """
    facts = {
        "home": home,
        "folder": folder,
        "environment": allowed_environment,
        "parent": parent,
        "memory": limits.memory_bytes,
        "cpu": limits.cpu_seconds,
        "file": limits.file_bytes,
        "truncate_number": 76 if platform.machine() == "x86_64" else 45,
        "clone_number": 56 if platform.machine() == "x86_64" else 220,
        "ptrace_number": 101 if platform.machine() == "x86_64" else 117,
        "vm_readv_number": 310 if platform.machine() == "x86_64" else 270,
        "socket_number": 41 if platform.machine() == "x86_64" else 198,
    }
    return f"FACTS = {facts!r}\n" + _PROBE


_PROBE = r"""
import ctypes, errno, json, os, resource, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
report = {}


def refused(action, *arguments, **named):
    try:
        action(*arguments, **named)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EXDEV, errno.ENOENT, errno.EAGAIN,
                           errno.EROFS, errno.EBUSY):  # busy: where a file system is mounted
            return None
        return "%s answered %s" % (action.__name__, errno.errorcode.get(error.errno))
    return "%s%r worked" % (action.__name__, arguments)


def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "system call")


def held(promise, *problems):
    problems = [problem for problem in problems if problem]
    report[promise] = "; ".join(problems) if problems else "held"


held("no network", refused(socket.socket, socket.AF_INET), refused(socket.socket, socket.AF_INET6),
     refused(call, FACTS["socket_number"], 2, 1, 0), refused(call, 425, 8, None))
left, right = socket.socketpair()
held("no sockets of the host", refused(socket.socket, socket.AF_UNIX),
     refused(left.sendto, b"x", "\0abstract"),
     refused(left.connect, "\0abstract"), refused(left.sendmsg, [b"x"]))
left.close(), right.close()
header, data = ctypes.create_string_buffer(b"\x22\x05\x08\x20" + bytes(4)), ctypes.create_string_buffer(24)
got = libc.capget(header, data)
# /proc is closed here, so the kernel is asked directly: PR_GET_NO_NEW_PRIVS is 39, PR_GET_SECCOMP 21
held("no new privileges", None if got == 0 and not any(data.raw[:24]) else "capabilities are left",
     None if libc.prctl(39, 0, 0, 0, 0) == 1 else "no_new_privs is not set",
     "root" if 0 in (os.getuid(), os.geteuid()) else None,
     refused(os.setuid, 0), refused(os.setgroups, [0]))
mode = libc.prctl(21, 0, 0, 0, 0)
held("system-call filter", None if mode == 2 else "seccomp mode is %d" % mode)
held("reading what the interpreter needs only", *[refused(open, path) for path in (
        "/etc/passwd", "/proc/self/environ", "/proc/%d/environ" % FACTS["parent"], "/proc/cpuinfo")],
     refused(os.listdir, FACTS["home"]), refused(os.listdir, FACTS["folder"]), refused(os.listdir, "/"))


def scratch_moves(here):
    problem = refused(os.rename, here, here + "-moved")
    if problem:
        os.rename(here + "-moved", here)
    return problem


def cannot_make(folder):
    path = os.path.join(folder, "mtpeft-probe-%d" % os.getpid())
    problems = [refused(open, path, "x"), refused(os.remove, path),
                refused(os.mkdir, path), refused(os.rmdir, path)]
    return "; ".join(problem for problem in problems if problem) or None


held("read-only file system",
     *[cannot_make(folder) for folder in ("/tmp", "/dev/shm", "/var/tmp", "/", "..")],
     refused(os.link, os.__file__, "linked"),
     refused(os.open, os.__file__, os.O_RDONLY | os.O_TRUNC), refused(os.open, os.__file__, os.O_RDWR),
     refused(call, FACTS["truncate_number"], os.__file__.encode(), 0), scratch_moves(os.getcwd()))
with open("probe", "w") as stream:
    stream.write("x")
os.rename("probe", "moved")
held("a scratch folder", None if open("moved").read() == "x" else "what was written cannot be read back")
held("file modes and times of the host", refused(os.chmod, "moved", 0o777), refused(os.utime, "moved"),
     refused(os.chown, "moved", os.getuid(), os.getgid()))
held("no signals to others", refused(os.kill, FACTS["parent"], 0), refused(os.kill, os.getppid(), 0),
     refused(os.kill, -1, 0))
held("no tracing", refused(call, FACTS["ptrace_number"], 16, FACTS["parent"], 0, 0),
     refused(call, FACTS["vm_readv_number"], FACTS["parent"], None, 0, None, 0, 0))


def runs(program):
    # in a child: where it works, it replaces whoever tries
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
            os.execv(program, [program])
        finally:
            os._exit(77)
    worked = os.waitpid(child, 0)[1] != 77 << 8
    return "%s ran" % program if worked else None


held("no programs of the host", runs("/bin/true"), runs("/usr/bin/env"))
held("no leaving the process group", refused(os.setsid), refused(os.setpgid, 0, 0))
held("no namespaces", refused(call, 272 if FACTS["socket_number"] == 41 else 97, 0x10000000),
     refused(call, FACTS["clone_number"], 0x10000000 | 17, 0, 0, 0, 0))
extra = sorted(set(os.environ) - set(FACTS["environment"]))
held("a scrubbed environment", "also %s" % extra if extra else None)


def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


inherited = [number for number in range(3, 1024) if is_open(number)]
held("no inherited descriptors", "%s are open" % inherited if inherited else None)
for promise, kind, wanted in (("limit on memory", resource.RLIMIT_AS, FACTS["memory"]),
                              ("limit on CPU time", resource.RLIMIT_CPU, FACTS["cpu"] + 1),
                              ("limit on file size", resource.RLIMIT_FSIZE, FACTS["file"])):
    hard = resource.getrlimit(kind)[1]
    held(promise, None if 0 <= hard <= wanted else "the hard limit is %d" % hard)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
child = None
try:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
except BlockingIOError:
    pass
held("limit on processes", "a fork beyond RLIMIT_NPROC worked" if child else None)
print(json.dumps(report))
"""

"""As whom a program runs.

RLIMIT_NPROC does not bind uid 0, and root may write what Landlock does not govern, so root drops to
a uid that nobody else has: then the kernel's count of that uid's tasks is exactly the run's, and no
file of the host belongs to it. An ordinary user stays who they are; every capability is given up in
both cases.
"""

import fcntl
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mtpeft.sandbox.errors import SandboxRefused
from mtpeft.sandbox.processes import uids_in_use

# Between Debian's last ordinary uid and the ranges that systemd and nobody use; any uid mapped in
# the usual 64 Ki user namespaces would do.
UIDS = range(58_500, 59_000)
_LOCKS = ("/run/lock", "/var/tmp", tempfile.gettempdir())


@dataclass(frozen=True)
class Identity:
    """As whom a program runs.

    Attributes:
        uid: Whom to become.
        gid: The group, likewise.
        dedicated: Whether nobody else has this uid.
        lock: The descriptor that keeps the uid reserved (-1: none).
    """

    uid: int
    gid: int
    dedicated: bool
    lock: int = -1


def _lock_folder() -> Path:
    """A folder of root's own that all sandboxes of this machine use.

    Raises:
        SandboxRefused: It cannot be made, or others may write it.
    """
    tried = []
    for parent in _LOCKS:
        folder = Path(parent) / "mtpeft-sandbox-uids"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            tried.append(str(error))
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == 0:
            return folder
        tried.append(f"{folder} belongs to uid {found.st_uid}")
    raise SandboxRefused(
        "a uid of its own",
        "; ".join(tried),
        f"a folder of root in one of {', '.join(_LOCKS)}",
        "mount a writable folder there (docker run --tmpfs /tmp)",
    )


def _can_become(uid: int) -> bool:
    """Whether this user namespace maps the uid: tried in a child, because there is no way back."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def acquire() -> Identity:
    """The identity for one supervisor, which runs one program at a time.

    The lock is inherited by nobody and falls when the supervisor ends.

    Raises:
        SandboxRefused: No uid is free, or none can be taken.
    """
    if os.geteuid() != 0:
        if os.getuid() != os.geteuid():
            raise SandboxRefused(
                "an unprivileged identity",
                f"real uid {os.getuid()}, effective {os.geteuid()}",
                "the same real and effective uid",
                "run as an ordinary user",
            )
        return Identity(os.getuid(), os.getgid(), dedicated=False)
    # With the last one, which nobody gets: in the neighbour whose uid it were, the child that tries
    # would pass for a process that its program left behind.
    if not _can_become(UIDS[-1]):
        raise SandboxRefused(
            "a limit on processes",
            f"root cannot become uid {UIDS[-1]} here (capability dropped, or "
            "uid not mapped), and RLIMIT_NPROC does not bind root",
            f"CAP_SETUID and CAP_SETGID, with uids {UIDS.start}-{UIDS.stop - 1} mapped",
            "run as an ordinary user (docker run --user 1000:1000), or map subordinate uids",
        )
    folder, busy = _lock_folder(), uids_in_use()
    for uid in UIDS[:-1]:
        if uid in busy or _known(uid):
            continue
        lock = os.open(
            folder / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return Identity(uid, uid, dedicated=True, lock=lock)
    raise SandboxRefused(
        "a uid of its own",
        f"every uid of {UIDS.start}-{UIDS.stop - 2} is taken",
        "a free uid in that range",
        "end other sandboxes of this package",
    )


def _known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def reachable(path: str | Path, identity: Identity) -> bool:
    """Whether the identity may read the file and pass every folder above it, judged by mode bits."""
    if not identity.dedicated:
        return os.access(path, os.R_OK)
    resolved = Path(path).resolve()
    if not resolved.exists():
        return False
    wanted = stat.S_IROTH | (stat.S_IXOTH if resolved.is_dir() else 0)
    return resolved.stat().st_mode & wanted == wanted and all(
        parent.stat().st_mode & stat.S_IXOTH for parent in resolved.parents
    )

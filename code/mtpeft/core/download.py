"""The one way to bring a file here: resumed, retried, verified, never half.

A file is downloaded under a hidden name, `.NAME.part`, in the folder of its final name. A
part is continued with a range request, and keeps every byte that has arrived, so that a slow line
advances from run to run; only a complete file with the expected checksum (SHA-256, or the name
that git gives to its content, or both) gets the final name.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import cannot
from mtpeft.core.http import AGAIN, Client, Clock, Limits, Trouble, retry_after
from mtpeft.core.locks import held
from mtpeft.core.provenance import git_blob, sha256

_LARGEST = 4 << 30


class Mismatch(MtpeftError):
    """A file is complete, but not the one that is expected."""


@dataclass(frozen=True)
class Policy:
    """How patient a download is.

    Attributes:
        attempts: Requests until it is given up.
        timeout: Seconds without a byte, and the time over which the lowest rate is measured.
        rate: Bytes a second that must come at least.
        pause: First back-off, doubled from attempt to attempt.
        longest: Longest back-off.
        sleep: How to wait.
    """

    attempts: int = 5
    timeout: float = 30.0
    rate: float = 1024.0
    pause: float = 1.0
    longest: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, attempt: int, asked: float) -> None:
        """Wait before attempt `attempt` + 1: what the server asked for, else with jitter."""
        backoff = min(self.longest, self.pause * 2.0**attempt)
        backoff *= random.Random(attempt).uniform(0.75, 1.25)
        self.sleep(min(asked, self.longest) if asked else backoff)


@dataclass(frozen=True)
class Wanted:
    """A file at an address.

    Attributes:
        name: What people call it.
        url: Its address.
        sha256: Of the whole file; empty where only `git_blob` is known.
        size: Its bytes; 0 where nobody knows.
        fix: What to do where it cannot be had.
        git_blob: The name that git gives to its content; empty where only `sha256` is known.
    """

    name: str
    url: str
    sha256: str
    size: int = 0
    fix: str = "run the same command again (it resumes)"
    git_blob: str = ""

    @property
    def checksums(self) -> str:
        """What the file must hash to, for messages."""
        return _shown(self.sha256, self.git_blob)

    def unlike(self, path: Path) -> str:
        """What a file hashes to, for messages; empty where it is this one."""
        sha = sha256(path) if self.sha256 else ""
        blob = git_blob(path) if self.git_blob else ""
        return "" if (sha, blob) == (self.sha256, self.git_blob) else _shown(sha, blob)


def _shown(sha: str, blob: str) -> str:
    return " and ".join(
        f"{what} {digest}" for what, digest in (("SHA-256", sha), ("git blob", blob)) if digest
    )


def part_of(target: Path) -> Path:
    """Where a file lies while it is not whole."""
    return target.with_name(f".{target.name}.part")


def accept(wanted: Wanted, part: Path, target: Path, source: str) -> None:
    """Give a complete part its final name.

    Args:
        wanted: What the file must be.
        part: The part.
        target: The final name.
        source: Where it came from, for messages.

    Raises:
        Mismatch: It is another file; the part is gone then.
    """
    if found := wanted.unlike(part):
        part.unlink()
        raise Mismatch(
            f"{wanted.name} from {source} has {found}",
            wanted.checksums,
            "the source has changed or is damaged: use another source, or check the pin",
        )
    try:
        with open(part, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(part, target)
    except OSError as error:
        raise cannot("write", target, error) from error


def download(wanted: Wanted, target: Path, policy: Policy, client: Client | None = None) -> None:
    """Bring a file to `target`, where it is not there yet.

    Args:
        wanted: The file.
        target: Its final name.
        policy: How patient to be.
        client: Default: a new one.

    Raises:
        Mismatch: What the server has is another file.
        Unavailable: It could not be obtained; what has arrived is kept.
    """
    if client is None:
        with opened(policy) as own:
            download(wanted, target, policy, own)
        return
    with held(target):
        if target.is_file():
            return
        part, reason = part_of(target), ""
        for attempt in range(policy.attempts):
            resumed = part.is_file() and part.stat().st_size > 0
            try:
                _read_into(wanted, part, client)
                accept(wanted, part, target, wanted.url)
                return
            except Mismatch:
                # A part of an earlier run may have been damaged: only a file that was read in one
                # go convicts the source.
                if not resumed:
                    raise
                reason = "the continued part did not match"
            except Trouble as trouble:
                reason = str(trouble)
                if 0 < trouble.status < 500 and trouble.status not in AGAIN | {416}:
                    break
                if attempt + 1 < policy.attempts:
                    policy.wait(attempt, trouble.wait)
        else:
            reason = f"{policy.attempts} attempts, last: {reason}"
    raise Unavailable(
        f"{wanted.name} could not be obtained from {wanted.url}: {reason}",
        f"a file with {wanted.checksums}",
        wanted.fix,
    )


def read_small(name: str, url: str, policy: Policy, most: int = 4 << 20) -> bytes:
    """The bytes of a small file whose hash somebody else checks.

    Args:
        name: What people call it.
        url: Its address.
        policy: How patient to be.
        most: Bytes that it can have.

    Raises:
        Unavailable: It could not be obtained.
    """
    reason = ""
    with opened(policy) as client:
        for attempt in range(policy.attempts):
            try:
                with client.read(url, size=most) as answer:
                    if answer.status != 200:
                        wait = retry_after(answer.headers.get("retry-after", ""), client.clock)
                        raise Trouble(f"status {answer.status}", True, answer.status, wait)
                    data = bytearray()
                    for block in answer.blocks:
                        data += block
                        if len(data) > most:
                            raise Trouble(f"more than {most} bytes", True, 413)
                    return bytes(data)
            except Trouble as trouble:
                reason = str(trouble)
                if 0 < trouble.status < 500 and trouble.status not in AGAIN:
                    break
                if attempt + 1 < policy.attempts:
                    policy.wait(attempt, trouble.wait)
    raise Unavailable(
        f"{name} could not be obtained: {reason}", url, "run the same command again later"
    )


def opened(policy: Policy, connections: int = 4) -> Client:
    """A client with the patience of `policy`."""
    limits = Limits(
        seconds=max(60.0, policy.timeout),
        rate=policy.rate,
        window=policy.timeout,
        connections=connections,
    )
    return Client(limits=limits, clock=Clock(sleep=policy.sleep))


def _read_into(wanted: Wanted, part: Path, client: Client) -> None:
    """One attempt: continue the part, or start it; return when it has every byte."""
    have = part.stat().st_size if part.is_file() else 0
    most = wanted.size or _LARGEST
    if have >= most:
        if have == wanted.size:
            return
        part.unlink()
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with client.read(wanted.url, headers, size=wanted.size) as answer:
        if answer.status == 416:
            part.unlink(missing_ok=True)
            raise Trouble("the server refused to continue the part", sent=True, status=416)
        if answer.status not in (200, 206):
            wait = retry_after(answer.headers.get("retry-after", ""), client.clock)
            raise Trouble(f"status {answer.status}", True, answer.status, wait)
        continued = answer.headers.get("content-range", "").startswith(f"bytes {have}-")
        if have and not (answer.status == 206 and continued):
            have = 0  # the server sends the whole file: start again
        try:
            with open(part, "ab" if have else "wb") as stream:
                for block in answer.blocks:
                    stream.write(block)
                    have += len(block)
                    if have > most:
                        break
        except OSError as error:
            raise cannot("write", part, error) from error
    if have < wanted.size:
        raise Trouble(f"the answer ended after {have} of {wanted.size} bytes", sent=True)

"""Bringing outside files here: cache, then mirror, then upstream; resumed, retried, verified, never
half.

A file is downloaded under a hidden `.NAME.part` beside its final name. A part is continued with a
range request; only a complete file whose SHA-256 is the manifest's gets the final name. `OFFLINE=1`
uses what is there.
"""

import fcntl
import gzip
import http.client
import os
import random
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.progress import Progress
from mtpeft.core.provenance import sha256
from mtpeft.corpora.manifest import File

UPSTREAM = "https://raw.githubusercontent.com"
BLOCK = 1 << 16


class Mismatch(MtpeftError):
    """A file is complete, but not the one that the manifest pins."""


class _Transient(Exception):
    """Worth another try, after `wait` seconds where the server says so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _Permanent(Exception):
    """This source will not have it however often it is asked."""


@dataclass(frozen=True)
class Policy:
    """How patient a download is. timeout: seconds without a byte; back-off doubles from `pause` up
    to `longest`.
    """

    attempts: int = 5
    timeout: float = 30.0
    pause: float = 1.0
    longest: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, attempt: int, asked: float | None) -> None:
        """Wait before attempt `attempt` + 1: what the server asked for, else exponential back-off
        with jitter.
        """
        backoff = min(self.longest, self.pause * 2**attempt) * random.Random(attempt).uniform(
            0.75, 1.25
        )
        self.sleep(min(asked, self.longest) if asked is not None else backoff)


def offline() -> bool:
    """Whether OFFLINE=1 forbids the network."""
    return os.environ.get("OFFLINE", "") not in ("", "0")


def cached(entry: File) -> Path:
    """Where a file lies in the cache, present or not."""
    return paths.CACHE / entry.relative


def require(entry: File) -> Path:
    """The verified local path of one file, brought here if need be. Raises `MtpeftError` naming
    what is missing.
    """
    problem = fetch([entry]).get(entry.id)
    if problem is not None:
        raise problem
    return cached(entry)


def fetch(
    entries: Iterable[File],
    *,
    jobs: int = 4,
    policy: Policy = Policy(),
    upstream: str | None = None,
    show: bool = False,
) -> dict[str, MtpeftError]:
    """Bring files into the cache, several at a time. Returns what failed, by id; what succeeded is
    kept.

    upstream: base address (default `UPSTREAM`, or MTPEFT_UPSTREAM): files are at
    BASE/OWNER/REPOSITORY/REVISION/PATH.
    """
    entries = list(entries)
    base = upstream or os.environ.get("MTPEFT_UPSTREAM") or UPSTREAM
    failed: dict[str, MtpeftError] = {}
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        futures = {entry.id: (entry, pool.submit(_bring, entry, base, policy)) for entry in entries}
        if show:
            with Progress("data", sum(entry.bytes for entry in entries)) as progress:
                for entry, future in futures.values():
                    future.exception()
                    progress.step(entry.id, entry.bytes)
        for name, (_, future) in futures.items():
            try:
                future.result()
            except MtpeftError as error:
                failed[name] = error
    return failed


def _bring(entry: File, base: str, policy: Policy) -> None:
    """Bring one file into the cache from the first source that has it."""
    target = cached(entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_name(f".{target.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_file():
            if sha256(target) == entry.sha256:
                return
            target.unlink()  # damaged since it was verified: the sources below may have it whole
        tried = [f"cache {paths.shown(target)}: not there"]
        if _from_mirror(entry, target, tried):
            return
        if offline():
            raise MtpeftError(
                f"{entry.id} is missing and OFFLINE=1: " + "; ".join(tried),
                f"{entry.path} of {entry.repository} at {entry.revision} (SHA-256 {entry.sha256})",
                f"put it at {target}, set MTPEFT_MIRROR, or run without OFFLINE=1: make data",
            )
        _download(entry, f"{base}/{entry.relative}", target, policy, tried)


def _from_mirror(entry: File, target: Path, tried: list[str]) -> bool:
    """Copy the file out of the mirror, where it may also lie gzipped."""
    mirror = paths.mirror()
    if mirror is None:
        tried.append("mirror: MTPEFT_MIRROR is not set")
        return False
    plain = mirror / entry.relative
    packed = plain.with_name(plain.name + ".gz")
    source, opener = (plain, open) if plain.is_file() else (packed, gzip.open)
    if not source.is_file():
        tried.append(f"mirror {plain}: not there")
        return False
    part = _part(target)
    with opener(source, "rb") as reading, open(part, "wb") as writing:
        shutil.copyfileobj(reading, writing)
    _accept(entry, part, target, str(source))
    return True


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _accept(entry: File, part: Path, target: Path, source: str) -> None:
    """Give a complete part its final name, or refuse it."""
    found = sha256(part)
    if found != entry.sha256:
        part.unlink()
        raise Mismatch(
            f"{entry.id} from {source} has SHA-256 {found}",
            f"SHA-256 {entry.sha256} (data/manifest.toml)",
            "the source has changed or is damaged: use another source (MTPEFT_MIRROR), or check the pin",
        )
    with open(part, "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(part, target)


def _download(entry: File, url: str, target: Path, policy: Policy, tried: list[str]) -> None:
    part = _part(target)
    reason = ""
    for attempt in range(policy.attempts):
        resumed = part.is_file() and part.stat().st_size > 0
        try:
            _read_into(entry, url, part, policy.timeout)
            _accept(entry, part, target, url)
            return
        except _Permanent as error:
            tried.append(f"upstream {url}: {error}")
            break
        except Mismatch:
            # A part from an earlier run may have been damaged: only a file read in one go convicts
            # the source.
            if not resumed:
                raise
            reason = "the continued part did not match"
        except _Transient as error:
            reason = str(error)
            if attempt + 1 < policy.attempts:
                policy.wait(attempt, error.wait)
    else:
        tried.append(f"upstream {url}: {policy.attempts} attempts, last: {reason}")
    raise MtpeftError(
        f"{entry.id} could not be had: " + "; ".join(tried),
        f"{entry.path} of {entry.repository} at {entry.revision} (SHA-256 {entry.sha256})",
        f"run `make data` again (it resumes), set MTPEFT_MIRROR, or put the file at {target}",
    )


def _read_into(entry: File, url: str, part: Path, timeout: float) -> None:
    """One attempt: continue the part where there is one, else start it; return when it has every
    byte.
    """
    have = part.stat().st_size if part.is_file() else 0
    if have >= entry.bytes:
        if have == entry.bytes:
            return
        part.unlink()
        have = 0
    request = urllib.request.Request(
        url,
        headers={
            "User-Agent": "mtpeft",
            "Accept-Encoding": "identity",
            **({"Range": f"bytes={have}-"} if have else {}),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            if have and (
                answer.status != 206
                or not (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
            ):
                have = 0  # the server sends the whole file: start again
            with open(part, "ab" if have else "wb") as stream:
                while block := answer.read(BLOCK):
                    stream.write(block)
                    have += len(block)
                    if have > entry.bytes:
                        break
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            part.unlink(missing_ok=True)
            raise _Transient("the server refused to continue the part") from error
        if error.code in (408, 425, 429) or error.code >= 500:
            wait = error.headers.get("Retry-After", "")
            raise _Transient(
                f"status {error.code}", float(wait) if wait.isdigit() else None
            ) from error
        raise _Permanent(f"status {error.code}") from error
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
    ) as error:
        raise _Transient(
            str(getattr(error, "reason", "") or error) or type(error).__name__
        ) from error
    if have < entry.bytes:
        raise _Transient(f"the answer ended after {have} of {entry.bytes} bytes")

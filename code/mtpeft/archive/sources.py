"""Where the upstream files of the archive come from: the local mirror, else a clone at the pinned
commit.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.paths import CACHE, PUBLISHED, mirror
from mtpeft.core.provenance import sha256
from mtpeft.core.records import read_records

STUDY = "multitask-qlora"
REPOSITORY = "alvi75/MultiTask-QLoRA-NFAnalysis"
COMMIT = "44e6077abecf5c90d6b80f3298afaf00091621e5"
SCORES = "statistical_tests/per-instance-value"
OUTPUTS = "statistical_tests/R-scripts"


@dataclass(frozen=True)
class Source:
    """One upstream file as it was when the tables were made."""

    path: str
    sha256: str
    bytes: int
    records: int


def pinned_path() -> Path:
    """The list of upstream files with their checksums."""
    return PUBLISHED / STUDY / "sources.csv"


def upstream_root() -> Path:
    """The folder that holds the study's repository at its pinned commit."""
    local = mirror()
    if local is not None:
        root = local / REPOSITORY / COMMIT
        if not root.is_dir():
            raise BadInput(
                root,
                "no such folder in the mirror",
                "the study's repository at its pinned commit",
                "unset MTPEFT_MIRROR to fetch it from its own host",
            )
        return root
    root = CACHE / "upstream" / REPOSITORY / COMMIT
    if not (root / SCORES).is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        url = f"https://github.com/{REPOSITORY}.git"
        for command in (
            ["git", "clone", "--quiet", "--filter=blob:none", "--no-checkout", url, str(root)],
            ["git", "-C", str(root), "checkout", "--quiet", COMMIT, "--", "statistical_tests"],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise MtpeftError(
                    f"cannot fetch {REPOSITORY} at {COMMIT[:7]}: {done.stderr.strip()}",
                    "network access, or a mirror",
                    "set MTPEFT_MIRROR; the tables in results/ serve T0 and T1 without it",
                )
    return root


def check_pins(root: Path, found: list[Source]) -> None:
    """Refuse upstream files that are missing, unknown or changed since they were pinned."""
    pinned = {s.path: s for s in read_records(pinned_path(), Source)}
    present = {s.path: s for s in found}
    for path in sorted(pinned.keys() - present.keys()):
        raise BadInput(
            root / path,
            "missing",
            f"a file of {pinned[path].bytes} bytes",
            "restore the upstream checkout",
        )
    for path in sorted(present.keys() - pinned.keys()):
        raise BadInput(
            root / path,
            "not among the upstream files that were pinned",
            "only pinned files",
            "remove it, or run `mtpeft archive --repin` after checking why it is there",
        )
    for path, source in present.items():
        if source.sha256 != pinned[path].sha256:
            raise BadInput(
                root / path,
                f"SHA-256 {source.sha256} ({source.bytes} bytes, {source.records} records)",
                f"{pinned[path].sha256} ({pinned[path].bytes} bytes, {pinned[path].records} records)",
                "restore the upstream checkout, or run `mtpeft archive --repin` after checking the change",
            )


def source(root: Path, path: Path, records: int) -> Source:
    """Describe an upstream file."""
    return Source(path.relative_to(root).as_posix(), sha256(path), path.stat().st_size, records)

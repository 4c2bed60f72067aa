"""Where the upstream files of the archive come from: the local mirror, else a clone at the pinned
commit.
"""

from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput, MtpeftError, Unavailable
from mtpeft.core.git import checkout
from mtpeft.core.paths import CACHE, PUBLISHED, mirror
from mtpeft.core.provenance import sha256
from mtpeft.core.records import read_records
from mtpeft.core.upstream import Upstream


@dataclass(frozen=True)
class Source:
    """One upstream file as it was when the tables were made.

    Attributes:
        repository: Address of the repository.
        commit: The pinned commit.
        path: Of the file, as upstream has it.
        sha256: Of its uncompressed bytes.
        bytes: How many uncompressed bytes it has.
        records: Values that were read from it.
    """

    repository: str
    commit: str
    path: str
    sha256: str
    bytes: int
    records: int


def pinned_path(study: str) -> Path:
    """The list of a study's upstream files with their checksums."""
    return PUBLISHED / study / "sources.csv"


def upstream_root(upstream: Upstream) -> Path:
    """The folder that holds a repository at its pinned commit: of the mirror, else a clone.

    Raises:
        BadInput: The mirror has no such folder.
        MtpeftError: The clone failed.
    """
    local = mirror()
    name = f"{upstream.repository} at {upstream.commit[:7]}"
    if local is not None:
        root = local / upstream.repository / upstream.commit
        if not root.is_dir():
            raise BadInput(
                root,
                "no such folder in the mirror",
                f"the study's repository at its pinned commit, {name}",
                "unset MTPEFT_MIRROR to fetch it from its own host",
            )
        return root
    root = CACHE / "upstream" / upstream.repository / upstream.commit
    try:
        return checkout(upstream.repository, upstream.commit, root, upstream.folders)
    except MtpeftError as error:
        raise Unavailable(
            f"cannot fetch {name}: {error.found}",
            "network access, or a mirror",
            "set MTPEFT_MIRROR; the tables in results/ serve T0 and T1 without it",
        ) from error


def check_pins(
    roots: dict[str, Path],
    found: list[Source],
    pinned_file: Path,
    repin: bool = False,
    allow_loss: bool = False,
) -> None:
    """Refuse upstream files that are missing, unknown or changed since they were pinned.

    Args:
        roots: Folder of each repository, for messages.
        found: The files as they are now.
        pinned_file: The list that was pinned.
        repin: Accept unknown and changed files; a file that is gone or holds fewer records is still
            refused, since values would be lost from the archive.
        allow_loss: With `repin`, accept that, too.

    Raises:
        BadInput: A file was refused.
    """
    if repin and not pinned_file.is_file():
        return
    pinned = {(s.repository, s.path): s for s in read_records(pinned_file, Source)}
    present = {(s.repository, s.path): s for s in found}
    if repin and allow_loss:
        for key, was in sorted(pinned.items()):
            left = present[key].records if key in present else 0
            if left < was.records:
                print(f"lost: {was.records - left} of {was.records} records of {key[1]}")
        return
    again = "restore the upstream checkout"
    lose = f"{again}, or run `mtpeft archive import --repin --allow-loss` if it is gone for good"
    for key in sorted(pinned.keys() - present.keys()):
        root = roots.get(key[0], Path(key[0]))
        raise BadInput(
            root / key[1],
            "missing",
            f"a file of {pinned[key].bytes} bytes",
            lose if repin else again,
        )
    for key in sorted(present.keys() - pinned.keys()):
        if not repin:
            raise BadInput(
                roots[key[0]] / key[1],
                "not among the upstream files that were pinned",
                "only pinned files",
                "remove it, or run `mtpeft archive import --repin` after checking why it is there",
            )
    for key, source in present.items():
        was = pinned.get(key)
        if was is None or (source.sha256 == was.sha256 and source.records >= was.records):
            continue
        if not repin or source.records < was.records:
            raise BadInput(
                roots[key[0]] / key[1],
                f"SHA-256 {source.sha256} ({source.bytes} bytes, {source.records} records)",
                f"{was.sha256} ({was.bytes} bytes, {was.records} records)",
                lose
                if repin
                else f"{again}, or run `mtpeft archive import --repin` after checking the change",
            )


def source(root: Path, path: Path, records: int, upstream: Upstream) -> Source:
    """Describe an upstream file."""
    return Source(
        upstream.repository,
        upstream.commit,
        path.relative_to(root).as_posix(),
        sha256(path),
        path.stat().st_size,
        records,
    )

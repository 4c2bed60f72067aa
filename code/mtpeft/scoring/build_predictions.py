"""The canonical files of archived outputs, made from the study's own repositories at their pinned
commits.

Git itself vouches for the content: the commit is named by its hash, every file's blob hash is
computed again from its bytes, and the finished file must have the pinned SHA-256. Only the folders
of the declared runs are read.
"""

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import scratch, write_atomic
from mtpeft.core.git import fetch_commit, git
from mtpeft.core.outputs import PredictionSet
from mtpeft.core.provenance import git_blob, write_provenance
from mtpeft.scoring.predictions import instance_order, sets


@dataclass(frozen=True)
class Blob:
    """A file of a commit.

    Attributes:
        path: Inside the repository.
        name: Git's name for its content.
    """

    path: str
    name: str


def build_all(force: bool = False) -> list[Path]:
    """Build every set that is not in the cache.

    Args:
        force: Build also what is there.

    Returns:
        The files.

    Raises:
        MtpeftError: As `build`.
    """
    made = []
    for target in sets().values():
        path = paths.CACHE / "predictions" / f"{target.evaluation}.jsonl.gz"
        if force or not path.is_file():
            made.append(build(target))
            print(
                f"mtpeft: {paths.shown(made[-1])} built from {target.repository}@{target.commit[:7]}"
            )
        else:
            print(f"mtpeft: {paths.shown(path)} is there")
    return made


def build(target: PredictionSet, repository: str = "", destination: Path | None = None) -> Path:
    """Build one set and write it gzip-compressed.

    Args:
        target: The set.
        repository: Address or path (default: the study's).
        destination: The file (default: in the cache).

    Returns:
        The file.

    Raises:
        Unavailable: Git or the repository cannot be reached.
        MtpeftError: The commit lacks a run, or a blob's hash or the result's SHA-256 is wrong;
            nothing is written.
    """
    source = repository or target.repository
    with scratch("predictions") as clone:
        fetch_commit(source, target.commit, clone)
        data = canonical(target, clone)
    digest = hashlib.sha256(data).hexdigest()
    if digest != target.sha256:
        raise MtpeftError(
            f"{target.evaluation} built from {source} has SHA-256 {digest}",
            target.sha256,
            "compare the builder's folders and field order with the dialect of the study",
        )
    path = (destination or paths.CACHE / "predictions") / f"{target.evaluation}.jsonl.gz"
    write_atomic(path, gzip.compress(data, compresslevel=9, mtime=0))
    write_provenance(path, [], source=f"{target.repository}@{target.commit}", content_sha256=digest)
    return path


def canonical(target: PredictionSet, clone: Path) -> bytes:
    """The canonical text of a set: one JSON object a line, by model, method and instance.

    Args:
        target: The set.
        clone: A repository that holds its commit.

    Raises:
        MtpeftError: The commit lacks a run, or a blob's hash is wrong.
    """
    lines = []
    for run in target.runs:
        found = _list(clone, target.commit, run.folder)
        blobs = [b for b in found if b.path.endswith(target.suffix)]
        if not blobs:
            raise MtpeftError(
                f"{target.repository}@{target.commit[:7]} has no {run.folder}/*{target.suffix}",
                "the outputs of a run",
            )
        texts = _read(clone, blobs)
        for blob in sorted(blobs, key=lambda b: instance_order(Path(b.path).stem)):
            record = {
                "task_id": Path(blob.path).stem,
                "model": run.model,
                "method": run.method,
                "language": target.language,
                "code": texts[blob],
                "source": f"{target.repository}@{target.commit}:{blob.path}",
            }
            lines.append(json.dumps(record, ensure_ascii=False))
    if len(lines) != target.rows:
        raise MtpeftError(f"{target.evaluation}: {len(lines)} outputs", f"{target.rows}")
    return ("\n".join(lines) + "\n").encode("utf-8")


def _list(clone: Path, commit: str, folder: str) -> list[Blob]:
    entries = (
        git(clone, "ls-tree", "-r", "-z", commit, "--", f"{folder}/").decode("utf-8").split("\0")
    )
    return [
        Blob(path, meta.split()[2]) for meta, _, path in (e.partition("\t") for e in entries if e)
    ]


def _read(clone: Path, blobs: list[Blob]) -> dict[Blob, str]:
    """The texts of blobs, each checked against its name. Line ends become LF, as the study's tools
    read them.
    """
    asked = "".join(f"{b.name}\n" for b in blobs).encode()
    answer = git(clone, "cat-file", "--batch", given=asked)
    texts, position = {}, 0
    for blob in blobs:
        end = answer.index(b"\n", position)
        _, kind, size = answer[position:end].split()
        data = answer[end + 1 : end + 1 + int(size)]
        found = git_blob(data)
        if kind != b"blob" or found != blob.name:
            raise MtpeftError(
                f"{blob.path}: content hashes to {found}",
                blob.name,
                "delete the clone and fetch again",
            )
        try:
            texts[blob] = data.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise MtpeftError(
                f"{blob.path}: invalid UTF-8 at byte {error.start}", "UTF-8 text"
            ) from error
        position = end + 1 + int(size) + 1
    return texts

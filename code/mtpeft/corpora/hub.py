"""Data sets of the Hugging Face hub, at a pinned revision, through the `datasets` library (group
`train`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.manifest import HubDataset
from mtpeft.corpora.pins import pin, pinned


def rows(entry: HubDataset, split: str) -> Iterator[dict[str, Any]]:
    """The rows of one split, in the data set's order.

    A mirror may hold it as OWNER/NAME/REVISION/CONFIG/SPLIT-*.parquet; else the hub library's own
    cache and, unless OFFLINE=1, the hub are asked for the manifest's revision, or for the one that
    was chosen on this machine where the manifest knows none. Never for whatever is newest.

    Raises:
        MtpeftError: The data set is nowhere, no revision of it is known, or it has another number
            of rows.
    """
    import datasets

    datasets.disable_progress_bars()
    folder = _mirrored(entry)
    try:
        if folder is not None:
            pin(entry.repository, folder.name)
            data = datasets.load_dataset(
                "parquet",
                data_files={split: str(folder / entry.config / f"{split}-*.parquet")},
                split=split,
            )
        else:
            revision = entry.revision or pinned(entry.repository)
            if not revision:
                raise _unpinned(entry)
            data = datasets.load_dataset(
                entry.repository, entry.config, split=split, revision=revision
            )
            pin(entry.repository, revision)
    except (OSError, ValueError, ConnectionError) as error:
        raise MtpeftError(
            f"{entry.id} ({entry.repository}, {entry.config}) cannot be loaded: {error}",
            "the data set in the hub's cache, in MTPEFT_MIRROR, or a network",
            "make data on a machine with network, then copy ~/.cache/huggingface here",
        ) from error
    wanted = entry.rows.get(split)
    if wanted is not None and len(data) != wanted:
        raise MtpeftError(
            f"{entry.id} {split} has {len(data)} rows",
            f"{wanted} (data/manifest.toml)",
            "the revision differs from the one that the study used",
        )
    yield from data


def _mirrored(entry: HubDataset) -> Path | None:
    mirror = paths.mirror()
    if mirror is None:
        return None
    wanted = entry.revision or pinned(entry.repository) or "*"
    found = sorted(
        p for p in (mirror / entry.repository).glob(wanted) if (p / entry.config).is_dir()
    )
    if len(found) > 1:
        raise MtpeftError(
            f"{mirror / entry.repository} holds {len(found)} revisions of {entry.id}: "
            f"{', '.join(p.name for p in found)}",
            "one, or one that is pinned",
            f"mtpeft data pin {entry.repository} REVISION, or leave one in the mirror",
        )
    return found[0] if found else None


def _unpinned(entry: HubDataset) -> MtpeftError:
    return MtpeftError(
        f"nobody has published which revision of {entry.repository} the studies read ({entry.id})",
        "a commit of it, chosen before the first download; results on it are comparable among themselves",
        f"mtpeft data pin {entry.repository} COMMIT, with one of the 40-digit commits that the data set's page on the "
        "hub lists; or set MTPEFT_MIRROR to a mirror that has it",
    )

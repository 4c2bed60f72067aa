"""Data sets of the Hugging Face hub, at a pinned revision, through the `datasets` library (group
`train`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.fetch import offline
from mtpeft.corpora.manifest import HubDataset
from mtpeft.corpora.pins import pin, pinned


def rows(entry: HubDataset, split: str) -> Iterator[dict[str, Any]]:
    """The rows of one split, in the data set's order.

    A mirror may hold it as OWNER/NAME/REVISION/CONFIG/SPLIT-*.parquet; else the hub library's own
    cache and, unless OFFLINE=1, the hub are asked. The revision used first on this machine is used
    ever after.

    Raises:
        MtpeftError: The data set is nowhere, or has another number of rows.
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
            revision = entry.revision or pinned(entry.repository) or _newest(entry)
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
            f'leave one in the mirror, or pin one: "{entry.repository}": "REVISION" in '
            f"{paths.CACHE / 'pins.json'}",
        )
    return found[0] if found else None


def _newest(entry: HubDataset) -> str:
    """The current revision of the data set, asked once; afterwards it is pinned."""
    if offline():
        raise OSError("OFFLINE=1 and no revision was pinned on this machine yet")
    from huggingface_hub import HfApi

    try:
        return HfApi().dataset_info(entry.repository).sha or ""
    except (
        Exception
    ) as error:  # the hub's client raises those of its HTTP library, which it has changed before
        raise OSError(f"the hub does not answer: {error}") from error

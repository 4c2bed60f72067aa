"""A public repository at a pinned commit, and the bytes of its files in a checkout or a mirror."""

import gzip
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput


@dataclass(frozen=True)
class Upstream:
    """A public repository at its pinned commit.

    Attributes:
        repository: Owner and name on GitHub.
        commit: Full commit id.
        folders: Files and folders of it that an importer reads.
    """

    repository: str
    commit: str
    folders: tuple[str, ...]


def upstream_bytes(path: Path) -> bytes:
    """An upstream file's bytes; a mirror may hold it gzipped under NAME.gz.

    Raises:
        BadInput: It is not there, or cannot be unpacked.
    """
    zipped = path.with_name(path.name + ".gz")
    try:
        return gzip.decompress(zipped.read_bytes()) if zipped.is_file() else path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(
            path, "no such file", "an upstream file of the study", "restore the upstream checkout"
        ) from error
    except (OSError, EOFError) as error:
        raise BadInput(
            zipped, f"cannot be read: {error}", "a gzipped file", "restore the mirror"
        ) from error

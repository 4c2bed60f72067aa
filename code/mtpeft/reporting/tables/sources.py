"""Which catalog files a table was rendered from."""

from collections.abc import Iterable
from pathlib import Path

from mtpeft.catalog import Catalog
from mtpeft.core.paths import CATALOG


def catalog_files(known: Catalog, kind: str, ids: Iterable[str]) -> list[Path]:
    """The shipped files that hold any of `ids`, sorted; items that come from a folder outside have
    none here.
    """
    return sorted(
        {path for name in ids if (path := known.file_of(kind, name)).is_relative_to(CATALOG)}
    )

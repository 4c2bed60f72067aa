"""Which catalog files a table was rendered from."""

import re
from collections.abc import Iterable
from pathlib import Path

from mtpeft.core.paths import CATALOG


def catalog_files(kind: str, ids: Iterable[str]) -> list[Path]:
    """The shipped files of one kind that define any of `ids`; items that come from another catalog
    have none here.
    """
    wanted = set(ids)
    return [
        path
        for path in sorted((CATALOG / kind).rglob("*.yaml"))
        if wanted & set(re.findall(r"(?<![\w])id: ([^\s,}]+)", path.read_text(encoding="utf-8")))
    ]

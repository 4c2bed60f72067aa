"""Reading the catalog: every file of every folder, unknown keys, words and names refused."""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from mtpeft.catalog.index import Catalog
from mtpeft.catalog.nodes import error_at, file_of, items, line, nodes_of
from mtpeft.catalog.references import check_references
from mtpeft.catalog.schema import KINDS
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.names import safe_path
from mtpeft.core.paths import CATALOG


def load(folders: Iterable[Path]) -> Catalog:
    """Read every `<folder>/<kind>/**/*.yaml`; ids must be unique and references must resolve."""
    result, every = Catalog(), list(folders)
    for kind, record in KINDS.items():
        nodes = [
            node
            for folder in every
            for path in sorted((folder / kind).rglob("*.yaml"))
            for node in nodes_of(path, record)
        ]
        known = getattr(result, kind)
        for item, node in items(nodes, record):
            try:
                safe_path(item.id, f"{kind} id")
            except MtpeftError as error:
                raise error_at(node, error.found, error.expected) from None
            if item.id in known:
                at = result.sources[kind, item.id]
                raise error_at(
                    node,
                    f"{kind} id {item.id!r} is taken ({file_of(at)}:{line(at)})",
                    "an id of its own",
                )
            known[item.id] = item
            result.sources[kind, item.id] = node
    check_references(result)
    return result


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """The shipped catalog plus the folders named in MTPEFT_CATALOG."""
    more = [Path(p) for p in os.environ.get("MTPEFT_CATALOG", "").split(os.pathsep) if p]
    for folder in more:
        if not folder.is_dir():
            raise BadInput(
                folder,
                "named in MTPEFT_CATALOG, but no such folder",
                "a catalog folder",
                "unset MTPEFT_CATALOG, or correct it",
            )
    return load([CATALOG, *more])

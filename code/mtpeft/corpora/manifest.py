"""`data/manifest.toml`: every outside file, with its checksum; and what is derived from them."""

import tomllib
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.paths import DATA

MANIFEST = DATA / "manifest.toml"


@dataclass(frozen=True)
class File:
    """One file of a public repository at a pinned revision.

    Attributes:
        id: Its name in the manifest.
        group: What `mtpeft data GROUP` fetches together.
        repository: OWNER/NAME.
        revision: The commit.
        path: Inside the repository.
        sha256: Of its content.
        bytes: Its size.
        licence: Under which it is published.
        purpose: What it is needed for.
    """

    id: str
    group: str
    repository: str
    revision: str
    path: str
    sha256: str
    bytes: int
    licence: str
    purpose: str

    @property
    def relative(self) -> str:
        """Its place below the cache and below a mirror."""
        return f"{self.repository}/{self.revision}/{self.path}"


@dataclass(frozen=True)
class HubDataset:
    """A configuration of a data set of the Hugging Face hub.

    Attributes:
        id: Its name in the manifest.
        group: What `mtpeft data GROUP` fetches together.
        repository: OWNER/NAME.
        config: The configuration.
        revision: The commit; empty: pinned by the first download.
        rows: The number of rows of each split.
        licence: Under which it is published.
        purpose: What it is needed for.
    """

    id: str
    group: str
    repository: str
    config: str
    revision: str
    rows: dict[str, int]
    licence: str
    purpose: str


@dataclass(frozen=True)
class Derived:
    """A file built from other entries.

    Attributes:
        id: Its name in the manifest.
        group: What `mtpeft data GROUP` builds together.
        path: Below the cache.
        sha256: Of its content; empty: pinned by the first build (its inputs are not pinned).
        licence: Of its content.
        purpose: What it is needed for.
        inputs: The entries that it is built from.
    """

    id: str
    group: str
    path: str
    sha256: str
    licence: str
    purpose: str
    inputs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Manifest:
    """All entries by id.

    Attributes:
        files: Files of repositories.
        hub: Data sets of the hub.
        derived: Files that are built.
    """

    files: dict[str, File]
    hub: dict[str, HubDataset]
    derived: dict[str, Derived]

    def __getitem__(self, name: str) -> File | HubDataset | Derived:
        entries: dict[str, File | HubDataset | Derived] = {**self.files, **self.hub, **self.derived}
        if name not in entries:
            raise UnknownName("manifest entry", name, entries, "see data/manifest.toml")
        return entries[name]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        BadInput: A key is unknown, missing or mistyped, an id comes twice, or an input is no entry.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(
            path, "no such file", "the manifest of outside files", "git checkout data/manifest.toml"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(path, f"not TOML: {error}", "TOML") from error
    kinds = {"file": File, "hub": HubDataset, "derived": Derived}
    if unknown := data.keys() - kinds.keys():
        raise BadInput(path, f"unknown table {min(unknown)!r}", f"one of {', '.join(kinds)}")
    entries: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
    seen: set[str] = set()
    for kind, record in kinds.items():
        for item in data.get(kind, []):
            entry = _entry(path, item, record)
            if entry.id in seen:
                raise BadInput(path, f"id {entry.id!r} again", "each id once")
            seen.add(entry.id)
            entries[kind][entry.id] = entry
    for derived in entries["derived"].values():
        for name in derived.inputs:
            if name not in seen:
                raise BadInput(
                    path,
                    f"{derived.id} is built from {name!r}, which is no entry",
                    "the id of an entry",
                )
    return Manifest(entries["file"], entries["hub"], entries["derived"])


def _entry(path: Path, item: dict[str, Any], record: type) -> Any:
    wanted = {f.name: f for f in fields(record)}
    name = item.get("id", "(without id)")
    if unknown := item.keys() - wanted.keys():
        key = min(unknown)
        raise BadInput(path, f"{name}: {UnknownName('key', key, wanted)}", "see the other entries")
    missing = [
        n
        for n, f in wanted.items()
        if n not in item and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise BadInput(path, f"{name}: no {', '.join(missing)}", f"the keys {', '.join(wanted)}")
    types = {"bytes": int, "rows": dict, "inputs": list}
    for key, value in item.items():
        if not isinstance(value, types.get(key, str)) or isinstance(value, bool):
            raise BadInput(path, f"{name}: {key} is {value!r}", f"a {types.get(key, str).__name__}")
    digest = item.get("sha256", "")
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise BadInput(path, f"{name}: sha256 is {digest!r}", "64 lower-case hexadecimal digits")
    return record(**item)


@lru_cache(maxsize=1)
def manifest() -> Manifest:
    """The shipped manifest."""
    return read_manifest(MANIFEST)

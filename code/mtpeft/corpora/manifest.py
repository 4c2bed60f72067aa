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
        licence: Under which it is published.
        purpose: What it is needed for.
        sha256: Of its content; empty: not known, then `git_blob` is.
        bytes: Its size; 0: not known.
        git_blob: The name that git gives to its content; empty: not known, then `sha256` is.
    """

    id: str
    group: str
    repository: str
    revision: str
    path: str
    licence: str
    purpose: str
    sha256: str = ""
    bytes: int = 0
    git_blob: str = ""

    @property
    def relative(self) -> str:
        """Its place below the cache and below a mirror."""
        return f"{self.repository}/{self.revision}/{self.path}"

    @property
    def source(self) -> str:
        """Where it is published, for messages."""
        return f"{self.path} of {self.repository} at {self.revision}"


@dataclass(frozen=True)
class HubDataset:
    """A configuration of a data set of the Hugging Face hub.

    Attributes:
        id: Its name in the manifest.
        group: What `mtpeft data GROUP` fetches together.
        repository: OWNER/NAME.
        config: The configuration.
        revision: The commit; empty: nobody knows which, and one must be chosen before the first
            download (`mtpeft data pin`).
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
class Wheel:
    """A wheel of the package index, which is read and never installed.

    Attributes:
        id: Its name in the manifest.
        group: What `mtpeft data GROUP` fetches together.
        project: Its name in the index.
        version: Its version there.
        path: The name of the file.
        sha256: Of its content.
        bytes: Its size.
        licence: Under which it is published.
        purpose: What it is needed for.
    """

    id: str
    group: str
    project: str
    version: str
    path: str
    sha256: str
    bytes: int
    licence: str
    purpose: str

    @property
    def relative(self) -> str:
        """Its place below the cache and below a mirror."""
        return f"wheels/{self.path}"

    @property
    def source(self) -> str:
        """Where it is published, for messages."""
        return f"{self.project} {self.version} of the package index"


@dataclass(frozen=True)
class Weights:
    """A base model that is made from published files: its weights, configuration and tokenizer in
    one folder, as transformers reads them.

    Attributes:
        id: Its name in the manifest, to which `weights` of a backbone refers.
        group: What `mtpeft data GROUP` builds together.
        form: How it is published: a GGUF file or a folder in a wheel, or the state dict of a
            RoBERTa encoder with its tokenizer.
        sha256: Of weights and configuration, as `weights.fingerprint` counts.
        tokenizer: SHA-256 of the tokenizer, as `weights.fingerprint` counts.
        licence: Of the weights.
        purpose: What it is needed for.
        inputs: The entries that it is made from: a wheel, or a state dict and its tokenizer.
        member: The file or folder in the wheel.
    """

    id: str
    group: str
    form: str
    sha256: str
    tokenizer: str
    licence: str
    purpose: str
    inputs: list[str]
    member: str = ""

    @property
    def relative(self) -> str:
        """Its place below the cache."""
        return f"backbones/{self.id}"


Entry = File | HubDataset | Derived | Wheel | Weights
FORMS = ("gguf", "folder", "roberta")


@dataclass(frozen=True)
class Manifest:
    """All entries by id.

    Attributes:
        files: Files of repositories.
        hub: Data sets of the hub.
        derived: Files that are built.
        wheels: Wheels of the package index.
        weights: Base models that are made from published files.
    """

    files: dict[str, File]
    hub: dict[str, HubDataset]
    derived: dict[str, Derived]
    wheels: dict[str, Wheel]
    weights: dict[str, Weights]

    @property
    def entries(self) -> dict[str, Entry]:
        """Every entry by id."""
        return {**self.files, **self.hub, **self.derived, **self.wheels, **self.weights}

    def __getitem__(self, name: str) -> Entry:
        entries = self.entries
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
    kinds = {
        "file": File,
        "hub": HubDataset,
        "derived": Derived,
        "wheel": Wheel,
        "weights": Weights,
    }
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
    for made in (*entries["derived"].values(), *entries["weights"].values()):
        for name in made.inputs:
            if name not in seen:
                raise BadInput(
                    path,
                    f"{made.id} is built from {name!r}, which is no entry",
                    "the id of an entry",
                )
    for made in entries["weights"].values():
        if made.form not in FORMS:
            raise BadInput(path, f"{made.id}: {UnknownName('form', made.form, FORMS)}")
    return Manifest(*(entries[kind] for kind in kinds))


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
    for key, digits in (("sha256", 64), ("tokenizer", 64), ("git_blob", 40)):
        digest = item.get(key, "")
        if digest and (len(digest) != digits or set(digest) - set("0123456789abcdef")):
            expected = f"{digits} lower-case hexadecimal digits"
            raise BadInput(path, f"{name}: {key} is {digest!r}", expected)
    if record is File and not (item.get("sha256") or item.get("git_blob")):
        raise BadInput(path, f"{name}: no checksum", "sha256 or git_blob")
    return record(**item)


@lru_cache(maxsize=1)
def manifest() -> Manifest:
    """The shipped manifest."""
    return read_manifest(MANIFEST)

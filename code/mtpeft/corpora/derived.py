"""Files that are built from other files by a rule. The hash of a result is pinned in the manifest,
or by its first build.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import read_bytes, write_atomic
from mtpeft.core.provenance import sha256
from mtpeft.corpora import code_to_code, code_to_text, codereval, hub, prompts
from mtpeft.corpora.analysis import flakeflagger, public
from mtpeft.corpora.examples import Example, examples_text, read_examples
from mtpeft.corpora.fetch import require
from mtpeft.corpora.manifest import Derived, Manifest, manifest
from mtpeft.corpora.pins import pin, pinned

HUB_SPLIT = {"train": "train", "valid": "validation"}


def built(name: str) -> Path:
    """The verified path of a derived file, built where it is not there.

    Raises:
        MtpeftError: The entry is not derived, its inputs cannot be had, or the result has another
            hash than the manifest says (both are named).
    """
    entry = manifest()[name]
    if not isinstance(entry, Derived):
        raise MtpeftError(f"{name} is not derived", "a derived entry of data/manifest.toml")
    target = paths.CACHE / entry.path
    if target.is_file() and entry.sha256 and content_sha256(target) == entry.sha256:
        return target
    if not entry.inputs:
        return _copied(entry, target)
    if target.is_file() and not entry.sha256 and sha256(target) == pinned(name):
        return target
    text = examples_text(_BUILDERS[name](manifest())).encode("utf-8")
    found = hashlib.sha256(text).hexdigest()
    if entry.sha256 and found != entry.sha256:
        raise MtpeftError(
            f"{name} was built with SHA-256 {found}",
            f"SHA-256 {entry.sha256} (data/manifest.toml)",
            "its inputs are verified, so the builder has changed: restore it, or pin the new hash on purpose",
        )
    if not entry.sha256:
        pin(name, found)
    write_atomic(target, text)
    return target


def _copied(entry: Derived, target: Path) -> Path:
    """A derived file that the mirror may have ready; else it is made from its upstream, where there
    is a rule for it.
    """
    mirror = paths.mirror()
    source = mirror / entry.path if mirror else None
    if source is not None and source.is_file():
        data, origin = read_bytes(source), str(source)
    elif entry.id in _MADE:
        data, origin = _MADE[entry.id]().encode("utf-8"), "its upstream"
    else:
        raise Unavailable(
            f"{entry.id} is not on this machine",
            f"{entry.path} in the mirror (SHA-256 {entry.sha256})",
            "set MTPEFT_MIRROR to a mirror that has it",
        )
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise MtpeftError(
            f"{entry.id} from {origin} has SHA-256 {found}",
            f"SHA-256 {entry.sha256} (data/manifest.toml)",
            "that source is damaged or another version",
        )
    packed = gzip.compress(data, 9, mtime=0) if target.name.endswith(".gz") else data
    write_atomic(target, packed)
    return target


def content_sha256(path: Path) -> str:
    """SHA-256 of what a file holds, unpacked: packers may differ, the content may not."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _languages(m: Manifest, prefix: str) -> dict[str, Path]:
    return {language: require(m.files[f"{prefix}.{language}"]) for language in ("java", "python")}


def _translation(split: str) -> Callable[[Manifest], Iterable[Example]]:
    def build(m: Manifest) -> Iterable[Example]:
        return code_to_code.translation(
            require(m.files[f"code-to-code/{split}.java"]),
            require(m.files[f"code-to-code/{split}.cs"]),
        )

    return build


def _from_hub(
    make: Callable[..., Iterable[Example]], split: str
) -> Callable[[Manifest], Iterable[Example]]:
    def build(m: Manifest) -> Iterable[Example]:
        return chain.from_iterable(
            make(hub.rows(m.hub[f"code-to-text/{language}"], HUB_SPLIT[split]), language, split)
            for language in ("java", "python")
        )

    return build


def examples(task: str, split: str) -> list[Example]:
    """The examples of a task from the derived set that holds them, built where it is not here."""
    return read_examples(built(f"{task}/{'evaluation' if split == 'test' else split}"))


_MADE: dict[str, Callable[[], str]] = {
    "published/prompts": prompts.build,
    "flaky-detection/methods": flakeflagger.build,
    "vulnerability-detection/test": public.devign_test,
    "clone-detection/functions": public.clone_functions,
}
_BUILDERS: dict[str, Callable[[Manifest], Iterable[Example]]] = {
    "generation/evaluation": lambda m: codereval.generation(
        _languages(m, "codereval/prompts"), require(m.files["codereval/discarded"])
    ),
    "summarization/evaluation": lambda m: codereval.summarization(
        _languages(m, "codereval/summarization"), require(m.files["codereval/inputs"])
    ),
    "translation/evaluation": _translation("test"),
    **{f"translation/{split}": _translation(split) for split in HUB_SPLIT},
    **{
        f"summarization/{split}": _from_hub(code_to_text.summarization, split)
        for split in HUB_SPLIT
    },
    **{f"generation/{split}": _from_hub(code_to_text.generation, split) for split in HUB_SPLIT},
}

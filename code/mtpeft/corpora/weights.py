"""Where a base model lies on this machine: one answer for tuning and inference, so that both load
the same weights.
"""

import hashlib
import os
from pathlib import Path

from mtpeft.catalog import Backbone
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.provenance import sha256
from mtpeft.corpora.fetch import offline
from mtpeft.corpora.pins import pin, pinned


def model_folder(path: str) -> str:
    """A folder of a base model that a person named.

    Raises:
        MtpeftError: It holds no model.
    """
    if not (Path(path) / "config.json").is_file():
        raise MtpeftError(
            f"no model at {path}",
            "a folder with config.json, weights and tokenizer",
            "leave the option out to use the run's own base model",
        )
    return str(path)


def source_of(backbone: Backbone) -> str:
    """The folder that a backbone is loaded from: MTPEFT_BACKBONES/<id> where that exists, else the
    hub's local snapshot.

    The revision is the catalog's; else the one that this machine used first.

    Raises:
        Unavailable: The weights cannot be had.
        MtpeftError: The hub gives another revision than the one used first.
    """
    folder = os.environ.get("MTPEFT_BACKBONES")
    if folder and (Path(folder) / backbone.id / "config.json").is_file():
        return str(Path(folder) / backbone.id)
    revision = backbone.revision or pinned(backbone.hub)
    from huggingface_hub import HfApi, snapshot_download

    try:
        if not revision and not offline():
            revision = HfApi().model_info(backbone.hub).sha
        path = snapshot_download(
            backbone.hub, revision=revision or None, local_files_only=offline()
        )
    except (
        Exception
    ) as error:  # the hub's client raises those of its HTTP library, which it has changed before
        at = f" at revision {revision}" if revision else ""
        raise Unavailable(
            f"{backbone.hub}{at} is not on this machine: {error}",
            "its weights, from the hub or a folder",
            f"hf download {backbone.hub}{f' --revision {revision}' if revision else ''}, or "
            f"MTPEFT_BACKBONES=/folder with {backbone.id}/",
        ) from error
    if not backbone.revision:
        pin(backbone.hub, Path(path).name)
    return str(path)


def fingerprint(source: str) -> dict[str, str]:
    """Hashes of a base model's folder: its weights with their configuration, and its tokenizer.
    Names and revisions do not count.
    """
    files = [p for p in sorted(Path(source).iterdir()) if p.is_file()]
    weights = [
        p
        for p in files
        if p.suffix in (".safetensors", ".bin")
        or p.name in ("config.json", "generation_config.json")
    ]
    words = [
        p
        for p in files
        if p not in weights
        and p.suffix in (".json", ".txt", ".model", ".jinja")
        and not p.name.endswith((".index.json", ".provenance.json"))
    ]
    return {"base_weights": _of_files(weights), "tokenizer": _of_files(words)}


def _of_files(paths: list[Path]) -> str:
    return hashlib.sha256("".join(f"{p.name} {sha256(p)}\n" for p in paths).encode()).hexdigest()

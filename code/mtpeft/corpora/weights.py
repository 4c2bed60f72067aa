"""Where a base model lies on this machine: one answer for tuning and inference, so that both load
the same weights.
"""

from pathlib import Path

from mtpeft.catalog import Backbone, catalog
from mtpeft.core import environment
from mtpeft.core.errors import MtpeftError, Unavailable, UnknownName
from mtpeft.corpora.fetch import offline
from mtpeft.corpora.pins import pin, pinned
from mtpeft.corpora.published import fingerprint, published

__all__ = ["fingerprint", "model_folder", "named_source", "revision_of", "source_of"]


def model_folder(path: str) -> str:
    """A folder of a base model that a person named.

    Raises:
        MtpeftError: It holds no model.
    """
    if not (Path(path) / "config.json").is_file():
        raise MtpeftError(
            f"no model at {path}",
            "a folder with config.json, weights and tokenizer",
            "name such a folder; without --backbone the run's own base model is used",
        )
    return str(path)


def revision_of(source: str) -> dict[str, str]:
    """The commit of the hub that a base model's folder is a snapshot of, as `base_revision`; nothing
    of another folder.
    """
    folder = Path(source).absolute()
    return {"base_revision": folder.name} if folder.parent.name == "snapshots" else {}


def named_source(model: str) -> str:
    """The folder of a model that a person named: a folder, or the id of a backbone.

    Raises:
        MtpeftError: It is neither, or its weights cannot be had (see `source_of`).
    """
    if Path(model).exists():
        return model_folder(model)
    known = catalog().backbones
    if model not in known:
        raise UnknownName(
            "model", model, known, "mtpeft list backbones, or name a folder with config.json"
        )
    return source_of(known[model])


def source_of(backbone: Backbone) -> str:
    """The folder that a backbone is loaded from: MTPEFT_BACKBONES/<id> where that exists, else what
    its published files give (`weights` in its YAML), else the hub's local snapshot.

    The hub's revision is the catalog's; else the one that this machine used first.

    Raises:
        Unavailable: The weights cannot be had.
        MtpeftError: The hub gives another revision than the one used first, or the published files
            give other weights than those of the manifest.
    """
    folder = environment.folder(environment.BACKBONES)
    if folder and (folder / backbone.id / "config.json").is_file():
        return str(folder / backbone.id)
    if backbone.weights:
        return str(published(backbone))
    if not backbone.hub:
        raise Unavailable(
            f"backbone {backbone.id} names neither a hub nor published files",
            f"its weights in MTPEFT_BACKBONES/{backbone.id}/, or in a folder that --backbone names",
            f"MTPEFT_BACKBONES=PARENT, where PARENT/{backbone.id}/ holds config.json",
        )
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

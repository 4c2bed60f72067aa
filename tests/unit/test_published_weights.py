"""Base models made from published files: pinned, made once, refused where they give other weights."""

import importlib.util
import json
import zipfile
from dataclasses import replace
from hashlib import sha256

import pytest
from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.corpora import published as module
from mtpeft.corpora.fetch import require
from mtpeft.corpora.manifest import File, Manifest, Weights, Wheel, manifest
from mtpeft.corpora.published import fingerprint, published
from mtpeft.corpora.weights import named_source, source_of

needs_train = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="the group `train` is not installed (make .venv/.train)",
)
CONFIG = {
    "model_type": "roberta",
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "max_position_embeddings": 34,
    "type_vocab_size": 1,
    "pad_token_id": 1,
}


def _file(mirror, name: str) -> File:
    data = (mirror / f"o/r/{'0' * 40}" / name).read_bytes()
    return File(name, "g", "o/r", "0" * 40, name, "l", "p", sha256(data).hexdigest(), len(data))


@pytest.fixture
def student(tmp_path, monkeypatch):
    """A classifier around an encoder, as a repository publishes it, with an entry that pins what
    comes out of it.
    """
    import torch
    from mtpeft.tuning.tiny import train_tokenizer
    from transformers import AutoConfig, AutoModel

    mirror = tmp_path / "mirror"
    monkeypatch.setenv("MTPEFT_MIRROR", str(mirror))
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    place = mirror / f"o/r/{'0' * 40}"
    place.mkdir(parents=True)
    torch.manual_seed(0)
    values = dict(CONFIG)
    encoder = AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values))
    state = {f"encoder.roberta.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({**state, "encoder.classifier.out_proj.bias": torch.zeros(2)}, place / "model.bin")
    words = train_tokenizer(["int f(int a) { return a; }"] * 9, 300).backend_tokenizer
    words.add_special_tokens(["<s>", "</s>", "<pad>", "<unk>"])
    words.save(str(place / "bpe.json"))
    files = {name: _file(mirror, name) for name in ("model.bin", "bpe.json")}
    backbone = replace(
        catalog().get("backbones", "codebert-clone-student"), weights="w", config=CONFIG
    )

    def pinned(base: str, tokenizer: str) -> None:
        entry = Weights("w", "g", "roberta", base, tokenizer, "l", "p", list(files))
        monkeypatch.setattr(module, "manifest", lambda: Manifest(files, {}, {}, {}, {"w": entry}))

    pinned("0" * 64, "0" * 64)
    return backbone, pinned, state


@needs_train
def test_other_weights_than_those_of_the_manifest_are_refused_and_nothing_is_left(student):
    backbone, _, _ = student
    with pytest.raises(MtpeftError, match=r"w was made with base_weights \w{64} and tokenizer"):
        published(backbone)
    assert not (paths.CACHE / "backbones/w").exists()


@needs_train
def test_a_state_dict_becomes_an_encoder_without_its_heads_and_pooler(student):
    import torch
    from mtpeft.models.base import load_encoder, load_tokenizer

    backbone, _, state = student
    made = paths.CACHE / "made"
    made.mkdir(parents=True)
    module._from_roberta(
        [require(f) for f in module.manifest().files.values()],
        module.manifest().weights["w"],
        backbone,
        made,
    )
    encoder = load_encoder(str(made))
    assert encoder.pooler is None
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, state[f"encoder.roberta.{name}"]), name
    tokenizer = load_tokenizer(str(made))
    ids = tokenizer("int f(int a)")["input_ids"]
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)


@needs_train
def test_what_is_made_is_kept_and_a_damaged_folder_is_made_again(student):
    backbone, pinned, _ = student
    with pytest.raises(MtpeftError) as told:
        published(backbone)
    base, tokenizer = told.value.found.split()[5], told.value.found.split()[8]
    pinned(base, tokenizer)
    folder = published(backbone)
    assert source_of(backbone) == str(folder)
    assert fingerprint(str(folder)) == {"base_weights": base, "tokenizer": tokenizer}
    assert "transformers_version" not in json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text("{}")
    assert fingerprint(str(published(backbone)))["base_weights"] == base


def _wheel(tmp_path, monkeypatch, digest: str = "") -> Wheel:
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    path = tmp_path / "mirror/wheels/m-1-py3-none-any.whl"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/model/config.json", "{}")
    data = path.read_bytes()
    return Wheel(
        "m", "g", "m", "1", path.name, digest or sha256(data).hexdigest(), len(data), "l", "p"
    )


def test_a_wheel_comes_from_the_mirror_and_lacks_what_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "mirror"))
    path = require(_wheel(tmp_path, monkeypatch))
    with pytest.raises(MtpeftError, match=r"m/model/model.safetensors"):
        module._extracted(path, ["m/model/config.json", "m/model/model.safetensors"], tmp_path)


def test_a_wheel_of_other_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(MtpeftError, match="has SHA-256"):
        require(_wheel(tmp_path, monkeypatch, "0" * 64))


def test_a_wheel_that_pip_cannot_get_is_unavailable_with_pips_reason(tmp_path, monkeypatch):
    monkeypatch.delenv("MTPEFT_MIRROR", raising=False)
    monkeypatch.delenv("OFFLINE", raising=False)
    (tmp_path / "none").mkdir()
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": str(tmp_path / "none"),
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(Unavailable, match="m==1") as told:
        require(_wheel(tmp_path, monkeypatch))
    assert "m 1 of the package index" in told.value.expected


def test_every_backbone_has_one_source_and_every_entry_a_backbone():
    backbones = [b for b in catalog().backbones.values() if b.weights]
    assert {b.weights for b in backbones} == set(manifest().weights)
    assert not any(b.hub for b in backbones)


def test_a_backbone_without_hub_and_files_comes_from_its_folder_alone(tmp_path, monkeypatch):
    ours = replace(catalog().get("backbones", "minilm-l6"), id="mine", weights="", hub="")
    monkeypatch.setenv("MTPEFT_BACKBONES", str(tmp_path))
    with pytest.raises(Unavailable, match="neither a hub nor published files") as raised:
        source_of(ours)
    assert "mine/" in raised.value.fix
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    assert source_of(ours) == str(tmp_path / "mine")


def test_a_model_is_named_by_its_folder_or_by_the_id_of_a_backbone(monkeypatch, tmp_path):
    place = tmp_path / "starcoder2-15b"
    place.mkdir()
    with pytest.raises(MtpeftError, match="no model at"):
        named_source(str(place))
    (place / "config.json").write_text("{}")
    assert named_source(str(place)) == str(place)
    monkeypatch.setenv("MTPEFT_BACKBONES", str(tmp_path))
    assert named_source("starcoder2-15b") == str(place)
    with pytest.raises(MtpeftError, match="did you mean starcoder2-15b"):
        named_source("starcoder2-15")

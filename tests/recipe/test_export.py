"""Results load outside the package, by the usual library."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.weights import fingerprint
from mtpeft.models.shared import SharedModel, rebuilt
from mtpeft.tuning.export import export
from mtpeft.tuning.settings import how, resolve
from mtpeft.tuning.tiny import save_encoder
from mtpeft.tuning.train import train

sys.path.insert(0, str(Path(__file__).parent))
import tiny_backbone

IDS = torch.arange(24).reshape(2, 12) % 60


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    texts = ["int add(int a, int b) { return a + b; }"]
    return save_encoder(tmp_path_factory.mktemp("base"), texts, 280)


def trained(base: str, method: str, root: Path, **changes) -> tuple[str, SharedModel]:
    """A run's folder as training leaves it, with weights that are not those of the beginning."""
    from mtpeft.models import nf4
    from mtpeft.models.base import load_encoder

    name = f"unixcoder-base/mt-{method}"
    entry, known = catalog().get("runs", name), catalog()
    settings = how(resolve(entry, "faithful", changes))
    about = {"run": name, "base": base, **fingerprint(base)}
    heads = {"clone-detection": "label", "code-search": "ranking"}
    model = SharedModel(
        load_encoder(base, "eager", nf4.wanted(settings)),
        known.get("backbones", "unixcoder-base"),
        known.get("methods", method),
        heads,
        settings,
        about=about,
    )
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(torch.randn_like(p) * 0.1)
    model.save(paths.seed_folder("fast", name, 42) / "best")
    return name, model.eval()


def states(encoder) -> np.ndarray:
    with torch.no_grad():
        made = encoder(input_ids=IDS, attention_mask=torch.ones_like(IDS)).last_hidden_state
    return made.numpy()


@pytest.mark.parametrize("method", ["lora", "fft", "serial_adapter", "parallel_adapter", "mlora"])
def test_heads_load_by_their_library_and_give_the_same_states(base, tmp_path, monkeypatch, method):
    from peft import PeftModel
    from transformers import AutoModel, AutoTokenizer

    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    name, model = trained(base, method, tmp_path)
    target = export(name, tmp_path / "out", "fast", 42, base)
    if method == "lora":
        loaded = PeftModel.from_pretrained(AutoModel.from_pretrained(base), target)
    elif method == "fft":
        loaded = AutoModel.from_pretrained(target)
    else:
        loaded = rebuilt(target, base, {}).encoder
    if method == "mlora":
        model._choose(0)
    assert states(loaded.eval()) == pytest.approx(states(model.encoder), abs=1e-6)
    assert AutoTokenizer.from_pretrained(target)("int a")["input_ids"]
    card = (target / "README.md").read_text()
    assert base in card and "clone-detection (label)" in card
    with pytest.raises(MtpeftError, match="not empty"):
        export(name, target, "fast", 42, base)


@pytest.mark.parametrize("method", ["lora", "serial_adapter"])
def test_four_bit_weights_below_heads_are_four_bit_and_load_again(
    base, tmp_path, monkeypatch, method
):
    """Weights in nf4 were taken for float32 ones, and said to be nf4."""
    from mtpeft.inference.heads import Encoders
    from mtpeft.models.base import load_encoder

    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    asked = {"weights": "nf4", "compute_dtype": "float32", "double_quantisation": True}
    name, model = trained(base, method, tmp_path, **asked)
    assert {type(m).__name__ for m in model.encoder.modules()} >= {"Linear4bit"}
    folder = paths.seed_folder("fast", name, 42) / "best"
    expected = states(model.encoder)
    plain = trained(base, method, tmp_path)[1]
    assert np.abs(expected - states(plain.encoder)).max() > 1e-4, "quantised for nothing"
    model.save(folder)
    encoders = Encoders()
    for loaded in (rebuilt(folder, base, {}), encoders.model(folder, base)):
        assert states(loaded.eval().encoder) == pytest.approx(expected, abs=1e-6)
    plain.save(folder)
    loaded = encoders.model(folder, base)
    assert states(loaded.encoder) == pytest.approx(states(plain.encoder), abs=1e-6)
    assert "Linear4bit" not in {type(m).__name__ for m in load_encoder(base).modules()}


@pytest.mark.parametrize("method", ["qlora", "fft"])
def test_language_models_load_by_their_library(tmp_path, monkeypatch, method):
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    backbone = tiny_backbone.build(tmp_path / "backbone")
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    made = tiny_backbone.job(backbone, tmp_path / "training", method, count=1)
    train(made)
    name = f"qwen2.5-coder-0.5b/mt-{method}"
    place = paths.seed_folder("smoke", name, 42)
    place.parent.mkdir(parents=True)
    made.folder.rename(place)
    target = export(name, tmp_path / "out", "smoke", 42)
    kind = AutoModelForCausalLM if method == "fft" else AutoPeftModelForCausalLM
    assert kind.from_pretrained(target).config.use_cache
    with pytest.raises(MtpeftError, match="no result"):
        export(name, tmp_path / "more", "smoke", 43, str(backbone))


def test_the_commit_of_a_base_from_the_hub_stands_in_configuration_and_cards(
    base, tmp_path, monkeypatch
):
    """A folder of the hub's cache is named for its commit; any other folder has none."""
    import json
    import shutil

    torch.set_num_threads(1)
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    commit = "0123456789abcdef0123456789abcdef01234567"
    for found in (commit, None):
        above = tmp_path / ("models--x--y/snapshots" if found else "folders")
        causal = tiny_backbone.build(above / commit)
        made = tiny_backbone.job(causal, tmp_path / f"training-{found}", "lora", count=1)
        train(made)
        weights = fingerprint(str(causal))["base_weights"]
        assert json.loads((made.result / "adapter_config.json").read_text())["revision"] == found
        card = (made.result / "README.md").read_text()
        assert weights in card and ("base_revision" in card) == bool(found)
        provenance = json.loads(next(made.result.glob("*.provenance.json")).read_text())
        assert provenance.get("base_revision") == found

        shutil.rmtree(causal)
        source = str(shutil.copytree(base, causal))
        name, _ = trained(source, "lora", tmp_path)
        target = export(name, tmp_path / f"out-{found}", "fast", 42, source)
        assert json.loads((target / "adapter_config.json").read_text())["revision"] == found
        card = (target / "README.md").read_text()
        assert fingerprint(base)["base_weights"] in card and ("base_revision" in card) == bool(
            found
        )

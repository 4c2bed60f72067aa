"""Compiled layers are the same function: results, names, resuming; elsewhere they are refused."""

import csv
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

sys.path.insert(0, str(Path(__file__).parent))
from mtpeft.core.errors import MtpeftError
from mtpeft.tuning import compiling
from mtpeft.tuning.train import train
from safetensors.torch import load_file
from tiny_backbone import build, job


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return build(tmp_path_factory.mktemp("backbone"))


def _trained(backbone, folder, method="lora", stop_at=None, **settings):
    made = job(backbone, folder, method, count=3, **{"weights": "float32", **settings})
    if stop_at:
        train(made, stop_at=stop_at)
    train(made)
    rows = csv.DictReader((made.folder / "loss_curve.csv").read_text().splitlines())
    return [float(row["loss"]) for row in rows], load_file(next(made.result.glob("*.safetensors")))


def _equal(one, other):
    assert len(one[0]) > 2 and other[0] == pytest.approx(one[0], rel=1e-5)
    assert one[1].keys() == other[1].keys()
    for name, tensor in one[1].items():
        # A step of Adam is as long as the rate where a gradient is near 0, whatever its sign.
        assert torch.allclose(tensor, other[1][name], rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize(("method", "packing"), [("lora", "isolated"), ("fft", "none")])
def test_a_compiled_run_has_the_losses_names_and_weights_of_one_that_is_not(
    backbone, tmp_path, monkeypatch, method, packing
):
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")  # traced as by the compiler, run as is
    chosen = {"packing": packing, "lora_dropout": 0.2, "save_steps": 2}
    plain = _trained(backbone, tmp_path / "plain", method, **chosen)
    cut = _trained(backbone, tmp_path / "cut", method, stop_at=2, compile="on", **chosen)
    _equal(plain, cut)


def _refused(backbone, folder, **settings):
    with pytest.raises(MtpeftError) as said:
        _trained(backbone, folder, compile="on", **settings)
    assert said.value.fix == "--set compile=off"
    return said.value.found


def test_what_no_test_shows_to_be_the_same_is_refused(backbone, tmp_path, monkeypatch):
    assert "4-bit weights" in _refused(backbone, tmp_path, method="qlora", weights="nf4")
    with monkeypatch.context() as patch:
        patch.setattr(compiling.shutil, "which", lambda name: None)
        assert "no C++ compiler" in _refused(backbone, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "processes", lambda: 2)
        assert "2 processes" in _refused(backbone, tmp_path)
    monkeypatch.setattr(compiling, "attention_of", lambda model: "flash_attention_2")
    assert "attention flash_attention_2" in _refused(backbone, tmp_path)


def test_a_compiler_that_makes_another_function_or_fails_is_noticed_before_the_first_step(
    backbone, tmp_path, monkeypatch, capsys
):
    """`on` is refused; `auto`, here on what is taken for a GPU, goes on without."""
    plain = _trained(backbone, tmp_path / "plain")

    def another(graph, inputs):
        return lambda *given: [made * made for made in graph(*given)]

    def broken(graph, inputs):
        raise ValueError("no such target")

    for number, (backend, why) in enumerate(((another, "results move by"), (broken, "no such"))):
        monkeypatch.setattr(compiling, "BACKEND", backend)
        if backend is another:
            assert why in _refused(backbone, tmp_path / "on")
        with monkeypatch.context() as patch:
            patch.setattr(compiling, "kind", lambda: "cuda")
            found = _trained(backbone, tmp_path / f"auto{number}", compile="auto")
        said = capsys.readouterr().out
        assert "layers are not compiled: " in said and why in said
        assert found[0] == plain[0]


def test_auto_compiles_nothing_without_a_gpu(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", lambda *_: pytest.fail("compiled"))
    _trained(backbone, tmp_path, compile="auto")


@pytest.mark.slow
def test_the_compiler_that_is_used_gives_the_same_run(backbone, tmp_path):
    if compiling.shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    plain = _trained(backbone, tmp_path / "plain", "fft", packing="wrapped")
    _equal(plain, _trained(backbone, tmp_path / "compiled", "fft", packing="wrapped", compile="on"))

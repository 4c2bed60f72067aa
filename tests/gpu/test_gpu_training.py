"""What only a GPU can show; skipped, and said so, where there is none."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recipe"))
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]

from mtpeft.inference.backends import Transformers  # noqa: E402
from mtpeft.inference.generate import generate  # noqa: E402
from mtpeft.tuning.train import train  # noqa: E402
from tiny_backbone import build, job  # noqa: E402


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("backbone"))


@pytest.mark.parametrize("method", ["fft", "qlora"])
def test_bf16_training_ends_with_finite_falling_loss(backbone, tmp_path, method):
    made = job(
        backbone,
        tmp_path,
        method,
        epochs=6,
        mixed_precision="bf16",
        compute_dtype="bfloat16",
        weights="nf4" if method == "qlora" else "bfloat16",
        learning_rate=0.003,
    )
    train(made)
    rows = (made.folder / "loss_curve.csv").read_text().splitlines()
    at = rows[0].split(",").index("loss")
    first, last = float(rows[1].split(",")[at]), float(rows[-1].split(",")[at])
    assert last < first


def test_out_of_memory_is_answered_on_the_gpu(backbone, tmp_path):
    made = job(backbone, tmp_path, "fft", batch_size=4)
    train(made, fail_at_rows=2)
    assert (made.folder / "finished.json").is_file()


def test_batched_answers_on_the_gpu_are_those_of_the_cpu(backbone):
    on_gpu = Transformers(str(backbone), None, "float32", False)
    prompts = ["int f() {", "def f(a, b):\n    return", "public static"]
    made = generate(on_gpu.model, on_gpu.tokenizer, prompts, 12)
    assert [g.text for g in generate(on_gpu.model.to("cpu"), on_gpu.tokenizer, prompts, 12)] == [
        g.text for g in made
    ]

"""What only a GPU can show; skipped, and said so, where there is none."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
RECIPE = Path(__file__).resolve().parents[1] / "recipe"
sys.path.insert(0, str(RECIPE))
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]

from mtpeft.inference.backends import Transformers, Vllm  # noqa: E402
from mtpeft.inference.generate import generate  # noqa: E402
from mtpeft.models.base import load_tokenizer  # noqa: E402
from mtpeft.tasks import wording  # noqa: E402
from mtpeft.tuning.loss import install  # noqa: E402
from mtpeft.tuning.objective import tokens  # noqa: E402
from mtpeft.tuning.plan import collate, plan  # noqa: E402
from mtpeft.tuning.store import tokenized  # noqa: E402
from mtpeft.tuning.train import train  # noqa: E402
from tiny_backbone import build, job  # noqa: E402

KERNELS = ["sdpa", *(["flash_attention_2"] if find_spec("flash_attn") else [])]
PROMPTS = ["int f() {", "def f(a, b):\n    return", "public static"]


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("backbone"))


def weights(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*.safetensors"))]


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


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_packed_batch_is_its_examples_one_at_a_time(backbone, tmp_path, kernel, rows):
    """The kernels that are there, in the type that each can have: flash attention has no float32."""
    flash = kernel == "flash_attention_2"
    kind, within = ("bfloat16", 2e-2) if flash else ("float32", 1e-5)

    def laid(packing):
        made = job(backbone, tmp_path, "fft", max_length=512, packing=packing, weights=kind,
                   compute_dtype=kind, attention=kernel)  # fmt: skip
        store = tokenized(
            made.train, load_tokenizer(str(backbone)), wording(), joined=False, longest=512
        )
        model = tokens.prepare("fft", str(backbone), made.settings, "cuda").train()
        install(model)
        return plan(store, made.settings, 1), model

    def moved(batch):
        return {k: v.to("cuda") if hasattr(v, "to") else v for k, v in batch.items()}

    packed, model = laid("isolated")
    alone, single = laid("none")
    ones = torch.ones(3, device="cuda")
    chosen = [packed[i] for i in range(min(rows, len(packed)))]
    inside = [int(e) for e in packed.segments[: packed.rows[len(chosen)], 0]]
    order = [int(e) for e in alone.segments[:, 0]]
    sums = model(**moved(collate(chosen, 0, flat=flash)), task_factors=ones)["task_sums"]
    parts = [
        single(**moved(collate([alone[order.index(e)]], 0, flat=flash)), task_factors=ones)
        for e in inside
    ]
    expected = sum(part["task_sums"] for part in parts)
    assert torch.allclose(sums, expected, rtol=within, atol=within)


def test_a_killed_run_ends_as_the_whole_one(backbone, tmp_path):
    chosen = {"epochs": 2, "save_steps": 3, "weights": "float32"}
    whole, killed = (job(backbone, tmp_path / name, "lora", **chosen) for name in ("all", "cut"))
    train(whole)
    train(killed, stop_at=4)
    assert not (killed.folder / "finished.json").exists()
    train(killed)
    assert weights(killed.result) == weights(whole.result)


def test_out_of_memory_is_answered_on_the_gpu(backbone, tmp_path):
    made = job(backbone, tmp_path, "fft", batch_size=4)
    train(made, fail_at_rows=2)
    assert (made.folder / "finished.json").is_file()


def test_a_real_out_of_memory_halves_the_micro_batch(backbone, tmp_path):
    """The memory is taken away step by step until the micro-batch that was asked for does not fit."""
    for left in (1024, 512, 256, 128, 64, 32):
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info()
        taken = torch.empty(max(0, free - (left << 20)), dtype=torch.uint8, device="cuda")
        made = job(backbone, tmp_path / str(left), "fft", count=60, batch_size=64, max_length=1024)
        train(made)
        del taken
        used = json.loads((made.folder / "settings.json").read_text())
        assert used["batch_size"] * used["gradient_accumulation"] == 64
        if used["batch_size"] < 64:
            return
    pytest.fail("64 rows fitted into 32 MiB")


def test_nf4_weights_mean_the_same_on_the_gpu(backbone, tmp_path):
    made = job(backbone, tmp_path, "qlora", count=3)
    train(made)
    on_gpu = Transformers(str(backbone), made.result, "float32", True)
    on_cpu_answers = _on_the_cpu(backbone, made.result)
    assert [g.text for g in on_gpu.answers(PROMPTS, 12, 0)] == on_cpu_answers


def _on_the_cpu(backbone: Path, result: Path) -> list[str]:
    code = (
        "import json, sys; from pathlib import Path; from mtpeft.inference.backends import Transformers\n"
        "b = Transformers(sys.argv[1], Path(sys.argv[2]), 'float32', True)\n"
        "print(json.dumps([g.text for g in b.answers(json.loads(sys.argv[3]), 12, 0)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(backbone), str(result), json.dumps(PROMPTS)],
        env={**os.environ, "MTPEFT_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_batched_answers_on_the_gpu_are_those_of_the_cpu(backbone):
    on_gpu = Transformers(str(backbone), None, "float32", False)
    assert on_gpu.tokens_in_flight > 1000
    made = generate(on_gpu.model, on_gpu.tokenizer, PROMPTS, 12)
    again = generate(on_gpu.model.to("cpu"), on_gpu.tokenizer, PROMPTS, 12)
    assert [g.text for g in again] == [g.text for g in made]


@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_answers_as_transformers(backbone):
    here = Transformers(str(backbone), None, "float32", False).answers(PROMPTS, 12, 0)
    assert Vllm(str(backbone), None, "float32", False).answers(PROMPTS, 12, 0) == here


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two GPUs")
@pytest.mark.parametrize("method", ["lora", "fft"])
def test_two_gpus_are_one_with_the_same_global_batch(backbone, tmp_path, method):
    """LoRA's parameters are replicated (DDP), those of full fine-tuning sharded (FSDP)."""
    chosen = {"weights": "float32", "batch_size": 2, "gradient_accumulation": 2}
    one = job(backbone, tmp_path / "one", method, **chosen)
    train(one)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*launcher, str(RECIPE / "two_processes.py"), str(backbone), str(tmp_path / "two"), method,
         json.dumps(chosen)],
        check=True, timeout=300,
    )  # fmt: skip
    two = job(backbone, tmp_path / "two", method, **chosen)

    def losses(made):
        rows = (made.folder / "loss_curve.csv").read_text().splitlines()
        at = rows[0].split(",").index("loss")
        return [float(row.split(",")[at]) for row in rows[1:] if row.split(",")[at]]

    assert losses(two) == pytest.approx(losses(one), rel=1e-3)

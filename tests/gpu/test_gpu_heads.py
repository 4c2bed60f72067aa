"""Runs with heads on a GPU: their losses are finite, a CPU gives the same verdicts with their weights, and a
killed run ends as the whole one.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]

from mtpeft.core.records import read_rows  # noqa: E402
from mtpeft.corpora.analysis import own  # noqa: E402
from mtpeft.tuning.tiny import save_encoder  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("vulnerability-detection", "clone-detection", "code-search", "flaky-detection")
METHODS = ("fft", "mlora", "prefix", "serial_adapter")
DEVICE = "cuda"
Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    texts = [text for task in TASKS for e in own(task, "train") for text in e.inputs.values()]
    save_encoder(folder, texts)
    return folder


@pytest.fixture
def begun(backbone) -> Command:
    """Begins a command about a run, with the tiny encoder and the project's own examples."""

    def start(command: str, run: str, out: Path, device: str, *more: str) -> subprocess.Popen[str]:
        corpus = ("--corpus", "multitask-peft-own", "--backbone", str(backbone))
        return subprocess.Popen(
            [sys.executable, "-m", "mtpeft", command, run, *corpus, *more],
            env={**os.environ, "MTPEFT_DEVICE": device, "MTPEFT_OUT": str(out),
                 "PYTHONPATH": str(ROOT / "code")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    return start


@pytest.fixture
def done(begun) -> Callable[..., None]:
    def run(*arguments: object) -> None:
        process = begun(*arguments)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said

    return run


def changes(**settings: object) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def of(out: Path, method: str) -> Path:
    return out / "training" / "fast" / "unixcoder-base" / f"mt-{method}" / "seed-42"


@pytest.mark.parametrize("method", METHODS)
def test_losses_on_a_gpu_are_finite_and_a_cpu_gives_the_verdicts_of_the_weights(
    done, tmp_path, method
):
    run, made = f"unixcoder-base/mt-{method}", tmp_path / "made"
    quick = changes(epochs=3, code_length=48, learning_rate=0.003, head_learning_rate=0.003)
    done("train", run, made, DEVICE, *quick)
    curve = read_rows(of(made, method) / "loss_curve.csv")
    assert all(math.isfinite(float(row["loss"])) for row in curve)

    shutil.rmtree(of(made, method) / "predictions", ignore_errors=True)
    said = []
    for device in (DEVICE, "cpu"):
        out = tmp_path / f"on-{device}-{len(said)}"
        shutil.copytree(made, out)
        done("infer", run, out, device)
        files = sorted((of(out, method) / "predictions").glob("*.jsonl"))
        assert len(files) == len(TASKS)
        rows = [json.loads(line) for path in files for line in path.read_text().splitlines()]
        said.append({(row["task"], row["instance_id"]): row for row in rows})
    assert said[0].keys() == said[1].keys()
    for name, row in said[0].items():
        assert row["output"] == said[1][name]["output"], name


def test_a_killed_run_with_heads_ends_as_the_whole_one(begun, done, tmp_path):
    run, quick = "unixcoder-base/mt-lora", changes(epochs=6, code_length=48, save_steps=2)
    done("train", run, tmp_path / "whole", DEVICE, *quick)
    process = begun("train", run, tmp_path / "cut", DEVICE, *quick)
    checkpoints, until = of(tmp_path / "cut", "lora") / "checkpoints", time.monotonic() + 120
    while not any(checkpoints.glob("*")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[0]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done("train", run, tmp_path / "cut", DEVICE, *quick)
    for path in sorted((of(tmp_path / "whole", "lora") / "best").glob("*.safetensors")):
        other = of(tmp_path / "cut", "lora") / "best" / path.name
        assert other.read_bytes() == path.read_bytes(), path.name

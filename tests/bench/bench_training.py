"""Training and decoding speed on a GPU, measured side by side in one run: faithful and fast profiles
and TRL's plain defaults.

    python tests/bench/bench_training.py [--sizes 0.5b 1.5b] [--steps 12] [--out FILE.md]
    python tests/bench/bench_training.py --tiny  # the same code on a CPU; its figures say nothing

Models have the real backbones' architecture and random weights; text is CodeXGLUE Java–C#
(MTPEFT_MIRROR or cache) or, where it is not there, the smoke corpora. Prints tokens/s (tokens of
rows, without padding), the share of the bf16 peak (6 N or 4 N operations a token, as in
mtpeft.tuning.estimate), peak memory beside what `mtpeft train plan` predicts, the ratios fast /
faithful and fast / TRL, and generated tokens/s; --out writes the same as a table. Without a GPU:
"not measured here".
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mtpeft.catalog import Backbone, Run, catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.corpora import Example, load
from mtpeft.inference.backends import Transformers
from mtpeft.tasks import wording
from mtpeft.tasks.rendering import render
from mtpeft.tuning.estimate import estimate
from mtpeft.tuning.job import Job
from mtpeft.tuning.settings import resolve
from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer
from mtpeft.tuning.train import train

# Dense bf16; of the 989 TFLOP/s of an H100's or H200's data sheet large matrix products reach 790.
PEAKS = {"H100": 790e12, "H200": 790e12, "A100": 312e12, "4090": 165e12}
WARM = 3  # steps that are not timed


def examples() -> list[Example]:
    """Translations; the smoke corpora again and again where the study's are not there."""
    try:
        return load("multitask-qlora", "translation", "train")[:4000]
    except MtpeftError:
        return [
            replace(e, id=f"{e.id}-{n}")
            for n in range(40)
            for e in load("smoke", "translation", "train")
        ]


def backbone(folder: Path, size: str, texts: list[str], tiny: bool) -> tuple[str, dict[str, Any]]:
    """Write a backbone with random weights; returns its folder and configuration."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = train_tokenizer(texts, 2000 if tiny else 32000)
    if tiny:
        model = tiny_model(tokenizer)
        config = {
            k: getattr(model.config, k)
            for k in (
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "num_key_value_heads",
                "vocab_size",
            )
        }
        config["tie_word_embeddings"] = True
    else:
        config = dict(catalog().get("backbones", f"qwen2.5-coder-{size}").config)
        del config["model_type"]
        torch.manual_seed(0)
        model = Qwen2ForCausalLM(
            Qwen2Config(
                **config, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
            )
        ).to(torch.bfloat16)
    save_backbone(folder, tokenizer, model)
    return str(folder), config


def predicted(size: str, method: str, profile: str, rows: int) -> float:
    """GiB that the plan gives a run of these settings."""
    run = Run("bench/plan", "bench", f"qwen2.5-coder-{size}", method, "mt", ["translation"])
    return estimate(run, replace(resolve(run, profile), batch_size=rows)).memory


def decoded(source: str, tiny: bool) -> float:
    """Generated tokens a second: greedy, in batches as large as the memory allows."""
    engine = Transformers(source, None, "float32" if tiny else "bfloat16", False)
    prompts = [e.inputs["code"] for e in examples()[: 16 if tiny else 512]]
    new = 16 if tiny else 256
    engine.answers(prompts[:4], new, 0)
    started = time.perf_counter()
    made = engine.answers(prompts, new, 256)
    return sum(g.tokens for g in made) / (time.perf_counter() - started)


def ours(
    source: str, method: str, profile: str, steps: int, tiny: bool, root: Path
) -> dict[str, float]:
    """One profile of this project; the first `WARM` steps are not counted."""
    run = Run(f"bench/{method}", "bench", "bench", method, "mt", ["translation"])
    settings = replace(
        resolve(run, profile),
        wording="own",
        eval_steps=0,
        selection="none",
        save_steps=0,
        warmup_steps=2,
        epochs=1,
        max_steps=steps,
        early_stopping_patience=0,
    )
    if tiny:
        settings = replace(
            settings,
            mixed_precision="no",
            compute_dtype="float32",
            batch_size=2,
            gradient_accumulation=1,
            weights="nf4" if method == "qlora" else "float32",
            max_length=min(settings.max_length, 256),
        )
    job = Job(
        run,
        settings,
        profile,
        source,
        "bench",
        {"translation": examples()},
        {"translation": examples()[:8]},
        root,
    )
    stamps: list[float] = []
    from mtpeft.tuning import callbacks

    original = callbacks.Recorder.on_step_end

    def timed(self: Any, *positional: Any, **named: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        stamps.append(time.perf_counter())
        original(self, *positional, **named)

    callbacks.Recorder.on_step_end = timed
    try:
        train(job)
    finally:
        callbacks.Recorder.on_step_end = original
    ledger = json.loads((job.folder / "ledger.json").read_text())
    used = json.loads((job.folder / "settings.json").read_text())
    each = sum(ledger["tokens"].values()) / len(stamps)
    return {
        "tokens_per_second": each * (len(stamps) - 1 - WARM) / (stamps[-1] - stamps[WARM]),
        "peak_memory_gib": ledger["peak_memory_mib"] / 1024,
        "rows": used["batch_size"],
        "length": used["max_length"],
    }


def weights(source: str) -> int:
    """Those in matrix products of a forward pass: all, the embedding being tied to the output."""
    from mtpeft.models.base import empty_causal
    from transformers import AutoConfig

    return sum(p.numel() for p in empty_causal(AutoConfig.from_pretrained(source)).parameters())


def trl(source: str, method: str, steps: int, tiny: bool, root: Path) -> dict[str, float]:
    """TRL's SFTTrainer with its defaults on the same examples (conversations as text, no packing)."""
    from datasets import Dataset
    from mtpeft.models.base import load_tokenizer
    from mtpeft.models.methods.lora import attach
    from mtpeft.tuning.settings import how
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    tokenizer, words = load_tokenizer(source), wording()
    data = Dataset.from_list(
        [{"input_ids": render(e, tokenizer, words).tokens} for e in examples()[: 8 * (steps + 1)]]
    )
    kind = torch.float32 if tiny else torch.bfloat16
    four = (
        BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=kind,
        )
        if method == "qlora"
        else None
    )
    model = AutoModelForCausalLM.from_pretrained(source, dtype=kind, quantization_config=four)
    run = Run("bench/qlora", "bench", "bench", "qlora", "mt", ["translation"])
    if method == "qlora":
        base = Backbone("bench", "", "", "", "", "decoder")
        model = attach(model, base, how(resolve(run, "fast"))).encoder
    stamps: list[tuple[float, int]] = []

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            stamps.append((time.perf_counter(), state.global_step))

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    trainer = SFTTrainer(
        model=model,
        train_dataset=data,
        processing_class=tokenizer,
        callbacks=[Clock()],
        args=SFTConfig(
            output_dir=str(root / "trl"),
            max_steps=steps,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            **({"use_cpu": True, "bf16": False} if tiny else {}),
        ),
    )
    trainer.train()
    tokens = sum(len(row) for row in data["input_ids"][: 8 * steps]) / steps
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else float("nan")
    return {
        "tokens_per_second": tokens * (len(stamps) - 1 - WARM) / (stamps[-1][0] - stamps[WARM][0]),
        "peak_memory_gib": peak,
        "rows": 8,
        "length": 0,
    }


def table(rows: list[dict[str, str]]) -> list[str]:
    """Rows as lines of Markdown."""
    heads = list(rows[0])
    cells = [heads, ["---"] * len(heads), *([row[h] for h in heads] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in cells]


def main() -> int:
    """Measure every combination and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["0.5b", "1.5b"])
    parser.add_argument("--methods", nargs="+", default=["qlora", "fft"])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if not torch.cuda.is_available() and not given.tiny:
        print("bench_training: not measured here: no GPU (--tiny runs the same code on a CPU)")
        return 0
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    peak = next((p for n, p in PEAKS.items() if n in device), None)
    texts = [t for e in examples()[:3000] for t in (e.inputs["code"], e.target)]
    rows: list[dict[str, str]] = []
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in ["tiny"] if given.tiny else given.sizes:
            source, config = backbone(Path(folder) / size, size, texts, given.tiny)
            for method in given.methods:
                speeds: dict[str, float] = {}
                for way in ("faithful", "fast", "trl"):
                    made = (
                        trl(source, method, given.steps, given.tiny, Path(folder))
                        if way == "trl"
                        else ours(
                            source, method, way, given.steps, given.tiny, Path(folder) / "runs"
                        )
                    )
                    operations = (6 if method == "fft" else 4) * weights(source)
                    share = made["tokens_per_second"] * operations / peak if peak else float("nan")
                    plan = float("nan")
                    if way != "trl" and not given.tiny:
                        plan = predicted(size, method, way, int(made["rows"]))
                    rows.append(
                        {
                            "size": size,
                            "method": method,
                            "way": way,
                            "tokens/s": f"{made['tokens_per_second']:.0f}",
                            "of peak": f"{share:.1%}",
                            "GiB": f"{made['peak_memory_gib']:.1f}",
                            "GiB planned": f"{plan:.1f}",
                            "rows": f"{made['rows']} × {made['length']}",
                        }
                    )
                    print("  ".join(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
                    speeds[way] = made["tokens_per_second"]
                    gc.collect()
                    if torch.cuda.is_available():
                        torch.cuda.empty_cache()
                said.append(
                    f"{size} {method}: fast / faithful {speeds['fast'] / speeds['faithful']:.2f}, "
                    f"fast / TRL {speeds['fast'] / speeds['trl']:.2f}"
                )
                print(said[-1], flush=True)
            said.append(f"{size}: {decoded(source, given.tiny):.0f} generated tokens/s")
            print(said[-1], flush=True)
    if given.out:
        lines = [
            f"{device}, torch {torch.__version__}, {given.steps} steps, {len(examples())} examples.",
            "",
            *table(rows),
            "",
            *(f"- {line}" for line in said),
        ]
        write_atomic(given.out, "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

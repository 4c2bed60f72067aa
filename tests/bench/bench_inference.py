"""Batched decoding beside one-at-a-time generation on a tiny model: tokens a second of both, and
whether they agree.

    OMP_NUM_THREADS=1 python tests/bench/bench_inference.py [--prompts 64] [--new-tokens 96]

Exit code 1 where outputs differ or the ratio is under 8.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recipe"))

import torch
from mtpeft.corpora import load
from mtpeft.inference.backends import Transformers
from mtpeft.inference.generate import texts
from mtpeft.tasks import rendered_prompt, wording
from tiny_backbone import build

REQUIRED = 8.0


def main() -> int:
    """Measure and print one line a way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=96)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        engine = Transformers(str(build(Path(folder))), None, "float32", False)
    examples = [
        e
        for task in ("summarization", "generation", "translation")
        for e in load("smoke", task, "train")
    ]
    chosen = examples[:: max(1, len(examples) // given.prompts)][: given.prompts]
    prompts = [rendered_prompt(e, engine.tokenizer, wording()) for e in chosen]

    def plain() -> list[str]:
        made = []
        for prompt in prompts:
            encoded = engine.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
            with torch.inference_mode():
                ids = engine.model.generate(
                    **encoded, max_new_tokens=given.new_tokens, do_sample=False
                )
            made.append(
                engine.tokenizer.decode(
                    ids[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True
                )
            )
        return made

    def batched() -> list[str]:
        return texts(engine.model, engine.tokenizer, prompts, given.new_tokens)

    results, speeds = {}, {}
    for name, way in (
        ("one at a time (transformers' generate)", plain),
        ("batched (mtpeft)", batched),
    ):
        way() if name.startswith("batched") else None  # the first batch pays for allocation
        started, cpu = time.perf_counter(), time.process_time()
        results[name] = way()
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        tokens = sum(
            len(engine.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in results[name]
        )
        speeds[name] = tokens / cpu
        print(
            f"{name:42} {tokens:6} tokens {wall:7.2f} s wall {cpu:7.2f} s CPU {tokens / cpu:9.0f} tokens/CPU-s"
        )
    first, second = results.values()
    ratio = list(speeds.values())[1] / list(speeds.values())[0]
    same = sum(a == b for a, b in zip(first, second, strict=True))
    print(
        f"ratio {ratio:.1f} (required {REQUIRED:.0f}); identical outputs {same} of {len(prompts)}"
    )
    return 0 if ratio >= REQUIRED and same == len(prompts) else 1


if __name__ == "__main__":
    sys.exit(main())

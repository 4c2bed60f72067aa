"""The miniature beside plain libraries on a CPU, in one run: SmolLM2-135M-Instruct on the translations that
`make proof-a` trains on.

    OMP_NUM_THREADS=1 python tests/bench/bench_miniature.py [--steps 3] [--repeats 3] [--out FILE.md]

Training: the profile `miniature` beside TRL's SFTTrainer with the same weights, optimizer, adapters, precision and
examples, as many examples a step as fill one of the profile's rows, the loss on answers alone in both, no
gradient checkpointing. Generation: the batches that `mtpeft infer` makes, and answers as long as the profile lets them
be, beside `model.generate` on the same batches, and beside one prompt at a time (every sixth prompt, by length). Figures are tokens (prompt and answer in training, answers in generation; no padding) for each
second of CPU time, which other processes on the machine hardly change; medians over the repeats, smallest and largest behind.

Exit code 1 where a way of this package is slower than the plain one (by more than the spread of its repeats), where batches
are not five times one at a time, or where the answers differ.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("MTPEFT_DEVICE", "cpu")

import torch
from mtpeft.catalog import Backbone, Run, catalog
from mtpeft.core.files import write_atomic
from mtpeft.corpora import load, subsample_evenly
from mtpeft.corpora.weights import source_of
from mtpeft.inference.backends import Transformers, swift_dtype
from mtpeft.inference.batches import batches
from mtpeft.inference.settings import profile
from mtpeft.models.base import load_tokenizer
from mtpeft.tasks import rendered_prompt, wording
from mtpeft.tasks.rendering import Rendered, render
from mtpeft.tuning import callbacks
from mtpeft.tuning.job import Job
from mtpeft.tuning.settings import how, resolve
from mtpeft.tuning.train import train

BACKBONE, TASK, CORPUS = "smollm2-135m-instruct", "translation", "miniature-qlora"
TIMES = 5.0
"""How many times as fast batches have to be as one prompt at a time."""
PROFILE = profile("miniature")
NEW_TOKENS, IN_FLIGHT = PROFILE.decoding(TASK).new_tokens, PROFILE.tokens_in_flight
ALONE = 6
"""Of so many prompts one is answered alone, too: all would take half an hour."""
WARM = 1


class Clock:
    """CPU seconds at the end of each step."""

    def __init__(self) -> None:
        self.stamps: list[float] = []

    def tick(self) -> None:
        self.stamps.append(time.process_time())

    def each(self) -> float:
        """CPU seconds of a step, those of the first `WARM` left out."""
        return (self.stamps[-1] - self.stamps[WARM - 1]) / (len(self.stamps) - WARM)


def settings(run: Run, steps: int, dtype: str) -> Any:
    """The profile's, for a few steps in one precision."""
    chosen = resolve(run, "miniature")
    return replace(
        chosen,
        max_steps=steps,
        warmup_steps=1,
        selection="none",
        save_steps=0,
        mixed_precision="bf16" if dtype == "bfloat16" else "no",
        compute_dtype=dtype,
    )


def ours(source: str, method: str, steps: int, dtype: str, root: Path) -> tuple[float, int]:
    """Tokens a CPU second of this package's training, and the examples of a step."""
    run = Run(f"bench/{method}", "bench", "bench", method, "mt", [TASK])
    examples = load(CORPUS, TASK, "train")
    job = Job(
        run,
        settings(run, steps, dtype),
        "miniature",
        source,
        "bench",
        {TASK: examples},
        {TASK: examples[:4]},
        root,
    )
    clock, original = Clock(), callbacks.Recorder.on_step_end

    def timed(self: Any, *positional: Any, **named: Any) -> None:
        clock.tick()
        original(self, *positional, **named)

    callbacks.Recorder.on_step_end = timed
    try:
        train(job)
    finally:
        callbacks.Recorder.on_step_end = original
    ledger = json.loads((job.folder / "ledger.json").read_text())
    tokens = sum(ledger["tokens"].values()) / len(clock.stamps)
    sizes = [len(e.tokens) for e in _rendered(load_tokenizer(source), job.settings.max_length)]
    return tokens / clock.each(), max(1, round(tokens * len(sizes) / sum(sizes)))


def _rendered(tokenizer: Any, length: int) -> list[Rendered]:
    """The training examples that fit into a row."""
    every = (render(e, tokenizer, wording()) for e in load(CORPUS, TASK, "train"))
    return [r for r in every if len(r.tokens) <= length]


def plain(
    source: str, method: str, steps: int, dtype: str, rows: int, root: Path
) -> tuple[float, int]:
    """Tokens a CPU second of TRL's SFTTrainer with the same settings, and the examples of a step."""
    from datasets import Dataset
    from mtpeft.models.methods.lora import attach
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    run = Run(f"bench/{method}", "bench", "bench", method, "mt", [TASK])
    chosen = settings(run, steps, dtype)
    tokenizer = load_tokenizer(source)
    data = Dataset.from_list(
        [
            {
                "input_ids": r.tokens,
                "completion_mask": [int(i >= r.prompt) for i in range(len(r.tokens))],
            }
            for r in _rendered(tokenizer, chosen.max_length)
        ]
    )
    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
    model = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=torch.float32,
        quantization_config=four if method == "qlora" else None,
        attn_implementation="sdpa",
    )
    if method == "qlora":
        base = Backbone("bench", "", "", "", "", "decoder")
        model = attach(model, base, how(chosen)).encoder
    clock, seen = Clock(), []

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.tick()

    class Counting(SFTTrainer):
        def training_step(self, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
            seen.append(int(inputs["attention_mask"].sum()))
            return super().training_step(model, inputs, *more, **named)

    Counting(
        model=model,
        train_dataset=data,
        processing_class=tokenizer,
        callbacks=[Watch()],
        args=SFTConfig(
            output_dir=str(root / "trl"),
            max_steps=steps,
            per_device_train_batch_size=rows,
            gradient_accumulation_steps=1,
            gradient_checkpointing=False,
            completion_only_loss=True,
            max_length=chosen.max_length,
            learning_rate=chosen.learning_rate,
            lr_scheduler_type="cosine",
            optim=chosen.optimizer,
            bf16=dtype == "bfloat16",
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        ),
    ).train()
    return sum(seen[WARM:]) / (clock.stamps[-1] - clock.stamps[WARM - 1]), rows


def answers(
    engine: Transformers, prompts: list[str], new_tokens: int, alone: list[int]
) -> dict[str, Callable[[], dict[int, str]]]:
    """The three ways of answering some prompts; one at a time only those of `alone`."""
    lengths = [len(i) for i in engine.tokenizer(prompts, add_special_tokens=False)["input_ids"]]
    made = list(batches(lengths, new_tokens, engine.tokens_in_flight or IN_FLIGHT))
    print(
        f"{len(prompts)} prompts in batches of {', '.join(str(len(b)) for b in made)}", flush=True
    )

    def library(batch: list[int]) -> list[str]:
        encoded = engine.tokenizer(
            [prompts[i] for i in batch], return_tensors="pt", padding=True, add_special_tokens=False
        )
        with torch.inference_mode():
            ids = engine.model.generate(
                **encoded, max_new_tokens=new_tokens, do_sample=False, use_cache=True
            )
        width = encoded["input_ids"].shape[1]
        return list(engine.tokenizer.batch_decode(ids[:, width:], skip_special_tokens=True))

    def ours_of(batch: list[int]) -> list[str]:
        return [g.text for g in engine.answers([prompts[i] for i in batch], new_tokens, 0)]

    def by(way: Callable[[list[int]], list[str]], some: list[list[int]]) -> dict[int, str]:
        return {i: text for batch in some for i, text in zip(batch, way(batch), strict=True)}

    return {
        "mtpeft, batches": lambda: by(ours_of, made),
        "model.generate, the same batches": lambda: by(library, made),
        "model.generate, one at a time": lambda: by(library, [[i] for i in alone]),
    }


def generation(
    source: str, dtype: str, number: int, new_tokens: int, repeats: int
) -> tuple[dict[str, list[float]], int, int]:
    """Answer tokens a CPU second of each way, by repeat; on how many answers all ways agree, of those
    that all ways gave.
    """
    engine = Transformers(source, None, dtype, False)
    examples = subsample_evenly(load(CORPUS, TASK, "test"), number)
    prompts = [rendered_prompt(e, engine.tokenizer, wording(inference=True)) for e in examples]
    by_length = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    alone = subsample_evenly(by_length, max(1, number // ALONE))
    ways = answers(engine, prompts, new_tokens, alone)
    speeds: dict[str, list[float]] = {}
    said: dict[str, dict[int, str]] = {}
    engine.answers(prompts[:2], 2, 0)
    for _ in range(repeats):
        for name, way in ways.items():
            before = time.process_time()
            said[name] = way()
            used = time.process_time() - before
            ids = engine.tokenizer(list(said[name].values()), add_special_tokens=False)["input_ids"]
            speeds.setdefault(name, []).append(sum(map(len, ids)) / used)
    return speeds, sum(len({some[i] for some in said.values()}) == 1 for i in alone), len(alone)


def line(what: str, way: str, dtype: str, speeds: list[float]) -> str:
    """A row of the table."""
    middle, low, high = statistics.median(speeds), min(speeds), max(speeds)
    return f"| {what} | {way} | {dtype} | {middle:.1f} | {low:.1f} to {high:.1f} | {len(speeds)} |"


def main() -> int:
    """Measure, print, and say what is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3, help="timed, after one that is not")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=48)
    parser.add_argument("--new-tokens", type=int, default=NEW_TOKENS)
    parser.add_argument("--dtype", default="", help="default: the faster one of this processor")
    parser.add_argument("--only", choices=["training", "generation"], default="")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    dtype = given.dtype or swift_dtype()
    source = source_of(catalog().get("backbones", BACKBONE))
    rows: list[str] = []
    said: list[str] = []
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        for method in ("qlora", "fft") if given.only != "generation" else ():
            speeds: dict[str, list[float]] = {"mtpeft": [], "TRL": []}
            for number in range(given.repeats):
                place = Path(folder) / f"{method}-{number}"
                mine, examples = ours(source, method, given.steps + WARM, dtype, place)
                theirs, _ = plain(source, method, given.steps + WARM, dtype, examples, place)
                speeds["mtpeft"].append(mine)
                speeds["TRL"].append(theirs)
                gc.collect()
            rows += [line(f"training, {method}", way, dtype, some) for way, some in speeds.items()]
            ratio = statistics.median(speeds["mtpeft"]) / statistics.median(speeds["TRL"])
            said.append(f"training, {method}: {ratio:.2f} times TRL, {examples} examples a step")
            slow |= ratio < 1 and max(speeds["mtpeft"]) < min(speeds["TRL"])
            print(*rows[-2:], said[-1], sep="\n", flush=True)
    if given.only != "training":
        found, same, both = generation(
            source, dtype, given.prompts, given.new_tokens, given.repeats
        )
        rows += [line("generation", way, dtype, some) for way, some in found.items()]
        batched, plainly, alone = (statistics.median(some) for some in found.values())
        said.append(
            f"generation: {batched / plainly:.2f} times model.generate on the same batches, "
            f"{batched / alone:.1f} times one at a time (required {TIMES:.0f}); all ways agree on {same} "
            f"of {both} answers"
        )
        ways = list(found.values())
        slow |= batched < plainly and max(ways[0]) < min(ways[1])
        slow |= batched < TIMES * alone or same < both
        print(*rows[-3:], said[-1], sep="\n", flush=True)
    if given.out:
        head = [
            "| what | way | products | tokens a CPU second | range | repeats |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        machine = f"{platform.processor() or platform.machine()}, torch {torch.__version__}"
        threads = (
            f"{torch.get_num_threads()} thread, {given.steps} timed steps, {given.prompts} prompts"
        )
        text = [f"{machine}, {threads}.", "", *head, *rows, "", *(f"- {s}" for s in said)]
        write_atomic(given.out, "\n".join(text) + "\n")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())

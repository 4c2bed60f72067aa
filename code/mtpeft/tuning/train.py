"""One training run, from examples to an adapter on the disk."""

import gc
import hashlib
import json
import math
import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mtpeft.catalog import Run
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text
from mtpeft.corpora import Example
from mtpeft.corpora.weights import fingerprint
from mtpeft.tasks import wording
from mtpeft.tuning import identity
from mtpeft.tuning.settings import Settings, as_dict

FINISHED = "finished.json"


@dataclass(frozen=True)
class Job:
    """What to train: a run, its settings, its backbone (folder or hub snapshot), its examples by
    task and split.

    profile names the folder of the result; base names the backbone in the adapter's configuration
    (hub id or folder).
    """

    run: Run
    settings: Settings
    profile: str
    source: str
    base: str
    train: dict[str, Sequence[Example]]
    valid: dict[str, Sequence[Example]]
    root: Path = paths.REGENERATED / "training"

    @property
    def folder(self) -> Path:
        """Where everything of this run and seed goes."""
        return paths.seed_folder(self.profile, self.run.id, self.settings.seed, self.root)

    @property
    def result(self) -> Path:
        """The adapter (PEFT's format), or the whole model for full fine-tuning."""
        return self.folder / ("model" if self.run.method == "fft" else "adapter")


def train(
    job: Job,
    *,
    generate: Callable[..., list[str]] | None = None,
    resume: bool = True,
    stop_at: int | None = None,
    fail_at_rows: int | None = None,
) -> Path:
    """Train, or go on from the last checkpoint, or return the finished result. Returns
    `job.result`.

    A result or checkpoint that something else decided (see `identity`) is refused, naming what
    differs.

    generate: how text is generated for selection (the inference stage's function). stop_at: end
    after this optimizer step as a killed process would (for tests). fail_at_rows: pretend that a
    micro-batch of more rows than this does not fit into memory (for tests). Out of memory: the
    micro-batch is divided, the accumulation multiplied, the effective batch kept; raises
    `MtpeftError` when one row does not fit.
    """
    import torch

    finished = job.folder / FINISHED
    if not resume and job.folder.exists():
        shutil.rmtree(job.folder)
    identity.claim(job.folder, identity_of(job), (FINISHED, "checkpoints"))
    if finished.is_file():
        identity.unbroken(job.folder, json.loads(finished.read_text(encoding="utf-8"))["files"])
        return job.result
    settings = job.settings
    while True:
        try:
            return _train_once(job, settings, generate, stop_at, fail_at_rows)
        except torch.OutOfMemoryError as error:
            smaller = next(
                (
                    n
                    for n in range(settings.batch_size // 2, 0, -1)
                    if settings.batch_size * settings.gradient_accumulation % n == 0
                ),
                None,
            )
            if smaller is None or int(os.environ.get("WORLD_SIZE", "1")) > 1:
                raise MtpeftError(
                    f"out of memory with {settings.batch_size} rows of {settings.max_length} tokens",
                    "a micro-batch that fits" + ("" if smaller is None else " on every process"),
                    "--set gradient_checkpointing=true, a smaller batch_size with a larger "
                    "gradient_accumulation, or a smaller max_length",
                ) from error
            settings = replace(
                settings,
                batch_size=smaller,
                gradient_accumulation=settings.batch_size
                * settings.gradient_accumulation
                // smaller,
            )
            print(
                f"train: out of memory; going on with {settings.batch_size} rows × {settings.gradient_accumulation} "
                "accumulation steps (the same effective batch)"
            )
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def identity_of(job: Job) -> dict[str, Any]:
    """Everything that decides the result of a job; see `identity`."""
    data = {
        split: {task: identity.of_examples(some) for task, some in by.items()}
        for split, by in (("train", job.train), ("valid", job.valid))
    }
    words = json.dumps(asdict(wording(job.settings.wording, job.run.arm)), sort_keys=True)
    return {
        "run": job.run.id,
        "method": job.run.method,
        "settings": as_dict(job.settings),
        "data": data,
        "wording": hashlib.sha256(words.encode()).hexdigest(),
        **fingerprint(job.source),
        **identity.of_program(),
    }


def _train_once(
    job: Job,
    settings: Settings,
    generate: Callable[..., list[str]] | None,
    stop_at: int | None,
    fail_at_rows: int | None,
) -> Path:
    import torch
    from transformers import EarlyStoppingCallback, PrinterCallback

    from mtpeft.tuning.backbone import load_tokenizer
    from mtpeft.tuning.balancing import balancing
    from mtpeft.tuning.callbacks import PerTaskStopping, Recorder
    from mtpeft.tuning.loss import install
    from mtpeft.tuning.methods import prepare
    from mtpeft.tuning.plan import plan, validation_plan
    from mtpeft.tuning.seeding import seed_everything
    from mtpeft.tuning.store import tokenized
    from mtpeft.tuning.trainer import MultiTaskTrainer

    started = time.monotonic()
    seed_everything(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = load_tokenizer(job.source)
    words = wording(settings.wording, job.run.arm)
    layout = {
        "joined": settings.packing == "wrapped",
        "longest": None if settings.packing == "wrapped" else settings.max_length,
    }
    store = tokenized(job.train, tokenizer, words, **layout)
    multiple = settings.batch_size * settings.gradient_accumulation
    settings = on_each(settings, identity.processes())
    arguments = _arguments(job, settings, device)
    rows = plan(store, settings, multiple)
    if not len(rows):
        raise MtpeftError(
            f"{job.run.id}: {len(store.tokens)} tokens fill no row of {settings.max_length}",
            "at least one row",
        )
    validation, metrics = {}, None
    rule = balancing(
        settings.balancing,
        len(store.names),
        **{k: v for k, v in settings.balancing_options.items() if k != "every"},
    )
    if settings.eval_steps or rule.needs_validation:
        validation = {
            task: validation_plan(
                tokenized({task: some}, tokenizer, words, **layout), settings, settings.eval_samples
            )
            for task, some in job.valid.items()
        }
        for number, task in enumerate(store.names):  # a plan of one task numbers it 0
            validation[task].store.tasks[:] = number
        metrics = _metrics(job, settings, tokenizer, words, layout, generate)
    seed_everything(settings.seed)  # the adapter's weights do not depend on what was drawn before
    model = prepare(job.run.method, job.source, settings, _local(device))
    install(model)
    if fail_at_rows is not None:
        _pretend_full(model, fail_at_rows)
    trainer = MultiTaskTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        rule=rule,
        validation=validation,
        metrics=metrics,
        padding=tokenizer.pad_token_id,
        eval_dataset=rows if validation else None,
    )
    trainer.remove_callback(PrinterCallback)  # a raw line a step; the recorder speaks instead
    trainer.add_callback(
        Recorder(
            trainer,
            job.folder / "tensorboard",
            int(settings.balancing_options.get("every", 10)),
            f"{job.run.id} seed {settings.seed}",
        )
    )
    checkpoint = _last_checkpoint(job.folder / "checkpoints")
    if checkpoint is not None:
        trainer.restore(checkpoint)
    if (
        settings.per_task_stopping
        and settings.early_stopping_patience
        and settings.selection == "generation"
    ):
        stopping = PerTaskStopping(
            trainer, settings.early_stopping_patience, settings.early_stopping_threshold
        )
        if checkpoint is not None:
            stopping.restore(checkpoint)
        trainer.add_callback(stopping)
    elif settings.early_stopping_patience and settings.selection != "none" and settings.eval_steps:
        trainer.add_callback(
            EarlyStoppingCallback(
                settings.early_stopping_patience, settings.early_stopping_threshold
            )
        )
    if stop_at is not None:
        trainer.add_callback(_stop(stop_at))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seed_everything(settings.seed)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
    if stop_at is not None and trainer.state.global_step < trainer.state.max_steps:
        return job.result
    _write(job, settings, trainer, tokenizer, rows.sha256(), time.monotonic() - started)
    return job.result


def on_each(settings: Settings, processes: int) -> Settings:
    """The settings of one of several processes: together they take the same rows in a step as one
    process would.

    Raises:
        MtpeftError: The rows of a step cannot be divided among them.
    """
    rows, rest = divmod(settings.batch_size * settings.gradient_accumulation, processes)
    if rest:
        raise MtpeftError(
            f"{settings.batch_size * settings.gradient_accumulation} rows a step on {processes} processes",
            "a number of processes that divides the rows",
            f"GPUS={math.gcd(rows * processes + rest, processes)}, "
            "or --set gradient_accumulation=N",
        )
    micro = next(n for n in range(min(settings.batch_size, rows), 0, -1) if rows % n == 0)
    return replace(settings, batch_size=micro, gradient_accumulation=rows // micro)


def _local(device: str) -> str:
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device


def _arguments(job: Job, s: Settings, device: str) -> Any:
    from transformers import TrainingArguments

    watched = s.eval_steps > 0
    chosen = watched and s.selection != "none"
    save = (
        s.eval_steps if chosen else s.save_steps
    )  # the best checkpoint must have been saved when it was evaluated
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    made = TrainingArguments(
        output_dir=str(job.folder / "checkpoints"),
        use_cpu=device == "cpu",
        seed=s.seed,
        data_seed=s.seed,
        per_device_train_batch_size=s.batch_size,
        per_device_eval_batch_size=s.batch_size,
        gradient_accumulation_steps=s.gradient_accumulation,
        num_train_epochs=1,  # the plan holds all epochs
        learning_rate=s.learning_rate,
        lr_scheduler_type=s.schedule,
        warmup_steps=s.warmup_steps,
        optim=s.optimizer,
        weight_decay=s.weight_decay,
        adam_beta1=s.adam_betas[0],
        adam_beta2=s.adam_betas[1],
        max_grad_norm=s.gradient_clipping,
        bf16=s.mixed_precision == "bf16",
        activation_checkpointing=s.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False}
        if s.gradient_checkpointing
        else None,
        eval_strategy="steps" if watched else "no",
        eval_steps=s.eval_steps or None,
        save_strategy="steps" if save else "no",
        save_steps=save or 500,
        save_total_limit=s.save_total_limit,
        load_best_model_at_end=chosen,
        metric_for_best_model=("eval_loss" if s.selection == "loss" else "eval_selection")
        if chosen
        else None,
        greater_is_better=s.selection != "loss" if chosen else None,
        logging_strategy="steps",
        logging_steps=s.logging_steps,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        ddp_backend="gloo" if several and device == "cpu" else None,
        ddp_find_unused_parameters=False if several else None,
        **({"fsdp": True} if several and job.run.method == "fft" else {}),
    )
    # A process that no launcher started would take every visible GPU, with as many times the batch.
    made._n_gpu = min(1, made.n_gpu)
    return made


def _metrics(
    job: Job,
    s: Settings,
    tokenizer: Any,
    words: Any,
    layout: dict[str, Any],
    generate: Callable[..., list[str]] | None,
) -> Any:
    from mtpeft.tuning import selection
    from mtpeft.tuning.plan import validation_plan
    from mtpeft.tuning.store import tokenized

    if s.selection == "generation":
        if generate is None:
            raise MtpeftError(
                "selection is `generation`, but no way to generate was given",
                "mtpeft train gives it",
                "--set selection=loss",
            )
        return selection.generated(
            {t: some[: s.selection_samples] for t, some in job.valid.items()},
            tokenizer,
            words,
            generate,
        )
    if s.selection == "teacher-forced":
        union = validation_plan(tokenized(job.valid, tokenizer, words, **layout), s, s.eval_samples)
        return selection.teacher_forced(union, tokenizer, list(job.valid))
    return None


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    complete = [p for p in folder.glob("checkpoint-*") if (p / "balancing.json").is_file()]
    return max(complete, key=lambda p: int(p.name.split("-")[1]), default=None)


def _stop(step: int) -> Any:
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop = state.global_step >= step

    return Stop()


def _pretend_full(model: Any, rows: int) -> None:
    import torch

    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    forward = causal.forward

    def limited(*positional: Any, **named: Any) -> Any:
        if len(named["input_ids"]) > rows:
            raise torch.OutOfMemoryError(f"pretended: {len(named['input_ids'])} rows")
        return forward(*positional, **named)

    causal.forward = limited


def _write(
    job: Job, used: Settings, trainer: Any, tokenizer: Any, order: str, seconds: float
) -> None:
    """Result, model card, loss curve, ledger, settings, provenance; the mark of completion last."""
    from mtpeft.tuning.seeding import describe_device

    trainer.accelerator.wait_for_everyone()
    model = trainer.accelerator.unwrap_model(trainer.model)
    if trainer.is_fsdp_enabled:
        trainer.save_model(str(job.result))
        trainer.accelerator.wait_for_everyone()  # the first process may still be collecting what the others hold
    if not trainer.is_world_process_zero():
        return
    if not trainer.is_fsdp_enabled:
        if hasattr(model, "peft_config"):
            model.peft_config["default"].base_model_name_or_path = job.base
        model.save_pretrained(job.result)
    tokenizer.save_pretrained(job.result)
    columns = list(trainer.curve[0]) if trainer.curve else ["step"]
    write_atomic(
        job.folder / "loss_curve.csv",
        csv_text(columns, ([row[c] for c in columns] for row in trainer.curve)),
    )
    write_atomic(job.folder / "settings.json", _json(as_dict(used)))
    ledger = _ledger(trainer, seconds, describe_device())
    write_atomic(job.folder / "ledger.json", _json(ledger))
    write_atomic(job.result / "README.md", model_card(job, used, trainer.names, ledger, order))
    weights = next(job.result.glob("*.safetensors"))
    write_provenance(
        weights,
        [job.folder / "settings.json"],
        run=job.run.id,
        profile=job.profile,
        seeds=[used.seed],
        base=job.base,
        data_order_sha256=order,
        device=ledger["device"],
        processes=trainer.args.world_size,
    )
    files = identity.seal(
        job.folder, [p for p in job.result.iterdir() if p.suffix in (".safetensors", ".json")]
    )
    write_atomic(job.folder / FINISHED, _json({"steps": trainer.state.global_step, "files": files}))


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _ledger(trainer: Any, seconds: float, device: dict[str, Any]) -> dict[str, Any]:
    """What the run cost. Times in seconds, memory in MiB; price only where MTPEFT_PRICE_PER_HOUR is
    set.
    """
    import torch

    price = os.environ.get("MTPEFT_PRICE_PER_HOUR")
    tokens = int(trainer.tokens_seen.sum())
    seconds += trainer.seconds_before
    peak = (
        torch.cuda.max_memory_allocated()
        if torch.cuda.is_available()
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return {
        "device": device,
        "processes": trainer.args.world_size,
        "seconds": round(seconds, 3),
        "steps": trainer.state.global_step,
        "stopped_tasks": sorted(trainer.stopped),
        "tokens": {n: int(t) for n, t in zip(trainer.names, trainer.tokens_seen, strict=True)},
        "supervised_tokens": {
            n: int(t) for n, t in zip(trainer.names, trainer.supervised_seen, strict=True)
        },
        "tokens_per_second": round(tokens / trainer.seconds, 1),
        "peak_memory_mib": round(peak / 2**20, 1),
        "device_hours": round(seconds / 3600 * trainer.args.world_size, 6),
        "cost": round(float(price) * seconds / 3600 * trainer.args.world_size, 4)
        if price
        else None,
        "selected_step": trainer.state.best_global_step
        if trainer.state.best_model_checkpoint
        else None,
    }


def model_card(
    job: Job, used: Settings, tasks: list[str], ledger: dict[str, Any], order: str
) -> str:
    """The README of a result: what it is, how it was made, how to load it."""
    kind = "full model" if job.run.method == "fft" else "PEFT adapter"
    load = (
        "AutoModelForCausalLM.from_pretrained(folder)"
        if job.run.method == "fft"
        else "PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)"
    )
    rows = "\n".join(f"| {name} | {value} |" for name, value in as_dict(used).items())
    return f"""---
base_model: {job.base}
library_name: {"transformers" if job.run.method == "fft" else "peft"}
tags: [code, {", ".join(tasks)}]
---
# {job.run.id}, seed {used.seed}, profile {job.profile}

A {kind} trained by mtpeft on {", ".join(f"{t} ({len(job.train[t])} examples)" for t in tasks)}.

    {load}

It saw {sum(ledger["tokens"].values())} tokens in {ledger["steps"]} steps on {ledger["device"]["device"]}.
Data order (SHA-256): `{order}`. Loss curve, cost and provenance lie beside this folder. Evaluated by the run's scores, not here.

| setting | value |
|---|---|
{rows}
"""

"""One training run, from examples to a result on the disk that says what it is."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text
from mtpeft.corpora.weights import fingerprint, revision_of
from mtpeft.tasks import wording
from mtpeft.tuning import identity
from mtpeft.tuning.job import Job
from mtpeft.tuning.once import Fitted, once
from mtpeft.tuning.settings import Settings, as_dict


def train(
    job: Job,
    *,
    generate: Callable[..., list[str]] | None = None,
    stop_at: int | None = None,
    fail_at_rows: int | None = None,
) -> Path:
    """Tune a causal language model, or go on from the last checkpoint, or take the finished result.

    Args:
        job: What to train.
        generate: How text is generated for selection (the inference stage's function).
        stop_at: End after this optimizer step as a killed process would (for tests).
        fail_at_rows: Pretend that a micro-batch of more rows than this does not fit into memory
            (for tests).

    Returns:
        `job.result`.

    Raises:
        MtpeftError: The folder holds a result of something else (see `identity`), or one row does
            not fit into memory.
    """

    def fit(settings: Settings) -> Fitted | None:
        from mtpeft.tuning.objective import tokens

        fitted = tokens.fit(job, settings, generate, stop_at, fail_at_rows)
        if fitted is None:
            return None
        trainer, tokenizer, order = fitted
        tokens.write(job, trainer, tokenizer)
        if trainer.is_world_process_zero():
            _write(job, settings, trainer, order)
        files = [p for p in job.result.glob("*") if p.suffix in (".safetensors", ".json")]
        return {"steps": trainer.state.global_step}, files

    once(job.folder, decides(job), job.settings, fit, job.called)
    return job.result


def decides(job: Job) -> dict[str, Any]:
    """Everything that decides the result of a job, the program apart; see `identity`."""
    data = {
        split: {task: identity.of_examples(some) for task, some in by.items()}
        for split, by in (("train", job.train), ("valid", job.valid))
    }
    words = json.dumps(asdict(wording(job.settings.wording, job.run.regime)), sort_keys=True)
    return {
        "run": job.run.id,
        "method": job.run.method,
        "settings": as_dict(job.settings),
        "data": data,
        "wording": hashlib.sha256(words.encode()).hexdigest(),
        **fingerprint(job.source),
    }


def _write(job: Job, used: Settings, trainer: Any, order: str) -> None:
    """Model card, loss curve, ledger, settings, provenance."""
    columns = list(trainer.curve[0]) if trainer.curve else ["step"]
    rows = ([row[c] for c in columns] for row in trainer.curve)
    write_atomic(job.folder / "loss_curve.csv", csv_text(columns, rows))
    write_atomic(job.folder / "settings.json", _json(as_dict(used)))
    chosen = trainer.state.best_global_step if trainer.state.best_model_checkpoint else None
    ledger = {
        "device": trainer.opening,
        "steps": trainer.state.global_step,
        "stopped_tasks": sorted(trainer.stopped),
        "selected_step": chosen,
        **trainer.ledger.summary(trainer.args.world_size),
    }
    write_atomic(job.folder / "ledger.json", _json(ledger))
    write_atomic(job.result / "README.md", model_card(job, used, trainer.names, ledger, order))
    write_provenance(
        next(job.result.glob("*.safetensors")),
        [job.folder / "settings.json"],
        run=job.run.id,
        profile=job.profile,
        seeds=[used.seed],
        **job.called,
        data_order_sha256=order,
        device=ledger["device"],
        processes=trainer.args.world_size,
        **revision_of(job.source),
        **fingerprint(job.source),
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def model_card(
    job: Job, used: Settings, tasks: list[str], ledger: dict[str, Any], order: str
) -> str:
    """The README of a result: what it is, how it was made, how to load it."""
    kind = "full model" if job.whole else "PEFT adapter"
    load = (
        "AutoModelForCausalLM.from_pretrained(folder)"
        if job.whole
        else "PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)"
    )
    base = {**revision_of(job.source), **fingerprint(job.source)}
    made = {**job.called, **base, **as_dict(used)}
    rows = "\n".join(f"| {name} | {value} |" for name, value in made.items())
    return f"""---
base_model: {job.base}
library_name: {"transformers" if job.whole else "peft"}
tags: [code, {", ".join(tasks)}]
---
# {job.run.id}, seed {used.seed}, profile {job.profile}

A {kind} trained by mtpeft on {", ".join(f"{t} ({len(job.train[t])} examples)" for t in tasks)}.

    {load}

It saw {sum(ledger["tokens"].values())} tokens in {ledger["steps"]} steps on {ledger["device"]["device"]}.
Data order (SHA-256): `{order}`. Loss curve, cost and provenance lie next to this folder. Evaluated by the run's scores, not here.

| setting | value |
|---|---|
{rows}
"""

"""A tiny backbone and small jobs for the training and inference tests (imported, not collected)."""

from dataclasses import replace
from pathlib import Path

from mtpeft.catalog import Run
from mtpeft.corpora import load
from mtpeft.tuning.job import Job
from mtpeft.tuning.settings import resolve
from mtpeft.tuning.tiny import save_backbone, tiny_model, train_tokenizer

TASKS = ["generation", "summarization", "translation"]


def build(folder: Path) -> Path:
    """A random Qwen2 of one layer with a tokenizer trained on the smoke corpora."""
    texts = [
        text
        for task in TASKS
        for e in load("smoke", task, "train")
        for text in (*e.inputs.values(), e.target)
    ]
    tokenizer = train_tokenizer(texts, 600)
    save_backbone(folder, tokenizer, tiny_model(tokenizer, hidden=32, layers=1, heads=2))
    return folder


def job(
    backbone: Path,
    root: Path,
    method: str = "qlora",
    tasks: list[str] | None = None,
    count: int = 6,
    **settings,
) -> Job:
    """A job on the first `count` short smoke examples of each task."""
    tasks = tasks or TASKS
    run = Run(f"tiny/mt-{method}", "smoke", "tiny", method, "mt", tasks)
    base = {
        "max_length": 288,
        "epochs": 1,
        "batch_size": 2,
        "warmup_steps": 2,
        "learning_rate": 0.005,
    }
    chosen = resolve(run, "smoke", {**base, **settings})

    def some(task: str, split: str) -> list:
        return [e for e in load("smoke", task, split) if len(e.target) < 220][:count]

    return Job(
        run,
        chosen,
        "smoke",
        str(backbone),
        str(backbone),
        {t: some(t, "train") for t in tasks},
        {t: some(t, "valid") for t in tasks},
        root,
    )


def with_settings(given: Job, **changes) -> Job:
    """The same job with other settings."""
    return replace(given, settings=replace(given.settings, **changes))

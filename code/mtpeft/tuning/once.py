"""One seed's folder: claimed by what decides its result, locked, trained once, sealed when finished."""

import contextlib
import gc
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.finished import FINISHED, outcome
from mtpeft.core.locks import held
from mtpeft.tuning import identity
from mtpeft.tuning.settings import Settings

CHECKPOINTS = "checkpoints"
Fitted = tuple[dict[str, Any], Iterable[Path]]
"""What the mark of completion keeps, and the files that make up the result."""


def once(
    folder: Path,
    decides: Mapping[str, Any],
    settings: Settings,
    fit: Callable[[Settings], Fitted | None],
    called: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train in `folder`, or go on from its last checkpoint, or take the finished result.

    Where memory runs out, the micro-batch is divided and the accumulation multiplied: the same
    rows make up a step.

    Args:
        folder: Of one seed.
        decides: Everything that decides the result, the program apart (see `identity`).
        settings: Of the run.
        fit: Trains under settings, from the last checkpoint where there is one; None where it was
            cut off.
        called: As in `identity.claim`.

    Returns:
        What `fit` kept of the finished result ({} where it was cut off).

    Raises:
        MtpeftError: The folder is another result's, is in use, or one row does not fit into memory.
    """
    import torch

    finished = folder / FINISHED
    first = identity.rank() == 0
    with held(folder, wait=False) if first else contextlib.nullcontext():
        wanted = {**decides, **identity.of_program()}
        identity.claim(folder, wanted, (FINISHED, CHECKPOINTS), called)
        if finished.is_file():
            found = outcome(finished)
            identity.unbroken(folder, found.files)
            if first:  # what ended between the mark and their removal left them
                shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
            return found.kept
        while True:
            if torch.cuda.is_available():  # of this seed and micro-batch, not of those before
                torch.cuda.reset_peak_memory_stats()
            try:
                fitted = fit(settings)
                break
            except torch.OutOfMemoryError as error:
                settings = _smaller(settings, error)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        if fitted is None:
            return {}
        kept, files = fitted
        if first:
            record = {"kept": kept, "files": identity.seal(folder, files)}
            write_atomic(finished, json.dumps(record, indent=1, sort_keys=True) + "\n")
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        return kept


def _smaller(settings: Settings, error: Exception) -> Settings:
    rows = settings.batch_size * settings.gradient_accumulation
    smaller = next((n for n in range(settings.batch_size // 2, 0, -1) if rows % n == 0), None)
    if smaller is None or identity.processes() > 1:
        raise MtpeftError(
            f"out of memory with {settings.batch_size} rows at a time",
            "a micro-batch that fits" + ("" if smaller is None else " on every process"),
            "--set gradient_checkpointing=true, a smaller batch_size with a larger "
            "gradient_accumulation, or a smaller max_length or code_length",
        ) from error
    print(
        f"train: out of memory; going on with {smaller} rows × {rows // smaller} "
        "accumulation steps (the same effective batch)"
    )
    return replace(settings, batch_size=smaller, gradient_accumulation=rows // smaller)


def on_each(settings: Settings, processes: int) -> Settings:
    """The settings of one of several processes: together they take the same rows in a step as one
    process would.

    Raises:
        MtpeftError: The rows of a step cannot be divided among them.
    """
    whole = settings.batch_size * settings.gradient_accumulation
    rows, rest = divmod(whole, processes)
    if rest:
        fits = max(n for n in range(1, processes) if whole % n == 0)
        raise MtpeftError(
            f"{whole} rows a step on {processes} processes",
            "a number of processes that divides the rows",
            f"GPUS={fits}, or --set gradient_accumulation=N",
        )
    micro = next(n for n in range(min(settings.batch_size, rows), 0, -1) if rows % n == 0)
    return replace(settings, batch_size=micro, gradient_accumulation=rows // micro)

"""Which GPUs this machine lends to processes that work side by side."""

import os
import re

from mtpeft.core import processes
from mtpeft.core.errors import MtpeftError

_NAME = re.compile(r"\d+|(GPU|MIG)-\S+", re.ASCII)


def devices(workers: int) -> list[str]:
    """What CUDA_VISIBLE_DEVICES is for each worker: one visible GPU each, or nothing without GPUs
    (or where MTPEFT_DEVICE is cpu).

    Args:
        workers: How many; 0: one for each visible GPU, one where there is none.

    Raises:
        MtpeftError: More workers than GPUs, where there are any, or CUDA_VISIBLE_DEVICES names none
            that CUDA would take.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if os.environ.get("MTPEFT_DEVICE") == "cpu":
        visible = ""
    if visible is None:
        query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        try:
            done = processes.run(query, seconds=30)
            visible = ",".join(done.text.split()) if done.code == 0 else ""
        except MtpeftError:  # no such program, or it does not answer: no GPU that can be used
            visible = ""
    found = _named(visible)
    if not found:
        return [""] * max(1, workers)
    if workers > len(found):
        raise MtpeftError(
            f"{workers} processes on {len(found)} GPUs",
            "at most one process a GPU",
            "--workers 0 (of mtpeft infer: --processes 0)",
        )
    return found[: workers or len(found)]


def _named(visible: str) -> list[str]:
    """The GPUs that CUDA_VISIBLE_DEVICES names. CUDA hides what stands behind -1, and all of a list
    with a name that stands twice or is none: its workers would compute on the CPU, without a word.
    """
    names = [name.strip() for name in visible.strip().rstrip(",").split(",")]
    hidden = [at for at, name in enumerate(names) if name in ("-1", "NoDevFiles", "")]
    if hidden and (names[hidden[0]] or len(names) == 1):
        names = names[: hidden[0]]
    wrong = [n for n in names if names.count(n) > 1 or not _NAME.fullmatch(n)]
    if wrong:
        raise MtpeftError(
            f"CUDA_VISIBLE_DEVICES is {visible!r}, and CUDA finds no GPU behind {wrong[0]!r}",
            "numbers or UUIDs (GPU-…, MIG-…) with commas between them, each once",
            "nvidia-smi -L, then export CUDA_VISIBLE_DEVICES=0",
        )
    return names

"""Which GPUs this machine lends to processes that work side by side."""

import os

from mtpeft.core import processes
from mtpeft.core.errors import MtpeftError


def devices(workers: int) -> list[str]:
    """What CUDA_VISIBLE_DEVICES is for each worker: one visible GPU each, or nothing without GPUs
    (or where MTPEFT_DEVICE is cpu).

    Args:
        workers: How many; 0: one for each visible GPU, one where there is none.

    Raises:
        MtpeftError: More workers than GPUs, where there are any.
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
    found = [name for name in visible.split(",") if name]
    if not found:
        return [""] * max(1, workers)
    if workers > len(found):
        raise MtpeftError(
            f"{workers} workers on {len(found)} GPUs", "at most one worker a GPU", "--workers 0"
        )
    return found[: workers or len(found)]

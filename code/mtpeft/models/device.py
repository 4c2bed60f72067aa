"""Which device computes: one answer for tuning and inference, said before work begins.

One process computes on one device, whatever is visible. A large model on a CPU is a thousand times
slower than on a GPU and looks like a hang, so it has to be asked for (MTPEFT_DEVICE=cpu).
"""

import os
import re
from pathlib import Path
from typing import Any

from mtpeft.core import environment
from mtpeft.core.errors import MtpeftError
from mtpeft.core.text import first_line

LARGE = 200_000_000
"""Bytes of weights from which a model is not meant for a CPU."""


LOST = re.compile(
    r"(CUDA|HIP|cuDNN|NCCL) (driver |internal )?error|error \[CUDA\]"
    r"|(CUBLAS|CUDNN|CUSPARSE|CUSOLVER|HIPBLAS)_STATUS_"
    r"|illegal memory access|misaligned address|unspecified launch failure",
    re.IGNORECASE,
)


class DeviceLost(MtpeftError):
    """The device failed, not the work."""


def kind() -> str:
    """`cuda`, or `cpu` where there is no GPU or MTPEFT_DEVICE says so."""
    import torch

    wanted = os.environ.get("MTPEFT_DEVICE", "")
    if wanted not in ("", "cpu", "cuda"):
        raise MtpeftError(f"MTPEFT_DEVICE is {wanted}", "cpu or cuda", "unset MTPEFT_DEVICE")
    found = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" != found:
        raise MtpeftError(
            "MTPEFT_DEVICE is cuda, and torch finds no GPU",
            "a GPU, its driver, and a torch that was built for them",
            "make doctor, then MTPEFT_TORCH=cuda make .venv/.train",
        )
    return wanted or found


def local() -> str:
    """This process's device, as torch names it."""
    return f"cuda:{environment.count('LOCAL_RANK', 0)}" if kind() == "cuda" else "cpu"


def suits(source: str) -> None:
    """Make sure that a model is meant for this machine.

    Args:
        source: Folder of the weights.

    Raises:
        MtpeftError: The model is large, and there is no GPU.
    """
    size = sum(
        p.stat().st_size for p in Path(source).glob("*") if p.suffix in (".safetensors", ".bin")
    )
    if size >= LARGE and kind() == "cpu" and not os.environ.get("MTPEFT_DEVICE"):
        raise MtpeftError(
            f"{size / 1e9:.1f} GB of weights in {source}, and torch finds no GPU",
            "a GPU with a driver that suits the installed torch",
            "make doctor; MTPEFT_TORCH=cuda make .venv/.train; or MTPEFT_DEVICE=cpu for a very slow "
            "run on the CPU",
        )


def synchronize() -> None:
    """Wait for what was queued on a GPU: a clock that is read before is a clock of the queueing."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def stop_where_lost(error: Exception) -> None:
    """Raise where an error says that the device is lost to this process: every further instance
    would fail alike, and none of them by its own fault.

    Raises:
        DeviceLost: The error is one of the device.
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return
    kinds = getattr(torch, "AcceleratorError", ())
    if isinstance(error, kinds) or LOST.search(str(error)):
        raise DeviceLost(
            f"the GPU failed: {first_line(error)}",
            "a device that answers",
            "nvidia-smi, then the same command again: it goes on where it was",
        ) from error


def described() -> dict[str, Any]:
    """What this process computes on."""
    import platform

    import torch

    if kind() == "cpu":
        return {
            "device": "cpu",
            "processor": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
    here = torch.cuda.get_device_properties(local())
    return {
        "device": here.name,
        "driver_cuda": torch.version.cuda,
        "count": torch.cuda.device_count(),
        "memory_gib": round(here.total_memory / 2**30, 1),
        "torch": torch.__version__,
    }

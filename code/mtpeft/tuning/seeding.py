"""Seeds before anything random."""

import os
import random
from typing import Any


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch and ask for deterministic kernels, before a model or an adapter
    is made.
    """
    import numpy as np
    import torch
    import transformers

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (libraries draw from the global generator)
    torch.manual_seed(seed)
    transformers.set_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def describe_device() -> dict[str, Any]:
    """What the run computes on."""
    import platform

    import torch

    if not torch.cuda.is_available():
        return {
            "device": "cpu",
            "processor": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
    return {
        "device": torch.cuda.get_device_name(),
        "driver_cuda": torch.version.cuda,
        "count": torch.cuda.device_count(),
        "memory_gib": round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1),
        "torch": torch.__version__,
    }

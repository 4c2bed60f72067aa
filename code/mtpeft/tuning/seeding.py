"""Seeds before anything random."""

import os
import random


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

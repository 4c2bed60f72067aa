"""Layers of a language model that torch compiles, where they are shown to stay the same function.

Layers are compiled one by one and in place: weights keep their names, so checkpoints and results are
those of a model that was never compiled, and can be resumed by one. Text is generated without it:
its shapes change with every token.
"""

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
import torch._inductor.config

from mtpeft.core.errors import MtpeftError
from mtpeft.core.text import one_line
from mtpeft.models.base import attention_of
from mtpeft.models.device import kind
from mtpeft.tuning.identity import processes
from mtpeft.tuning.settings import Settings

BACKEND = "inductor"


def uncompiled() -> Any:
    """Within it every layer runs as it is written."""
    return torch.compiler.set_stance("force_eager")


def compiled(model: Any, settings: Settings) -> list[Any]:
    """Have the layers of a causal language model compiled when they are first called.

    Args:
        model: The model, plain or below PEFT.
        settings: `compile` is `off`; `auto`: on a GPU, where nothing speaks against it; or `on`.

    Returns:
        The layers; none where they stay as they are.

    Raises:
        MtpeftError: `compile` is `on`, and something speaks against it.
    """
    if settings.compile == "off" or (settings.compile == "auto" and kind() != "cuda"):
        return []
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    names = set(causal._no_split_modules or ())  # noqa: SLF001 (the library names its layers there)
    layers = [m for m in causal.modules() if type(m).__name__ in names]
    against = {
        "4-bit weights": settings.weights == "nf4",
        f"attention {attention_of(model)}": attention_of(model) not in ("sdpa", "eager"),
        "Liger's kernels": settings.liger and kind() == "cuda" and bool(find_spec("liger_kernel")),
        f"{processes()} processes": processes() > 1,
        "no C++ compiler": shutil.which("c++") is None and shutil.which("g++") is None,
        f"no layers that {type(causal).__name__} names": not layers,
    }
    found = [what for what, holds in against.items() if holds]
    if found and settings.compile == "on":
        raise MtpeftError(
            f"compile=on with {', '.join(found)}: not shown to be the same function",
            "16- or 32-bit weights, attention sdpa or eager, one process and a C++ compiler",
            "--set compile=off",
        )
    torch._inductor.config.fallback_random = True  # noqa: SLF001 (dropout draws as without it)
    for layer in [] if found else layers:
        layer.compile(backend=BACKEND, dynamic=True)
    return [] if found else layers


def prove(
    layers: list[Any], passed: Callable[[], list[torch.Tensor]], resolution: float, must: bool
) -> list[Any]:
    """Compare compiled layers with themselves as written, on this machine and this run's own rows.

    Args:
        layers: The compiled ones.
        passed: Gives losses and gradients of a pass.
        resolution: Of the products' type; rounding may move a result by its square root.
        must: Whether a difference is an error.

    Returns:
        `layers`, or none where they differ or cannot be compiled, and run as written from now on.

    Raises:
        MtpeftError: They differ, or cannot be compiled, and must not.
    """
    with uncompiled():
        expected = passed()
    try:
        moved = [
            float((a - b).norm() / a.norm().clamp(min=1e-30))
            for a, b in zip(expected, passed(), strict=True)
        ]
        worst = max(moved)
        problem = "" if worst <= resolution**0.5 else f"results move by {worst:.1e}"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        first = str(error).splitlines()[:2]  # what failed in whose hands; advice follows
        problem = one_line(" ".join([f"{type(error).__name__}:", *first]))
    if not problem:
        return layers
    if must:
        raise MtpeftError(
            f"compiled layers: {problem}", "the results of the model", "--set compile=off"
        )
    for layer in layers:
        layer._compiled_call_impl = None  # noqa: SLF001 (torch has no way back)
    print(f"train: layers are not compiled: {problem}")
    return []

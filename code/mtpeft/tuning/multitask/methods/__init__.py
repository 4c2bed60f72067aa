"""What is trained: one module per method, each with `attach(encoder, tuning) -> Attached` and
`count(config, tuning) -> int`.

A method of the catalog names its module in `tuning.module`; without that its id, less a `-b`, is a
module here. So a method can come from outside the package. `count` is the closed form of the
trained parameters, heads apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mtpeft.catalog import Method, Run, catalog
from mtpeft.core.errors import MtpeftError, UnknownName

KNOWN = ("serial_adapter", "parallel_adapter", "lora", "prefix", "fft")


@dataclass(frozen=True)
class Attached:
    """An encoder with a method on it. encoder: to be called as before; extra: modules of the method
    that do not lie inside it; save and load: the trained weights of the method as one file or
    folder.
    """

    encoder: Any
    save: Callable[[Path], None]
    load: Callable[[Path], None]
    extra: Any = None


def has_shared_module(run: Run) -> bool:
    """Whether a run trains one module with a head per task: the objective of its method is
    `heads`, or it names a module of its own.
    """
    method = catalog().get("methods", run.method)
    return method.objective == "heads" or "module" in method.tuning


def method_module(method: Method) -> ModuleType:
    """The module of a method. Raises `UnknownName` or `MtpeftError` where there is none or it lacks
    a function.
    """
    name = method.tuning.get("module")
    if name is None:
        short = method.id.removesuffix("-b")
        if short not in KNOWN:
            raise UnknownName("method with a shared module", method.id, KNOWN)
        name = f"{__name__}.{short}"
    module = import_module(name)
    missing = [f for f in ("attach", "count") if not callable(getattr(module, f, None))]
    if missing:
        raise MtpeftError(
            f"module {name} of method {method.id} lacks {', '.join(missing)}", "attach and count"
        )
    return module


def freeze(encoder: Any) -> None:
    """No weight of the encoder is trained."""
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)


def tensors_saver(module: Any) -> tuple[Callable[[Path], None], Callable[[Path], None]]:
    """save and load of a module's trained tensors, by name, as safetensors."""
    from safetensors.torch import load_file, save_file

    def save(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {
                n: p.detach().cpu().contiguous()
                for n, p in module.named_parameters()
                if p.requires_grad
            },
            path,
        )

    def load(path: Path) -> None:
        wanted, found = (
            {n for n, p in module.named_parameters() if p.requires_grad},
            load_file(path),
        )
        if wanted != found.keys():
            raise MtpeftError(
                f"{path} holds other tensors than the model trains",
                f"{len(wanted)} tensors",
                f"one of {sorted(wanted ^ found.keys())[:3]} differs",
            )
        module.load_state_dict(found, strict=False)

    return save, load

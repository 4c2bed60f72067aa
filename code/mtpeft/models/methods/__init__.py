"""What is trained: one module per method, with `attach(model, backbone, how) -> Attached`.

A method of the catalog names its module; without one, `mtpeft.models.methods.<id>` is it. So a
method can come from outside the package. `how` are the run's settings and the method's own options,
by name. A module with `WHOLE = True` trains every weight: the result is then a whole model. One
whose own tokens stand before the text has `positions(how)`: how many.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from mtpeft.catalog import Backbone, Method
from mtpeft.core.errors import MtpeftError, UnknownName


@dataclass(frozen=True)
class Attached:
    """A model with a method on it.

    Attributes:
        encoder: The model, to be called as before.
        save: Writes the trained weights of the method as one file.
        load: Takes them up from such a file.
        extra: Modules of the method that do not lie inside the model.
        choose: Told the number of the task before each forward pass, where the method knows tasks.
    """

    encoder: Any
    save: Callable[[Path], None]
    load: Callable[[Path], None]
    extra: Any = None
    choose: Callable[[int], None] | None = None


def shipped() -> list[str]:
    """The ids of the methods that have a module here."""
    return sorted(m.name for m in iter_modules(__path__))


def method_module(method: Method) -> ModuleType:
    """The module of a method.

    Raises:
        UnknownName: No such method has a module.
        MtpeftError: The module lacks `attach`.
    """
    name = method.module or f"{__name__}.{method.id}"
    if not method.module and find_spec(name) is None:
        raise UnknownName("method with a module", method.id, shipped())
    module = import_module(name)
    if not callable(getattr(module, "attach", None)):
        raise MtpeftError(
            f"module {name} of method {method.id} lacks attach",
            "attach(model, backbone, how)",
            "see mtpeft/models/methods/fft.py",
        )
    return module


def trains_whole(method: Method) -> bool:
    """Whether a method trains every weight of the model."""
    return bool(getattr(method_module(method), "WHOLE", False))


def positions_taken(method: Method, how: Mapping[str, Any]) -> int:
    """Positions of the model that tokens of the method's own take from each text.

    Args:
        method: The method.
        how: The run's settings.
    """
    count: Callable[[Mapping[str, Any]], int] | None
    count = getattr(method_module(method), "positions", None)
    return count(how) if count else 0


def modules_of(backbone: Backbone, kind: str, given: Any = None) -> list[str]:
    """The names of the modules of a backbone that a kind of method changes.

    Args:
        backbone: Whose YAML may declare them (`modules`).
        kind: Key of that declaration, `adapters` or `lora`, say.
        given: What the method says, where the backbone says nothing.

    Raises:
        MtpeftError: Neither says anything.
    """
    found = list(backbone.modules.get(kind) or given or [])
    if not found:
        raise MtpeftError(
            f"backbone {backbone.id} does not say which modules take {kind}",
            f"modules: {{{kind}: [last parts of module names]}}",
            f"add that line to the backbone's YAML ({backbone.id}.yaml)",
        )
    return found


def freeze(model: Any) -> None:
    """No weight of the model is trained."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def tensors_saver(module: Any) -> tuple[Callable[[Path], None], Callable[[Path], None]]:
    """Functions that save and load a module's trained tensors, by name, as safetensors.

    Raises:
        MtpeftError: From loading, where the file's tensors are not those of the module.
    """
    from safetensors.torch import load_file, save_file

    def save(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        save_file({n: p.detach().cpu().contiguous() for n, p in trained.items()}, path)

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

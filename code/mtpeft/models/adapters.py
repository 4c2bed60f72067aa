"""Serial and parallel bottleneck adapters on any backbone, by hooks on its own modules.

Serial (Houlsby et al. 2019, arXiv:1902.00751): y → y + up(gelu(down(y))) on the output y of a
module. Parallel (He et al. 2022, arXiv:2110.04366): up(gelu(down(x))) is added to the output of one
module, x being the input of another one. `up` starts at zero, so a new adapter changes nothing; the
study's library started it at N(0, 0.01).

File format (`save`, `load`): safetensors, float32; tensors `<n>.down.weight` [d, h],
`<n>.down.bias` [d], `<n>.up.weight` [h, d], `<n>.up.bias` [h] for site n = 0, 1, …; one metadata
entry `adapters`, a JSON object with sorted keys: `format` = mtpeft-adapters-1, `kind` = serial or
parallel, `sites` = list in the order of n, each the module (serial) or [module read, module added
to] (parallel). One entry, because the library writes several in an order that changes from run to
run.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtpeft.core.errors import BadInput, MtpeftError

FORMAT = "mtpeft-adapters-1"
SERIAL, PARALLEL = "serial", "parallel"


class Bottleneck(nn.Module):
    """[…, h] → […, h] through d: down, GELU (tanh form), up.

    Args:
        hidden: h, the width of the hidden states.
        bottleneck: d.
        device: Where the weights are made.
    """

    def __init__(self, hidden: int, bottleneck: int, device: Any = None) -> None:
        super().__init__()
        self.down = nn.Linear(hidden, bottleneck, device=device)
        self.up = nn.Linear(bottleneck, hidden, device=device)
        nn.init.normal_(self.down.weight, std=0.01)
        for tensor in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(tensor)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """What is added, in the type of `states`."""
        inner = nn.functional.gelu(self.down(states.to(self.down.weight.dtype)), approximate="tanh")
        return self.up(inner).to(states.dtype)


class Adapters(nn.ModuleList):
    """The adapters of one model, in site order.

    Args:
        model: The model, which is hooked and keeps its own modules.
        kind: `serial` or `parallel`.
        sites: As in the file format.
        hidden: The width of the hidden states.
        bottleneck: The width of an adapter.

    Raises:
        MtpeftError: There is no site.
    """

    def __init__(
        self, model: nn.Module, kind: str, sites: list[Any], hidden: int, bottleneck: int
    ) -> None:
        if not sites:
            raise MtpeftError(
                f"no {'pair of modules' if kind == PARALLEL else 'module'} of {type(model).__name__} "
                f"takes a {kind} adapter",
                "module names that occur in it",
                "correct `adapters` under modules: in the backbone's YAML",
            )
        device = next(model.parameters()).device
        super().__init__([Bottleneck(hidden, bottleneck, device) for _ in sites])
        self.kind, self.sites = kind, sites
        modules = dict(model.named_modules())
        for adapter, site in zip(self, sites, strict=True):
            if kind == SERIAL:
                modules[site].register_forward_hook(_serial(adapter))
            else:
                read, add = _parallel(adapter)
                modules[site[0]].register_forward_pre_hook(read, with_kwargs=True)
                modules[site[1]].register_forward_hook(add)


def _serial(adapter: nn.Module) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        return _changed(output, lambda states: states + adapter(states))

    return hook


def _parallel(adapter: nn.Module) -> tuple[Any, Any]:
    waiting: list[torch.Tensor] = []

    def read(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        waiting[:] = [inputs[0] if inputs else named["hidden_states"]]

    def add(module: nn.Module, inputs: Any, output: Any) -> Any:
        # Kept until the next pass: where activations are recomputed, this hook runs again alone.
        states = waiting[0]
        return _changed(output, lambda found: found + adapter(states))

    return read, add


def _changed(output: Any, change: Any) -> Any:
    """A module's output with its hidden states (alone, or the first of a tuple) replaced."""
    return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)


def matching(model: nn.Module, names: list[str]) -> list[str]:
    """Modules whose name ends in one of `names`, whole parts of it, in the order of the model.
    Pooling layers do not count.
    """
    return [
        name
        for name, _ in model.named_modules()
        if f".{name}".endswith(tuple(f".{n}" for n in names)) and not name.startswith("pooler")
    ]


def pairs(sites: list[str]) -> list[list[str]]:
    """Two by two: read the first, add to the second. A last one without partner gets none."""
    return [[sites[i], sites[i + 1]] for i in range(0, len(sites) - 1, 2)]


def save(adapters: Adapters, path: Path) -> None:
    """Write the adapters in the format above, under a temporary name first."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    save_file(
        {
            name: tensor.detach().to("cpu", torch.float32).contiguous()
            for name, tensor in adapters.state_dict().items()
        },
        temporary,
        metadata={"adapters": json.dumps(_about(adapters), sort_keys=True)},
    )
    temporary.replace(path)


def _about(adapters: Adapters) -> dict[str, Any]:
    return {"format": FORMAT, "kind": adapters.kind, "sites": adapters.sites}


def load(adapters: Adapters, path: Path) -> None:
    """Fill adapters from a file.

    Raises:
        BadInput: Its format, kind, sites or shapes are not those of `adapters`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as stored:
            about = json.loads((stored.metadata() or {}).get("adapters", "{}"))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise BadInput(
            path, f"cannot be read as safetensors: {error}", "a file that `save` wrote"
        ) from error
    for key, value in _about(adapters).items():
        if about.get(key) != value:
            raise BadInput(path, f"{key} is {about.get(key)}", f"{value}, as in the model")
    shapes = {name: tuple(tensor.shape) for name, tensor in adapters.state_dict().items()}
    if (found := {name: tuple(tensor.shape) for name, tensor in tensors.items()}) != shapes:
        wrong = sorted(
            name for name in found.keys() | shapes.keys() if found.get(name) != shapes.get(name)
        )
        raise BadInput(
            path,
            f"{wrong[0]} has shape {found.get(wrong[0])}",
            f"{shapes.get(wrong[0])}, as in the model",
        )
    adapters.load_state_dict(tensors)

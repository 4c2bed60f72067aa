"""MTL-LoRA: LoRA whose update depends on the task (Yang et al. 2024, arXiv:2410.09437).

    y = W x + (alpha / r) B_t diag(l_t) A dropout(x),   B_t = sum_j softmax(w_t)_j B_j

A [r, in] and the pool B_1 … B_n [out, r] are shared by all tasks; each task t has a diagonal l_t
[r] and a mixture w_t [n], n being `mlora_pool`. A and w begin at random (Kaiming uniform), l at 1
and the pool at 0, so that a new adapter changes nothing. The study's revision has four tasks and a
pool of four; its counts are r (in + n out) + T (r + n) for each module.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mtpeft.catalog import Backbone
from mtpeft.core.errors import MtpeftError
from mtpeft.models.adapters import matching
from mtpeft.models.methods import Attached, freeze, modules_of, tensors_saver


class TaskLinear(nn.Module):
    """A frozen linear layer with an update of low rank for each task.

    Args:
        base: The layer.
        tasks: How many there are.
        how: Settings by name: `lora_rank`, `lora_alpha`, `lora_dropout`, `mlora_pool`.
    """

    def __init__(self, base: nn.Linear, tasks: int, how: Mapping[str, Any]) -> None:
        super().__init__()
        rank, pool, device = how["lora_rank"], how["mlora_pool"], base.weight.device
        self.base, self.task, self.scale = base, 0, how["lora_alpha"] / rank
        self.dropout = nn.Dropout(how["lora_dropout"])
        self.down = nn.Parameter(torch.empty(rank, base.in_features, device=device))
        self.up = nn.Parameter(torch.zeros(pool, base.out_features, rank, device=device))
        self.diagonal = nn.Parameter(torch.ones(tasks, rank, device=device))
        self.mixture = nn.Parameter(torch.empty(tasks, pool, device=device))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.mixture, a=math.sqrt(5))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """The formula above, for the task that was chosen last."""
        inner = self.dropout(states.to(self.down.dtype)) @ self.down.T * self.diagonal[self.task]
        up = torch.einsum("p,por->or", self.mixture[self.task].softmax(0), self.up)
        change = self.scale * (inner @ up.T)
        out: torch.Tensor = self.base(states)
        return out + change.to(out.dtype)


def attach(model: Any, backbone: Backbone, how: Mapping[str, Any]) -> Attached:
    """The model, frozen, with task-dependent LoRA on the modules that the backbone's YAML names.

    Raises:
        MtpeftError: A named module is no linear layer.
    """
    freeze(model)
    modules, layers = dict(model.named_modules()), []
    for name in matching(model, modules_of(backbone, "mlora")):
        if not isinstance(modules[name], nn.Linear):
            raise MtpeftError(
                f"{name} of backbone {backbone.id} is a {type(modules[name]).__name__}",
                "linear layers for mlora",
                f"correct modules in {backbone.id}.yaml",
            )
        parent, _, last = name.rpartition(".")
        layers.append(TaskLinear(modules[name], how["tasks"], how))
        setattr(modules[parent], last, layers[-1])

    def choose(task: int) -> None:
        for layer in layers:
            layer.task = task

    return Attached(model, *tensors_saver(model), choose=choose)

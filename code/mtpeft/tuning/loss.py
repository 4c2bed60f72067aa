"""Cross entropy with one factor a task, computed on supervised tokens only and in chunks.

Only positions with a label pass the output layer: with loss on answers that saves most of the
largest matrix product of a small model. Chunks are recomputed in the backward pass, so the logits
of a long batch are never all in memory.
"""

from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mtpeft.tuning.plan import IGNORED

CHUNK_BYTES = 1 << 29  # of float32 logits


def install(model: nn.Module) -> None:
    """Give a causal language model (plain or below PEFT) a forward pass that takes `task_factors`.

    forward(input_ids, position_ids, labels, token_tasks, task_factors) returns a mapping with
    `loss` (sum over supervised tokens of factor × cross entropy), `task_sums` and `task_counts`
    (shape [K], detached). Without `task_factors` it is the model's own. The whole goes through the
    wrapped forward, so that DDP and FSDP see it.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    original = causal.forward

    def forward(
        self: Any,
        *positional: Any,
        task_factors: torch.Tensor | None = None,
        token_tasks: torch.Tensor | None = None,
        **named: Any,
    ) -> Any:
        if task_factors is None:
            return original(*positional, **named)
        hidden = self.model(
            input_ids=named["input_ids"], position_ids=named["position_ids"], use_cache=False
        )[0]
        return task_loss(hidden, self.lm_head, named["labels"], token_tasks, task_factors)

    causal.forward = MethodType(forward, causal)


def task_loss(
    hidden: torch.Tensor,
    head: nn.Module,
    labels: torch.Tensor,
    token_tasks: torch.Tensor,
    factors: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """Weighted next-token loss. Cross entropy is float32 whatever the model's type.

    Args:
        hidden: Hidden states, shape [B, L, H].
        head: The output layer.
        labels: Shape [B, L].
        token_tasks: The task of each token, shape [B, L].
        factors: float32, shape [K].

    Returns:
        `loss`, `task_sums` and `task_counts`, as `install` has them.
    """
    target = labels[:, 1:]
    keep = target != IGNORED
    states, target, task = hidden[:, :-1][keep], target[keep], token_tasks[:, 1:][keep]
    width = getattr(head, "out_features", None) or head.weight.shape[0]
    size = max(1, CHUNK_BYTES // (4 * width))
    losses = []
    for part, wanted in zip(states.split(size), target.split(size), strict=True):
        if torch.is_grad_enabled() and len(states) > size:
            losses.append(checkpoint(_cross_entropy, part, wanted, head, use_reentrant=False))
        else:
            losses.append(_cross_entropy(part, wanted, head))
    each = torch.cat(losses) if losses else hidden.new_zeros(0, dtype=torch.float32)
    # A batch without supervised tokens still needs a loss that reaches the parameters, with zero
    # gradient.
    loss = (each * factors[task]).sum() if len(each) else hidden.sum().float() * 0.0
    member = nn.functional.one_hot(task, len(factors)).to(torch.float64)
    return {
        "loss": loss,
        "task_sums": member.T @ each.detach().to(torch.float64),
        "task_counts": member.sum(dim=0),
    }


def _cross_entropy(states: torch.Tensor, target: torch.Tensor, head: nn.Module) -> torch.Tensor:
    return nn.functional.cross_entropy(head(states).float(), target, reduction="none")

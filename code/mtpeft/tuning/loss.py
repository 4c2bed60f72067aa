"""Cross entropy with one factor a task, computed on supervised tokens only and in chunks.

Only positions with a label pass the output layer: with loss on answers that saves most of the
largest matrix product of a small model. Chunks are recomputed in the backward pass, so the logits
of a long batch are never all in memory.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.plan import IGNORED
from mtpeft.tuning.settings import CHUNK_BYTES


def install(model: nn.Module) -> None:
    """Give a causal language model (plain or below PEFT) a forward pass that takes `task_factors`.

    forward(input_ids, position_ids, labels, token_tasks, task_factors, …) returns a mapping with
    `loss` (sum over supervised tokens of factor × cross entropy), `task_sums` and `task_counts`
    (shape [K], detached); what else is given (boundaries of sequences) goes to the model. Without
    `task_factors` it is the model's own. The whole goes through the wrapped forward, so that DDP
    and FSDP see it.

    Raises:
        MtpeftError: The model makes its logits in a way that is not known here.
    """
    causal: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    original = causal.forward
    width = causal.get_output_embeddings().weight.shape[0]
    cap = getattr(causal.config, "final_logit_softcapping", None)

    def logits(states: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = causal.get_output_embeddings()(states)
        return made if cap is None else cap * torch.tanh(made / cap)

    def forward(
        self: Any,
        *positional: Any,
        task_factors: torch.Tensor | None = None,
        token_tasks: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **named: Any,
    ) -> Any:
        if task_factors is None:
            more = {} if labels is None else {"labels": labels}
            return original(*positional, **more, **named)
        hidden = getattr(self, self.base_model_prefix)(**named, use_cache=False)[0]
        return task_loss(hidden, logits, labels, token_tasks, task_factors, width)

    causal.forward = MethodType(forward, causal)
    training = causal.training
    causal.eval()
    with torch.no_grad():
        ids = torch.arange(4, device=next(causal.parameters()).device)[None]
        hidden = getattr(causal, causal.base_model_prefix)(input_ids=ids, use_cache=False)[0]
        expected = original(input_ids=ids, use_cache=False).logits
        if not torch.allclose(logits(hidden).to(expected), expected, rtol=1e-3, atol=1e-3):
            raise MtpeftError(
                f"{type(causal).__name__} changes the scores of its output layer",
                "a model whose logits are those of its output layer, or a soft cap of them",
                "mtpeft list backbones",
            )
    causal.train(training)


def task_loss(
    hidden: torch.Tensor,
    head: Callable[[torch.Tensor], torch.Tensor],
    labels: Any,
    token_tasks: Any,
    factors: torch.Tensor,
    width: int,
) -> dict[str, torch.Tensor]:
    """Weighted next-token loss. Cross entropy is float32 whatever the model's type.

    Args:
        hidden: Hidden states, shape [B, L, H].
        head: States to logits.
        labels: Shape [B, L].
        token_tasks: The task of each token, shape [B, L].
        factors: float32, shape [K].
        width: Logits of a position.

    Returns:
        `loss`, `task_sums` and `task_counts`, as `install` has them.
    """
    target = labels[:, 1:]
    keep = target != IGNORED
    states, target, task = hidden[:, :-1][keep], target[keep], token_tasks[:, 1:][keep]
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


def _cross_entropy(
    states: torch.Tensor, target: torch.Tensor, head: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    return nn.functional.cross_entropy(head(states).float(), target, reduction="none")

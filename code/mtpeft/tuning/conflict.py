"""Gradients of single tasks: the angles between them, and their way into a step."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import torch
from torch import nn


def flat(gradients: Iterable[torch.Tensor | None], like: Sequence[nn.Parameter]) -> torch.Tensor:
    """Gradients as one float32 vector, zeros where there is none.

    Args:
        gradients: Of each parameter.
        like: The parameters.
    """
    pairs = zip(gradients, like, strict=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten().float() for g, p in pairs]
    )


def take(parameters: Sequence[nn.Parameter]) -> torch.Tensor:
    """The gradients that lie at the parameters, which have none afterwards."""
    taken = flat((p.grad for p in parameters), parameters)
    for p in parameters:
        p.grad = None
    return taken


def put(gradient: torch.Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """A vector as the gradients of the parameters."""
    parts = gradient.split([p.numel() for p in parameters])
    for p, part in zip(parameters, parts, strict=True):
        p.grad = part.view_as(p).to(p.dtype)


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every two tasks, in their order."""
    return list(combinations(names, 2))


def cosines(gradients: Mapping[str, torch.Tensor]) -> dict[tuple[str, str], float]:
    """Cosine of the angle between the gradients of every two tasks: below 0 a step for the one
    raises the loss of the other.

    Args:
        gradients: One vector a task.
    """
    found = {}
    for a, b in pairs(list(gradients)):
        norms = gradients[a].norm() * gradients[b].norm()
        if norms > 0:
            found[a, b] = float(gradients[a] @ gradients[b] / norms)
    return found

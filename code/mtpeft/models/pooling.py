"""Hidden states → one vector per sequence, as study B does it for each kind of backbone."""

from typing import Any


def pooled(kind: str, outputs: Any, mask: Any) -> Any:
    """outputs of an encoder for tokens [B, L] → [B, H].

    encoder: the pooler's output where the model has a pooler (dense and tanh over position 0), else
    position 0; tokens that a method puts before the input come out before it and are not position
    0; encoder-decoder and decoder: mean over the positions that `mask` [B, L] marks with 1. A
    sequence needs one such position.
    """
    if kind == "encoder":
        pooler = getattr(outputs, "pooler_output", None)
        states = outputs.last_hidden_state
        return states[:, states.shape[1] - mask.shape[1]] if pooler is None else pooler
    states = outputs.last_hidden_state[:, -mask.shape[1] :]
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)

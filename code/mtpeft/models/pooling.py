"""Hidden states → one vector per sequence, by the study's rule for each kind of backbone."""

from typing import Any


def pooled(kind: str, outputs: Any, mask: Any) -> Any:
    """One vector for each sequence of tokens.

    An encoder gives the pooler's output where the model has a pooler (dense and tanh over position
    0), else position 0; tokens that a method puts before the input come out before it and are not
    position 0. An encoder-decoder and a decoder give the mean over the positions that the mask
    marks; a sequence needs one such position.

    Args:
        kind: `encoder`, `encoder-decoder` or `decoder`.
        outputs: What the model gave for tokens [B, L].
        mask: 1 for a token, 0 for padding, shape [B, L].

    Returns:
        Shape [B, h].
    """
    if kind == "encoder":
        pooler = getattr(outputs, "pooler_output", None)
        states = outputs.last_hidden_state
        return states[:, states.shape[1] - mask.shape[1]] if pooler is None else pooler
    states = outputs.last_hidden_state[:, -mask.shape[1] :]
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)

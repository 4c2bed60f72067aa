"""Every weight of the encoder is trained."""

from typing import Any

from mtpeft.tuning.multitask.backbones import empty_encoder
from mtpeft.tuning.multitask.methods import Attached, tensors_saver


def attach(encoder: Any, tuning: dict[str, Any]) -> Attached:
    """The encoder, all of it trainable."""
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)
    return Attached(encoder, *tensors_saver(encoder))


def count(config: Any, tuning: dict[str, Any]) -> int:
    """Closed form per family; see `encoder_size`."""
    return encoder_size(config)


def encoder_size(config: Any) -> int:
    """Weights of the encoder. Matrices count rows × columns, norms their width (twice with bias)."""
    c = config
    if c.model_type == "roberta":
        h, f = c.hidden_size, c.intermediate_size
        layer = 4 * (h * h + h) + (h * f + f) + (f * h + h) + 2 * 2 * h
        embeddings = (c.vocab_size + c.max_position_embeddings + c.type_vocab_size) * h + 2 * h
        return embeddings + c.num_hidden_layers * layer + h * h + h  # the last two: the pooler
    if c.model_type == "modernbert":
        h, f = c.hidden_size, c.intermediate_size
        layer = 3 * h * h + h * h + 2 * h * f + f * h + 2 * h
        # The first layer has no norm before its attention; one norm follows the embeddings, one the
        # last layer.
        return c.vocab_size * h + c.num_hidden_layers * layer - h + 2 * h
    if c.model_type == "t5":
        h, inner = c.d_model, c.num_heads * c.d_kv
        layer = 4 * h * inner + 2 * h * c.d_ff + 2 * h
        return (
            c.vocab_size * h
            + c.num_layers * layer
            + h
            + c.relative_attention_num_buckets * c.num_heads
        )
    h, f = c.hidden_size, c.intermediate_size
    size = h // c.num_attention_heads
    q, kv = c.num_attention_heads * size, c.num_key_value_heads * size
    bias = q + 2 * kv if c.model_type == "qwen2" else 0
    return (
        c.vocab_size * h
        + c.num_hidden_layers * (2 * h * q + 2 * h * kv + bias + 3 * h * f + 2 * h)
        + h
    )


def check(config: Any) -> tuple[int, int]:
    """(closed form, parameters of the encoder built without weights)."""
    return encoder_size(config), sum(p.numel() for p in empty_encoder(config, "meta").parameters())

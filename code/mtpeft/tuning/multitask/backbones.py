"""Encoders without a language-model head, from a catalog entry: real weights, random ones, or none
at all (meta device).
"""

from typing import Any

from mtpeft.catalog import Backbone
from mtpeft.core.errors import MtpeftError, UnknownName

FAMILIES = ("roberta", "modernbert", "t5", "llama", "qwen2")


def family_of(config: Any) -> str:
    """The family of a transformers configuration. Raises `UnknownName` for one that has no adapter
    sites here.
    """
    if config.model_type not in FAMILIES:
        raise UnknownName("model family", config.model_type, FAMILIES)
    return str(config.model_type)


def config_of(backbone: Backbone) -> Any:
    """The transformers configuration of a backbone, from the figures in the catalog alone (no
    download).

    Attention is eager, so that FLOPs can be counted and runs on a CPU repeat to the bit.
    """
    from transformers import AutoConfig

    values = dict(backbone.config)
    if "model_type" not in values:
        raise MtpeftError(
            f"backbone {backbone.id} has no model_type in its config",
            f"one of {', '.join(FAMILIES)}",
            f"see catalog/backbones/{backbone.id}.yaml",
        )
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    config._attn_implementation = "eager"
    family_of(config)
    return config


def hidden_size(config: Any) -> int:
    """Width of the hidden states (T5 calls it d_model)."""
    return int(config.d_model if config.model_type == "t5" else config.hidden_size)


def layers_of(config: Any) -> int:
    """Number of layers of the encoder."""
    return int(config.num_layers if config.model_type == "t5" else config.num_hidden_layers)


def empty_encoder(config: Any, device: str = "cpu", seed: int | None = None) -> Any:
    """An encoder with random weights; on the device `meta` it has shapes and no weights. float32.

    Of an encoder-decoder only the encoder is built: its decoder would be unused.
    """
    import torch
    from transformers import AutoModel, T5EncoderModel

    if seed is not None:
        torch.manual_seed(seed)
    with torch.device(device):
        return (
            T5EncoderModel(config) if config.model_type == "t5" else AutoModel.from_config(config)
        )


def load_encoder(source: str) -> Any:
    """An encoder with the weights in `source` (a folder or a local snapshot), float32."""
    import torch
    from transformers import AutoConfig, AutoModel, T5EncoderModel

    kind = T5EncoderModel if family_of(AutoConfig.from_pretrained(source)) == "t5" else AutoModel
    return kind.from_pretrained(source, attn_implementation="eager", dtype=torch.float32)


def longest_input(source: str) -> int | None:
    """Tokens that the encoder in `source` has positions for; None where positions are relative and
    without limit.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source)
    if family_of(config) == "t5":
        return None
    # RoBERTa's positions begin after that of the padding.
    return int(
        config.max_position_embeddings
        - (config.pad_token_id + 1 if config.model_type == "roberta" else 0)
    )

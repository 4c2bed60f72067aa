"""Loading a base model and its tokenizer."""

import importlib.util
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.settings import Settings


def torch_dtype(name: str) -> Any:
    """The torch type of a name such as `bfloat16`."""
    import torch

    return getattr(torch, name)


def attention(settings: Settings, device: str) -> str:
    """The attention implementation: as set, or flash attention where it is installed and there is a
    GPU, else sdpa.
    """
    if settings.attention != "auto":
        return settings.attention
    return (
        "flash_attention_2"
        if device.startswith("cuda") and importlib.util.find_spec("flash_attn")
        else "sdpa"
    )


def load_tokenizer(source: str) -> Any:
    """The tokenizer of a backbone, padding on the left (generation needs that; training pads by
    itself).
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_backbone(source: str, settings: Settings, device: str, quantisation: Any = None) -> Any:
    """The base model in the type that `weights` names (4-bit where a quantisation is given), on the
    device.
    """
    from transformers import AutoModelForCausalLM

    kind = settings.weights if quantisation is None else settings.compute_dtype
    if kind == "nf4":
        raise MtpeftError(
            "weights are nf4, but the method does not quantise",
            "bfloat16, float16 or float32",
            "--set weights=bfloat16",
        )
    model = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=torch_dtype(kind),
        quantization_config=quantisation,
        attn_implementation=attention(settings, device),
        device_map={"": device} if quantisation is not None else None,
    )
    model.config.use_cache = False
    if settings.liger and device.startswith("cuda") and importlib.util.find_spec("liger_kernel"):
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        # Our loss replaces the fused one: it needs a factor for each token.
        _apply_liger_kernel_to_instance(
            model, fused_linear_cross_entropy=False, cross_entropy=False
        )
    return model

"""Four-bit weights (NF4 through bitsandbytes), loaded alike by tuning and inference."""

from collections.abc import Mapping
from typing import Any


def quantisation(compute_dtype: str, double: bool = True) -> Any:
    """The transformers configuration of NF4 weights.

    Args:
        compute_dtype: Torch's name of the type in which they are multiplied.
        double: Whether the scales are quantized, too.
    """
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=getattr(torch, compute_dtype),
    )


def wanted(how: Mapping[str, Any]) -> Any:
    """The configuration of the weights that settings ask for; None where they are not in NF4."""
    if how.get("weights") != "nf4":
        return None
    return quantisation(how["compute_dtype"], how["double_quantisation"])


def taken(model: Any) -> list[str]:
    """The names of the linear layers of a model that are loaded in four bits; its other weights stay
    in the type that they are loaded in.
    """
    from torch import nn
    from transformers.quantizers.base import get_keys_to_not_convert

    spared = {*get_keys_to_not_convert(model), *(model._keep_in_fp32_modules or ())}  # noqa: SLF001
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not {name, name.rpartition(".")[2]} & spared
    ]


def bytes_each(*, double: bool) -> float:
    """Bytes of a weight with its share of the scales: a scale for 64 weights, in float32 or in eight
    bits with one of its own for 256 scales.

    Args:
        double: Whether the scales are quantized, too.
    """
    return 0.5 + (1 / 64 + 4 / (64 * 256) if double else 4 / 64)


def keep_layout(model: Any) -> Any:
    """Keep bitsandbytes from repacking the weights of `model` on a CPU; returns the model.

    On processors with AVX512-BF16 the library repacks a layer for a bf16 kernel at its first call
    without gradients, and rounds its scales. Answers, and training after an evaluation, would then
    differ from those of other processors, and layers narrower than a quantization block fail.
    """
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False):
            module.support_avx512bf16_for_cpu = False
    return model

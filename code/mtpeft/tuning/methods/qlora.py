"""QLoRA: LoRA on a base in 4-bit NormalFloat with double quantisation (Dettmers et al. 2023,
arXiv:2305.14314).
"""

from typing import Any

from mtpeft.models.nf4 import keep_layout, quantisation
from mtpeft.tuning.backbone import load_backbone
from mtpeft.tuning.methods.lora import adapted
from mtpeft.tuning.settings import Settings


def prepare(source: str, settings: Settings, device: str) -> Any:
    """The backbone, quantised and frozen, with adapters."""
    four_bit = quantisation(settings.compute_dtype, settings.double_quantisation)
    return adapted(keep_layout(load_backbone(source, settings, device, four_bit)), settings)

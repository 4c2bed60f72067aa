"""Full fine-tuning: every weight is trained, in the type that `weights` names (the study: bfloat16,
no float32 copy).
"""

from typing import Any

from mtpeft.tuning.backbone import load_backbone
from mtpeft.tuning.settings import Settings


def prepare(source: str, settings: Settings, device: str) -> Any:
    """The backbone with all weights trainable."""
    return load_backbone(source, settings, device)

"""Full fine-tuning: every weight is trained."""

from collections.abc import Mapping
from typing import Any

from mtpeft.catalog import Backbone
from mtpeft.models.methods import Attached, tensors_saver

WHOLE = True


def attach(model: Any, backbone: Backbone, how: Mapping[str, Any]) -> Attached:
    """The model, all of it trainable."""
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return Attached(model, *tensors_saver(model))

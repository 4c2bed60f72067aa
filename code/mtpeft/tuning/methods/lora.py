"""LoRA: low-rank adapters on the projections of a frozen base (Hu et al. 2022, arXiv:2106.09685)."""

from typing import Any

from mtpeft.tuning.backbone import load_backbone
from mtpeft.tuning.settings import Settings


def prepare(source: str, settings: Settings, device: str) -> Any:
    """The backbone, frozen, with adapters."""
    return adapted(load_backbone(source, settings, device), settings)


def adapted(base: Any, settings: Settings) -> Any:
    """A PEFT model around `base`; adapters are float32, whatever the base is (the optimizer's small
    steps need it).
    """
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.lora_targets),
        bias="none",
        task_type=TaskType.CAUSAL_LM,
    )
    model = get_peft_model(base, config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    # Gradients must reach the adapters through the frozen embedding when activations are
    # recomputed.
    model.enable_input_require_grads()
    return model

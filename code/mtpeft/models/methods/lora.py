"""LoRA (Hu et al. 2022, arXiv:2106.09685) through PEFT; on a base in 4-bit NormalFloat it is QLoRA
(Dettmers et al. 2023, arXiv:2305.14314).
"""

from collections.abc import Mapping
from typing import Any

from mtpeft.catalog import Backbone
from mtpeft.core.errors import MtpeftError
from mtpeft.core.text import first_line
from mtpeft.models.methods import Attached, freeze, tensors_saver


def attach(model: Any, backbone: Backbone, how: Mapping[str, Any]) -> Attached:
    """The model, frozen, with LoRA on the modules that the backbone's YAML or the method names (all
    linear ones where neither does).

    Adapters are float32, whatever the base is: the optimizer's small steps need it.
    """
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    freeze(model)
    causal = model.get_output_embeddings() is not None
    targets = list(backbone.modules.get("lora") or how["lora_targets"])
    config = LoraConfig(
        r=how["lora_rank"],
        lora_alpha=how["lora_alpha"],
        lora_dropout=how["lora_dropout"],
        bias="none",
        target_modules=targets or "all-linear",
        task_type=TaskType.CAUSAL_LM if causal else TaskType.FEATURE_EXTRACTION,
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise MtpeftError(
            f"LoRA on {', '.join(targets) or 'all linear modules'} of a {type(model).__name__}: "
            f"{first_line(error)}",
            "linear modules of the model, by the last parts of their names",
            "--set 'lora_targets=[q_proj, v_proj]', or `lora` under modules: in the backbone's YAML",
        ) from error
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    if causal or how["gradient_checkpointing"]:
        # Gradients must reach the adapters through the frozen embedding when activations are
        # recomputed.
        adapted.enable_input_require_grads()
    return Attached(adapted, *tensors_saver(adapted))

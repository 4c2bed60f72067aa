"""LoRA (Hu et al. 2022, arXiv:2106.09685) through PEFT, on the matrices that `tuning.lora_targets`
names.
"""

from typing import Any

from mtpeft.tuning.multitask.backbones import family_of, hidden_size, layers_of
from mtpeft.tuning.multitask.methods import Attached, freeze, tensors_saver


def attach(encoder: Any, tuning: dict[str, Any]) -> Attached:
    """The encoder, frozen, with LoRA; adapters are float32."""
    from peft import LoraConfig, TaskType, get_peft_model

    freeze(encoder)
    config = LoraConfig(
        r=tuning["lora_rank"],
        lora_alpha=tuning["lora_alpha"],
        lora_dropout=tuning["lora_dropout"],
        bias="none",
        target_modules=list(tuning["lora_targets"][family_of(encoder.config)]),
        task_type=TaskType.FEATURE_EXTRACTION,
    )
    model = get_peft_model(encoder, config)
    return Attached(model, *tensors_saver(model))


def count(config: Any, tuning: dict[str, Any]) -> int:
    """r × (inputs + outputs), summed over the matrices of a layer, × layers."""
    shapes = matrices(config)
    targets = tuning["lora_targets"][family_of(config)]
    return int(
        layers_of(config)
        * tuning["lora_rank"]
        * sum(sum(shape) for name in targets for shape in shapes[name])
    )


def matrices(config: Any) -> dict[str, list[tuple[int, int]]]:
    """(inputs, outputs) of the matrices that a target name selects in one layer."""
    h = hidden_size(config)
    if config.model_type == "roberta":
        return {name: [(h, h)] for name in ("query", "key", "value", "attention.output.dense")}
    if config.model_type == "modernbert":
        return {
            "Wqkv": [(h, 3 * h)],
            "Wo": [(h, h), (config.intermediate_size, h)],
        }  # attention and feed-forward share the name
    if config.model_type == "t5":
        return {name: [(h, config.num_heads * config.d_kv)] for name in "qkv"} | {
            "o": [(config.num_heads * config.d_kv, h)]
        }
    size = h // config.num_attention_heads
    q, kv = config.num_attention_heads * size, config.num_key_value_heads * size
    return {"q_proj": [(h, q)], "k_proj": [(h, kv)], "v_proj": [(h, kv)], "o_proj": [(q, h)]}

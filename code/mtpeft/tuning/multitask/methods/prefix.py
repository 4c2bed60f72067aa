"""Prefix tuning (Li and Liang 2021, arXiv:2101.00190) through PEFT: keys and values of virtual
tokens in every layer.

Where the backbone takes no cached keys, PEFT's prefix reaches nothing and would train nothing,
without a word. Families in `tuning.prompt_instead` get virtual tokens before the input instead, as
in the study; others are refused when a forward pass is due (`attach`), and still counted.
"""

from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.tuning.multitask.backbones import family_of, hidden_size, layers_of
from mtpeft.tuning.multitask.methods import Attached, freeze, tensors_saver

REACHED = ("roberta", "llama", "qwen2")
"""Families whose attention uses cached keys, so that PEFT's prefix has an effect."""


def attach(encoder: Any, tuning: dict[str, Any]) -> Attached:
    """The encoder, frozen, with a prefix or a prompt. Raises `MtpeftError` where neither would have
    an effect.
    """
    from peft import PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model

    freeze(encoder)
    family = family_of(encoder.config)
    if family in tuning["prompt_instead"]:
        config: Any = PromptTuningConfig(
            task_type=TaskType.FEATURE_EXTRACTION,
            num_virtual_tokens=tuning["virtual_tokens"],
            **_shape(encoder.config),
        )
    elif family in REACHED or next(encoder.parameters()).is_meta:
        config = PrefixTuningConfig(
            task_type=TaskType.FEATURE_EXTRACTION,
            num_virtual_tokens=tuning["virtual_tokens"],
            **_shape(encoder.config),
        )
    else:
        raise MtpeftError(
            f"a prefix has no effect in a {family} encoder: it takes no cached keys",
            f"a family of {', '.join(REACHED)}",
            f"put {family} into the method's prompt_instead",
        )
    model = get_peft_model(encoder, config)
    return Attached(model, *tensors_saver(model))


def _shape(config: Any) -> dict[str, int]:
    """What PEFT would otherwise guess from attribute names that T5 does not have."""
    heads = config.num_heads if config.model_type == "t5" else config.num_attention_heads
    return {
        "num_layers": layers_of(config),
        "num_attention_heads": heads,
        "token_dim": hidden_size(config),
    }


def count(config: Any, tuning: dict[str, Any]) -> int:
    """virtual tokens × 2 × layers × width of the keys; as a prompt: virtual tokens × width."""
    if family_of(config) in tuning["prompt_instead"]:
        return int(tuning["virtual_tokens"] * hidden_size(config))
    return int(tuning["virtual_tokens"] * 2 * layers_of(config) * key_width(config))


def key_width(config: Any) -> int:
    """Width of all key heads together."""
    if config.model_type == "t5":
        return int(config.num_heads * config.d_kv)
    size = config.hidden_size // config.num_attention_heads
    return int(getattr(config, "num_key_value_heads", config.num_attention_heads) * size)

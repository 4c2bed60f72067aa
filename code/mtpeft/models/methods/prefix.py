"""Prefix tuning (Li and Liang 2021, arXiv:2101.00190) through PEFT: keys and values of virtual
tokens in every layer.

Where the backbone takes no keys that are handed in, a prefix reaches nothing and would train
nothing, without a word. A backbone whose YAML says `virtual_tokens: input` gets virtual tokens
before the input instead; others are refused when a forward pass is due, and still counted.
"""

from collections.abc import Mapping
from typing import Any

from mtpeft.catalog import Backbone
from mtpeft.core.errors import MtpeftError
from mtpeft.models.base import takes_keys
from mtpeft.models.methods import Attached, freeze, tensors_saver


def attach(model: Any, backbone: Backbone, how: Mapping[str, Any]) -> Attached:
    """The model, frozen, with a prefix or a prompt.

    Raises:
        MtpeftError: Neither would have an effect.
    """
    from peft import PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model

    freeze(model)
    before = backbone.virtual_tokens == "input"
    if not before and not takes_keys(model) and not next(model.parameters()).is_meta:
        raise MtpeftError(
            f"a prefix has no effect in {type(model).__name__}: it takes no keys that are handed in",
            "a backbone that does, or virtual tokens before the input",
            f"virtual_tokens: input in {backbone.id}.yaml",
        )
    kind: Any = PromptTuningConfig if before else PrefixTuningConfig
    config = kind(
        task_type=TaskType.FEATURE_EXTRACTION,
        num_virtual_tokens=how["virtual_tokens"],
        # What PEFT would otherwise guess from attribute names that not every configuration has. Before
        # the input there are no heads, and embeddings may be narrower than the states (ELECTRA).
        num_layers=model.config.num_hidden_layers,
        num_attention_heads=1 if before else model.config.num_attention_heads,
        token_dim=model.get_input_embeddings().embedding_dim
        if before
        else model.config.hidden_size,
    )
    adapted = get_peft_model(model, config)
    return Attached(adapted, *tensors_saver(adapted))


def positions(how: Mapping[str, Any]) -> int:
    """Virtual tokens come first, as keys or as inputs: the text's positions begin behind them."""
    return int(how["virtual_tokens"])

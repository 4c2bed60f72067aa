"""Tiny backbones of the three kinds, one per family, for the tests of shared modules."""

from dataclasses import replace
from typing import Any

import torch
from mtpeft.catalog import Backbone, Method, catalog
from mtpeft.models.base import config_of, empty_encoder
from mtpeft.models.shared import SharedModel
from mtpeft.tuning.settings import Settings, how

SMALL: dict[str, dict[str, Any]] = {
    "roberta": {
        "vocab_size": 64,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 40,
        "pad_token_id": 1,
    },
    "modernbert": {
        "vocab_size": 64,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
    },
    "t5": {
        "vocab_size": 64,
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 24,
        "num_layers": 2,
        "num_heads": 2,
        "pad_token_id": 0,
    },
    "llama": {
        "vocab_size": 64,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 64,
    },
    "qwen2": {
        "vocab_size": 64,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 24,
        "max_position_embeddings": 64,
    },
}
KIND = {
    "roberta": "encoder",
    "modernbert": "encoder",
    "t5": "encoder-decoder",
    "llama": "decoder",
    "qwen2": "decoder",
}
HEADS = {"vulnerability-detection": "label", "code-search": "ranking"}
DECODER = {
    "adapters": ["self_attn", "mlp"],
    "lora": ["q_proj", "k_proj", "v_proj"],
    "mlora": ["q_proj", "k_proj", "v_proj", "o_proj"],
}
ROBERTA = ["query", "key", "value", "attention.output.dense"]
MODULES: dict[str, dict[str, list[str]]] = {
    "roberta": {"adapters": ["attention"], "lora": ROBERTA, "mlora": ROBERTA},
    "modernbert": {"adapters": ["attn", "mlp"], "lora": ["Wqkv", "Wo"], "mlora": ["Wqkv", "Wo"]},
    "t5": {
        "adapters": ["SelfAttention", "DenseReluDense"],
        "lora": ["q", "k", "v"],
        "mlora": ["q", "k", "v", "o"],
    },
    "llama": DECODER,
    "qwen2": DECODER,
}
TINY = Settings(
    attention="eager",
    bottleneck=4,
    lora_rank=2,
    lora_alpha=64,
    lora_dropout=0.0,
    virtual_tokens=3,
    schedule="linear",
    balancing="task-equal",
    mixing="round-robin",
)
"""Small sizes; LoRA without dropout, so that equal inputs give equal outputs."""


def tiny(family: str, **config: Any) -> Backbone:
    """A catalog entry of a tiny backbone."""
    return Backbone(
        f"tiny-{family}",
        family,
        "tiny",
        "",
        "",
        KIND[family],  # type: ignore[arg-type]
        {"model_type": family, **SMALL[family], **config},
        MODULES[family],
        "input" if family == "modernbert" else "keys",
    )


def method(name: str) -> Method:
    """A method of the catalog."""
    found: Method = catalog().get("methods", name)
    return found


def encoder(family: str, seed: int = 0) -> Any:
    """The tiny encoder, in evaluation mode."""
    return empty_encoder(config_of(tiny(family)), seed=seed).eval()


def shared(family: str, name: str, **changes: Any) -> SharedModel:
    """A tiny shared model with a label and a ranking head, in evaluation mode."""
    made = encoder(family)
    torch.manual_seed(1)
    settings, about = how(replace(TINY, **changes)), {"run": f"tiny/{name}"}
    return SharedModel(made, tiny(family), method(name), HEADS, settings, about=about).eval()


def batch(size: int = 4, length: int = 9, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tokens with padding on the right (also a ranking batch: the first half are queries)."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(size, length, dtype=torch.long)
    for row in range(size):
        mask[row, length - row % 3 :] = 0 if row % 3 else 1
    ids = torch.randint(5, 60, (size, length), generator=generator)
    return {"ids": torch.where(mask == 1, ids, 1), "mask": mask, "labels": torch.arange(size) % 2}

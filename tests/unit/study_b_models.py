"""Tiny backbones of the three kinds, one per family, for the tests of shared modules."""

from dataclasses import replace
from typing import Any

import torch
from mtpeft.catalog import Backbone, Method, catalog
from mtpeft.tuning.multitask.backbones import config_of, empty_encoder
from mtpeft.tuning.multitask.model import SharedModel

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
HEADS = {"vulnerability-detection": "binary", "code-search": "retrieval"}


def tiny(family: str) -> Backbone:
    """A catalog entry of a tiny backbone."""
    return Backbone(
        f"tiny-{family}",
        family,
        "tiny",
        "",
        "",
        KIND[family],
        {"model_type": family, **SMALL[family]},
    )


def method(name: str, **tuning: Any) -> Method:
    """A method of the catalog with small sizes; LoRA without dropout, so that equal inputs give
    equal outputs.
    """
    found = catalog().get("methods", name)
    return replace(
        found,
        tuning={
            **found.tuning,
            "bottleneck": 4,
            "lora_rank": 2,
            "lora_dropout": 0.0,
            "virtual_tokens": 3,
            **tuning,
        },
    )


def encoder(family: str, seed: int = 0) -> Any:
    """The tiny encoder, in evaluation mode."""
    return empty_encoder(config_of(tiny(family)), seed=seed).eval()


def shared(family: str, name: str, **tuning: Any) -> SharedModel:
    """A tiny shared model with one binary and one retrieval head, in evaluation mode."""
    made = encoder(family)
    torch.manual_seed(1)
    return SharedModel(made, KIND[family], method(name, **tuning), HEADS).eval()


def batch(size: int = 4, length: int = 9, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random tokens with padding on the right (also a retrieval batch: the first half are queries)."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(size, length, dtype=torch.long)
    for row in range(size):
        mask[row, length - row % 3 :] = 0 if row % 3 else 1
    ids = torch.randint(5, 60, (size, length), generator=generator)
    return {"ids": torch.where(mask == 1, ids, 1), "mask": mask, "labels": torch.arange(size) % 2}

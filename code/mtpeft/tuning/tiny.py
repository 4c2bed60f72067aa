"""Tiny backbones from scratch: a byte-level BPE tokenizer with a Qwen2 of a few hundred thousand
weights, or with a RoBERTa of a few thousand.

They have the parts of the real backbones (chat template, seven projections a layer, grouped-query
attention, tied embeddings), so that every stage runs on a CPU in seconds. They know nothing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

# The ChatML layout of the real backbones: a role header, the content, an end mark.
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def train_tokenizer(texts: Iterable[str], vocabulary: int = 1024) -> Any:
    """A byte-level BPE tokenizer with ChatML. Deterministic: equal texts give equal merges."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    # Runs of line breaks and indentation stay together: code is mostly layout.
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n+ *| ?\w+| +|[^\w\s]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    raw.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHATML,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def tiny_model(
    tokenizer: Any,
    *,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    seed: int = 42,
    context: int = 1024,
) -> Any:
    """A Qwen2 with random weights (float32).

    Args:
        tokenizer: Tells the size of the vocabulary.
        hidden: The width; the feed-forward width is twice that.
        layers: How many.
        heads: Of attention; half as many have keys and values.
        seed: Of the weights.
        context: The most positions.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=max(1, heads // 2),
            max_position_embeddings=context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def save_backbone(folder: Path, tokenizer: Any, model: Any) -> None:
    """Write tokenizer and model as a hub-style folder, loadable like any backbone."""
    folder.mkdir(parents=True, exist_ok=True)
    if (config := getattr(model, "generation_config", None)) is not None:
        config.eos_token_id = tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_encoder(folder: Path, texts: Iterable[str], vocabulary: int = 400) -> str:
    """Write a RoBERTa of two layers with random weights (seed 0), width 16 and 79 positions, and a
    tokenizer trained on texts, loadable like any backbone.

    Args:
        folder: What is written.
        texts: That the tokenizer is trained on.
        vocabulary: Of the tokenizer.

    Returns:
        The folder, as `--backbone` takes it.
    """
    from transformers import RobertaConfig

    from mtpeft.models.base import empty_encoder

    tokenizer = train_tokenizer(texts, vocabulary)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=80,
        pad_token_id=tokenizer.pad_token_id,
        type_vocab_size=1,
    )
    save_backbone(folder, tokenizer, empty_encoder(config, seed=0))
    return str(folder)

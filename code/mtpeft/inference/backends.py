"""Who decodes: transformers (always there), or vLLM (optional, on a GPU). Both give the same
records.
"""

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.inference.generate import Generated, generate
from mtpeft.inference.generate import as_configured as generate_as_configured
from mtpeft.inference.vllm_backend import Vllm
from mtpeft.models.base import (
    complete,
    load_tokenizer,
    positions_of,
    quietly,
    takes_keys,
    understood,
)
from mtpeft.models.device import kind, local, suits
from mtpeft.models.nf4 import keep_layout, quantisation

ON_CPU, TINY = 2_000_000_000, 20_000_000
"""Tokens of a batch on a CPU, for models with more weights than the second number. Two cores give
some 60 tokens a second of a model of 135 million weights: ten answers of 512 tokens take a minute and
a half, and are then safe.
"""


class Backend(Protocol):
    """Loads a model once and answers batches of prompts."""

    name: str
    tokenizer: Any
    tokens_in_flight: int
    """Prompt and answer tokens of one batch that the memory allows (0: as the profile says)."""

    def answers(
        self,
        prompts: Sequence[str],
        new_tokens: int,
        input_tokens: int,
        as_configured: bool = False,
    ) -> list[Generated]:
        """Answers in the order of the prompts; the settings are those of `TaskDecoding`.

        Args:
            prompts: The texts, chat template included.
            new_tokens: The most tokens of an answer.
            input_tokens: Prompts are cut to so many tokens (0: never).
            as_configured: With what a bare call inherits from the model's generation_config.
        """
        ...


def swift_dtype() -> str:
    """The type of weights in which this machine computes fastest: `bfloat16` on a GPU and on a CPU with
    instructions for it, else `float32`. Without them a product in bfloat16 takes two to eight times as
    long.
    """
    import torch

    if kind() == "cuda":
        return "bfloat16"
    can = torch.cpu.get_capabilities()
    has = any(can.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return "bfloat16" if has else "float32"


def loaded(source: str, dtype: str, four_bit: bool, words: str = "") -> tuple[Any, Any]:
    """A causal language model and its tokenizer, padding on the left.

    Args:
        source: Folder of the model.
        dtype: Torch's name of the type of weights that are not quantized.
        four_bit: Whether its weights are loaded in NF4.
        words: Folder of the tokenizer (default: `source`).

    Raises:
        MtpeftError: The model is large, and there is no GPU, or answers are not decoded as here.
    """
    import torch
    from transformers import AutoModelForCausalLM

    suits(source)
    quantised = quantisation(dtype) if four_bit else None
    with quietly(), understood(source):
        read = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=getattr(torch, dtype),
            quantization_config=quantised,
            device_map={"": local()} if quantised else None,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `complete` refuses them by name
        )
    model = keep_layout(complete(source, *read))
    if not takes_keys(model):
        raise MtpeftError(
            f"a {type(model).__name__} keeps no keys and values",
            "a model whose attention reads a cache of them",
            "mtpeft list backbones",
        )
    return model, load_tokenizer(words or source)


class Transformers:
    """transformers with PEFT.

    Args:
        source: The base model.
        result: Folder of an adapter or of a full model; None for the bare base.
        dtype: Torch's name of the type of weights that are not quantized.
        four_bit: Whether the base of an adapter is in NF4 (QLoRA).
    """

    name = "transformers"

    def __init__(self, source: str, result: Path | None, dtype: str, four_bit: bool) -> None:
        adapter = result is not None and (result / "adapter_config.json").is_file()
        base = source if adapter or result is None else str(result)
        quantised = four_bit and adapter
        model, self.tokenizer = loaded(base, dtype, quantised, str(result or source))
        if quantised and local() == "cpu":
            # A CPU would unpack every matrix for every token; unpacked once, they are the same numbers.
            model, quantised = model.dequantize(), False
        if adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(result))
            if not quantised:
                # One product in place of three. In bfloat16 the sum is rounded once more: against
                # float32, outputs of a tiny model with 32 random adapters were off by 0.97 to 1.11
                # times what they were off by without merging.
                model = model.merge_and_unload()
        self.model = (model if quantised else model.to(local())).eval()
        self.tokens_in_flight = fitting(self.model)
        self.positions = positions_of(self.model.config)
        """The most tokens of prompt and answer together, where the model names a limit."""

    def answers(
        self,
        prompts: Sequence[str],
        new_tokens: int,
        input_tokens: int,
        as_configured: bool = False,
    ) -> list[Generated]:
        """Answers of one batch; a batch that does not fit into memory is halved."""
        import torch

        way = generate_as_configured if as_configured else generate
        try:
            return way(self.model, self.tokenizer, list(prompts), new_tokens, input_tokens)
        except torch.OutOfMemoryError:
            if len(prompts) == 1:
                raise
        gc.collect()
        torch.cuda.empty_cache()
        half = len(prompts) // 2
        return [
            *self.answers(prompts[:half], new_tokens, input_tokens, as_configured),
            *self.answers(prompts[half:], new_tokens, input_tokens, as_configured),
        ]


def fitting(model: Any) -> int:
    """How many tokens at a time fit into the GPU's free memory, with a fifth of it left over; on a
    CPU into `ON_CPU` bytes, so that a batch is written within minutes (0, the profile's, where a model
    is tiny).
    """
    import torch

    if model.device.type == "cuda":
        room = int(0.8 * torch.cuda.mem_get_info(model.device)[0])
    elif sum(p.numel() for p in model.parameters()) > TINY:
        room = ON_CPU
    else:
        return 0
    return room // bytes_per_token(model.config, model.dtype.itemsize)


def bytes_per_token(config: Any, itemsize: int) -> int:
    """What a token needs while a batch is read: its keys and values in every layer, and what one
    layer computes of it (six vectors of the model's width, three of the feed-forward block's).

    Args:
        config: The model's configuration.
        itemsize: Bytes of a number.
    """
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cached = 2 * config.num_hidden_layers * heads * head
    return int(itemsize * (cached + 6 * config.hidden_size + 3 * config.intermediate_size))


BACKENDS: dict[str, Callable[[str, Path | None, str, bool], Backend]] = {
    "transformers": Transformers,
    "vllm": Vllm,
}


def backend(name: str, source: str, result: Path | None, dtype: str, four_bit: bool) -> Backend:
    """A loaded backend.

    Args:
        name: `transformers` or `vllm`.
        source: The base model.
        result: Folder of an adapter or of a full model; None for the bare base.
        dtype: As in `Transformers`.
        four_bit: As in `Transformers`.

    Raises:
        UnknownName: There is no such backend.
    """
    if name not in BACKENDS:
        raise UnknownName("backend", name, BACKENDS)
    return BACKENDS[name](source, result, dtype, four_bit)

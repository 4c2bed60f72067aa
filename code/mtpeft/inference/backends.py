"""Who decodes: transformers (always there), or vLLM (optional, on a GPU). Both give the same
records.
"""

import gc
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mtpeft.core.errors import MtpeftError, Unavailable, UnknownName
from mtpeft.inference.generate import Generated, generate
from mtpeft.inference.generate import as_configured as generate_as_configured
from mtpeft.models.base import load_tokenizer
from mtpeft.models.device import local, suits
from mtpeft.models.nf4 import keep_layout, quantisation


class Backend(Protocol):
    """Loads a model once and answers batches of prompts."""

    name: str
    tokenizer: Any

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


def loaded(source: str, dtype: str, four_bit: bool, words: str = "") -> tuple[Any, Any]:
    """A causal language model and its tokenizer, padding on the left.

    Args:
        source: Folder of the model.
        dtype: Torch's name of the type of weights that are not quantized.
        four_bit: Whether its weights are loaded in NF4.
        words: Folder of the tokenizer (default: `source`).

    Raises:
        MtpeftError: The model is large, and there is no GPU.
    """
    import torch
    from transformers import AutoModelForCausalLM

    suits(source)
    quantised = quantisation(dtype) if four_bit else None
    model = keep_layout(
        AutoModelForCausalLM.from_pretrained(
            source,
            dtype=getattr(torch, dtype),
            quantization_config=quantised,
            device_map={"": local()} if quantised else None,
        )
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
        if adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(result))
            if not quantised:
                model = (
                    model.merge_and_unload()
                )  # the same function without the adapters' extra products
        self.model = (model if quantised else model.to(local())).eval()

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


class Vllm:
    """vLLM: continuous batching on a GPU. The base of a QLoRA adapter is loaded in 4-bit weights
    through bitsandbytes, by vLLM's own settings.

    Args:
        source: As in `Transformers`.
        result: As in `Transformers`.
        dtype: As in `Transformers`.
        four_bit: As in `Transformers`.

    Raises:
        Unavailable: vLLM is not installed.
    """

    name = "vllm"

    def __init__(self, source: str, result: Path | None, dtype: str, four_bit: bool) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise Unavailable(
                "vLLM is not installed",
                "the package vllm and a GPU",
                "pip install vllm, or --backend transformers",
            )
        from vllm import LLM, SamplingParams
        from vllm.lora.request import LoRARequest

        adapter = result is not None and (result / "adapter_config.json").is_file()
        self._engine = LLM(
            model=source if adapter or result is None else str(result),
            dtype=dtype,
            enable_lora=adapter,
            quantization="bitsandbytes" if four_bit and adapter else None,
            seed=0,
        )
        self._lora = LoRARequest("adapter", 1, str(result)) if adapter else None
        self._parameters = SamplingParams
        self.tokenizer = self._engine.get_tokenizer()

    def answers(
        self,
        prompts: Sequence[str],
        new_tokens: int,
        input_tokens: int,
        as_configured: bool = False,
    ) -> list[Generated]:
        """Answers; the engine batches by itself."""
        if input_tokens or as_configured:
            raise MtpeftError(
                "vLLM neither cuts prompts nor takes over the model's generation_config",
                "transformers for the faithful profile",
                "--backend transformers",
            )
        found = self._engine.generate(
            list(prompts),
            self._parameters(temperature=0.0, max_tokens=new_tokens),
            lora_request=self._lora,
            use_tqdm=False,
        )
        return [
            Generated(
                o.outputs[0].text,
                len(o.outputs[0].token_ids),
                o.outputs[0].finish_reason or "length",
            )
            for o in found
        ]


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

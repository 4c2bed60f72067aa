"""vLLM as a backend: continuous batching on a GPU (optional; its own releases pin torch, so it lives
in an environment of its own).

Written for the interface of vLLM 0.27.1, which that of 0.33.0 shares but for one thing: 0.27.1 is the
last release that quantizes a base model through bitsandbytes. A test holds every argument against
both.
"""

import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from mtpeft.core.errors import BadInput, MtpeftError, Unavailable
from mtpeft.core.files import read_text
from mtpeft.inference.generate import Generated, answered, end_tokens
from mtpeft.models.base import load_tokenizer

# Settings of a generation_config that leave greedy decoding as it is.
_WITHOUT_EFFECT = {
    "_from_model_config", "bos_token_id", "do_sample", "eos_token_id", "max_length", "max_new_tokens",
    "min_p", "pad_token_id", "temperature", "top_k", "top_p", "transformers_version", "use_cache",
}  # fmt: skip

_INSTALL = (
    "pip install vllm==0.27.1 bitsandbytes==0.50.2 in an environment of its own, or "
    "--backend transformers"
)
_FOUR_BIT = ("model_executor", "layers", "quantization", "bitsandbytes.py")


class Vllm:
    """A model in vLLM's engine. The base of a QLoRA adapter is loaded in 4-bit weights through
    bitsandbytes, by vLLM's own settings.

    Prompts are handed over as tokens, so that they are those of the other backend: vLLM would begin
    a rendered chat template with a second token of the beginning. Its batch-invariant kernels are
    asked for, so that an answer does not depend on its neighbours; VLLM_BATCH_INVARIANT=0 in the
    environment leaves them out, on a GPU that has none. They do not reach 4-bit weights: bitsandbytes
    multiplies a single row by another kernel than several.

    Args:
        source: As in `Transformers`.
        result: As in `Transformers`.
        dtype: As in `Transformers`.
        four_bit: As in `Transformers`.

    Raises:
        Unavailable: vLLM is not installed, or a release without 4-bit weights.
    """

    name = "vllm"
    tokens_in_flight = 4_000_000
    """Of one call. The engine admits as many as its cache holds; a call ends when its last answer
    does, so that short calls would leave the GPU idle, and a kill loses one call's answers."""

    def __init__(self, source: str, result: Path | None, dtype: str, four_bit: bool) -> None:
        adapter = result if result and (result / "adapter_config.json").is_file() else None
        four_bit = four_bit and adapter is not None
        check_installed(four_bit)
        os.environ.setdefault("VLLM_BATCH_INVARIANT", "1")  # read when vLLM is imported
        from vllm import LLM, SamplingParams
        from vllm.config.lora import MaxLoRARanks
        from vllm.lora.request import LoRARequest

        base = source if adapter or result is None else str(result)
        lora = {}
        if adapter:
            lora = {
                "enable_lora": True,
                "max_lora_rank": room_for(rank_of(adapter), get_args(MaxLoRARanks)),
            }
        self._engine = LLM(
            model=base,
            dtype=dtype,
            quantization="bitsandbytes" if four_bit else None,
            seed=0,
            generation_config="vllm",  # nothing is inherited that is not asked for
            **lora,
        )
        self._lora = LoRARequest("adapter", 1, str(adapter)) if adapter else None
        self._parameters = SamplingParams
        self._configured = _configured(Path(base))
        self.tokenizer = load_tokenizer(str(result or source))

    def answers(
        self,
        prompts: Sequence[str],
        new_tokens: int,
        input_tokens: int,
        as_configured: bool = False,
    ) -> list[Generated]:
        """Answers in the order of the prompts; the parameters are those of `Backend.answers`.

        Raises:
            MtpeftError: The model's generation_config asks for what this backend does not do.
        """
        penalty = 1.0
        ends = end_tokens(self._configured.get("eos_token_id"), self.tokenizer)
        if as_configured:
            if other := sorted({*self._configured} - _WITHOUT_EFFECT - {"repetition_penalty"}):
                raise MtpeftError(
                    f"the model's generation_config sets {', '.join(other)}",
                    "settings that leave greedy decoding as it is, or repetition_penalty",
                    "--backend transformers",
                )
            penalty = self._configured.get("repetition_penalty", 1.0)
            ends = {self.tokenizer.eos_token_id}
        cut = {"truncation": True, "max_length": input_tokens} if input_tokens else {}
        tokens = self.tokenizer(list(prompts), add_special_tokens=False, **cut)["input_ids"]
        found = self._engine.generate(
            [{"prompt_token_ids": ids} for ids in tokens],
            self._parameters(
                temperature=0.0,
                max_tokens=new_tokens,
                repetition_penalty=penalty,
                stop_token_ids=sorted(ends),
                ignore_eos=True,  # what ends an answer is said above
            ),
            lora_request=self._lora,
            use_tqdm=False,
        )
        return [answered(list(o.outputs[0].token_ids), ends, self.tokenizer) for o in found]


def check_installed(four_bit: bool) -> None:
    """Make sure that vLLM can be had.

    Args:
        four_bit: Whether the base model is quantized while it is loaded.

    Raises:
        Unavailable: It is not installed, or a release without 4-bit weights.
    """
    package = importlib.util.find_spec("vllm")
    if package is None:
        raise Unavailable("vLLM is not installed", "the package vllm and a GPU", _INSTALL)
    places = package.submodule_search_locations or ()
    if four_bit and not any(Path(place, *_FOUR_BIT).is_file() for place in places):
        raise Unavailable(
            "the installed vLLM has no 4-bit weights of bitsandbytes",
            "vLLM 0.27.1, the last release that has",
            _INSTALL,
        )


def rank_of(adapter: Path) -> int:
    """The largest rank of an adapter's modules.

    Raises:
        BadInput: Its configuration names none.
    """
    path = adapter / "adapter_config.json"
    try:
        config = json.loads(read_text(path))
        return max([int(config["r"]), *map(int, (config.get("rank_pattern") or {}).values())])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            path, f"no rank: {error!r}", "the configuration of a LoRA adapter", "train it again"
        ) from error


def room_for(rank: int, offered: Sequence[int]) -> int:
    """The smallest of the ranks that vLLM has kernels for, and into which an adapter fits.

    Args:
        rank: Of the adapter.
        offered: The ranks that vLLM offers.

    Raises:
        MtpeftError: The adapter's rank is larger than all.
    """
    if fitting := [size for size in offered if size >= rank]:
        return min(fitting)
    raise MtpeftError(
        f"an adapter of rank {rank}",
        f"a rank of at most {max(offered)}, for vLLM",
        "--backend transformers",
    )


def _configured(model: Path) -> dict[str, Any]:
    """The generation_config of a model; empty where it has none."""
    path = model / "generation_config.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

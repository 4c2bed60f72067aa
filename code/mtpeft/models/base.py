"""Base models: causal language models, encoders without a language-model head, their tokenizers.

Nothing here knows a family: what differs between architectures is asked of the model's own
configuration and modules, or stands in the backbone's YAML.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from mtpeft.catalog import Backbone
from mtpeft.core.errors import MtpeftError
from mtpeft.core.text import first_line
from mtpeft.models.device import kind, local
from mtpeft.models.nf4 import keep_layout

T = TypeVar("T")
FLASH = "flash_attention_2"


OTHER = "--backbone FOLDER (of prompt and rank: --model FOLDER)"
_UNKNOWN = (
    *("Unrecognized", "does not recognize this architecture", "trust_remote_code"),
    *("not a valid JSON", "instantiate the backend tokenizer"),
)


@contextlib.contextmanager
def understood(source: str) -> Iterator[None]:
    """Around reading a model: what the library does not know is no fault of this package.

    Args:
        source: Where the model is.

    Raises:
        MtpeftError: The library builds no such model.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if not any(words in str(error) for words in _UNKNOWN):
            raise
        raise MtpeftError(
            f"{source}: {first_line(error).split('. ')[0]}",
            "tokenizer, configuration and weights of a causal language model (below heads: of an encoder "
            "or decoder) that transformers knows",
            f"{OTHER} with these",
        ) from error


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Load a model without the library's report: what of it matters, `complete` says or refuses.

    Its progress bar is for a terminal alone.
    """
    from transformers.utils import logging

    before, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bar:
            logging.enable_progress_bar()


def _has_flash(device: str) -> bool:
    return device.startswith("cuda") and importlib.util.find_spec("flash_attn") is not None


def attention(name: str, device: str, *, half: bool) -> list[str]:
    """The attention implementations that may serve, in the order in which they are tried: the one
    that is named; of `auto` flash attention where it is installed, there is a GPU and products are in
    16 bits, sdpa, eager.

    Args:
        name: Of one, or `auto`.
        device: As torch names it.
        half: Whether products are in 16 bits: the kernels of flash attention take nothing else.

    Raises:
        MtpeftError: Flash attention is named, and products are in float32.
    """
    if name == FLASH and not half:
        raise MtpeftError(
            f"attention is {FLASH}, whose kernels take 16-bit numbers, and products are in float32",
            "products in bfloat16, or another kernel",
            "--set mixed_precision=bf16, or --set attention=sdpa",
        )
    if name != "auto":
        return [name]
    return [*([FLASH] if half and _has_flash(device) else []), "sdpa", "eager"]


def attention_to_answer(trained: str) -> str:
    """The implementation for weights that were trained with one: the same, where this machine can
    have it.
    """
    return "auto" if trained == FLASH and not _has_flash(kind()) else trained


def _with_attention(
    load: Callable[[str], T], name: str, device: str, source: str, *, half: bool
) -> T:
    """What `load` gives for the first implementation that model and machine have.

    Raises:
        MtpeftError: They have none of those that may serve, or the library builds no such model.
    """
    *more, last = attention(name, device, half=half)
    for kernel in (*more, last):
        try:
            with understood(source):
                return load(kernel)
        except (ValueError, ImportError) as error:
            # The library refuses an implementation before it reads any weight.
            if "ttention" not in str(error):
                raise
            if kernel == last:
                raise MtpeftError(
                    f"attention {kernel} with {source}: {first_line(error).split('. ')[0]}",
                    "an implementation that the model and this machine have",
                    "--set attention=eager",
                ) from error
    raise AssertionError(name)


def attention_of(model: Any) -> str:
    """The attention implementation that a loaded model runs with."""
    return str(model.config._attn_implementation)


def load_tokenizer(source: str) -> Any:
    """The tokenizer of a backbone, padding on the left (generation needs that; training pads by
    itself); without a padding token of its own it pads with its end token.

    Raises:
        MtpeftError: It has neither, or the folder holds no tokenizer.
    """
    from transformers import AutoTokenizer

    with understood(source):
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
    files = set(tokenizer.vocab_files_names.values())
    if (
        files
        and Path(source).is_dir()
        and not any((Path(source) / name).exists() for name in files)
    ):
        # The library then makes one without words, which reads every text as nothing.
        raise MtpeftError(
            f"{source} holds no vocabulary of a {type(tokenizer).__name__}",
            f"{' or '.join(sorted(files))}",
            f"{OTHER} with the model's tokenizer",
        )
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise MtpeftError(
                f"the tokenizer of {source} has neither a padding token nor an end token",
                "one of them, which fills short rows up",
                f"pad_token in {source}/tokenizer_config.json",
            )
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_causal(
    source: str,
    *,
    dtype: str,
    attention_name: str = "auto",
    device: str = "cpu",
    quantisation: Any = None,
    liger: bool = False,
    mixed: bool = False,
) -> Any:
    """A causal language model.

    Args:
        source: Folder of the weights.
        dtype: Torch's name of the type of weights that are not quantized.
        attention_name: As in `attention`.
        device: As torch names it.
        quantisation: Configuration of 4-bit weights, or None.
        liger: Fused kernels, where they are installed and there is a GPU.
        mixed: Whether products are in bfloat16 whatever the weights are.

    Raises:
        MtpeftError: Weights of the model are missing, or the model, this machine or the type of
            products does not have the attention that is named.
    """
    import torch
    from transformers import AutoModelForCausalLM

    def load(kernel: str) -> Any:
        return AutoModelForCausalLM.from_pretrained(
            source,
            dtype=getattr(torch, dtype),
            quantization_config=quantisation,
            attn_implementation=kernel,
            device_map={"": device} if quantisation is not None else None,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `complete` refuses them by name
        )

    with quietly():
        half = mixed or dtype != "float32"
        model = complete(source, *_with_attention(load, attention_name, device, source, half=half))
    model.config.use_cache = False
    if liger and device.startswith("cuda") and importlib.util.find_spec("liger_kernel"):
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        # Our loss replaces the fused one: it needs a factor for each token.
        _apply_liger_kernel_to_instance(
            model, fused_linear_cross_entropy=False, cross_entropy=False
        )
    return model


def config_of(backbone: Backbone) -> Any:
    """The transformers configuration of a backbone, from the figures in the catalog alone (no
    download).

    Attention is eager, so that FLOPs can be counted and runs on a CPU repeat to the bit.

    Raises:
        MtpeftError: The entry names no architecture, or one that transformers does not have.
    """
    from transformers import AutoConfig

    values = dict(backbone.config)
    try:
        config = AutoConfig.for_model(values.pop("model_type"), **values)
    except (KeyError, ValueError) as error:
        raise MtpeftError(
            f"backbone {backbone.id}: {backbone.config.get('model_type', 'no model_type')} is no "
            "architecture of transformers",
            "model_type as in the model's config.json",
            f"correct config in {backbone.id}.yaml",
        ) from error
    config._attn_implementation = "eager"
    return config


def _encoder_class(config: Any) -> Any:
    """Of an encoder-decoder only the encoder is built: its decoder would be unused. An encoder that
    was saved alone is no encoder-decoder to its configuration, so the library's table decides.

    Raises:
        MtpeftError: The library has no encoder alone of the architecture.
    """
    import torch
    from transformers import AutoModel, AutoModelForTextEncoding

    listed = type(config) in AutoModelForTextEncoding._model_mapping
    if not config.is_encoder_decoder:
        return AutoModelForTextEncoding if listed else AutoModel
    with contextlib.suppress(ValueError), torch.device("meta"):
        if listed:  # T5Gemma's is listed and refuses to be built
            AutoModelForTextEncoding.from_config(deepcopy(config), attn_implementation="eager")
            return AutoModelForTextEncoding
    raise MtpeftError(
        f"transformers has no encoder alone of an encoder-decoder {config.model_type}",
        "an encoder, a decoder, or an encoder-decoder like T5",
        "mtpeft list backbones",
    )


def empty_encoder(config: Any, device: str = "cpu", seed: int | None = None) -> Any:
    """An encoder with random float32 weights; on the device `meta` it has shapes and no weights."""
    import torch

    if seed is not None:
        torch.manual_seed(seed)
    with torch.device(device):
        return _encoder_class(config).from_config(config)


def empty_causal(config: Any) -> Any:
    """A causal language model without weights, for counting."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def load_encoder(
    source: str, attention_name: str = "eager", quantisation: Any = None, *, mixed: bool = False
) -> Any:
    """An encoder with the weights in `source` (a folder), float32.

    Args:
        source: The folder.
        attention_name: As in `attention`.
        quantisation: Configuration of 4-bit weights, or None; such an encoder is on this process's
            device.
        mixed: Whether products are in bfloat16 on a GPU.

    Raises:
        MtpeftError: Weights of the encoder are missing, or the model, this machine or the type of
            products does not have the attention that is named.
    """
    import torch
    from transformers import AutoConfig

    def load(kernel: str) -> Any:
        return _encoder_class(AutoConfig.from_pretrained(source)).from_pretrained(
            source,
            attn_implementation=kernel,
            dtype=torch.float32,
            quantization_config=quantisation,
            device_map={"": local()} if quantisation is not None else None,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # `complete` refuses them by name
        )

    with quietly():
        model = complete(source, *_with_attention(load, attention_name, kind(), source, half=mixed))
    return keep_layout(model) if quantisation is not None else model


def complete(source: str, model: Any, loading: Mapping[str, Any]) -> Any:
    """A loaded model without weights that its files do not hold: the library draws those at random,
    every time others.

    Checkpoints of masked language models have no pooler. Without one, position 0 stands for a
    sequence (see `pooling`), and nothing that was drawn decides a result.

    Args:
        source: Where it was loaded from.
        model: The model.
        loading: What the library says of the loading.

    Returns:
        The model, without its pooler where that was drawn.

    Raises:
        MtpeftError: Other weights are missing, or have another shape than the model's, or files hold
            a layer or a part of one that the model does not have.
    """
    for name, stored, wanted in sorted(loading["mismatched_keys"]):
        raise MtpeftError(
            f"{name} of {source} has shape {list(stored)}",
            f"{list(wanted)}, as config.json beside it says",
            f"{OTHER} with a whole model",
        )
    if extra := _without_a_place(model, loading["unexpected_keys"]):
        raise MtpeftError(
            f"{source} holds {len(extra)} weights for which the model that its config.json describes "
            f"has no place, {extra[0]} among them",
            "as many layers in the configuration as in the files, with the same parts",
            f"correct config.json, or {OTHER} with a whole {type(model).__name__}",
        )
    missing = sorted(loading["missing_keys"])
    pooler = [n for n in model.state_dict() if n.startswith("pooler.")] if missing else []
    # A file with a part of it, or with one by other names, is no checkpoint without a pooler.
    other = any("pooler" in name.split(".") for name in loading["unexpected_keys"])
    if missing and missing == sorted(pooler) and not other:
        model.pooler = None
        missing = []
    if missing:
        raise MtpeftError(
            f"{source} lacks {len(missing)} weights of the model, {missing[0]} among them",
            f"all weights of a {type(model).__name__}",
            f"{OTHER} with a whole model",
        )
    return model


def _without_a_place(model: Any, unexpected: Iterable[str]) -> list[str]:
    """Of the weights that a model did not take, those of a layer behind its last one, or of a layer
    that it has without them (a bias). Whole heads, poolers and decoders are not missed.
    """
    modules, prefix = dict(model.named_modules()), f"{model.base_model_prefix}."

    def within_a_layer(name: str) -> bool:
        above = name.rpartition(".")[0]
        if above in modules:
            return bool(modules[above]._parameters)
        while above not in modules:
            above = above.rpartition(".")[0]
        return type(modules[above]).__name__ == "ModuleList"

    # A file's names may have the prefix of the base model, or lack it.
    return [
        name
        for name in sorted(unexpected)
        if any(map(within_a_layer, (name, name.removeprefix(prefix), prefix + name)))
    ]


def positions_of(config: Any) -> int | None:
    """Tokens that a model has positions for; None where its configuration names no limit."""
    length = getattr(config, "max_position_embeddings", None)
    return None if length is None or length < 1 else int(length)  # XLNet: -1


def longest_input(source: str) -> int | None:
    """Tokens that the encoder in `source` has positions for; None where positions have no limit."""
    from transformers import AutoConfig

    with understood(source):
        config = AutoConfig.from_pretrained(source)
    length = positions_of(config)
    if length is None:
        return None
    # Some position tables begin after the padding's own row.
    tables = [
        module.padding_idx
        for name, module in empty_encoder(config, "meta").named_modules()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    ]
    return int(length) - (tables[0] + 1 if tables else 0)


def takes_keys(encoder: Any) -> bool:
    """Whether attention uses keys and values that are handed in, so that a prefix reaches it."""
    import inspect

    return "past_key_values" in inspect.signature(encoder.forward).parameters

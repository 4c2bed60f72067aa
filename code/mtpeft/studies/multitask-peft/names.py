"""What the study's public files call things → the names of this project. Each function raises
`UnknownName` for anything else.
"""

import re
from collections.abc import Callable, Mapping

from mtpeft.core.errors import UnknownName

Rule = Callable[[str], str]

_BACKBONE = {
    "microsoft/unixcoder-base": "unixcoder-base",
    "answerdotai/ModernBERT-base": "modernbert-base",
    "Salesforce/codet5p-770m": "codet5p-770m",
    "deepseek-ai/deepseek-coder-1.3b-base": "deepseek-coder-1.3b",
    "Qwen/Qwen2.5-Coder-1.5B": "qwen2.5-coder-1.5b-base",
    "Qwen/Qwen3-Embedding-4B": "qwen3-embedding-4b",
    "gpt-5.6-luna": "gpt-5.6-luna",
    "codellama/CodeLlama-34b-Instruct-hf": "codellama-34b-instruct",
    "mistralai/Mistral-7B-Instruct-v0.3": "mistral-7b-instruct-v0.3",
    "bigcode/starcoder2-15b": "starcoder2-15b",
    "Qwen/Qwen2.5-Coder-32B-Instruct": "qwen2.5-coder-32b-instruct",
    "deepseek-ai/deepseek-coder-33b-instruct": "deepseek-coder-33b-instruct",
}
# The sibling study's logs are named after the base model; one log does not print it.
_LOG_PREFIX = {
    "codebert": "codebert-base",
    "graphcodebert": "graphcodebert-base",
    "codet5": "codet5-base",
    "codet5p": "codet5p-220m",
    "codet5p220": "codet5p-220m",
    "unixcoder": "unixcoder-base",
    "transfer": "unixcoder-base",
}
_TYPED_BACKBONE = {
    "unixcoder-base": "unixcoder-base",
    "unixcoder": "unixcoder-base",
    "modernbert-base": "modernbert-base",
    "codet5+ 770m": "codet5p-770m",
    "codet5$^+$ 770m": "codet5p-770m",
    "codet5+": "codet5p-770m",
    "deepseek coder 1.3b": "deepseek-coder-1.3b",
    "deepseek-coder 1.3b": "deepseek-coder-1.3b",
    "deepseek": "deepseek-coder-1.3b",
    "qwen2.5-coder-1.5b": "qwen2.5-coder-1.5b-base",
    "qwen": "qwen2.5-coder-1.5b-base",
}
_TYPED_METHOD = {
    "full": "fft",
    "serial adapter": "serial_adapter",
    "adapter": "serial_adapter",
    "parallel adapter": "parallel_adapter",
    "lora": "lora",
    "mlora": "mlora",
    "prefix": "prefix",
}
_PEFT = {
    "full": "fft",
    "adapter": "serial_adapter",
    "parallel_adapter": "parallel_adapter",
    "lora": "lora",
    "mlora": "mlora",
    "prefix": "prefix",
}
_WEIGHTING = {"normalized": "normalized", "uncertainty": "uncertainty", "famo": "famo"}


def _known(kind: str, text: str, table: Mapping[str, str]) -> str:
    if text not in table:
        raise UnknownName(kind, text, dict(table))
    return table[text]


def backbone(text: str) -> str:
    """Id of a backbone or prompted model by its name on the model hub."""
    return _known("backbone", text, _BACKBONE)


def backbone_of_log(stem: str) -> str:
    """Id of a backbone by the first word of a log's name."""
    return _known("backbone", stem.partition("_")[0], _LOG_PREFIX)


def typed_backbone(text: str) -> str:
    """Id of a backbone by its name in the notebook or in the LaTeX table."""
    return _known("backbone", text.lower(), _TYPED_BACKBONE)


def typed_method(text: str) -> str:
    """Catalog method by its name in the notebook or in the LaTeX table, sizes in parentheses left
    out.
    """
    return _known("method", re.sub(r"\s*\(.*\)$", "", text).lower(), _TYPED_METHOD)


def peft(text: str) -> str:
    """Catalog method by the revision's option."""
    return _known("method", text, _PEFT)


def weighting(text: str) -> str:
    """Loss weighting by the revision's option."""
    return _known("loss weighting", text, _WEIGHTING)


def method_of_log(stem: str) -> str:
    """Catalog method by the name of an early log.

    Raises:
        UnknownName: The name has no word for a method.
    """
    lower = stem.lower()
    for part, method in (
        ("parallel", "parallel_adapter"),
        ("lora", "lora"),
        ("prefix", "prefix"),
        ("adapter", "serial_adapter"),
        ("default", "serial_adapter"),
        ("full", "fft"),
    ):
        if part in lower:
            return method
    raise UnknownName("method", stem, dict(_TYPED_METHOD))

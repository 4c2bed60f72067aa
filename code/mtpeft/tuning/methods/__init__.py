"""How a backbone is made trainable: one small module per method, each with `prepare(source,
settings, device)`.

It returns the model to train: `fft` all weights, `lora` adapters on a plain base, `qlora` on a
4-bit one.
"""

from collections.abc import Callable
from typing import Any

from mtpeft.core.errors import UnknownName
from mtpeft.tuning.methods import fft, lora, qlora
from mtpeft.tuning.settings import Settings

METHODS: dict[str, Callable[[str, Settings, str], Any]] = {
    "fft": fft.prepare,
    "lora": lora.prepare,
    "qlora": qlora.prepare,
}


def prepare(method: str, source: str, settings: Settings, device: str) -> Any:
    """The model to train. source: folder or hub id of the backbone; device: as torch names it."""
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    return METHODS[method](source, settings, device)

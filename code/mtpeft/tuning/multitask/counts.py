"""How many parameters are trained: by closed form, and counted in a model without weights."""

from collections.abc import Iterable
from typing import Any

from mtpeft.catalog import Method
from mtpeft.tuning.multitask.backbones import empty_encoder, hidden_size
from mtpeft.tuning.multitask.heads import BINARY, HEADS
from mtpeft.tuning.multitask.methods import method_module


def closed_form(config: Any, method: Method) -> int:
    """Trained parameters of a method on a backbone, heads apart."""
    return int(method_module(method).count(config, method.tuning))


def counted(config: Any, method: Method) -> int:
    """The same, counted over a model that is built on the meta device."""
    attached = method_module(method).attach(empty_encoder(config, "meta"), method.tuning)
    modules = [attached.encoder] + ([attached.extra] if attached.extra is not None else [])
    return sum(
        {id(p): p.numel() for m in modules for p in m.parameters() if p.requires_grad}.values()
    )


def heads_closed_form(hidden: int, kinds: Iterable[str]) -> int:
    """binary: h ⌊h/2⌋ + ⌊h/2⌋ + ⌊h/2⌋ + 1; retrieval: 2 h + h² + h."""
    half = hidden // 2
    return sum(
        hidden * half + 2 * half + 1 if kind == BINARY else hidden * hidden + 3 * hidden
        for kind in kinds
    )


def heads_counted(config: Any, kinds: Iterable[str]) -> int:
    """The same, counted."""
    return sum(p.numel() for kind in kinds for p in HEADS[kind](hidden_size(config)).parameters())

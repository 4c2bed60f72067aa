"""How many parameters a method trains: counted in a model that has shapes and no weights."""

from collections.abc import Iterable, Mapping
from typing import Any

from mtpeft.catalog import Backbone, Method
from mtpeft.models.base import config_of, empty_encoder
from mtpeft.models.heads import HEADS
from mtpeft.models.methods import method_module


def counted(backbone: Backbone, method: Method, how: Mapping[str, Any]) -> int:
    """Trained parameters of a method on a backbone's encoder, heads apart."""
    encoder = empty_encoder(config_of(backbone), "meta")
    attached = method_module(method).attach(encoder, backbone, how)
    modules = [m for m in (attached.encoder, attached.extra) if m is not None]
    trained = {id(p): p.numel() for m in modules for p in m.parameters() if p.requires_grad}
    return sum(trained.values())


def heads_counted(hidden: int, kinds: Iterable[str]) -> int:
    """Parameters of heads of the given kinds on hidden states of a width."""
    return sum(p.numel() for kind in kinds for p in HEADS[kind](hidden).parameters())

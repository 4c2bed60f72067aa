"""How many weights a model has and a method trains: counted in a model that has shapes only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mtpeft.catalog import Backbone, Method
from mtpeft.models import nf4
from mtpeft.models.base import config_of, empty_causal, empty_encoder
from mtpeft.models.heads import HEADS
from mtpeft.models.methods import method_module


@dataclass(frozen=True)
class Counts:
    """Weights of a model, heads of tasks apart.

    Attributes:
        every: Of the base model.
        used: Those of them in matrix products of a forward pass: all but the embedding, which
            counts where it is the output layer, too.
        trained: By the method.
        four_bit: Those of the base model that NF4 takes.
    """

    every: int
    used: int
    trained: int
    four_bit: int


def counted(
    backbone: Backbone, method: Method, how: Mapping[str, Any], causal: bool = False
) -> Counts:
    """The weights of a backbone's encoder, or of its causal language model, with a method.

    Args:
        backbone: The backbone, whose configuration stands in the catalog.
        method: What is trained.
        how: Settings that the method reads, by name.
        causal: Whether to count the causal language model.
    """
    config = config_of(backbone)
    model = empty_causal(config) if causal else empty_encoder(config, "meta")
    every = sum(p.numel() for p in model.parameters())
    embedding = model.get_input_embeddings().weight
    tied = causal and embedding is model.get_output_embeddings().weight
    four_bit = sum(model.get_submodule(name).weight.numel() for name in nf4.taken(model))
    attached = method_module(method).attach(model, backbone, how)
    modules = [m for m in (attached.encoder, attached.extra) if m is not None]
    trained = {id(p): p.numel() for m in modules for p in m.parameters() if p.requires_grad}
    used = every - (0 if tied else embedding.numel())
    return Counts(every, used, sum(trained.values()), four_bit)


def heads_counted(hidden: int, kinds: Iterable[str]) -> int:
    """Parameters of heads of the given kinds on hidden states of a width."""
    return sum(p.numel() for kind in kinds for p in HEADS[kind](hidden).parameters())

"""How many weights a model has and a method trains: counted in a model that has shapes only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mtpeft.catalog import Backbone, Method
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
    """

    every: int
    used: int
    trained: int


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
    attached = method_module(method).attach(model, backbone, how)
    modules = [m for m in (attached.encoder, attached.extra) if m is not None]
    trained = {id(p): p.numel() for m in modules for p in m.parameters() if p.requires_grad}
    return Counts(every, every - (0 if tied else embedding.numel()), sum(trained.values()))


def heads_counted(hidden: int, kinds: Iterable[str]) -> int:
    """Parameters of heads of the given kinds on hidden states of a width."""
    return sum(p.numel() for kind in kinds for p in HEADS[kind](hidden).parameters())

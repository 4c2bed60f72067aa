"""Parallel adapters: from the input of one site to the output of the next, sites taken two by two."""

from functools import partial
from typing import Any

from mtpeft.tuning.multitask.adapters import PARALLEL, Adapters, load, matching, pairs, save
from mtpeft.tuning.multitask.backbones import family_of, hidden_size
from mtpeft.tuning.multitask.methods import Attached, freeze
from mtpeft.tuning.multitask.methods.serial_adapter import adapter_size, sites_of


def attach(encoder: Any, tuning: dict[str, Any]) -> Attached:
    """The encoder, frozen, with one adapter for each pair of sites."""
    freeze(encoder)
    sites = pairs(matching(encoder, tuning["sites"][family_of(encoder.config)]))
    adapters = Adapters(encoder, PARALLEL, sites, hidden_size(encoder.config), tuning["bottleneck"])
    return Attached(encoder, partial(save, adapters), partial(load, adapters), adapters)


def count(config: Any, tuning: dict[str, Any]) -> int:
    """Half as many adapters as there are sites."""
    return sites_of(config, tuning) // 2 * adapter_size(hidden_size(config), tuning["bottleneck"])

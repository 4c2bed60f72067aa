"""Parallel adapters: from the input of one site to the output of the next, sites taken in pairs."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mtpeft.catalog import Backbone
from mtpeft.models.adapters import PARALLEL, Adapters, load, matching, pairs, save
from mtpeft.models.methods import Attached, freeze, modules_of


def attach(model: Any, backbone: Backbone, how: Mapping[str, Any]) -> Attached:
    """The model, frozen, with one adapter for each pair of sites."""
    freeze(model)
    sites = pairs(matching(model, modules_of(backbone, "adapters")))
    adapters = Adapters(model, PARALLEL, sites, model.config.hidden_size, how["bottleneck"])
    return Attached(model, partial(save, adapters), partial(load, adapters), adapters)

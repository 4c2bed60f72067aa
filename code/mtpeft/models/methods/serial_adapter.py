"""Serial adapters on the outputs of the modules that the backbone's YAML names for adapters."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mtpeft.catalog import Backbone
from mtpeft.models.adapters import SERIAL, Adapters, load, matching, save
from mtpeft.models.methods import Attached, freeze, modules_of


def attach(model: Any, backbone: Backbone, how: Mapping[str, Any]) -> Attached:
    """The model, frozen, with one adapter at each site."""
    freeze(model)
    sites = matching(model, modules_of(backbone, "adapters"))
    adapters = Adapters(model, SERIAL, sites, model.config.hidden_size, how["bottleneck"])
    return Attached(model, partial(save, adapters), partial(load, adapters), adapters)

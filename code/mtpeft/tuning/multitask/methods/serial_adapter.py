"""Serial adapters on the outputs of the modules that `tuning.sites` names for the backbone's
family.
"""

from functools import partial
from typing import Any

from mtpeft.tuning.multitask.adapters import SERIAL, Adapters, load, matching, save
from mtpeft.tuning.multitask.backbones import family_of, hidden_size, layers_of
from mtpeft.tuning.multitask.methods import Attached, freeze


def attach(encoder: Any, tuning: dict[str, Any]) -> Attached:
    """The encoder, frozen, with one adapter at each site."""
    freeze(encoder)
    sites = matching(encoder, tuning["sites"][family_of(encoder.config)])
    adapters = Adapters(encoder, SERIAL, sites, hidden_size(encoder.config), tuning["bottleneck"])
    return Attached(encoder, partial(save, adapters), partial(load, adapters), adapters)


def count(config: Any, tuning: dict[str, Any]) -> int:
    """sites a layer × layers × (2 d h + d + h)."""
    return sites_of(config, tuning) * adapter_size(hidden_size(config), tuning["bottleneck"])


def sites_of(config: Any, tuning: dict[str, Any]) -> int:
    """Number of sites: every named module occurs once a layer."""
    return len(tuning["sites"][family_of(config)]) * layers_of(config)


def adapter_size(hidden: int, bottleneck: int) -> int:
    """Weights of one adapter: 2 d h + d + h."""
    return 2 * bottleneck * hidden + bottleneck + hidden

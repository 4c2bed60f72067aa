"""Keys and values of a batch that is being written.

transformers' own layers are concatenated anew for every token, which copies all that was kept before: with
sixteen answers on a CPU a fifth of the time of a step. Here a layer has room for the tokens to come.
"""

from typing import Any

from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens for which room is made at a time: seldom enough to copy little, and never much unused."""


class Roomy(DynamicLayer):
    """A `DynamicLayer` that writes into room which it has made before.

    `keys` and `values` are what has been written, of shape [B, heads, tokens, head dimension], as there.
    """

    keys: Any
    values: Any

    def update(
        self, key_states: Any, value_states: Any, *more: Any, **named: Any
    ) -> tuple[Any, Any]:
        """Keep the keys and values of further tokens; all that are kept are given back.

        Args:
            key_states: Of shape [B, heads, further tokens, head dimension].
            value_states: Likewise.
            more: Not used, as in `DynamicLayer`.
            named: Likewise.
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._room = [self.keys, self.values]
        self.keys = self._behind(self.keys, key_states, 0)
        self.values = self._behind(self.values, value_states, 1)
        return self.keys, self.values

    def _behind(self, kept: Any, further: Any, which: int) -> Any:
        """What is kept with further tokens behind it: in the same memory, where that has room."""
        before = kept.shape[-2] if kept.numel() else 0
        after = before + further.shape[-2]
        room = self._room[which]
        # Answers that were dropped, or put in another order, lie elsewhere by then.
        if not before or room.data_ptr() != kept.data_ptr() or room.shape[-2] < after:
            room = further.new_empty(*further.shape[:-2], after + ROOM, further.shape[-1])
            if before:
                room[..., :before, :] = kept
            self._room[which] = room
        room[..., before:after, :] = further
        return room[..., :after, :]


def keys_and_values(config: Any) -> DynamicCache:
    """An empty cache for a model; layers that keep more than keys and values, or not all of them, are
    those of transformers.

    Args:
        config: The model's configuration.
    """
    cache = DynamicCache(config=config)
    cache.layers = [Roomy() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache

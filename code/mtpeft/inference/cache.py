"""Keys and values of a batch that is being written.

transformers' own layers are concatenated anew for every token, which copies all that was kept before: with
sixteen answers on a CPU a fifth of the time of a step. Here a layer has room for the tokens to come.
"""

from collections.abc import Sequence
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


def joined(config: Any, parts: Sequence[tuple[list[int], DynamicCache]]) -> DynamicCache:
    """The cache of a batch whose prompts were read in groups.

    Args:
        config: The model's configuration.
        parts: Rows of the batch, and their cache; together every row once. What is shorter than the
            longest is padded on the left, with zeros. The parts are emptied layer by layer, so that
            keys and values are never kept twice.
    """
    cache = keys_and_values(config)
    rows = sum(len(some) for some, _ in parts)
    for layer in cache.layers:
        of = [(some, part.layers.pop(0)) for some, part in parts]
        layer.update(
            _padded(rows, [(some, one.keys) for some, one in of]),
            _padded(rows, [(some, one.values) for some, one in of]),
        )
    return cache


def _padded(rows: int, parts: Sequence[tuple[list[int], Any]]) -> Any:
    """Tensors of shape [rows of the part, heads, tokens, head dimension] as one, padded on the left."""
    _, heads, _, size = parts[0][1].shape
    width = max(tensor.shape[-2] for _, tensor in parts)
    whole = parts[0][1].new_zeros(rows, heads, width, size)
    for some, tensor in parts:
        whole[some, :, width - tensor.shape[-2] :] = tensor
    return whole


def separable(cache: DynamicCache) -> bool:
    """Whether prompts may be read in groups: every layer keeps all keys and values, and no more."""
    return bool(cache.layers) and all(type(layer) is Roomy for layer in cache.layers)

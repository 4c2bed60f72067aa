"""Grouping prompts into batches: by length, so that little is padding, and small enough for the
cache.
"""

from collections.abc import Iterator, Sequence


def batches(
    lengths: Sequence[int], new_tokens: int, tokens_in_flight: int, size: int = 0
) -> Iterator[list[int]]:
    """Indices of each batch, longest prompts first (the largest batch comes first: what does not
    fit fails early).

    size: fixed number of prompts a batch; 0: as many as keep (longest prompt + new_tokens) ×
    prompts within tokens_in_flight, at least one.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    at = 0
    while at < len(order):
        count = size or max(1, tokens_in_flight // (lengths[order[at]] + new_tokens))
        yield order[at : at + count]
        at += count

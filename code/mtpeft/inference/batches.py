"""Grouping prompts into batches: by length, so that little is padding, and small enough for the
cache.
"""

from collections.abc import Iterator, Sequence

ALIKE = 0.8
"""At most a fifth of what a group reads is padding; there are few groups, since each is a fifth shorter."""


def batches(
    lengths: Sequence[int], new_tokens: int, tokens_in_flight: int, size: int = 0
) -> Iterator[list[int]]:
    """Indices of each batch, longest prompts first (the largest batch comes first: what does not
    fit fails early), or in their order where a batch has a fixed number of prompts.

    Args:
        lengths: Tokens of each prompt.
        new_tokens: The most tokens of an answer.
        tokens_in_flight: What (longest prompt + new_tokens) × prompts may reach in a batch; a batch
            holds one prompt at least.
        size: A fixed number of prompts a batch in place of that (0: none).
    """
    order = sorted(range(len(lengths)), key=lambda i: (0 if size else -lengths[i], i))
    at = 0
    while at < len(order):
        count = size or max(1, tokens_in_flight // (lengths[order[at]] + new_tokens))
        yield order[at : at + count]
        at += count


def alike(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of a batch in groups of about one length, the longest first.

    Args:
        lengths: Tokens of each prompt; in a group none has less than `ALIKE` of the longest.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if not groups or lengths[i] < ALIKE * lengths[groups[-1][0]]:
            groups.append([])
        groups[-1].append(i)
    return groups

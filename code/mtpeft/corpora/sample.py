"""A part of another corpus, drawn by a rule that depends on nothing but ids and a seed."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.examples import Example


def examples(
    task: str,
    split: str,
    of: str,
    sizes: Mapping[str, Mapping[str, Any]],
    seed: int = 42,
) -> list[Example]:
    """The examples of a task that a sample holds, in the order of the whole corpus.

    Args:
        task: The task.
        split: `train`, `valid` or `test`.
        of: The corpus that the sample is drawn from, as in `corpora.load`.
        sizes: By task, how many examples of each split (0: all), and under `positives` the share of
            positives among those of every split, where it is not left as it is.
        seed: Of the draw.

    Raises:
        MtpeftError: The sample says nothing about the task or the split.
    """
    wanted = sizes.get(task, {})
    if split not in wanted:
        raise MtpeftError(
            f"the sample of {of} says nothing about {task}, {split}",
            f"sizes: {{{task}: {{{split}: N}}}} in the options of the corpus",
            "mtpeft list studies",
        )
    return drawn(_whole(of, task, split), int(wanted[split]), seed, wanted.get("positives"))


@lru_cache(maxsize=16)
def _whole(of: str, task: str, split: str) -> Sequence[Example]:
    from mtpeft.corpora.load import load

    return load(of, task, split)


def drawn(
    whole: Sequence[Example], number: int, seed: int, positives: float | None = None
) -> list[Example]:
    """Those whose ids have the smallest SHA-256 after the seed: a draw without replacement that
    no other example can change.

    Args:
        whole: What is drawn from.
        number: How many (0: all); fewer where there are no more.
        seed: Of the draw.
        positives: Their share among those drawn (None: as it comes); fewer negatives are drawn
            where there are too few positives.
    """

    def first(some: Sequence[int], most: int) -> list[int]:
        return sorted(
            some, key=lambda i: hashlib.sha256(f"{seed} {whole[i].id}".encode()).digest()
        )[:most]

    if not number:
        return list(whole)
    if positives is None:
        return [whole[i] for i in sorted(first(range(len(whole)), number))]
    by_class = {
        label: [i for i, e in enumerate(whole) if (e.target == "1") == label]
        for label in (True, False)
    }
    yes = first(by_class[True], round(number * positives))
    no = first(by_class[False], round(len(yes) * (1 - positives) / positives))
    return [whole[i] for i in sorted([*yes, *no])]

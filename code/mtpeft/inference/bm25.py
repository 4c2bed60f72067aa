"""Texts nearest to a query by BM25 (Robertson and Zaragoza 2009): few-shot examples, candidates of
a search.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np


class Bm25:
    """An index of texts, split at white space (Robertson and Zaragoza 2009, *The Probabilistic
    Relevance Framework*).

    Args:
        texts: What is searched.
        k1: How soon the weight of a repeated word saturates.
        b: How much long texts are held back, from 0 to 1.
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> None:
        documents = [Counter(text.split()) for text in texts]
        sizes = [sum(d.values()) for d in documents]
        mean = sum(sizes) / max(1, len(sizes)) or 1.0
        self._number = len(documents)
        norms = np.array([k1 * (1 - b + b * size / mean) for size in sizes])
        places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for i, document in enumerate(documents):
            for word, count in document.items():
                places[word].append((i, count))
        # Texts that hold a word, and its weight in each.
        self._places = {}
        for word, found in places.items():
            where, counts = np.array(found).T
            rare = math.log(1 + (self._number - len(where) + 0.5) / (len(where) + 0.5))
            self._places[word] = where, rare * counts * (k1 + 1) / (counts + norms[where])

    def nearest(self, query: str, number: int) -> list[int]:
        """Positions of the `number` nearest texts, the nearest last; among equals the first text is
        nearer.
        """
        scores = np.zeros(self._number)
        for word in sorted(set(query.split())):
            if word in self._places:
                where, weights = self._places[word]
                scores[where] += weights
        order = np.argsort(-scores, kind="stable")[:number]
        return [int(i) for i in order[::-1]]


def nearest(query: str, texts: Sequence[str], number: int) -> list[int]:
    """`Bm25.nearest` for one query."""
    return Bm25(texts).nearest(query, number)

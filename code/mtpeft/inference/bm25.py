"""Texts nearest to a query by BM25 (Robertson and Zaragoza 2009): few-shot examples, candidates of
a search.
"""

from collections.abc import Sequence

import bm25s
import numpy as np


class Bm25:
    """An index of texts, split at white space (Robertson and Zaragoza 2009, *The Probabilistic
    Relevance Framework*, in the form of Lucene: a word that most texts hold still counts a little).

    Args:
        texts: What is searched.
        k1: How soon the weight of a repeated word saturates.
        b: How much long texts are held back, from 0 to 1.
    """

    def __init__(self, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> None:
        documents = [text.split() for text in texts]
        self._number = len(documents)
        self._words = {word for document in documents for word in document}
        self._index = bm25s.BM25(k1=k1, b=b, dtype="float64")
        if self._words:  # the library cannot index nothing
            self._index.index(documents, show_progress=False)

    def nearest(self, query: str, number: int) -> list[int]:
        """Positions of the `number` nearest texts, the nearest last; among equals the first text is
        nearer. A word counts once, however often the query has it.
        """
        # Sorted: sums in another order may differ in their last digit.
        known = sorted(self._words.intersection(query.split()))
        scores = self._index.get_scores(known) if known else np.zeros(self._number)
        # Not the library's own choice of the best: it leaves the order of equals open.
        order = np.argsort(-scores, kind="stable")[:number]
        return [int(i) for i in order[::-1]]


def nearest(query: str, texts: Sequence[str], number: int) -> list[int]:
    """`Bm25.nearest` for one query."""
    return Bm25(texts).nearest(query, number)

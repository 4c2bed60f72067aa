"""From the manifest to the examples of a task.

`manifest` says what exists, `fetch` brings it here and verifies it, `derived` builds what is built,
and `load` returns the examples of a task: `load("", "translation", "train")`.
"""

from mtpeft.corpora.examples import Example, read_examples, subsample_evenly, write_examples
from mtpeft.corpora.load import SPLITS, corpora, default_corpus, evaluation, evaluation_of, load

__all__ = [
    "SPLITS",
    "Example",
    "corpora",
    "default_corpus",
    "evaluation",
    "evaluation_of",
    "load",
    "read_examples",
    "subsample_evenly",
    "write_examples",
]

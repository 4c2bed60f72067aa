"""Sixteen words. What is tested is how stages meet, not how models generalise: every split has the
same words.
"""

from mtpeft.corpora import Example

WORDS = [
    "apple",
    "bread",
    "cherry",
    "dough",
    "egg",
    "flour",
    "ginger",
    "honey",
    "ice",
    "jam",
    "kale",
    "lemon",
    "mint",
    "nut",
    "olive",
    "pear",
]


def examples(task: str, split: str) -> list[Example]:
    """The examples of a split."""
    return [Example(word, task, "english", {"word": word}, f"{word.upper()}!") for word in WORDS]

"""Shouting: a word → the same word in capitals."""

from mtpeft.corpora import Example
from mtpeft.tasks import Message, Wording


def messages(example: Example, wording: Wording) -> list[Message]:
    """System and user message."""
    return [
        {"role": "system", "content": "Shout."},
        {"role": "user", "content": example.inputs["word"]},
    ]


def target(example: Example, wording: Wording) -> str:
    """The shouted word."""
    return example.target


def answer(raw: str, faithful: bool) -> str:
    """The first line."""
    return raw.strip().partition("\n")[0]

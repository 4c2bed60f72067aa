"""Flaky-test detection: can this Java test pass and fail on the same code?"""

from mtpeft.corpora.examples import Example
from mtpeft.tasks import yes_no
from mtpeft.tasks.answer import Answer
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import Wording

ROLE = "You review Java tests."
QUESTION = "Is this test flaky, that is, can it pass and fail without any change to the code?"


def texts(example: Example) -> tuple[str, ...]:
    """What the encoder reads."""
    return (example.inputs["code"],)


label = yes_no.label


def messages(example: Example, wording: Wording) -> list[Message]:
    """System and user message of the question."""
    return yes_no.asked(ROLE, QUESTION, *texts(example))


def target(example: Example, wording: Wording) -> str:
    """`yes` or `no`."""
    return yes_no.word(example)


def answer(raw: str, faithful: bool) -> Answer:
    """`1`, `0`, or empty for no answer (the study's reading knows no such thing)."""
    return yes_no.read(raw, faithful)

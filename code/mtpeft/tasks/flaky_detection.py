"""Flaky-test detection: can this Java test pass and fail on the same code?"""

from mtpeft.tasks import yes_no

_QUESTION = yes_no.Question(
    "You review Java tests.",
    "Is this test flaky, that is, can it pass and fail without any change to the code?",
)

texts, messages = _QUESTION.texts, _QUESTION.messages
label, target, answer = yes_no.label, yes_no.target, yes_no.read

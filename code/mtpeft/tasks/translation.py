"""Code translation: a Java function → C#, a C# function → Java."""

from mtpeft.corpora.examples import Example
from mtpeft.tasks.answer import Answer
from mtpeft.tasks.fences import tagged, unfenced
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import LANGUAGE, Wording


def messages(example: Example, wording: Wording) -> list[Message]:
    """System and user message."""
    return [
        {"role": "system", "content": wording.text("translation", "system")},
        {
            "role": "user",
            "content": wording.text("translation", "user").format(
                source=LANGUAGE[example.source_language],
                target=LANGUAGE[example.language],
                code=example.inputs["code"],
            ),
        },
    ]


def target(example: Example, wording: Wording) -> str:
    """The translated function."""
    return wording.text("translation", "assistant").format(
        output=example.target, code=example.target
    )


def answer(raw: str, faithful: bool, language: str = "") -> Answer:
    """The code; of several equally good undeclared blocks the last, for the question's code is often
    repeated before it. The study kept what follows the last `Assistant:`, and of a fence other than
    ```java the language tag.
    """
    if faithful:
        return Answer(tagged(raw.rsplit("Assistant:", 1)[-1].strip()), "study: tagged fence")
    return unfenced(raw, language, last=True)

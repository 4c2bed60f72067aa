"""Code summarization: function → one sentence."""

from mtpeft.corpora.examples import Example
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import LANGUAGE, Wording


def messages(example: Example, wording: Wording) -> list[Message]:
    """System and user message."""
    language = LANGUAGE[example.language]
    return [
        {
            "role": "system",
            "content": wording.text("summarization", "system", example.language).format(
                language=language
            ),
        },
        {
            "role": "user",
            "content": wording.text("summarization", "user", example.language).format(
                code=example.inputs["code"], language=language
            ),
        },
    ]


def target(example: Example, wording: Wording) -> str:
    """The summary, between the study's markers under its wording."""
    return wording.text("summarization", "assistant").format(
        docstring=example.target, summary=example.target
    )


def answer(raw: str, faithful: bool) -> str:
    """The summary: what follows the last `SUMMARY:` up to the first `DONE` (the study's markers;
    none under our own).

    The study's full-fine-tuning script dropped only a leading marker; where a model writes one
    marker, as trained, both rules agree.
    """
    if faithful or "SUMMARY:" in raw:
        return raw.rsplit("SUMMARY:", 1)[-1].split("DONE", 1)[0].strip()
    return raw.strip()

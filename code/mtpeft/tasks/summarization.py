"""Code summarization: function → one sentence."""

import re

from mtpeft.corpora.examples import Example
from mtpeft.tasks.fences import tidied
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import LANGUAGE, Wording

_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^\n]*$\n?", re.MULTILINE)
_MARKER = re.compile(r"^[ \t]*SUMMARY:", re.MULTILINE)
_DONE = re.compile(r"(?:^|(?<=[.!?]))[ \t]*DONE\.?\s*\Z", re.MULTILINE)
_LEAD_IN = re.compile(
    r"(?:(?:sure|certainly|of course|okay|ok)\b[^\n]*?[!.,:]\s*)?"
    r"(?:here(?:'s| is| are)\b[^\n:]*:|the (?:summary|description)\b[^\n:]* is:)\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\A(?:[*_#]*\s*)(?:(?:one[- ]sentence|short|brief|code|final)\s+)?"
    r"(?:summary|description|docstring|answer|comment)\s*[*_]*\s*:\s*[*_]*\s*",
    re.IGNORECASE,
)


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
    """The summary in what a model wrote.

    As the study cuts, it is what follows the last `SUMMARY:` up to the first `DONE`; else the text
    without reasoning, fences, lead-in, label and quotes, and without the study's markers where they
    stand as markers, at the beginning of a line and at the end of the text.

    The study's full-fine-tuning script dropped only a leading marker; where a model writes one
    marker, as trained, both rules agree.
    """
    if faithful:
        return raw.rsplit("SUMMARY:", 1)[-1].split("DONE", 1)[0].strip()
    text = _FENCE.sub("", tidied(raw)).strip()
    if marked := list(_MARKER.finditer(text)):
        text = text[marked[-1].end() :]
    text = _DONE.sub("", text).strip()
    if (lead := _LEAD_IN.match(text)) and text[lead.end() :].strip():
        text = text[lead.end() :].strip()
    text = _LABEL.sub("", text, count=1).strip()
    for opening, closing in ('""', "''", "\u201c\u201d", "``"):
        inner = text[1:-1]
        if len(text) > 1 and text[0] == opening and text[-1] == closing and opening not in inner:
            text = inner.strip()
    return text

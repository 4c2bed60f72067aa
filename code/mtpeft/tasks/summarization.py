"""Code summarization: function → one sentence."""

import json
import re

from mtpeft.corpora.examples import Example
from mtpeft.tasks.answer import Answer
from mtpeft.tasks.fences import LONGEST, tidied
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import LANGUAGE, Wording

_FENCED = re.compile(
    r"^[ \t]*(`{3,}+|~{3,}+)[^\n]*\n(.*?)^[ \t]*\1[ \t]*$\n?", re.DOTALL | re.MULTILINE
)
_CLOSING = re.compile(r"^[ \t]*(?:`{3,}+|~{3,}+)[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:`{3,}+|~{3,}+)[^\n]*$\n?", re.MULTILINE)
_MARKER = re.compile(r"^[ \t]*SUMMARY:", re.MULTILINE)
_LABELLED = re.compile(r"^[*_#]*[ \t]*summary[*_]*:", re.MULTILINE | re.IGNORECASE)
_DONE = re.compile(r"(?:^|(?<=[.!?]))[ \t]*DONE\.?\s*\Z", re.MULTILINE)
_LEAD_IN = re.compile(
    r"(?:(?:sure|certainly|of course|absolutely|okay)(?:!|,(?=\s+[A-Z])(?!\s+I\b))\s+(?=[^\n]*\w)(?!here\b)"
    r"|(?:(?:sure|certainly|of course|okay|ok|absolutely)\b[^\n]*?[!.,:]\s*)?"
    r"(?:based on [^\n:.,]*,\s+)?(?:here(?:'s| is| are| you (?:go|are))\b(?! (?:where|how|why|when)\b)[^\n:]*:|in (?:a|one) (?:single )?sentence:|(?:a|the|this) (?:[\w'\u2019-]+ ){0,2}(?:summary|description)\b[^\n:.]*:)\s*)",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\A[*_#]*\s*(?:(?:one[- ](?:sentence|line)|short|brief|code|final|concise|function|method|class)\s+)?(?:(?:brief|tl;?dr|in (?:summary|short|brief)|output|response)(?=:|[*_]+:?)|"
    r"(?:summary|description|docstring|answer|comment)(?: (?:of|for) [^\n:.]{1,40}(?=:)| ?\([^\n:()]{1,30}\)(?=:))?)\s*[*_]*\s*(?::\s*[*_]*\s*|(?<=[*_])\s*\n|\n\s*\n)",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"\A(#+[ \t]*)?(?:(?:code|short|brief)[ \t]+)?(?:summary|description)[ \t]*:?[ \t]*\n"
    r"(?(1)|[ \t]*(?:-{3,}|={3,})[ \t]*\n)",
    re.IGNORECASE,
)
_COMMENTED = re.compile(r"(?:[ \t]*//+[^\n]*(?:\n|\Z))+")
_COURTESY = re.compile(
    r"\n\s*\n(?:let me know|i hope|feel free|would you like|is there anything|if you (?:need|have)"
    r"|\W*(?:explanation|notes?)\W*:).*\Z",
    re.DOTALL | re.IGNORECASE,
)
# What a whole summary may be wrapped in.
_WRAPPED = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(.*)"""',
        r"\'\'\'(.*)\'\'\'",
        r"/\*\*?(.*)\*/",
        r"\*\*([^*]*)\*\*",
        r"\*([^*\s][^*]*)\*",
        r"_([^_\s][^_]*)_",
        "\u00ab([^\u00ab\u00bb]*)\u00bb",
        r'"([^"]*)"',
        r"'((?:[^']|(?<=\w)'(?=\w))*)'",
        "\u201c([^\u201c\u201d]*)\u201d",
        r"`([^`]*)`",
        r"\$?\\boxed\{([^{}]*)\}\$?",
        r"[\u2705\u2714\ufe0f]+\s*(.*)",
    )
]


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


def answer(raw: str, faithful: bool) -> Answer:
    """The summary: as in the study what follows the last `SUMMARY:` up to the first `DONE`; else
    without reasoning, code blocks, lead-in, label and quotes, and without the study's markers where
    they stand as markers, at the beginning of a line and at the end of the text.

    The study's full-fine-tuning script dropped only a leading marker; where a model writes one
    marker, as trained, both rules agree.
    """
    if faithful:
        cut = raw.rsplit("SUMMARY:", 1)[-1].split("DONE", 1)[0].strip()
        return Answer(cut, "study: SUMMARY: to DONE")
    if len(raw) > LONGEST:
        return Answer(raw.strip(), "too long to be read")
    text = _of_json(tidied(raw).strip())
    # Without a closing fence none is searched from each opening one.
    rest = (_FENCED.sub("", text) if _CLOSING.search(text) else text).strip()
    text = rest if rest and not rest.endswith(":") else _FENCE.sub("", text).strip()
    if marked := list(_MARKER.finditer(text)):
        text = text[marked[-1].end() :]
    elif len(marked := list(_LABELLED.finditer(text))) == 1:
        text = text[marked[0].start() :]
    text = _COURTESY.sub("", _DONE.sub("", text)).strip()
    for _wrapping in range(5):
        if (lead := _LEAD_IN.match(text)) and text[lead.end() :].strip():
            text = text[lead.end() :]
        text = _HEADING.sub("", text).lstrip()
        if (label := _LABEL.match(text)) and text[label.end() :].strip():
            text = text[label.end() :]
        text = re.sub(r"^[ \t]*> ?", "", text.strip(), flags=re.MULTILINE)
        if "\n" not in text:
            text = re.sub(r"\A(?:[-*] |#+ |1[.)] )", "", text)
        if _COMMENTED.fullmatch(text):
            text = re.sub(r"^[ \t]*//+ ?", "", text, flags=re.MULTILINE).strip()
        for wrap in _WRAPPED:
            if (inside := wrap.fullmatch(text)) and inside[1].strip():
                text = re.sub(r"\n[ \t]*\* ?", "\n", inside[1]).strip()
    return Answer(text, "whole text" if text == raw.strip() else "summary without its frame")


def _of_json(text: str) -> str:
    """The summary of a JSON object that holds nothing but one, else the text."""
    try:
        inside = [found[2] for found in _FENCED.finditer(text)] if _CLOSING.search(text) else []
        found = json.loads("".join(inside) or text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(found, dict) or len(found) != 1:
        return text
    ((name, value),) = found.items()
    named = name.lower() in ("summary", "description", "docstring", "answer", "comment")
    return value if named and isinstance(value, str) and value.strip() else text

"""Questions with the answers yes and no: prompts, and two ways to read what a model wrote.

The strict reading takes a plain yes or no and calls anything else no answer, which is a status and
never a class. The study's permissive reading takes any `no` or `not` inside the text for a no and
everything else, silence included, for a yes.
"""

import re

from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.examples import Example
from mtpeft.tasks.interface import Message

YES, NO, NONE = "1", "0", ""
_STRICT = re.compile(r"[\s\"'*`(\[]*(yes|no)\b[\s\"'*`.,!)\]]*", re.IGNORECASE)


def asked(role: str, question: str, *codes: str) -> list[Message]:
    """System and user message: the role, the question, the code in fences, what to answer."""
    shown = "\n\n".join(f"```\n{code}\n```" for code in codes)
    return [
        {"role": "system", "content": role},
        {"role": "user", "content": f"{question}\n\n{shown}\n\nAnswer with one word: yes or no."},
    ]


def word(example: Example) -> str:
    """The right answer as a word. Raises `MtpeftError` for a target that is no class."""
    if example.target not in (YES, NO):
        raise MtpeftError(f"example {example.id} has target {example.target!r}", "1 or 0")
    return "yes" if example.target == YES else "no"


def strict(raw: str) -> str:
    """`1`, `0`, or `` where the text is not one plain yes or no."""
    found = _STRICT.fullmatch(raw)
    return NONE if found is None else YES if found[1].lower() == "yes" else NO


def permissive(raw: str) -> str:
    """The study's reading: `0` where `no` or `not` occurs anywhere in the text, else `1`."""
    return NO if "no" in raw.lower() else YES


def read(raw: str, faithful: bool) -> str:
    """One of the two readings."""
    return permissive(raw) if faithful else strict(raw)


def label(example: Example) -> int:
    """1 or 0."""
    return 1 if word(example) == "yes" else 0

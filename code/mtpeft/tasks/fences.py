"""Markdown fences around code that a model writes."""

import re

_FENCED = re.compile(r"```[ \t]*[\w#+-]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)


def unfenced(text: str) -> str:
    """The content of the first fenced block without its language tag, or the whole text where there
    is none.
    """
    match = _FENCED.search(text)
    return (match.group(1) if match else text).strip("\n").rstrip()


def tagged(text: str) -> str:
    """Fence removal as in the study: right for ```java; for every other fence the tag stays as the
    first word.
    """
    if "```java" in text:
        return text.split("```java", 2)[1].split("```", 1)[0].strip()
    if "```" in text:
        return text.split("```", 2)[1].strip()
    return text

"""Text from outside, made harmless for the medium that it goes to."""

import sys
from typing import TextIO


def printable(text: str) -> str:
    """`text` for a terminal or a log: what is no visible character, blank or line end is escaped.

    Names in files of others may hold what sets a terminal's title, moves its cursor or hides text.
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text
    )


def one_line(text: str) -> str:
    """`printable` text on one line."""
    return printable(" ".join(text.split()))


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its kind where it says nothing."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def said(error: BaseException) -> str:
    """The kind of an error, and the first line of what it says."""
    kind, first = type(error).__name__, first_line(error)
    return kind if first == kind else f"{kind}: {first}"


def with_line_feeds(text: str) -> str:
    """`text` as reading a file in text mode gives it: every line ends in a line feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def xml(text: str) -> str:
    """`text` with what XML 1.0 cannot hold, not even as a reference, replaced by U+FFFD."""
    return "".join(c if _in_xml(ord(c)) else "\ufffd" for c in text)


def _in_xml(code: int) -> bool:
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
    )


def forgiving(*streams: TextIO) -> None:
    """Let streams show `?` or an escape for what their encoding cannot, in place of an error.

    Args:
        streams: Default: standard output and standard error.
    """
    for stream in streams or (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def counted(number: int, what: str) -> str:
    """`1 metric`, `2 metrics`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"

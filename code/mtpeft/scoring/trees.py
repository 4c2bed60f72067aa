"""What the readers of Java and of Python share about syntax trees."""

from collections.abc import Iterable
from itertools import pairwise

from mtpeft.core.errors import MtpeftError


class Unreadable(MtpeftError):
    """A text that Sonar's parser would refuse."""

    def __init__(self, line: int, found: str) -> None:
        """Say where and why.

        Args:
            line: From 1.
            found: What is wrong there.
        """
        super().__init__(f"{line}: {found}", "code that can be parsed")


def sequences(operators: Iterable[str]) -> int:
    """How many sequences of equal operators follow one another."""
    return sum(a != b for a, b in pairwise(["", *operators]))

"""What the readers of Java and of Python share about syntax trees."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from tree_sitter import Node

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


def below(node: Node) -> Iterator[Node]:
    """A node and all nodes below it, in reading order."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def first_error(root: Node) -> int:
    """The line (from 1) of the first error below a node that has one."""
    node, inner = root, True
    while inner:
        faulty = [c for c in node.children if c.has_error or c.is_missing]
        inner = bool(faulty)
        node = faulty[0] if faulty else node
    return int(node.start_point[0]) + 1


def sequences(operators: Iterable[str]) -> int:
    """How many sequences of equal operators follow one another."""
    return sum(a != b for a, b in pairwise(["", *operators]))

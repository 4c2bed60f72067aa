"""What the readers of Java, Python and C# share about syntax trees."""

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.trees import below, parser

if TYPE_CHECKING:
    from tree_sitter import Node

_FUNCTIONS = ("local_function_statement", "empty_statement")


class Unreadable(MtpeftError):
    """A text that Sonar's parser would refuse."""

    def __init__(self, line: int, found: str) -> None:
        """Say where and why.

        Args:
            line: From 1.
            found: What is wrong there.
        """
        super().__init__(f"{line}: {found}", "code that can be parsed")


# What has a body in which a tool finds a function.
_BODIES = {
    "method_declaration",
    "constructor_declaration",
    "compact_constructor_declaration",
    "operator_declaration",
    "conversion_operator_declaration",
    "accessor_declaration",
    "local_function_statement",
    "function_definition",
}


def tree(code: str, language: str) -> "Node":
    """The root of a text's syntax tree."""
    return parser(language).parse(code.encode("utf-8", "surrogatepass")).root_node


def has_functions(code: str, language: str) -> bool:
    """Whether a text is sound and has a function with a body."""
    root = tree(code, language)
    return not root.has_error and any(
        node.type in _BODIES and node.child_by_field_name("body") is not None
        for node in below(root)
    )


def is_program(code: str) -> bool:
    """Whether a C# text is sound and has statements outside all types, other than functions."""
    root = tree(code, "csharp")
    return not root.has_error and any(
        node.type == "global_statement" and node.children[0].type not in _FUNCTIONS
        for node in root.children
    )


def sequences(operators: Iterable[str]) -> int:
    """How many sequences of equal operators follow one another."""
    return sum(a != b for a, b in pairwise(["", *operators]))

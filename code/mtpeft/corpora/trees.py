"""What every reader of code shares about tree-sitter's trees."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

GRAMMARS = {
    "python": "tree_sitter_python",
    "java": "tree_sitter_java",
    "csharp": "tree_sitter_c_sharp",
}


@cache
def parser(language: str) -> "Parser":
    """The parser of a language of `GRAMMARS`."""
    from tree_sitter import Language, Parser

    return Parser(Language(import_module(GRAMMARS[language]).language()))


def below(node: "Node") -> "Iterator[Node]":
    """A node and all nodes below it, in reading order."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def first_error(root: "Node") -> int:
    """The line (from 1) of the first error below a node that has one."""
    node, inner = root, True
    while inner:
        faulty = [c for c in node.children if c.has_error or c.is_missing]
        inner = bool(faulty)
        node = faulty[0] if faulty else node
    return int(node.start_point[0]) + 1

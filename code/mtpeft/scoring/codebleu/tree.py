"""A syntax tree as the library's data-flow extractors read it, made to be walked many times.

The extractors ask every node for type, children and position again and again, and the parser
computes each answer every time. Here a node's answers are fetched once, and positions are byte
offsets, which name a place as well as (row, column) do.
"""

from collections.abc import Callable
from typing import Any

Tokens = dict[tuple[int, int], tuple[int, str]]

# The library takes these for tokens though they have parts.
_WHOLE = frozenset(["string_literal", "string", "character_literal"])


class Node:
    """One node, with the attributes that the extractors use."""

    __slots__ = ("_node", "children", "end_point", "start_point", "type")

    def __init__(self, node: Any) -> None:
        self._node = node
        self.type: str = node.type
        self.start_point: int = node.start_byte
        self.end_point: int = node.end_byte
        self.children: list[Node] = []

    def child_by_field_name(self, name: str) -> "Node | None":
        """The first child with this field name."""
        found = self._node.child_by_field_name(name)
        return (
            None
            if found is None
            else next(child for child in self.children if child._node == found)
        )


def read_tree(
    root: Any, code: str, token_text: Callable[[Any, list[str]], str]
) -> tuple[Node, Tokens]:
    """The tree of a parsed text, made of `Node`.

    Args:
        root: The parser's tree.
        code: The text.
        token_text: The library's look-up of a token by its points, which reads lines of characters
            at columns of bytes; asked only where the two differ. What it raises is passed on.

    Returns:
        The tree, and number and text of every token by its place, in order.

    Raises:
        RecursionError: The tree is too deep.
    """
    tokens: Tokens = {}
    lines = None if code.isascii() else code.split("\n")
    count = 0

    def read(raw: Any) -> Node:
        nonlocal count
        node = Node(raw)
        if raw.child_count:
            node.children = (
                [read(child) for child in raw.children] if node.type not in _WHOLE else raw.children
            )
        if (not node.children or node.type in _WHOLE) and node.type != "comment":
            if lines is None:
                text = code[node.start_point : node.end_point].replace("\n", "")
            else:
                text = token_text((raw.start_point, raw.end_point), lines)
            tokens[node.start_point, node.end_point] = count, text
            count += 1
        return node

    return read(root), tokens

"""Sonar's size and complexity of Python code, by the rules of its visitors.

The parser is tree-sitter's, so that no interpreter's version decides what can be measured: its
grammar has Python 2's statements, as Sonar's has, and Python 3.12's type parameters and strings. It
passes over faulty indentation, which Sonar's lexer refuses; that lexer's rule is applied here.

Cognitive complexity is the white paper's (G. Ann Campbell, SonarSource) as SonarPython counts it:
without an increment for recursion, and with a wrapper (a function that only holds another one and
returns names) not nesting what it holds.
"""

from collections.abc import Iterator

from tree_sitter import Node

from mtpeft.core.text import with_line_feeds
from mtpeft.corpora.trees import below, first_error, parser
from mtpeft.scoring.trees import Unreadable, sequences

# Nodes whose own block deepens the nesting; those of modules, classes, functions, `try`, `finally`
# and `with` do not, and that of `match` is none to Sonar.
_NESTING = {
    "if_statement",
    "elif_clause",
    "else_clause",
    "for_statement",
    "while_statement",
    "except_clause",
    "except_group_clause",
    "case_clause",
}
_STRUCTURES = {
    "if_statement",
    "for_statement",
    "while_statement",
    "except_clause",
    "except_group_clause",
    "conditional_expression",
}
_BRANCHES = {"elif_clause", "else_clause"}
_SCOPES = {"function_definition", "class_definition"}
_CYCLOMATIC = {
    "function_definition",
    "if_statement",
    "for_statement",
    "while_statement",
    "conditional_expression",
    "boolean_operator",
}
_NAMES = {"identifier", "true", "false"}
_OPENING, _CLOSING = set("([{"), set(")]}")
_TAB = 8


def measure(code: str) -> tuple[int, int, int]:
    """(lines, cyclomatic, cognitive) of a Python text.

    Raises:
        Unreadable: Sonar's parser would refuse the text.
    """
    lines = with_line_feeds(code.removeprefix("\ufeff")).split("\n")
    text = "\n".join(_with_blanks(line) for line in lines)
    data = text.encode("utf-8", "surrogatepass")
    root = parser("python").parse(data).root_node
    if root.has_error:
        raise Unreadable(first_error(root), "invalid syntax")
    tokens = list(_tokens(root))
    _check_indentation(tokens, data)
    cognitive = _Cognitive()
    cognitive.visit(root)
    return len(_lines(root, tokens)), cyclomatic(root), cognitive.total


def _with_blanks(line: str) -> str:
    """A line with the tabs of its indentation written as blanks, each up to a multiple of 8."""
    rest = line.lstrip(" \t")
    return line[: len(line) - len(rest)].expandtabs(_TAB) + rest


def _tokens(root: Node) -> Iterator[Node]:
    """The tokens of a text in reading order; a string is one token, comments and line continuations
    are none.
    """
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "string" or (not node.children and node.start_byte < node.end_byte):
            if node.type not in ("comment", "line_continuation"):
                yield node
        else:
            waiting += reversed(node.children)


def _check_indentation(tokens: list[Node], data: bytes) -> None:
    """Read the indentation as Sonar's lexer does: a deeper line opens a block, which only a colon
    announces; a line that falls back to a depth without a block belongs to the next outer one.

    Raises:
        Unreadable: A block is missing, or a line is indented without one.
    """
    depths, depth, before = [0], 0, None
    for token in tokens:
        fresh = before is None or (
            depth == 0
            and token.start_point[0] > before.end_point[0]
            and b"\\" not in _bare(data[before.end_byte : token.start_byte])
        )
        if fresh:
            line, column = token.start_point
            expected = before is not None and before.type == ":"
            if (column > depths[-1]) != expected:
                found = "expected an indented block" if expected else "unexpected indent"
                raise Unreadable(line + 1, found)
            while column < depths[-1]:
                depths.pop()
            if expected:
                depths.append(column)
        depth += (token.type in _OPENING) - (token.type in _CLOSING)
        before = token
    if before is not None and before.type == ":":
        raise Unreadable(before.start_point[0] + 1, "expected an indented block")


def _bare(gap: bytes) -> bytes:
    """What stands between two tokens, without comments."""
    return b"\n".join(line.partition(b"#")[0] for line in gap.split(b"\n"))


def _lines(root: Node, tokens: list[Node]) -> set[int]:
    """The lines that hold code: no comments, and no line of a documentation string."""
    lines: set[int] = set()
    for token in tokens:
        lines.update(range(token.start_point[0], token.end_point[0] + 1))
    for node in below(root):
        if node.type == "module" or node.type in _SCOPES:
            for string in _documentation(node):
                lines.difference_update(range(string.start_point[0], string.end_point[0] + 1))
    return lines


def _statements(node: Node) -> list[Node]:
    """The statements of a module, or of the body of a class or function."""
    block = node if node.type == "module" else node.child_by_field_name("body")
    return [child for child in block.named_children if child.type != "comment"] if block else []


def _documentation(node: Node) -> list[Node]:
    """The strings that a module, class or function is documented by."""
    first = next(iter(_statements(node)), None)
    if first is None or first.type != "expression_statement" or len(first.named_children) != 1:
        return []
    only = first.named_children[0]
    if only.type == "concatenated_string":
        return [part for part in only.named_children if part.type == "string"]
    return [only] if only.type == "string" else []


def cyclomatic(root: Node) -> int:
    """Functions, `if` (not `elif`), loops, conditional expressions, `and` and `or`, and the
    conditions of comprehensions.
    """
    return sum(
        node.type in _CYCLOMATIC
        or (
            node.type == "if_clause"
            and node.parent is not None
            and node.parent.type != "case_clause"
        )
        for node in below(root)
        if node.is_named
    )


class _Cognitive:
    """The cognitive complexity of what it visits."""

    def __init__(self) -> None:
        self.total = 0
        # For the module and for every class and function that is open: its node and the nesting.
        self._open: list[tuple[Node | None, int]] = [(None, 0)]

    def visit(self, node: Node) -> None:
        """Count a node and all below it, without recursion: texts may be nested deeply."""
        waiting: list[Node | int] = [node]
        while waiting:
            item = waiting.pop()
            if isinstance(item, int):
                self._leave(item)
                continue
            change = self._enter(item)
            if change:
                waiting.append(change)
            waiting += reversed(item.children)

    def _leave(self, change: int) -> None:
        scope, level = self._open.pop()
        if change > 0:
            self._open.append((scope, level - change))

    def _enter(self, node: Node) -> int:
        """Count a node alone.

        Returns:
            What its end takes back: 1 for a nesting, -1 for a scope, 0 for nothing.
        """
        scope, level = self._open[-1]
        kind = node.type
        if not node.is_named:
            return 0
        if kind in _STRUCTURES:
            self.total += 1 + level
        elif kind in _BRANCHES:
            self.total += 1
        elif kind == "boolean_operator":
            self.total += _sequences(node)
        definition = node
        if kind == "decorated_definition":
            definition = node.child_by_field_name("definition") or node
        # A node's parent is looked up where it is needed: that costs more the deeper it is.
        if definition.type in _SCOPES and not _has_parent(node, {"decorated_definition"}):
            self._open.append((definition, self._level_of(definition, scope, level)))
            return -1
        if kind == "conditional_expression" or (kind == "block" and _has_parent(node, _NESTING)):
            self._open[-1] = (scope, level + 1)
            return 1
        return 0

    @staticmethod
    def _level_of(definition: Node, scope: Node | None, level: int) -> int:
        """The nesting at which a class or function begins."""
        if (
            definition.type == "class_definition"
            or scope is None
            or scope.type != "function_definition"
        ):
            return 0
        return level if _wraps(scope, definition) else level + 1


def _has_parent(node: Node, kinds: set[str]) -> bool:
    return node.parent is not None and node.parent.type in kinds


def _wraps(outer: Node, inner: Node) -> bool:
    """Whether a function's body holds nothing but another one and returns of a name."""
    for statement in _statements(outer):
        definition = statement.child_by_field_name("definition") or statement
        if definition == inner:
            continue
        values = [child for child in statement.named_children if child.type != "comment"]
        if statement.type != "return_statement" or len(values) != 1 or values[0].type not in _NAMES:
            return False
    return True


def _sequences(node: Node) -> int:
    """The sequences of like operators in a logical expression; 0 for one inside another.

    Parentheses end a sequence: what stands in them is an expression of its own.
    """
    if node.parent is not None and node.parent.type == "boolean_operator":
        return 0
    return sequences(_operators(node))


def _operators(node: Node) -> Iterator[str]:
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if item.type in ("and", "or"):
            yield item.type
        elif item.type == "boolean_operator":
            parts = [item.child_by_field_name(name) for name in ("right", "operator", "left")]
            waiting += [part for part in parts if part is not None]

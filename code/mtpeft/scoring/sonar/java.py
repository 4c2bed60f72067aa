"""Sonar's size and complexity of Java code, by the rules of its visitors.

The parser is tree-sitter's (Java 21), so that no JDK decides what can be measured. Its grammar is
wider than Java's; what Sonar's parser refuses beyond it is looked for here.

Cognitive complexity is the white paper's (G. Ann Campbell, SonarSource) as SonarJava counts it:
without increments for recursion and for switch expressions, and only in methods and initializers. A
method of a local class counts where the class stands, one of an anonymous class outside methods
nowhere.
"""

import re
from collections.abc import Iterator

from tree_sitter import Node

from mtpeft.core.text import with_line_feeds
from mtpeft.corpora.trees import below, first_error, parser
from mtpeft.scoring.switches import code_only
from mtpeft.scoring.trees import Unreadable, sequences

# A method without return type, or with one, that calls `super(…)`: of 659 such archived outputs
# SonarCloud read 133.
CONSTRUCTOR_CALL = "call of a constructor outside a constructor"
_CALL = re.compile(r"\b(?:this|super)(?=\s*\()")
_CALLED = (b"$this", b"$super")
_KEYWORDS = frozenset(
    b"abstract assert boolean break byte case catch char class const continue default do double else"
    b" enum extends final finally float for goto if implements import instanceof int interface long"
    b" native new package private protected public return short static strictfp super switch"
    b" synchronized this throw throws transient try void volatile while true false null".split()
)
_CHARACTER = re.compile(rb"'(?:\\(?:u+[0-9a-fA-F]{4}|[0-7]{1,3}|.)|[^\\'\x80-\xff]|[\x80-\xff]+)'")
_PRIMITIVE = {"integral_type", "floating_point_type", "boolean_type"}
_STATEMENT_EXPRESSIONS = {
    "assignment_expression",
    "update_expression",
    "method_invocation",
    "object_creation_expression",
    "switch_expression",
}
_VARIABLES = {"identifier", "field_access", "array_access"}
_BODIES = {"if_statement", "while_statement", "do_statement", "labeled_statement"}
_LOOPS = {"for_statement", "enhanced_for_statement", "while_statement", "do_statement"}
_BRANCHING = _LOOPS | {"if_statement", "ternary_expression"}
_METHODS = {
    "method_declaration",
    "constructor_declaration",
    "compact_constructor_declaration",
}
_CLASSES = {
    "class_declaration",
    "interface_declaration",
    "enum_declaration",
    "record_declaration",
    "annotation_type_declaration",
}
_MEMBERS = {"class_body", "interface_body", "enum_body_declarations", "annotation_type_body"}
_LOGICAL = ("&&", "||")


def measure(code: str, lenient: bool = False) -> tuple[int, int, int]:
    """(lines, cyclomatic, cognitive) of a Java file.

    Args:
        code: Its text.
        lenient: Measure also a file that Sonar's parser usually refuses and sometimes reads
            (`CONSTRUCTOR_CALL`).

    Raises:
        Unreadable: Sonar's parser would refuse the text.
    """
    code = with_line_feeds(code)
    skeleton = code_only(code)
    # A call of a constructor is an ordinary call to the grammar, wherever it stands.
    for match in reversed(list(_CALL.finditer(skeleton))):
        code = f"{code[: match.start()]}${code[match.start() :]}"
    root = parser("java").parse(code.encode("utf-8", "surrogatepass")).root_node
    if root.has_error:
        raise Unreadable(first_error(root), "invalid syntax")
    for node in below(root):
        if fault := _fault(node):
            if lenient and fault == CONSTRUCTOR_CALL:
                continue
            raise Unreadable(node.start_point[0] + 1, fault)
    return len(_lines(root)), cyclomatic(root), cognitive(root)


def _fault(node: Node) -> str:
    """What Sonar's parser objects to in a node that the grammar accepts; empty for nothing."""
    kind = node.type
    # A node's parent and text are looked up where they are needed: both cost more the deeper it is.
    if kind in ("string_literal", "character_literal"):
        text = node.text or b""
        if node.start_point[0] != node.end_point[0] and not text.startswith(b'"""'):
            return "unclosed literal"
        if kind == "character_literal" and not _CHARACTER.fullmatch(text):
            return "no single character"
    elif kind in ("identifier", "type_identifier"):
        text = node.text or b""
        if text in _KEYWORDS and not (node.parent and node.parent.type == "switch_label"):
            return f"{text.decode()} is a keyword"
    elif kind == "expression_statement":
        value = _parts(node)[0]
        if value.type not in _STATEMENT_EXPRESSIONS and not _yields(node):
            return "not a statement"
    elif kind == "type_arguments":
        if any(child.type in _PRIMITIVE for child in node.children):
            return "a primitive type as type argument"
    elif kind == "update_expression":
        target = _bare(_parts(node)[0])
        if target.type == "cast_expression":
            # The grammar takes `(int) i++` for an increment of a cast.
            target = _bare(target.child_by_field_name("value") or target)
        if target.type not in _VARIABLES:
            return "the target of an assignment is no variable"
    elif kind in ("local_variable_declaration", *_CLASSES):
        parent = node.parent
        loop_body = parent is not None and parent.child_by_field_name("body") == node
        if parent is not None and (parent.type in _BODIES or (loop_body and parent.type in _LOOPS)):
            return "a declaration where a statement is expected"
    elif kind == "method_invocation":
        name = node.child_by_field_name("name")
        if name is not None and name.text in _CALLED and not _in_constructor(node):
            return CONSTRUCTOR_CALL
    return ""


def _parts(node: Node) -> list[Node]:
    """The named children of a node that are no comments."""
    return [c for c in node.named_children if c.type not in ("line_comment", "block_comment")]


def _bare(node: Node) -> Node:
    """An expression without the parentheses around it."""
    while node.type == "parenthesized_expression":
        node = _parts(node)[0]
    return node


def _yields(statement: Node) -> bool:
    """Whether an expression is the value of a rule of a switch expression."""
    rule = statement.parent
    return (
        rule is not None
        and rule.type == "switch_rule"
        and rule.parent is not None
        and rule.parent.parent is not None
        and not _is_statement(rule.parent.parent)
    )


def _is_statement(switch: Node) -> bool:
    """Whether a switch is a statement and not an expression, which its place decides."""
    parent = switch.parent
    if parent is None:
        return True
    if parent.type == "expression_statement":
        # After an arrow a semicolon makes it an expression.
        return parent.parent is None or parent.parent.type != "switch_rule"
    return parent.type.endswith(("block", "_body", "_statement", "_group", "program")) and (
        parent.type not in ("return_statement", "throw_statement", "yield_statement")
    )


def _in_constructor(node: Node) -> bool:
    """Whether the method around a node is a constructor of its class."""
    while node.parent is not None:
        node = node.parent
        if node.type in _METHODS or node.type in _CLASSES or node.type == "class_body":
            break
    body = node.parent
    if node.type != "constructor_declaration" or body is None or body.parent is None:
        return False
    name, own = node.child_by_field_name("name"), body.parent.child_by_field_name("name")
    return name is not None and own is not None and name.text == own.text


def _lines(root: Node) -> set[int]:
    """The lines on which a token starts; a text block is one token, and a comment is none."""
    lines, waiting = set(), [root]
    while waiting:
        node = waiting.pop()
        if node.type in ("line_comment", "block_comment"):
            continue
        if node.children and node.type not in ("string_literal", "character_literal"):
            waiting += node.children
        elif node.start_byte < node.end_byte:
            lines.add(node.start_point[0])
    return lines


def cyclomatic(root: Node) -> int:
    """Methods with a body and lambdas, if, loops, conditional operators, `&&`, `||` and the `case`
    labels of switches.
    """
    total = 0
    for node in below(root):
        if node.type in _METHODS:
            total += node.child_by_field_name("body") is not None
        elif node.type == "switch_label":
            total += node.children[0].type == "case"
        elif node.type in _LOGICAL:
            total += 1
        else:
            total += node.type in _BRANCHING or node.type == "lambda_expression"
    return total


def cognitive(root: Node) -> int:
    """The sum over methods and initializers."""
    return sum(_cognitive_of(node) for node in below(root) if _counts(node))


def _counts(node: Node) -> bool:
    """Whether a node is an initializer, or a method that is counted by itself."""
    if node.type == "static_initializer":
        return True
    parent = node.parent if node.type == "block" or node.type in _METHODS else None
    if parent is None:
        return False
    if node.type == "block":
        return parent.type in _MEMBERS
    if node.child_by_field_name("body") is None:
        return False
    if parent.type == "program":
        return True
    owner = parent.parent if parent.type == "enum_body_declarations" else parent
    owner = owner.parent if owner is not None else None
    return owner is not None and owner.type in _CLASSES and not _is_local(owner)


def _is_local(owner: Node) -> bool:
    """Whether a class is declared in the body of a method or lambda."""
    node = owner.parent
    while node is not None and node.type not in _MEMBERS and node.type != "static_initializer":
        if node.type in _METHODS or node.type == "lambda_expression":
            return True
        node = node.parent
    return False


def _cognitive_of(start: Node) -> int:
    """The cognitive complexity of a method or initializer, with all that stands in it."""
    total = 0
    waiting = [(start, 0)]
    while waiting:
        node, nesting = waiting.pop()
        kind, inner = node.type, nesting
        deeper: set[int] = set()
        if (
            kind in _LOOPS
            or kind in ("ternary_expression", "catch_clause")
            or (kind == "switch_expression" and _is_statement(node))
        ):
            total, inner = total + 1 + nesting, nesting + 1
        elif kind == "if_statement":
            total += 1 if _is_else_if(node) else 1 + nesting
            other = node.child_by_field_name("alternative")
            total += other is not None and other.type != "if_statement"
            deeper = {
                part.id
                for part in (node.child_by_field_name("consequence"), other)
                if part is not None and (part != other or part.type != "if_statement")
            }
        elif (
            kind in _CLASSES
            or kind == "lambda_expression"
            or (
                kind == "class_body"
                and node.parent is not None
                and node.parent.type not in _CLASSES
            )
        ):
            inner = nesting + 1
        elif kind in ("break_statement", "continue_statement"):
            total += bool(_parts(node))
        elif kind == "binary_expression":
            total += _sequences(node)
        waiting += [(child, inner + (child.id in deeper)) for child in node.children]
    return total


def _is_else_if(node: Node) -> bool:
    parent = node.parent
    return (
        parent is not None
        and parent.type == "if_statement"
        and parent.child_by_field_name("alternative") == node
    )


def _is_logical(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return node.type == "binary_expression" and operator is not None and operator.type in _LOGICAL


def _sequences(node: Node) -> int:
    """The sequences of like operators in a logical expression, whatever parentheses it has; 0 for
    one inside another.
    """
    if not _is_logical(node):
        return 0
    outer = node.parent
    while outer is not None and outer.type == "parenthesized_expression":
        outer = outer.parent
    if outer is not None and _is_logical(outer):
        return 0
    return sequences(_operators(node))


def _operators(node: Node) -> Iterator[str]:
    waiting = [node]
    while waiting:
        item = _bare(waiting.pop())
        if item.type in _LOGICAL:
            yield item.type
        elif _is_logical(item):
            parts = [item.child_by_field_name(name) for name in ("right", "operator", "left")]
            waiting += [part for part in parts if part is not None]

"""Sonar's complexity of Python code, from Python's own syntax tree."""

import ast

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def cyclomatic(tree: ast.AST) -> int:
    """Functions, if (not elif), loops, conditional expressions, and/or, and the conditions of
    comprehensions.
    """
    total = 0
    elifs = {
        id(node.orelse[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and len(node.orelse) == 1
        and isinstance(node.orelse[0], ast.If)
        and node.orelse[0].col_offset == node.col_offset
    }
    for node in ast.walk(tree):
        if isinstance(node, (*_FUNCTIONS, *_LOOPS, ast.IfExp)) or (
            isinstance(node, ast.If) and id(node) not in elifs
        ):
            total += 1
        elif isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            total += len(node.ifs)
    return total


def cognitive(tree: ast.AST, code: str = "") -> int:
    """Cognitive complexity as SonarSource's white paper defines it (G. Ann Campbell), for a whole
    module.
    """
    counter = _Cognitive(code)
    counter.visit(tree)
    return counter.total


class _Cognitive(ast.NodeVisitor):
    def __init__(self, code: str) -> None:
        self._lines = code.encode("utf-8", "surrogatepass").split(b"\n")
        self.total = 0
        self._nesting = 0
        # Whether a function met here deepens the nesting: inside another function, unless that is a
        # mere decorator.
        self._deepens = False

    def _nested(self, *nodes: ast.AST) -> None:
        self._nesting += 1
        for node in nodes:
            self.visit(node)
        self._nesting -= 1

    def _structure(self) -> None:
        self.total += 1 + self._nesting

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        deeper = self._deepens
        for part in (*node.decorator_list, node.args):
            self.visit(part)
        self._deepens = not is_decorator(node)
        self._nesting += deeper
        for statement in node.body:
            self.visit(statement)
        self._nesting -= deeper
        self._deepens = deeper

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The methods of a class start from nesting 0, wherever the class stands."""
        before = self._nesting, self._deepens
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self._nesting, self._deepens = 0, False
        for statement in node.body:
            self.visit(statement)
        self._nesting, self._deepens = before

    def visit_If(self, node: ast.If) -> None:
        self._structure()
        self._branches(node)

    def _branches(self, node: ast.If) -> None:
        self.visit(node.test)
        self._nested(*node.body)
        if (
            len(node.orelse) == 1
            and isinstance(node.orelse[0], ast.If)
            and node.orelse[0].col_offset == node.col_offset
        ):
            self.total += 1
            self._branches(node.orelse[0])
        elif node.orelse:
            self.total += 1
            self._nested(*node.orelse)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        self._structure()
        self.visit(node.test if isinstance(node, ast.While) else node.iter)
        self._nested(*node.body)
        if node.orelse:
            self.total += 1
            self._nested(*node.orelse)

    visit_For = visit_AsyncFor = visit_While = _loop

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._structure()
        self._nested(*node.body)

    def visit_Try(self, node: ast.Try) -> None:
        for part in (*node.body, *node.handlers):
            self.visit(part)
        if node.orelse:
            self.total += 1
            self._nested(*node.orelse)
        for part in node.finalbody:
            self.visit(part)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._structure()
        self._nested(node.body, node.test, node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        operators, operands = self._sequence(node)
        self.total += sum(
            operator is not before
            for before, operator in zip([None, *operators[:-1]], operators, strict=True)
        )
        for operand in operands:
            self.visit(operand)

    def _sequence(self, node: ast.BoolOp) -> tuple[list[type], list[ast.expr]]:
        """Operators (in reading order) and operands of a logical expression; parentheses end a
        sequence.

        The tree holds no parentheses, but an operand in them begins after one in the text.
        """
        operators: list[type] = []
        operands: list[ast.expr] = []
        for number, value in enumerate(node.values):
            if number:
                operators.append(type(node.op))
            if isinstance(value, ast.BoolOp) and not self._parenthesized(value, node):
                inner, leaves = self._sequence(value)
                operators += inner
                operands += leaves
            else:
                operands.append(value)
        return operators, operands

    def _parenthesized(self, node: ast.expr, outer: ast.expr) -> bool:
        """Whether an operand stands in parentheses of its own."""
        # Of two, only `and` inside `or` can stand without them.
        if (
            isinstance(node, ast.BoolOp)
            and isinstance(outer, ast.BoolOp)
            and not (isinstance(node.op, ast.And) and isinstance(outer.op, ast.Or))
        ):
            return True
        start = (outer.lineno, outer.col_offset)
        line, column = node.lineno, node.col_offset
        if (line, column) == start or not any(self._lines):
            return False
        while (line, column) > start:
            before = self._lines[line - 1][:column].rstrip(b" \t\r\f\\")
            # A comment may end the line above.
            if line < node.lineno and b"#" in before:
                before = before[: before.index(b"#")].rstrip()
            if before:
                return before.endswith(b"(")
            line, column = line - 1, len(self._lines[line - 2])
        return False


def is_decorator(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function's body is one inner function and the return of a name, and nothing else
    (no docstring either).
    """
    return (
        len(node.body) == 2
        and isinstance(node.body[0], _FUNCTIONS)
        and isinstance(node.body[1], ast.Return)
        and isinstance(node.body[1].value, ast.Name)
    )

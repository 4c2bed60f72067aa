"""CodeXGLUE code-to-text: functions with docstrings, for summarization; and the generation corpus
derived from it.

The study's generation corpus is a private download without a stable address. The rule that replaces
it: of each code-to-text row
- summary: the first paragraph of `docstring` (up to the first blank line or `@`/`:` tag line),
white space collapsed;
- code: `code` without its docstring (Python; Java's doc comment is never inside), outer white space
stripped;
- signature: Java: up to the first `{` outside strings and parentheses; Python: from `def` to the
colon that ends it;
- a row is left out when the code does not parse as one function (Python) or has no body (Java),
when the summary has
  fewer than 3 or more than 100 words, and when an earlier row has the same language and code.
"""

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from mtpeft.corpora.examples import Example

_TAG = re.compile(r"^\s*([@:]\w+|Args:|Returns:|Raises:|Parameters\b)")
_JAVA_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|//[^\n]*|/\*.*?\*/|.', re.DOTALL)


def summarization(rows: Iterable[dict[str, Any]], language: str, split: str) -> Iterator[Example]:
    """One example a row. Code and docstring are their tokens joined by blanks, as in the study's
    training.
    """
    for number, row in enumerate(rows):
        yield Example(
            f"{language}-{split}-{number}",
            "summarization",
            language,
            {"code": " ".join(row["code_tokens"])},
            " ".join(row["docstring_tokens"]),
        )


def generation(rows: Iterable[dict[str, Any]], language: str, split: str) -> Iterator[Example]:
    """The derived generation corpus (rule above); ids keep the row's number."""
    seen: set[str] = set()
    for number, row in enumerate(rows):
        summary = first_paragraph(row["docstring"])
        parts = python_parts(row["code"]) if language == "python" else java_parts(row["code"])
        if parts is None or not 3 <= len(summary.split()) <= 100 or parts[1] in seen:
            continue
        seen.add(parts[1])
        yield Example(
            f"{language}-{split}-{number}",
            "generation",
            language,
            {"summary": summary, "signature": parts[0]},
            parts[1],
        )


def first_paragraph(docstring: str) -> str:
    """The first paragraph of a docstring, white space collapsed."""
    lines: list[str] = []
    for line in docstring.strip().splitlines():
        if lines and (not line.strip() or _TAG.match(line)):
            break
        if not _TAG.match(line):
            lines.append(line)
    return " ".join(" ".join(lines).split())


def java_parts(code: str) -> tuple[str, str] | None:
    """Signature and code of a Java method, or None where it has no body."""
    code, depth, position = code.strip(), 0, 0
    for match in _JAVA_TOKEN.finditer(code):
        token = match.group()
        depth += (token == "(") - (token == ")")
        if token == "{" and depth == 0:
            position = match.start()
            break
    signature = " ".join(code[:position].split())
    return (signature, code) if position and "(" in signature and code.endswith("}") else None


def python_parts(code: str) -> tuple[str, str] | None:
    """Signature and code without docstring of a Python function, or None where it is no single
    parsable function.
    """
    code = textwrap.dedent(code).strip()
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if len(body) != 1 or not isinstance(
        function := body[0], ast.FunctionDef | ast.AsyncFunctionDef
    ):
        return None
    lines = code.splitlines()
    inner, first = function.body, function.body[0]
    documented = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    if documented and len(inner) == 1 or first.lineno == function.lineno:
        return None  # nothing but a docstring, or all on one line
    header = lines[function.lineno - 1 : first.lineno - 1]
    signature = " ".join(" ".join(header).split()).removesuffix(":")
    if not signature.endswith((")", "]", '"', "'")) and "->" not in signature:
        return None  # a comment between header and body: not worth a tokenizer of our own
    if documented:
        end = first.end_lineno or first.lineno
        if len(inner) > 1 and inner[1].lineno == end:
            return None
        lines = lines[: first.lineno - 1] + lines[end:]
    return signature, "\n".join(line.rstrip() for line in lines).strip()

"""CodeXGLUE code-to-text: functions with docstrings, for summarization; and the generation corpus
derived from it.

The study's generation corpus is a private download without a stable address. The rule that replaces
it, for each row of code-to-text:

- The summary is the first paragraph of `docstring` (up to the first blank line or `@`/`:` tag
  line), white space collapsed.
- The code is `code` without its docstring (Python; Java's doc comment is never inside), outer white
  space stripped.
- The signature ends in Java before the first `{` outside strings and parentheses; in Python it goes
  from `def` to the colon that ends it.
- The row is left out when the code does not parse as one function (Python) or has no body (Java),
  when the summary has fewer than 3 or more than 100 words, and when an earlier row has the same
  language and code.
"""

import ast
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mtpeft.core.files import text_lines
from mtpeft.corpora.examples import Example

# A heading is known by its form, not by its first word: a sentence may begin with "Parameters".
_TAG = re.compile(r"^\s*([@:]\w+|(Args|Arguments|Parameters|Returns|Raises|Yields):)")
_UNDERLINE = re.compile(r"[-=~]{3,}")
# What ends a line for Python's parser; `str.splitlines` knows seven more.
_PYTHON_LINE = re.compile(r"\r\n|\r|\n")
_JAVA_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|//[^\n]*|/\*.*?\*/|.', re.DOTALL)


def summarization(rows: Iterable[dict[str, Any]], language: str, split: str) -> Iterator[Example]:
    """One example a row. Code and docstring are their tokens joined by blanks, as in the study's
    training.

    Args:
        rows: The rows of the data set.
        language: Their language.
        split: Their split, for the ids.
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
    """The derived generation corpus (rule above); ids keep the row's number.

    How many rows the rule leaves out, and why, is said on standard error at the end.

    Args:
        rows: The rows of the data set.
        language: Their language.
        split: Their split, for the ids.
    """
    seen: set[str] = set()
    gone: Counter[str] = Counter()
    for number, row in enumerate(rows):
        summary = first_paragraph(row["docstring"])
        parts = python_parts(row["code"]) if language == "python" else java_parts(row["code"])
        if parts is None:
            gone["no function that can be taken apart"] += 1
        elif not 3 <= len(summary.split()) <= 100:
            gone["a summary too short or too long"] += 1
        elif parts[1] in seen:
            gone["code that an earlier row has"] += 1
        else:
            seen.add(parts[1])
            yield Example(
                f"{language}-{split}-{number}",
                "generation",
                language,
                {"summary": summary, "signature": parts[0]},
                parts[1],
            )
    if gone:
        reasons = ", ".join(f"{count} with {why}" for why, count in sorted(gone.items()))
        print(f"mtpeft: generation/{split}, {language}: left out {reasons}", file=sys.stderr)


def first_paragraph(docstring: str) -> str:
    """The first paragraph of a docstring, white space collapsed.

    It ends at a blank line, a tag (`@param`, `:param`, `Args:`) or a heading with a line below it.
    """
    every = text_lines(docstring.strip())
    found: list[str] = []
    for number, line in enumerate(every):
        below = every[number + 1] if number + 1 < len(every) else ""
        ends = _TAG.match(line) or (line.strip() and _UNDERLINE.fullmatch(below.strip()))
        if found and (not line.strip() or ends):
            break
        if not ends and not _UNDERLINE.fullmatch(line.strip()):
            found.append(line)
    return " ".join(" ".join(found).split())


def java_parts(code: str) -> tuple[str, str] | None:
    """Signature and code of a Java method, or None where it has no body."""
    code, depth, position = code.strip(), 0, 0
    for match in _JAVA_TOKEN.finditer(code):
        sign = match.group()
        depth += (sign == "(") - (sign == ")")
        if sign == "{" and depth == 0:
            position = match.start()
            break
    signature = " ".join(code[:position].split())
    return (signature, code) if position and "(" in signature and code.endswith("}") else None


def python_parts(code: str) -> tuple[str, str] | None:
    """Signature and code without docstring of a Python function.

    None where it is no single parsable function, or where the code without the docstring would not
    be the same program.
    """
    code = (textwrap.dedent(code) if code[:1].isspace() else code).strip()
    function = _function(code)
    if function is None:
        return None
    lines = _PYTHON_LINE.split(code)
    inner, first = function.body, function.body[0]
    documented = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    if (documented and len(inner) == 1) or first.lineno == function.lineno:
        return None  # nothing but a docstring, or all on one line
    header = lines[function.lineno - 1 : first.lineno - 1]
    signature = " ".join(" ".join(header).split()).removesuffix(":")
    if not signature.endswith((")", "]", '"', "'")) and "->" not in signature:
        return None  # a comment between header and body: not worth a tokenizer of our own
    kept = set(range(1, len(lines) + 1))
    if documented:
        end = first.end_lineno or first.lineno
        if inner[1].lineno == end:
            return None
        kept -= set(range(first.lineno, end + 1))
    inside = _inside_strings(function)
    # A line's end inside a string is the string's; anywhere else blanks before it mean nothing.
    shown = [lines[n - 1] if n in inside else lines[n - 1].rstrip() for n in sorted(kept)]
    made = "\n".join(shown).strip()
    left = _function(made)
    function.body = inner[1:] if documented else inner
    return (signature, made) if left and ast.dump(left) == ast.dump(function) else None


def _function(code: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function that a text is, or None where it is anything else."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    function = body[0] if len(body) == 1 else None
    return function if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _inside_strings(function: ast.AST) -> set[int]:
    """The lines whose end lies inside a string."""
    found: set[int] = set()
    for node in ast.walk(function):
        text = isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        )
        if text and isinstance(node, ast.expr) and node.end_lineno is not None:
            found |= set(range(node.lineno, node.end_lineno))
    return found

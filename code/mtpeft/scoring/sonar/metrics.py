"""SonarCloud's lines of code, cyclomatic and cognitive complexity without the service.

Java: lines as Lizard counts them in the whole wrapped file, complexities from javac's syntax tree
(a small helper program). Python: lines from the token stream, complexities from Python's syntax
tree. SonarCloud's issue counts (reliability, maintainability, security hotspots) need its rules and
are not computed here.
"""

import ast
import io
import re
import sys
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from mtpeft.core.errors import MtpeftError
from mtpeft.core.processes import run as run_program
from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.sonar.python import cognitive, cyclomatic
from mtpeft.scoring.tools import jvm
from mtpeft.scoring.tools.lizard import file_loc
from mtpeft.scoring.tools.setup_analysers import folder, helpers_id, java
from mtpeft.scoring.wrapping import wrap

# A method without return type, or with one, that calls `super(…)`: of 659 such archived outputs
# SonarCloud read 133.
CONSTRUCTOR_CALL = "call of a constructor outside a constructor"
METRICS = ("sonar_loc", "sonar_cyclomatic", "sonar_cognitive")
_DEEPEST = 10_000
_MOST_REWRITTEN = 500
_PYTHON_2 = (
    (
        re.compile(r"^((?:.*[:;])?\s*)print\s*>>\s*([^,\n]+),?\s*(.*?)\s*$", re.MULTILINE),
        r"\1print(\2, \3)",
    ),
    (re.compile(r"^((?:.*[:;])?\s*)print\s+(?![=(.])(.*?),?\s*$", re.MULTILINE), r"\1print(\2)"),
    (re.compile(r"^((?:.*[:;])?\s*)print\s+(\(.*\S)\s*$", re.MULTILINE), r"\1print((\2))"),
    (re.compile(r"^(\s*)exec\s+(?![=(.])(.*?)\s*$", re.MULTILINE), r"\1exec(\2)"),
    (re.compile(r"^(\s*except\s+[\w.]+|\s*except\s+\([^)]*\))\s*,\s*(\w+)\s*:"), r"\1 as \2:"),
    (re.compile(r"^(\s*raise\s+[\w.]+)\s*,\s*(.*?)\s*$", re.MULTILINE), r"\1(\2)"),
    (re.compile(r"<>"), "!="),
    (re.compile(r"\b0([0-7]+)\b(?!\.)"), r"0o\1"),
)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Tokens that are layout, not code.
_LAYOUT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
)


class SonarMetricsScorer:
    """Sonar-compatible size and complexity as a `Scorer`."""

    tool = "sonar-metrics"
    metrics = METRICS
    batch = 600
    workers = 64
    reads_environment = True  # Python outputs are read by the parser of this interpreter
    seconds = 600
    uses_references = False

    def version(self) -> str:
        """As `Scorer.version`."""
        return f"8 ({helpers_id()}, javac {_javac()})"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        version = self.version()
        found = {
            **java_complexity([i for i in items if i.language == "java"]),
            **{i: python_metrics(wrap(i)) for i in items if i.language == "python"},
        }
        for item in items:
            result = found[item]
            if isinstance(result, str):
                status = (
                    "empty"
                    if item.language == "python" and not item.output.strip()
                    else "unparseable"
                )
                yield from unmeasured(self.tool, version, item, METRICS, status, result)
                continue
            loc, cyc, coc = result
            yield from measured(
                self.tool, version, item, dict(zip(METRICS, (loc, cyc, coc), strict=True))
            )


def java_complexity(
    items: Sequence[Item], lenient: bool = False
) -> dict[Item, tuple[int, int, int] | str]:
    """Lines, cyclomatic and cognitive complexity of each item's wrapped file, or the parser's first
    error.

    Args:
        items: The Java outputs.
        lenient: Measure also what Sonar's parser usually refuses and javac's reads
            (`CONSTRUCTOR_CALL`, for instance).

    Raises:
        MtpeftError: The helper program fails.
    """
    if not items:
        return {}
    helpers = folder(helpers_id())
    result: dict[Item, tuple[int, int, int] | str] = {}
    with jvm.sources(items) as files:
        work = files.root
        out, _ = jvm.run(
            ["-cp", str(helpers), "SonarMetrics"], work, given="".join(f"{p}\n" for p in files)
        )
        rows = [line.split("\t") for line in out.splitlines()]
        if [row[0] for row in rows] != [str(p) for p in files]:
            raise MtpeftError(
                f"the Java helper answered {len(rows)} lines", f"one per file, {len(files)}"
            )
        for item, (_, status, cyc, coc, message) in zip(files.values(), rows, strict=True):
            read = status == "ok" or (lenient and cyc)
            result[item] = (file_loc(wrap(item), "java"), int(cyc), int(coc)) if read else message
    return result


def python_metrics(code: str) -> tuple[int, int, int] | str:
    """Lines, cyclomatic and cognitive complexity of a Python text, or the parser's error.

    Sonar's parser accepts two things that Python refuses: a mixture of tabs and blanks (a tab then
    reaches to the next multiple of 8), and a line that falls back to a depth at which no block is
    open (it then belongs to the nearest outer one).
    """
    code = code.removeprefix("\ufeff")
    try:
        with warnings.catch_warnings(), _deep():
            warnings.simplefilter("ignore")
            code = _in_python_3(code)
            try:
                tree = ast.parse(code)
            except TabError:
                code = _INDENT.sub(lambda m: m[0].expandtabs(8), code)
                tree = ast.parse(code)
            except IndentationError as error:
                code = _at_open_depth(code, error)
                tree = ast.parse(code)
            return python_loc(code, tree), cyclomatic(tree), cognitive(tree, code)
    except (SyntaxError, ValueError, tokenize.TokenError) as error:
        return f"{getattr(error, 'lineno', None) or 0}: {error}"


@contextmanager
def _deep() -> Iterator[None]:
    """Room for deeply nested texts, which are sound. What is deeper still is a limit of this
    program's, and so an error of the tool (RecursionError) and not of the text.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _in_python_3(code: str) -> str:
    """The code with Python 2's statements, which Sonar's grammar has, written as Python 3 reads
    them; line by line, and only where the parser objects.
    """
    for _ in range(_MOST_REWRITTEN):
        try:
            ast.parse(code)
        except SyntaxError as error:
            # The lines of the parser: no other sign than these ends one.
            lines = re.split(r"(?<=\n)", code)
            number = (error.lineno or 0) - 1
            if not 0 <= number < len(lines):
                return code
            line = lines[number]
            for pattern, replacement in _PYTHON_2:
                line = pattern.sub(replacement, line)
            if line == lines[number]:
                return code
            lines[number] = line
            code = "".join(lines)
        except ValueError:
            return code
        else:
            return code
    return code


def _at_open_depth(code: str, error: IndentationError) -> str:
    """The code with the line of the error moved to the deepest open block above it.

    Raises:
        IndentationError: The error is another one.
    """
    if "unindent does not match" not in error.msg or error.lineno is None:
        raise error
    lines = code.splitlines(keepends=True)
    open_depths = [""]
    for token in tokenize.generate_tokens(iter(lines[: error.lineno - 1]).__next__):
        if token.type == tokenize.INDENT:
            open_depths.append(token.string)
        elif token.type == tokenize.DEDENT and token.start[0] < error.lineno:
            open_depths.pop()
    line = lines[error.lineno - 1]
    depth = line[: len(line) - len(line.lstrip())].expandtabs(8)
    fitting = [d for d in open_depths if len(d.expandtabs(8)) < len(depth)]
    lines[error.lineno - 1] = fitting[-1] + line.lstrip()
    return "".join(lines)


def python_loc(code: str, tree: ast.Module) -> int:
    """Lines that hold code: neither blank, nor comment, nor documentation string."""
    documentation = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(tree)
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        start = (token.start[0], len(token.line[: token.start[1]].encode("utf-8")))
        if token.type not in _LAYOUT and not (
            token.type == tokenize.STRING and start in documentation
        ):
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


@lru_cache(maxsize=1)
def _javac() -> str:
    text = run_program([java(), "-version"], seconds=60).err.decode("utf-8", "replace")
    match = re.search(r'version "([^"]+)"', text)
    return match[1] if match else "unknown"


def scorer() -> SonarMetricsScorer:
    """Sonar-compatible metrics."""
    return SonarMetricsScorer()

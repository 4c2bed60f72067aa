"""Comments by which a text tells an analyser to look away, found and made inert.

The answer that is measured must not steer its measurement. A switch keeps its length and its
line, so that nothing else that a tool counts about the text changes.
"""

import io
import re
import tokenize
from collections.abc import Iterator

# What each sign turns off: Pylint, Flake8 (and what reads `noqa`), mypy, PMD, Checkstyle, SonarQube,
# Lizard. The sign that is replaced makes the comment an ordinary one for its tool.
_SWITCHES = (
    (re.compile(r"\bpylint(\s*):", re.IGNORECASE), r"pylint\1;"),
    (re.compile(r"\bnoqa\b", re.IGNORECASE), "n_qa"),
    (re.compile(r"\bNOPMD\b"), "N_PMD"),
    (re.compile(r"\bCHECKSTYLE(\s*):", re.IGNORECASE), r"CHECKSTYLE\1;"),
    (re.compile(r"\bNOSONAR\b", re.IGNORECASE), "N_SONAR"),
    (re.compile(r"(#?)lizard forgive", re.IGNORECASE), r"\1lizard_forgive"),
    (re.compile(r"GENERATED CODE"), "GENERATED_CODE"),
)
_SUPPRESSED = re.compile(r"@(?:java\.lang\.)?SuppressWarnings\b")
_PRAGMA = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+warning[ \t]+disable\b", re.MULTILINE)
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)|//[^\n]*|/\*.*?(?:\*/|\Z)'
    r'|@"(?:""|[^"])*(?:"|\Z)|"(?:\\.|[^"\\\n])*(?:"|$|(?=\n))|\'(?:\\.|[^\'\\\n])*(?:\'|$|(?=\n))',
    re.DOTALL,
)


def defused(code: str, language: str) -> str:
    """The code with every switch in a comment made inert."""
    result, position = [], 0
    for start, end in comments(code, language):
        text = code[start:end]
        for pattern, replacement in _SWITCHES:
            text = pattern.sub(replacement, text)
        result += [code[position:start], text]
        position = end
    return "".join([*result, code[position:]])


def count(code: str, language: str) -> int:
    """How many switches the code holds: comments, and Java's annotations and C#'s pragmas."""
    number = sum(
        len(pattern.findall(code, start, end))
        for start, end in comments(code, language)
        for pattern, _ in _SWITCHES
    )
    if language == "java":
        number += len(_SUPPRESSED.findall(code_only(code)))
    elif language == "csharp":
        number += len(_PRAGMA.findall(code_only(code)))
    return number


def comments(code: str, language: str) -> Iterator[tuple[int, int]]:
    """Start and end of every comment."""
    if language == "python":
        yield from _python_comments(code)
        return
    for match in _TOKEN.finditer(code):
        if match[0].startswith(("//", "/*")):
            yield match.span()


def _python_comments(code: str) -> list[tuple[int, int]]:
    """Comments of Python text; where it cannot be read to its end, every line from a `#` on."""
    lines = code.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    try:
        return [
            (start := starts[token.start[0] - 1] + token.start[1], start + len(token.string))
            for token in tokenize.generate_tokens(io.StringIO(code, newline="\n").readline)
            if token.type == tokenize.COMMENT
        ]
    except (tokenize.TokenError, SyntaxError, IndexError):
        return [
            (starts[number] + line.find("#"), starts[number] + len(line))
            for number, line in enumerate(lines)
            if "#" in line
        ]


def code_only(code: str) -> str:
    """Java or C# code with comments and the contents of literals blanked out, sign for sign."""
    return _TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), code)

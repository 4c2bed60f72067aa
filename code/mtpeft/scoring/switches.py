"""Comments by which a text tells an analyser to look away, found and made inert.

The answer that is measured must not steer its measurement. A switch keeps its length and its
line, so that nothing else that a tool counts about the text changes.
"""

import io
import re
import tokenize
from collections.abc import Iterator

# What each sign turns off: Pylint, Flake8 (and what reads `noqa`), PMD, Checkstyle, SonarQube, Lizard.
# The sign that is replaced makes the comment an ordinary one for its tool.
_SWITCHES = (
    (re.compile(r"\bpylint(\s*):", re.IGNORECASE), r"pylint\1;"),
    (re.compile(r"\bnoqa\b", re.IGNORECASE), "n_qa"),
    (re.compile(r"\bNOPMD\b"), "N_PMD"),
    (re.compile(r"\bCHECKSTYLE(\s*):", re.IGNORECASE), r"CHECKSTYLE\1;"),
    (
        re.compile(r"\bCHECKSTYLE([.\- ])(?=(?:OFF|STOP|SUPPRESS|IGNORE|DISABLE)\b)"),
        r"CH_CKSTYLE\1",
    ),
    (re.compile(r"\bNOSONAR\b", re.IGNORECASE), "N_SONAR"),
    (re.compile(r"(#?)lizard forgive", re.IGNORECASE), r"\1lizard_forgive"),
    (re.compile(r"GENERATED CODE"), "GENERATED_CODE"),
)
# Signs for tools that do not run here, or that have no say in a count: type checkers, Bandit,
# pycodestyle alone, CPD, IDEs, and marks of generated code.
_FOREIGN = tuple(
    re.compile(pattern)
    for pattern in (
        r"\btype:\s*ignore\b",
        r"\bmypy:\s*(?:ignore|disable|allow)",
        r"\bpyright:\s*(?:ignore|basic)\b",
        r"\bpyre-(?:ignore|fixme|unsafe)\b",
        r"\bpytype:\s*(?:disable|skip)",
        r"\b(?i:nosec|nopep8)\b",
        r"\bCPD-OFF\b",
        r"\bCSOFF\b",
        r"\bnoinspection\b",
        r"\bReSharper disable\b",
        r"(?i:<auto-?generated\b)",
        r"(?<!\w)@generated\b",
    )
)
# Annotations of Java; directives and attributes of C#. Text under `#if false` no tool reads.
_SUPPRESSED = re.compile(r"@(?:\w+\s*\.\s*)*(?:SuppressWarnings|SuppressFBWarnings|Generated)\b")
_PRAGMA = re.compile(
    r"^[ \t]*#[ \t]*(?:pragma[ \t]+warning[ \t]+disable|nullable[ \t]+disable|if[ \t]+false)\b"
    r"|(?:(?<![\w\])])\[|,)\s*(?:\w+\s*:\s*)?(?:\w+\s*\.\s*)*(?:(?:Unconditional)?SuppressMessage|GeneratedCode|CompilerGenerated)"
    r"(?:Attribute)?\s*[(\],]",
    re.MULTILINE,
)
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
    """How many switches the code holds: comments, Java's annotations, C#'s directives and attributes."""
    patterns = [*(pattern for pattern, _ in _SWITCHES), *_FOREIGN]
    number = sum(
        len(pattern.findall(code, start, end))
        for start, end in comments(code, language)
        for pattern in patterns
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

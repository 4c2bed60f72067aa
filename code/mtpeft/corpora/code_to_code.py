"""CodeXGLUE code-to-code translation: parallel Java–C# functions, one a line, each used in both
directions.

Upstream's files have 10,295 training and 499 validation lines; the counts printed elsewhere (10,300
and 500) are rounded.
"""

from collections.abc import Iterator
from pathlib import Path

from mtpeft.core.errors import BadInput
from mtpeft.core.files import read_text, text_lines
from mtpeft.corpora.examples import Example


def pairs(java: Path, csharp: Path) -> list[tuple[str, str]]:
    """The pairs of two parallel files.

    Raises:
        BadInput: They have different numbers of lines.
    """
    left, right = (_lines(path) for path in (java, csharp))
    if len(left) != len(right):
        raise BadInput(
            csharp, f"{len(right)} lines", f"{len(left)}, as in {java.name}", "make data"
        )
    return list(zip(left, right, strict=True))


def _lines(path: Path) -> list[str]:
    """The lines of a file, ended by LF, or all by CR LF; any other control character is content."""
    found = text_lines(read_text(path))
    windows = bool(found) and all(line.endswith("\r") for line in found)
    return [line[:-1] for line in found] if windows else found


def translation(java: Path, csharp: Path) -> Iterator[Example]:
    """All pairs Java → C#, then all C# → Java. Ids are `translation_<line>`; with the languages
    they are unique.
    """
    both = pairs(java, csharp)
    for number, (left, right) in enumerate(both):
        yield Example(
            f"translation_{number}", "translation", "csharp", {"code": left}, right, "java"
        )
    for number, (left, right) in enumerate(both):
        yield Example(
            f"translation_{number}", "translation", "java", {"code": right}, left, "csharp"
        )

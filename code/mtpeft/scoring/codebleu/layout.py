"""The layout of the study's archived translations, and its inverse.

Before the study wrote a translation to a file it collapsed all white space to single blanks, broke
the line after every `;`, `{` and `}`, and indented by brace depth. CodeBLEU had been computed on
the text before that step, which was not archived. `unformat` undoes the step under the convention
of the training corpus (statements follow each other without a blank); `joins` names every place
where that convention may be wrong.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

_WHITE = re.compile(r"\s+")
_BREAK = re.compile(r"(?<=[;{}])")
_CONTINUES = re.compile(r"(?:else|catch|finally)\b")
_WHILE = re.compile(r"while\b")
_DO = re.compile(r"\bdo\s*\{$")


@dataclass(frozen=True)
class Join:
    """One place where the layout step may have swallowed a blank.

    Attributes:
        before: The character on the left.
        after: The character on the right; empty for no text.
        inside: Whether the place lies inside parentheses.
        blank: Whether the convention puts a blank there.
    """

    before: str
    after: str
    inside: bool
    blank: bool


def format_layout(code: str) -> str:
    """Lay `code` out as the study's step did: one line per `;`, `{` or `}`, four blanks per open
    brace.

    A `}` closes before its own line is indented. String literals and comments are treated like
    code, as published.
    """
    lines, depth = [], 0
    for piece in map(str.strip, _BREAK.split(_WHITE.sub(" ", code).strip())):
        if not piece:
            continue
        if piece.startswith("}"):
            depth = max(0, depth - 1)
        lines.append("    " * depth + piece)
        if piece.endswith("{"):
            depth += 1
    return "\n".join(lines)


def unformat(code: str) -> str:
    """`code` as one line, as the training corpus writes it: the inverse of `format_layout` for such
    code.
    """
    pieces = split_layout(code)
    return assemble(pieces, [join.blank for join in joins(pieces)])


def split_layout(code: str) -> list[str]:
    """The pieces between which white space was lost: the non-empty lines of laid-out code,
    stripped.
    """
    return [piece for line in code.split("\n") if (piece := line.strip())]


def joins(pieces: list[str]) -> list[Join]:
    """What lies between each piece and the next (one fewer than there are pieces), and what the
    convention says.

    A blank follows `;` inside parentheses (the head of a `for`) unless `)` comes next, and stands
    between `}` and `else`, `catch`, `finally`, or the `while` that ends a `do` loop.
    """
    result: list[Join] = []
    parentheses, braces = 0, []
    for piece, following in pairwise(pieces):
        parentheses += piece.count("(") - piece.count(")")
        closed_do = False
        if piece.endswith("{"):
            braces.append(bool(_DO.search(piece)))
        elif piece.endswith("}") and braces:
            closed_do = braces.pop()
        inside = parentheses > 0
        if piece.endswith(";"):
            blank = inside and not following.startswith(")")
        else:
            blank = piece.endswith("}") and bool(
                _CONTINUES.match(following) or (closed_do and _WHILE.match(following))
            )
        result.append(Join(piece[-1], following[:1], inside, blank))
    return result


def assemble(pieces: list[str], blanks: list[bool]) -> str:
    """The pieces as one text, with a blank after piece `i` where `blanks[i]`."""
    spaced = [piece + (" " if blank else "") for piece, blank in zip(pieces, blanks, strict=False)]
    return "".join(spaced + pieces[-1:])

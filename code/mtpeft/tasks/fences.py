"""The code in an answer that a chat model wrote.

Fences are read as CommonMark has them: an opening fence begins a line and may carry any info string,
only a line of fence characters closes it. Of several blocks the one is taken that is of the asked
language, parses and defines something, with those definitions of other blocks that it uses; what
reasons, echoes the question or shows output is left out. The study's own rule is `tagged`.
"""

import ast
import re
import warnings
from dataclasses import dataclass

_OPEN = re.compile(
    r"(?P<lead>[ \t]*(?:>[ \t]?)*[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>.*?)[ \t]*"
)
_ONE_LINE = re.compile(r"\s*(`{3,}|~{3,})(?P<code>[^\n]+?)\1\s*")
_REASONING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)
_MARKS = re.compile(r"(?:<\|[\w ]{1,30}\|>|</s>|<s>|\[/?INST\])")
_INVISIBLE = re.compile("[\ufeff\u200b\u2060]")
_NAMES = {
    "py": "python",
    "python3": "python",
    "python": "python",
    "java": "java",
    "c#": "csharp",
    "cs": "csharp",
    "csharp": "csharp",
}
_LITERAL = re.compile(
    r'"""(?:\\.|[^\\])*?"""|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL,
)
_DEFINES = re.compile(
    r"\b\w[\w<>\[\],.? ]*\s+\w+\s*\([^(){};]*(?:\([^()]*\)[^(){};]*)*\)\s*(?:throws [\w., ]+|where [\w:, ]+)?\s*(?:\{|=>)"
    r"|\b(?:class|interface|enum|record|struct)\s+\w+"
)
_PYTHON_START = re.compile(r"(?:def|class|async def|import|from|@)\b|@")


@dataclass(frozen=True)
class _Block:
    """A fenced block: language as normalized from its info string (or the raw word), and its text."""

    language: str
    text: str


def tidied(text: str) -> str:
    """The answer without reasoning in tags, leftover chat marks and invisible signs; LF line ends."""
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _MARKS.sub("", _REASONING.sub("", text))


def unfenced(text: str, language: str = "", last: bool = False) -> str:
    """The code in an answer; the whole text where nothing in it can be told to be the code.

    Args:
        text: The answer.
        language: The asked language, where it is known.
        last: Of blocks that are equally good, take the last one and not the first.
    """
    text = tidied(text)
    if one := _ONE_LINE.fullmatch(text):
        word, _, rest = one["code"].strip().partition(" ")
        return rest.strip() if word.lower() in _NAMES and rest.strip() else one["code"].strip()
    blocks, lead = _blocks(text)
    if not blocks:
        return _bare(text, language)
    if _sound(lead, language) and _defines(lead, language):
        blocks = [_Block("", lead), *blocks]
    order = list(reversed(blocks)) if last else blocks
    best = max(order, key=lambda block: _worth(block, language))
    return _with_needed(best, blocks, language).strip("\n").rstrip()


def tagged(text: str) -> str:
    """Fence removal as in the study: right for ```java; for every other fence the tag stays as the
    first word.
    """
    if "```java" in text:
        return text.split("```java", 2)[1].split("```", 1)[0].strip()
    if "```" in text:
        return text.split("```", 2)[1].strip()
    return text


def _blocks(text: str) -> tuple[list[_Block], str]:
    """The fenced blocks of a text, and what stands before the first of them."""
    lines = text.split("\n")
    blocks: list[_Block] = []
    first, i = None, 0
    while i < len(lines):
        opened = _OPEN.fullmatch(lines[i])
        if not opened or (opened["fence"][0] == "`" and "`" in opened["info"]):
            i += 1
            continue
        first = i if first is None else first
        word = opened["info"].split(" ")[0].strip("{}.").lower() if opened["info"] else ""
        language = _NAMES.get(word, word)
        ends = [j for j in range(i + 1, len(lines)) if _closes(lines[j], opened["fence"])]
        end = _end(lines, i, ends, opened["lead"], language)
        blocks.append(_Block(language, _inside(lines[i + 1 : end], opened["lead"])))
        i = end + 1
    return blocks, "\n".join(lines[:first]) if first is not None else text


def _closes(line: str, fence: str) -> bool:
    sign = line.lstrip(" \t>").rstrip()
    return len(sign) >= len(fence) and set(sign) == {fence[0]}


def _end(lines: list[str], start: int, ends: list[int], lead: str, language: str) -> int:
    """The line that closes a block: the last one up to which it parses, so that a fence in a
    documentation string closes nothing; else the first that is indented no deeper than the opening
    one.

    Args:
        lines: The lines of the answer.
        start: The first line of the block's text.
        ends: The lines that may close it.
        lead: Indentation and quotation marks of the opening fence.
        language: Of the block.
    """
    for end in reversed(ends[:20]):
        if _sound(_inside(lines[start + 1 : end], lead), language):
            return end
    shallow = [j for j in ends if len(lines[j]) - len(lines[j].lstrip(" \t>")) <= len(lead) + 3]
    return next(iter(shallow or ends), len(lines))


def _inside(lines: list[str], lead: str) -> str:
    """A block's lines without the quotation marks and the indentation of its fence."""
    depth, quoted = len(lead) - len(lead.rstrip(" \t")), lead.count(">")
    result = []
    for whole in lines:
        line = whole
        for _ in range(quoted):
            line = re.sub(r"^[ \t]*> ?", "", line)
        own = len(line) - len(line.lstrip(" \t"))
        result.append(line[min(own, depth if not quoted else 0) :])
    return "\n".join(result)


def _worth(block: _Block, language: str) -> tuple[int, int]:
    wanted = language or (block.language if block.language in _NAMES.values() else "")
    points = 0
    if block.language in _NAMES.values():
        points += 8 if not language or block.language == language else -8
    elif block.language:
        points -= 16
    kind = wanted or "python"
    points += 4 * _defines(block.text, kind) + 2 * _sound(block.text, kind)
    if not wanted and not points:
        points += 3 * bool(_DEFINES.search(block.text))
    return points, bool(block.text.strip())


def _with_needed(best: _Block, blocks: list[_Block], language: str) -> str:
    """A Python block below the definitions and imports of other blocks that it uses and lacks."""
    tree = _python(best.text)
    if tree is None or (language or best.language or "python") != "python":
        return best.text
    own, used = _names(tree), {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    before = ""
    for block in blocks:
        other = _python(block.text) if block is not best else None
        if other is None or block.language not in ("", "python"):
            continue
        for node in other.body:
            names = _names(ast.Module([node], []))
            if names & used - own and not isinstance(node, ast.Expr):
                before += (ast.get_source_segment(block.text, node) or "") + "\n"
                own |= names
    return f"{before}\n{best.text}" if before else best.text


def _names(tree: ast.Module) -> set[str]:
    """What a module binds at its top level."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        elif isinstance(node, ast.Assign):
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return found


def _bare(text: str, language: str) -> str:
    """Code without fences, less the sentences around it where the rest then parses (Python)."""
    whole = text.strip("\n").rstrip()
    if language not in ("", "python") or _python(text) is not None:
        return whole
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if _PYTHON_START.match(line)), None)
    if start is None:
        return whole
    for end in range(len(lines), start, -1):
        part = "\n".join(lines[start:end])
        if _defines(part, "python"):
            return part.strip("\n").rstrip()
    return whole


def _python(code: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _sound(code: str, language: str) -> bool:
    """Whether a text reads as code of a language: Python parses, of the others the brackets close."""
    if not code.strip():
        return False
    if language in ("", "python") and _python(code) is not None:
        return True
    if language == "python":
        return False
    rest = _LITERAL.sub(" ", code)
    return (
        "`" not in rest
        and bool(re.search(r"[;{}]", rest))
        and all(rest.count(a) == rest.count(b) for a, b in ("{}", "()", "[]"))
    )


def _defines(code: str, language: str) -> bool:
    """Whether a text holds a function or a type of its own."""
    if language in ("", "python"):
        tree = _python(code)
        if tree is not None:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            return any(isinstance(node, kinds) for node in tree.body)
        if language == "python":
            return False
    return bool(_DEFINES.search(_LITERAL.sub(" ", code)))

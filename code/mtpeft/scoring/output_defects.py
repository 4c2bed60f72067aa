"""What is wrong with an output, seen from its text alone, and what would repair it.

A defect that looks mechanical (made by a step after the model rather than by the model) has a
repair. The archive cannot prove which step did it: raw model answers were not kept. Repairs never
add code of their own, except the method head that the prompt itself gave.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mtpeft.tasks.source_text import module

MODIFIER = r"(?:public|protected|private|static|final|abstract|synchronized|native|@[A-Za-z]\w*)\b"
_LETTER = {
    word[1:]: word[0]
    for word in ("public", "protected", "private", "static", "final", "abstract", "synchronized")
}
_LOST_LETTER = re.compile(rf"\A\s*({'|'.join(_LETTER)})\b")
_STRAY_NUMBER = re.compile(rf"\A\s*[\d.:;,()/+-][\s\d.:;,()/+-]*(?={MODIFIER})")
_STRAY_WORD = re.compile(
    rf"\A\s*(?:c#|csharp|c|cs|java|diff|code|translated)\s+(?={MODIFIER})", re.IGNORECASE
)
_NO_CODE = re.compile(r"[\d\s.:;,()/+-]*")
_ROLE = re.compile(r"(?<=\})\s*(?:<\|\w+\|>\s*)?(?:Human|Assistant|user|assistant|system)\b")
_PROMPT = re.compile(
    r"(?:Method|Function) to implement:|Translate from \S+ to \S+:|Summarize this \w+ code:"
)
_OTHER_TASK = re.compile(r"\A\s*SUMMARY:")
_CSHARP = re.compile(
    r"\b(?:virtual|override|readonly|internal|foreach)\b|\b(?:string|bool)\b(?=\s+\w)"
    r"|:\s*(?:base|this)\s*\(|\w\?\s+\w+\s*[,)=;]"
)
_DOC = re.compile(r"\A\s*(/\*.*?\*/)\s*", re.DOTALL)
_METHOD_HEAD = re.compile(r"[^;{}=]*\)\s*(?:throws\s+[\w.,\s]+)?\{")
_CONSTRUCTOR = re.compile(
    r"\A\s*(?:@\w+(?:\([^)]*\))?\s*)*(?:(?:public|protected|private)\s+)?([A-Za-z_]\w*)\s*\([^{};]*\)"
    r"\s*(?:throws\s+[\w.,\s]+)?\{"
)
_STATEMENT = re.compile(
    r"\s*(?:if|for|while|return|try|switch|final\s|(?:byte|short|int|long|float|double|char|boolean)\s"
    r"|[A-Z]\w*(?:<[^>]*>)?(?:\[\])*\s+\w+\s*=)"
)
_DEF = re.compile(r"^[ \t]*((?:async\s+)?def\s+\w+\s*\()", re.MULTILINE)


@dataclass(frozen=True)
class Defect:
    """A kind of defect.

    Attributes:
        id: Of the kind.
        title: What people call it.
        languages: Those in which it occurs.
        found: The piece of text that shows it (None: it is not there).
        repair: The repaired text, from the text and the method head of the prompt; None: there is
            no repair.
    """

    id: str
    title: str
    languages: tuple[str, ...]
    found: Callable[[str], str | None]
    repair: Callable[[str, str], str] | None = None


def skeleton(code: str) -> str:
    """Java or C# code with the contents of comments, strings and characters blanked out, line by
    line as before.
    """
    return "".join(
        text if kind == "code" else re.sub(r"[^\n]", " ", text) for kind, text in _pieces(code)
    )


def _pieces(code: str) -> list[tuple[str, str]]:
    pieces, start, i = [], 0, 0
    while i < len(code):
        end, kind = None, ""
        if code.startswith("//", i):
            end, kind = code.find("\n", i), "comment"
        elif code.startswith("/*", i):
            end, kind = code.find("*/", i + 2), "comment"
            end = end + 2 if end >= 0 else -1
        elif code[i] in "\"'":
            end, kind = _literal_end(code, i), "literal"
        if end is None:
            i += 1
            continue
        end = len(code) if end < 0 else end
        pieces += [("code", code[start:i]), (kind, code[i:end])]
        start = i = end
    return [*pieces, ("code", code[start:])]


def _literal_end(code: str, start: int) -> int:
    """End of the literal that opens at `start`; of an unclosed one, the end of its line."""
    i = start + 1
    while i < len(code) and code[i] != "\n":
        if code[i] == "\\":
            i += 2
        elif code[i] == code[start]:
            return i + 1
        else:
            i += 1
    return min(i, len(code))


def is_split_literal(code: str) -> bool:
    """Whether a string is broken in two at a `;`, `{` or `}`, as the study's layout step does."""
    return repair_literals(code) != code


def repair_literals(code: str) -> str:
    """Join a line that ends inside a string right after `;`, `{` or `}` with the next one, without
    its indentation.

    Blanks at the break are lost for good. Where joining closes no string, the text is left as it
    was.
    """
    lines = code.split("\n")
    result = [lines[0]]
    for line in lines[1:]:
        if result[-1].endswith((";", "{", "}")) and _open_string(result[-1]) and '"' in line:
            result[-1] += line.lstrip()
        else:
            result.append(line)
    joined = "\n".join(result)
    return code if any(_open_string(line) for line in result) else joined


def _open_string(line: str) -> bool:
    opened, i = "", 0
    while i < len(line):
        if opened and line[i] == "\\":
            i += 1
        elif opened == line[i]:
            opened = ""
        elif not opened and line[i] in "\"'":
            opened = line[i]
        elif not opened and line.startswith("//", i):
            return False
        i += 1
    return opened == '"'


def _search(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def find(code: str) -> str | None:
        match = pattern.search(code)
        return match[0].strip()[:40] if match else None

    return find


def _dialogue(code: str) -> int | None:
    """Where the dialogue goes on: at a role behind the brace that closes everything. Within a body such
    a word is a variable's name.
    """
    text = skeleton(code)
    for role in _ROLE.finditer(code):
        before = text[: role.start()]
        if before.count("{") <= before.count("}"):
            return role.start()
    return None


def _only_stray(code: str) -> str | None:
    return code.strip()[:40] if code.strip() and _NO_CODE.fullmatch(code) else None


def _truncated_java(code: str) -> str | None:
    text = skeleton(code)
    missing = text.count("{") - text.count("}")
    return f"{missing} braces not closed" if missing > 0 else None


def _unclosed_python(code: str) -> str | None:
    try:
        module(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        last = len(code.rstrip().splitlines())
        at_end = getattr(error, "lineno", 0) or 0
        message = str(getattr(error, "msg", error))
        if at_end >= last or "never closed" in message or "unterminated triple" in message:
            return message[:60]
    return None


def _csharp(code: str) -> str | None:
    match = _CSHARP.search(skeleton(code))
    return match[0].strip()[:40] if match else None


def _headless(code: str) -> str | None:
    """A documentation comment followed by statements: the method's head is missing (more braces
    close than open).
    """
    match = _DOC.match(code)
    if not match:
        return None
    rest = code[match.end() :]
    text = skeleton(rest)
    head = _METHOD_HEAD.match(text.lstrip())
    statement = _STATEMENT.match(text)
    starts_with_head = (
        head and re.match(rf"\s*(?:{MODIFIER}|[\w<>\[\],.\s]+\s\w+\s*\()", text) and not statement
    )
    if statement and not starts_with_head and text.count("}") == text.count("{") + 1:
        return statement[0].strip()[:40]
    return None


def _add_head(code: str, signature: str) -> str:
    match = _DOC.match(code)
    if not match or not signature:
        return code
    head, body = signature.rstrip(), re.sub(r"\A[ \t]*\n", "", code[match.end(1) :])
    return f"{code[: match.end(1)]}\n{head}{'' if head.endswith('{') else ' {'}\n{body}"


def _repeated_head(code: str) -> str | None:
    heads = _DEF.findall(code)
    return heads[0][:40] if heads and heads.count(heads[0]) > 1 else None


JAVA, PYTHON = ("java",), ("python",)
DEFECTS = (
    Defect(
        "empty",
        "nothing but white space",
        ("java", "python", "csharp"),
        lambda code: None if code.strip() else "empty",
    ),
    Defect(
        "no_code", "nothing but numbers and punctuation", ("java", "python", "csharp"), _only_stray
    ),
    Defect(
        "lost_first_letter",
        "the first word has lost its first letter",
        JAVA,
        _search(_LOST_LETTER),
        lambda code, _: _LOST_LETTER.sub(lambda m: _LETTER[m[1]] + m[1], code),
    ),
    Defect(
        "stray_number",
        "numbers or a date before the method",
        JAVA,
        _search(_STRAY_NUMBER),
        lambda code, _: _STRAY_NUMBER.sub("", code),
    ),
    Defect(
        "stray_word",
        "a language tag or a word before the method",
        JAVA,
        _search(_STRAY_WORD),
        lambda code, _: _STRAY_WORD.sub("", code),
    ),
    Defect(
        "run_on",
        "the dialogue goes on after the answer",
        JAVA,
        lambda code: None if (at := _dialogue(code)) is None else code[at:].strip()[:40],
        lambda code, _: code[: _dialogue(code)],
    ),
    Defect(
        "split_literal",
        "a string is broken by the layout step",
        JAVA,
        lambda code: "string" if is_split_literal(code) else None,
        lambda code, _: repair_literals(code),
    ),
    Defect("missing_head", "the method's head is missing", JAVA, _headless, _add_head),
    Defect(
        "prompt_echo",
        "words of the prompt's frame stand in the output",
        ("java", "python", "csharp"),
        _search(_PROMPT),
    ),
    Defect(
        "other_task",
        "the answer to another task",
        ("java", "python", "csharp"),
        _search(_OTHER_TASK),
    ),
    Defect("wrong_language", "C# where Java was asked for", JAVA, _csharp),
    Defect("truncated", "ends before its blocks are closed", JAVA, _truncated_java),
    Defect("truncated", "ends in the middle", PYTHON, _unclosed_python),
    Defect("repeated_head", "the function's head stands twice", PYTHON, _repeated_head),
)
REPAIRED = tuple(d.id for d in DEFECTS if d.repair)


def defects_of(code: str, language: str) -> dict[str, str]:
    """Every defect that shows in an output, with the piece of text that shows it."""
    found = ((d.id, d.found(code)) for d in DEFECTS if language in d.languages)
    return {name: evidence for name, evidence in found if evidence is not None}


def repair(code: str, language: str, signature: str = "") -> tuple[str, list[str]]:
    """Apply every repair that applies.

    Args:
        code: The output.
        language: Of the output.
        signature: The method head of the prompt.

    Returns:
        The text, and the repairs made.
    """
    made = []
    for defect in DEFECTS:
        if defect.repair and language in defect.languages and defect.found(code) is not None:
            repaired = defect.repair(code, signature)
            if repaired != code:
                made.append(defect.id)
                code = repaired
    return code, made


def constructor_name(code: str) -> str | None:
    """The name of the constructor that an output consists of: a method without return type; None
    for anything else.
    """
    match = _CONSTRUCTOR.match(skeleton(code))
    return (
        match[1]
        if match and match[1] not in ("if", "for", "while", "switch", "catch", "synchronized")
        else None
    )

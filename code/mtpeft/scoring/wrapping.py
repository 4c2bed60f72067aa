"""The file that an analyser reads for an output: its name, and its text.

An archived output is shown to tools exactly as its study showed it, in the frame that the study's
dialect declares. Framing and unframing are exact inverses for every text.

Any other output is shown under one fixed name, so that no id reaches a count, with the comments
inert that would switch a tool off, and as the file that it is: a Java answer that holds types is
left as it stands; what lacks a class gets one, below the answer's own package and imports.
"""

import ast
import re
from dataclasses import dataclass

from mtpeft.core.errors import MtpeftError
from mtpeft.scoring.interface import Item
from mtpeft.scoring.switches import code_only, defused
from mtpeft.scoring.trees import is_program
from mtpeft.tasks.source_text import parsed

SUFFIX = {"java": ".java", "python": ".py", "csharp": ".cs"}
# Good names in each language's own convention, so that no rule about names objects to them.
HOUSE_NAME = {"java": "Output", "python": "output", "csharp": "Output"}
LONGEST_NAME = 100
_DEEPEST = 10
# The class that a Java answer without one is put into.
CLASS = ("import java.util.*;\n\npublic class {unit} {\n    ", "\n}")
_NAME = re.compile(rf"[A-Za-z0-9_]{{1,{LONGEST_NAME}}}")
_HEADER = re.compile(r"\s*(package|import)\b[^;{}()]*;")
_SEMICOLON = re.compile(r"\s*;")
_ANNOTATION = re.compile(r"@(?!\s*interface\b)\s*[\w.$]+\s*")
_TYPE = re.compile(
    r"\s*(?:(?:public|protected|private|static|final|abstract|strictfp|sealed|non-sealed)\s+)*"
    r"(?:(?:class|interface|enum|@\s*interface)\s+([\w$]+)(?=[\s<]|$)|record\s+([\w$]+)\s*[<(])"
)


_CSHARP_CLASS = ("public class {unit}\n{\n", "\n}")
_USING = re.compile(r"\s*(?:global\s+)?using\b[^;{}()]*;")
_ATTRIBUTE = re.compile(r"\[[^\[\]]*\]")
_CSHARP_TYPE = re.compile(
    r"\s*(?:(?:public|protected|private|internal|static|abstract|sealed|partial|readonly|ref|unsafe"
    r"|new|file)\s+)*(?:class|struct|interface|enum|record|delegate|namespace)\s"
)


class NotWrapped(MtpeftError):
    """A text that should be a wrapped Java file and is not."""


@dataclass(frozen=True)
class SourceFile:
    """A file for an analyser.

    Attributes:
        name: Without folder and suffix; in Java that of its class.
        text: Its content.
        package: The folders in which Java's rules want it to lie.
    """

    name: str
    text: str
    package: tuple[str, ...] = ()


def around(frame: tuple[str, str], unit: str) -> tuple[str, str]:
    """The text before and after an output in the file of the class or module `unit`."""
    before, after = frame
    return before.replace("{unit}", unit), after.replace("{unit}", unit)


def framed(output: str, frame: tuple[str, str], unit: str) -> str:
    """The file of an output."""
    before, after = around(frame, unit)
    return before + output + after


def unframed(text: str, frame: tuple[str, str], unit: str) -> str:
    """The output inside a file, the exact inverse of `framed`.

    Args:
        text: The file.
        frame: The text before and after the output.
        unit: What its class or module is called.

    Raises:
        NotWrapped: The text does not follow the pattern exactly.
    """
    before, after = around(frame, unit)
    if not (
        text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after)
    ):
        raise NotWrapped(f"{unit}: not wrapped as the study does it", f"{before!r} … {after!r}")
    return text[len(before) : len(text) - len(after)]


def wrap(item: Item) -> str:
    """The text of an item's file."""
    return file_of(item).text


def file_of(item: Item) -> SourceFile:
    """The file that analysers read for an item.

    Raises:
        MtpeftError: The item's `unit` is no name of a class or module.
    """
    name = item.unit or HOUSE_NAME.get(item.language, "Output")
    if not _NAME.fullmatch(name):
        raise MtpeftError(f"the file's name {name!a}", "letters, digits and underscores")
    if item.frame is not None:
        return SourceFile(name, framed(item.output, item.frame, name))
    text = defused(item.output.removeprefix("\ufeff"), item.language)
    if item.language == "java":
        return java_file(text, name)
    if item.language == "csharp":
        return SourceFile(name, _csharp_text(text, name))
    return SourceFile(name, text)


def holds_nothing(item: Item) -> bool:
    """Whether an answer consists of comments, imports and semicolons alone: a tool that looks for
    faults would find fewer in it than in any answer. Imports of Python run, and count as code.
    """
    if item.language == "python":
        tree = parsed(item.output.removeprefix("\ufeff"))
        return tree is not None and all(_is_text(node) for node in tree.body)
    skeleton, end = code_only(item.output.removeprefix("\ufeff")), 0
    header = _USING if item.language == "csharp" else _HEADER
    while match := header.match(skeleton, end) or _SEMICOLON.match(skeleton, end):
        end = match.end()
    return not skeleton[end:].strip()


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _csharp_text(output: str, name: str) -> str:
    """A C# answer as a whole file: as it is where it holds types or statements of a program, else in
    a class of its own, below its own usings.
    """
    skeleton, end = code_only(output), 0
    while match := _USING.match(skeleton, end):
        end = match.end()
    parts = [_ATTRIBUTE.sub(" ", part) for part in _top_level(skeleton[end:])]
    if (parts and all(map(_CSHARP_TYPE.match, parts))) or is_program(output):
        return output
    lead = f"{output[:end].strip()}\n" if end else ""
    return lead + framed(output[end:].strip("\n"), _CSHARP_CLASS, name)


def java_file(output: str, name: str) -> SourceFile:
    """A Java answer as a whole file: as it is where it holds types, else in a class of its own."""
    skeleton = code_only(output)
    end, package, imports = 0, "", ""
    while match := _HEADER.match(skeleton, end):
        line = output[match.start(1) : match.end()]
        if match[1] == "package":
            package = line
        else:
            imports += line + "\n"
        end = match.end()
    told = package.removeprefix("package").rstrip(";").split(".")
    folders = tuple(part.strip() for part in told) if package else ()
    if len(folders) > _DEEPEST or not all(map(_is_name, folders)):
        folders = ()
    parts = _top_level(skeleton[end:])
    types = [_TYPE.match(_unannotated(part)) for part in parts]
    if parts and all(types):
        names = [
            (match[1] or match[2], "public" in match[0].split())
            for match in types
            if match is not None
        ]
        own = next((n for n, public in names if public), names[0][0])
        return SourceFile(own if _is_name(own) else name, output, folders)
    if not end:
        return SourceFile(name, framed(output, CLASS, name))
    lead = f"{package}\n\n" if package else ""
    text = f"{lead}{imports}{framed(output[end:].strip(), CLASS, name)}"
    return SourceFile(name, text, folders)


def _is_name(name: str) -> bool:
    """Whether a name of Java, which is an answer's own, makes a file's name: letters and digits of any
    script, `_` and `$`, in no more bytes than a file system takes.
    """
    return name.replace("$", "_").isidentifier() and len(name.encode()) <= 2 * LONGEST_NAME


def _unannotated(head: str) -> str:
    """The head of a declaration without its annotations."""
    kept, position = [], 0
    while found := _ANNOTATION.search(head, position):
        kept.append(head[position : found.start()])
        position = _behind_parentheses(head, found.end())
    return " ".join([*kept, head[position:]])


def _behind_parentheses(text: str, start: int) -> int:
    """The position behind the parentheses that open at `start`; `start` where none do."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i + 1 if text[i] == ")" else start
    return len(text)


def _top_level(skeleton: str) -> list[str]:
    """The declarations that a Java text consists of, each up to its body, comments left out."""
    parts, start, depth, head = [], 0, 0, 0
    for i, sign in enumerate(skeleton):
        if sign in "{(":
            if sign == "{" and depth == 0:
                head = i
            depth += 1
        elif sign in "})":
            depth -= 1
            if sign == "}" and depth == 0:
                parts.append(skeleton[start:head])
                start = i + 1
            if depth < 0:
                return [*parts, ""]
        elif sign == ";" and depth == 0:
            if skeleton[start:i].strip():
                parts.append(skeleton[start:i])
            start = i + 1
    rest = skeleton[start:]
    return [*parts, rest.partition("{")[0]] if rest.strip() else parts

"""The file that an analyser reads for an output: its name, and its text.

Study A wraps every Java output in a class of its own before analysis (import line, blank line,
class head, the output after four blanks, closing brace); Python and C# outputs are analysed as they
are. Wrapping and unwrapping are exact inverses for every text. Its archived outputs are shown to
tools exactly so.

Any other output is shown under one fixed name, so that no id reaches a count, with the comments
inert that would switch a tool off, and as the file that it is: a Java answer that holds types is
left as it stands; what lacks a class gets the study's, below the answer's own package and imports.
"""

import re
from dataclasses import dataclass

from mtpeft.core.errors import MtpeftError
from mtpeft.scoring.interface import Item
from mtpeft.scoring.switches import code_only, defused

SUFFIX = {"java": ".java", "python": ".py", "csharp": ".cs"}
# Good names in each language's own convention, so that no rule about names objects to them.
HOUSE_NAME = {"java": "Output", "python": "output", "csharp": "Output"}
LONGEST_NAME = 100
_DEEPEST = 10
_TRANSLATION = re.compile(r"translation_(\d+)")
_TAIL = "\n}"
_IMPORT = "import java.util.*;\n"
_NAME = re.compile(rf"[A-Za-z0-9_]{{1,{LONGEST_NAME}}}")
_HEADER = re.compile(r"\s*(package|import)\b[^;{}()]*;")
_ANNOTATION = re.compile(r"@(?!interface\b)[\w.]+\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?")
_TYPE = re.compile(
    r"\s*(?:(?:public|protected|private|static|final|abstract|strictfp|sealed|non-sealed)\s+)*"
    r"(?:(?:class|interface|enum|@\s*interface)\s+(\w+)|record\s+(\w+)\s*[<(])"
)


class NotWrapped(MtpeftError):
    """A text that should be a wrapped Java file and is not."""


@dataclass(frozen=True)
class SourceFile:
    """A file for an analyser.

    name: without folder and suffix; in Java that of its class. package: the folders in which
    Java's rules want it to lie.
    """

    name: str
    text: str
    package: tuple[str, ...] = ()


def class_name(instance_id: str) -> str:
    """The study's class for an output: `Translation<n>` for `translation_<n>`, else
    `Generated_<id>`.
    """
    match = _TRANSLATION.fullmatch(instance_id)
    return f"Translation{match[1]}" if match else "Generated_" + re.sub(r"\W", "_", instance_id)


def study_name(instance_id: str, language: str) -> str:
    """What the study called the file of an instance: by its class, or by the instance.

    Only for instances of the study itself, whose ids are known; an id from outside names no file.
    """
    return class_name(instance_id) if language == "java" else instance_id


def _head(name: str) -> str:
    return f"{_IMPORT}\npublic class {name} {{\n    "


def wrap_java(output: str, name: str) -> str:
    """The Java file that the study's analysers read for an output in the class `name`."""
    return _head(name) + output + _TAIL


def unwrap_java(text: str, name: str) -> str:
    """The output inside a wrapped Java file. Raises `NotWrapped` where the text does not follow the
    pattern exactly.
    """
    head = _head(name)
    if not (text.startswith(head) and text.endswith(_TAIL) and len(text) >= len(head) + len(_TAIL)):
        raise NotWrapped(f"{name}: not wrapped as the study does it", f"{head!r} … {_TAIL!r}")
    return text[len(head) : -len(_TAIL)]


def unwrap(text: str, language: str, instance_id: str) -> str:
    """The output inside an archived file of the given language."""
    return unwrap_java(text, class_name(instance_id)) if language == "java" else text


def wrap(item: Item) -> str:
    """The text of an item's file."""
    return file_of(item).text


def file_of(item: Item) -> SourceFile:
    """The file that analysers read for an item.

    Raises:
        MtpeftError: the item's `unit` is no name of a class or module.
    """
    name = item.unit or HOUSE_NAME.get(item.language, "Output")
    if not _NAME.fullmatch(name):
        raise MtpeftError(f"the file's name {name!a}", "letters, digits and underscores")
    if item.archived:
        text = wrap_java(item.output, name) if item.language == "java" else item.output
        return SourceFile(name, text)
    text = defused(item.output.removeprefix("\ufeff"), item.language)
    return java_file(text, name) if item.language == "java" else SourceFile(name, text)


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
    if len(folders) > _DEEPEST or not all(_NAME.fullmatch(part) for part in folders):
        folders = ()
    parts = _top_level(skeleton[end:])
    types = [_TYPE.match(_ANNOTATION.sub(" ", part)) for part in parts]
    if parts and all(types):
        names = [
            (match[1] or match[2], "public" in match[0].split())
            for match in types
            if match is not None
        ]
        own = next((n for n, public in names if public), names[0][0])
        return SourceFile(own if _NAME.fullmatch(own) else name, output, folders)
    if not end:
        return SourceFile(name, wrap_java(output, name))
    lead = f"{package}\n\n" if package else ""
    text = f"{lead}{imports}{wrap_java(output[end:].strip(), name)}"
    return SourceFile(name, text, folders)


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

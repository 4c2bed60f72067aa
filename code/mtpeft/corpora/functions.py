"""Source files of people → their functions, by tree-sitter.

A function is read as the training corpora hold one: without its documentation, which is kept apart.
Functions inside functions belong to the outer one.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.files import no_file, read_text
from mtpeft.corpora.code_to_text import first_paragraph, python_parts
from mtpeft.corpora.trees import GRAMMARS, below, first_error, parser

if TYPE_CHECKING:
    from tree_sitter import Node

SUFFIXES = {".py": "python", ".java": "java", ".cs": "csharp", ".c": "c", ".h": "c"}
LARGEST = 1_000_000
"""Bytes of a source file at most: what is larger is generated, or no source."""
_FUNCTIONS = {
    "function_definition",
    "method_declaration",
    "constructor_declaration",
    "compact_constructor_declaration",
    "local_function_statement",
}
_TYPES = {
    "class_definition",
    "class_declaration",
    "interface_declaration",
    "enum_declaration",
    "record_declaration",
    "struct_declaration",
}
_AROUND = {"decorated_definition", "global_statement"}
_BESIDE = {"comment", "block_comment", "line_comment", "package_declaration", "using_directive"}
_BESIDE |= {"import_declaration", "import_statement", "import_from_statement"}
_TAGS = re.compile(r"</?\w[^>]*>")


@dataclass(frozen=True)
class Function:
    """A function of a file, or a file as a whole.

    Attributes:
        path: The file.
        language: As tasks name it.
        name: With the names of the types around it; empty for a whole file.
        line: Of the file, from 1, where it begins.
        code: Its text without documentation, indented as if it stood alone.
        signature: Its text up to its body, on one line; empty for a whole file.
        doc: The first paragraph of its documentation; empty where it has none.
    """

    path: Path
    language: str
    name: str
    line: int
    code: str
    signature: str = ""
    doc: str = ""


@dataclass(frozen=True)
class Source:
    """A source file.

    Attributes:
        path: The file.
        language: As tasks name it.
        text: Its text, lines ended by LF.
    """

    path: Path
    language: str
    text: str


def read_source(path: Path, language: str = "") -> Source:
    """A source file that a person named.

    Args:
        path: The file.
        language: Its language; empty: by its suffix.

    Raises:
        BadInput: It is no file, too large, no text, empty, or of an unknown language.
        UnknownName: There is no such language.
    """
    if language and language not in SUFFIXES.values():
        raise UnknownName("language", language, set(SUFFIXES.values()), "mtpeft apply --help")
    found = language or SUFFIXES.get(path.suffix.lower(), "")
    if not path.is_file():
        raise no_file(path, "a source file")
    if not found:
        raise BadInput(
            path,
            f"suffix {path.suffix or '(none)'} is of no known language",
            f"one of {', '.join(SUFFIXES)}",
            f"--language {', '.join(dict.fromkeys(SUFFIXES.values()))}: one of them, for all files",
        )
    if (size := path.stat().st_size) > LARGEST:
        raise BadInput(
            path,
            f"{size:,} bytes",
            f"a source file of at most {LARGEST:,} bytes",
            "put the functions that matter into a file of their own",
        )
    if b"\0" in path.read_bytes():
        raise BadInput(path, "a binary file", "source code in UTF-8", f"file {path}")
    text = read_text(path).removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.strip():
        raise BadInput(path, "an empty file", "source code", f"ls -l {path}")
    return Source(path, found, text)


def whole(source: Source) -> Function:
    """A file as one piece of code; one that holds a single function is that function.

    Raises:
        BadInput: It cannot be parsed; the error names the line.
    """
    if source.language not in GRAMMARS:
        return Function(source.path, source.language, "", 1, source.text)
    root = _root(source)
    if root.has_error:
        raise _unsound(source, first_error(root), "the file")
    found = [n for n in root.named_children if n.type not in _BESIDE]
    if len(found) == 1 and (inner := next(iter(_walk(root, [])), None)):
        name, node = inner
        if _outer(node) == found[0]:
            return _function(source, name, node, source.text.encode())
    return Function(source.path, source.language, "", 1, source.text)


def names(source: Source) -> list[str]:
    """The full names of the functions of a file that have a body, in its order."""
    return [name for name, _ in _walk(_root(source), [])] if source.language in GRAMMARS else []


def functions(source: Source, wanted: Sequence[str] = ()) -> tuple[list[Function], list[BadInput]]:
    """The functions of a file that have a body, in its order.

    Args:
        source: The file.
        wanted: Only those of these names (see `called`); none: every one.

    Returns:
        The sound ones, and an error for each that cannot be parsed.

    Raises:
        BadInput: Its language has no parser here, or it holds no function.
    """
    path = source.path
    if source.language not in GRAMMARS:
        raise BadInput(
            path,
            f"functions of {source.language} cannot be told apart",
            f"a file in {', '.join(GRAMMARS)}",
            "put the function into a file of its own, and leave out --function and --functions",
        )
    root, data = _root(source), source.text.encode()
    every = list(_walk(root, []))
    if not every:
        if root.has_error:
            raise _unsound(source, first_error(root), "the file")
        raise BadInput(
            path, "no function with a body", "at least one", "leave out --function and --functions"
        )
    found: list[Function] = []
    errors: list[BadInput] = []
    for name, node in every:
        if wanted and not any(called(name, w) for w in wanted):
            continue
        if node.has_error:
            errors.append(_unsound(source, first_error(node), f"function {name}"))
        else:
            found.append(_function(source, name, node, data))
    return found, errors


def called(name: str, wanted: str) -> bool:
    """Whether a function has a name, given with or without the types around it."""
    return name == wanted or name.endswith(f".{wanted}")


def _unsound(source: Source, line: int, what: str) -> BadInput:
    return BadInput(
        source.path,
        f"{what} is no {source.language} that can be parsed",
        "code without a syntax error at this line",
        f"sed -n {line}p {source.path}; --functions takes the sound functions of a file",
        line=line,
    )


def _root(source: Source) -> "Node":
    root: Node = parser(source.language).parse(source.text.encode()).root_node
    return root


def _walk(node: "Node", around: list[str]) -> "Iterator[tuple[str, Node]]":
    """Every outermost function with a body below a node, with its full name."""
    waiting = [(child, around) for child in reversed(node.children)]
    while waiting:
        node, around = waiting.pop()
        named = node.child_by_field_name("name")
        name = _text(named) if named is not None else ""
        if node.type in _FUNCTIONS:
            if node.child_by_field_name("body") is not None:
                yield ".".join([*around, name]), node
            continue
        inner = [*around, name] if node.type in _TYPES else around
        waiting += [(child, inner) for child in reversed(node.children)]


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _outer(node: "Node") -> "Node":
    """The node with the decorators of a function."""
    return node.parent if node.parent is not None and node.parent.type in _AROUND else node


def _function(source: Source, name: str, node: "Node", data: bytes) -> Function:
    outer, body = _outer(node), node.child_by_field_name("body")
    assert body is not None
    start = outer.start_byte
    line_start = data.rfind(b"\n", 0, start) + 1
    before = data[line_start:start].decode()
    # The first line's indentation belongs to the text, or the other lines would seem to be deeper.
    code = dedent(before + _text(outer)) if not before.strip() else _text(outer)
    head = data[node.start_byte : body.start_byte].decode()
    signature = " ".join(head.split()).removesuffix("=>").rstrip()
    if source.language == "python":
        signature = signature.removesuffix(":").rstrip()
        doc = _docstring(body)
        parts = python_parts(code) if doc else None
        code = parts[1] if parts else code
    else:
        doc = _comment(outer)
    return Function(
        source.path,
        source.language,
        name,
        outer.start_point[0] + 1,
        code.strip("\n"),
        signature,
        first_paragraph(doc) if doc.strip() else "",
    )


def _docstring(body: "Node") -> str:
    first = next((n for n in body.named_children if n.type != "comment"), None)
    if first is None or first.type != "expression_statement" or not first.named_children:
        return ""
    string = first.named_children[0]
    if string.type != "string":
        return ""
    return inspect.cleandoc("".join(_text(n) for n in below(string) if n.type == "string_content"))


def _comment(node: "Node") -> str:
    """The documentation comment right before a node of Java or C#, without its marks."""
    lines: list[str] = []
    above = node.prev_named_sibling
    while above is not None and above.type in ("comment", "block_comment", "line_comment"):
        text = _text(above)
        if text.startswith("/**"):
            inner = text.removeprefix("/**").removesuffix("*/").split("\n")
            return "\n".join(re.sub(r"^\s*\*? ?", "", line) for line in inner)
        if not text.startswith("///"):
            break
        lines.insert(0, text.removeprefix("///").strip())
        above = above.prev_named_sibling
    summary = re.search(r"<summary>(.*?)</summary>", "\n".join(lines), re.DOTALL)
    return _TAGS.sub("", summary[1] if summary else "\n".join(lines)).strip()

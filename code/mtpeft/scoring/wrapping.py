"""Putting an output into the file an analyser reads, and taking it out again.

Study A wraps every Java output in a class of its own before analysis (import line, blank line,
class head, the output after four blanks, closing brace); Python and C# outputs are analysed as they
are. The class name carries the instance. Wrapping and unwrapping are exact inverses for every text.
"""

import re

from mtpeft.core.errors import MtpeftError
from mtpeft.scoring.interface import Item

SUFFIX = {"java": ".java", "python": ".py", "csharp": ".cs"}
_TRANSLATION = re.compile(r"translation_(\d+)")
_TAIL = "\n}"


class NotWrapped(MtpeftError):
    """A text that should be a wrapped Java file and is not."""


def class_name(instance_id: str) -> str:
    """The class that holds an output: `Translation<n>` for `translation_<n>`, else
    `Generated_<id>`.

    An id followed by `@Name` asks for that name outright: the audit wraps constructors in a class
    of their own name.
    """
    _, _, name = instance_id.partition("@")
    if name.isidentifier():
        return name
    match = _TRANSLATION.fullmatch(instance_id)
    return f"Translation{match[1]}" if match else "Generated_" + re.sub(r"\W", "_", instance_id)


def _head(instance_id: str) -> str:
    return f"import java.util.*;\n\npublic class {class_name(instance_id)} {{\n    "


def wrap_java(output: str, instance_id: str) -> str:
    """The Java file that the study's analysers read for this output."""
    return _head(instance_id) + output + _TAIL


def unwrap_java(text: str, instance_id: str) -> str:
    """The output inside a wrapped Java file. Raises `NotWrapped` where the text does not follow the
    pattern exactly.
    """
    head = _head(instance_id)
    if not (text.startswith(head) and text.endswith(_TAIL) and len(text) >= len(head) + len(_TAIL)):
        raise NotWrapped(
            f"{instance_id}: not wrapped as the study does it", f"{head!r} … {_TAIL!r}"
        )
    return text[len(head) : -len(_TAIL)]


def wrap(item: Item) -> str:
    """The file for an item: wrapped where the study wraps its language, else the output itself."""
    return wrap_java(item.output, item.instance_id) if item.language == "java" else item.output


def unwrap(text: str, language: str, instance_id: str) -> str:
    """The output inside an archived file of the given language."""
    return unwrap_java(text, instance_id) if language == "java" else text

"""The one shape in which every corpus hands over its examples."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput
from mtpeft.core.files import json_objects, no_file, write_atomic


@dataclass(frozen=True)
class Example:
    """One example of a task.

    Attributes:
        id: Unique with the task and the languages.
        task: The task.
        language: Of the code that is written (generation, translation) or described
            (summarization).
        inputs: What the task's module makes a prompt from.
        target: What the model should answer; empty where unknown.
        source_language: Of the code that is shown, where it differs.
        tests: Expressions that are true of a right answer; empty where unknown.
    """

    id: str
    task: str
    language: str
    inputs: dict[str, str]
    target: str = ""
    source_language: str = ""
    tests: list[str] = field(default_factory=list)


def subsample_evenly(examples: Sequence[Any], limit: int) -> list[Any]:
    """`limit` of them, evenly spaced, so that every language, direction and class is among them (0:
    all).
    """
    if not limit or limit >= len(examples):
        return list(examples)
    return [examples[i * len(examples) // limit] for i in range(limit)]


def examples_text(examples: Iterable[Example]) -> str:
    """Canonical JSON lines: keys sorted, no escapes, one example a line, LF."""
    return "".join(
        json.dumps(asdict(e), sort_keys=True, ensure_ascii=False) + "\n" for e in examples
    )


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write examples as canonical JSON lines."""
    write_atomic(path, examples_text(examples))


def read_examples(path: Path) -> list[Example]:
    """Read JSON lines of examples.

    Raises:
        BadInput: A line is anything else, holds what is no Unicode text, or has the id of an earlier
            one of its task and languages; the error names file and line.
    """
    if not path.is_file():
        raise no_file(path, "examples in JSON lines", "make data")
    names = {f.name for f in fields(Example)}
    result, first = list[Example](), dict[tuple[str, ...], int]()
    fix = "write the line as docs/reference says, or remove it"
    for number, data in json_objects(path, ("id", "task", "language", "inputs"), fix):
        if unknown := sorted(data.keys() - names):
            raise BadInput(
                path,
                f"keys {', '.join(unknown)}",
                f"the keys of an example: {', '.join(sorted(names))}",
                fix,
                line=number,
            )
        if wrong := [name for name, value in data.items() if not _fits(name, value)]:
            raise BadInput(
                path,
                f"{wrong[0]} is {ascii(data[wrong[0]])[:80]}",
                "texts; inputs: a mapping of texts; tests: a list of texts",
                fix,
                line=number,
            )
        result.append(Example(**data))
        if fault := _fault(result[-1], first, number):
            raise BadInput(path, fault, "an id of its own, and Unicode text", fix, line=number)
    return result


def _fault(example: Example, first: dict[tuple[str, ...], int], line: int) -> str:
    """What is wrong with an example of the right shape; empty for nothing.

    Args:
        example: The example.
        first: The lines of the examples so far, by what is unique; this one is added.
        line: Of this one.
    """
    if not example.id.isprintable() or not example.id.strip():
        # A prediction with such an id could be written and not be read.
        return f"id {example.id[:80]!a} holds what no name does"
    unique = (example.id, example.task, example.language, example.source_language)
    if (seen := first.setdefault(unique, line)) != line:
        return f"id {example.id[:80]!a} of {example.task} again (first on line {seen})"
    try:
        json.dumps(asdict(example), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "a lone surrogate, which no file can hold"
    return ""


def _fits(name: str, value: Any) -> bool:
    if name == "inputs":
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    if name == "tests":
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    return isinstance(value, str)

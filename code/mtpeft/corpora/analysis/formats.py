"""Upstream layouts of the data sets of code-analysis tasks → examples. White space is collapsed, as
in the study's programs.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput
from mtpeft.core.files import json_objects, read_text, text_lines
from mtpeft.corpora.examples import Example


def collapsed(code: str) -> str:
    """Runs of white space as one blank.

    Raises:
        ValueError: It is no text.
    """
    if not isinstance(code, str):
        raise ValueError(f"{ascii(code)[:60]} where a text belongs")
    return " ".join(code.split())


class Rows:
    """The rows of a JSON-lines file that all have some keys, and the line that was read last.

    Args:
        path: The file.
        keys: What each row must have.
    """

    def __init__(self, path: Path, keys: set[str]) -> None:
        self.path, self._keys, self.line = path, keys, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line, row in json_objects(self.path, self._keys):
            self.line = line
            yield row


def devign(rows: Iterable[Mapping[str, Any]], name: str = "devign") -> Iterator[Example]:
    """Rows with `func` and `target` (0, 1 or a truth value)."""
    for number, row in enumerate(rows):
        yield Example(
            f"{name}-{row.get('idx', row.get('id', number))}",
            "vulnerability-detection",
            "c",
            {"code": collapsed(row["func"])},
            _class(row["target"]),
        )


def clone_files(data: Path, pairs: Path) -> Iterator[Example]:
    """Pairs of clones from a file of functions and one of pairs; pairs of unknown functions are
    left out.

    Args:
        data: JSON lines with `idx` and `func`.
        pairs: Lines `idx1 TAB idx2 TAB label`.

    Raises:
        BadInput: A line is malformed; the error names file and line.
    """
    rows = Rows(data, {"idx", "func"})
    try:
        functions = {str(row["idx"]): collapsed(row["func"]) for row in rows}
    except ValueError as error:
        raise BadInput(data, str(error), "texts for idx and func", line=rows.line) from error
    for number, line in enumerate(text_lines(read_text(pairs)), start=1):
        parts = line.removesuffix("\r").split("\t")
        if len(parts) != 3 or parts[2] not in ("0", "1"):
            raise BadInput(
                pairs, repr(line), "idx1, idx2 and 0 or 1, separated by tabs", line=number
            )
        if parts[0] in functions and parts[1] in functions:
            yield Example(
                f"bigclonebench-{number - 1}",
                "clone-detection",
                "java",
                {"code1": functions[parts[0]], "code2": functions[parts[1]]},
                parts[2],
            )


def search_rows(rows: Iterable[Mapping[str, Any]], name: str = "advtest") -> Iterator[Example]:
    """Rows with tokens: code from `function_tokens`, else `code_tokens`; query from
    `docstring_tokens`, else `doc`.
    """
    for number, row in enumerate(rows):
        code = row.get("function_tokens") or row["code_tokens"]
        query = row.get("docstring_tokens") or row["doc"]
        yield Example(
            f"{name}-{row.get('idx', number)}",
            "code-search",
            "python",
            {"query": collapsed(_joined(query)), "code": collapsed(_joined(code))},
            "1",
        )


def _joined(tokens: Any) -> str:
    return tokens if isinstance(tokens, str) else " ".join(tokens)


def flaky_array(path: Path) -> Iterator[Example]:
    """The study's layout: a JSON array of `code` and `label`.

    Raises:
        BadInput: The file is anything else.
    """
    try:
        rows = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(
            path,
            f"malformed JSON: {error}",
            "an array of code and label",
            line=getattr(error, "lineno", None),
        ) from error
    if not isinstance(rows, list):
        raise BadInput(path, f"a {type(rows).__name__}", "an array of code and label")
    for number, row in enumerate(rows):
        try:
            code, label = collapsed(row["code"]), _class(row["label"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                path, f"entry {number} is {ascii(row)[:60]} ({error})", "code and label"
            ) from error
        yield Example(f"flaky-{number}", "flaky-detection", "java", {"code": code}, label)


def _class(value: Any) -> str:
    try:
        number = int(value)
    except OverflowError:
        number = -1
    if number not in (0, 1):
        raise ValueError(f"label {value!r} is neither 0 nor 1")
    return str(number)

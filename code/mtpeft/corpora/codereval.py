"""CoderEval: the evaluation sets of generation (human-labelled prompts) and summarization (raw
docstrings as references).
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput
from mtpeft.corpora.examples import Example

_RAW = {
    "java": "CoderEval-Input4Models/CEJavaRaw.jsonl",
    "python": "CoderEval-Input4Models/CEPythonRaw.jsonl",
}
_DISCARDED = {
    "java": "CoderEval Java Ids with Unreliable Tests",
    "python": "CoderEval Python Ids with Unreliable Tests",
}


def generation(prompts: dict[str, Path], discarded: Path) -> Iterator[Example]:
    """Prompts less the discard list, sorted by id: 184 Java and 190 Python. The target is unknown
    here.
    """
    left_out = json.loads(discarded.read_text(encoding="utf-8"))
    for language, path in sorted(prompts.items()):
        drop = set(left_out[_DISCARDED[language]])
        rows = [
            row
            for row in _json_lines(path.read_text(encoding="utf-8"), path)
            if row["question_id"] not in drop
        ]
        for row in sorted(rows, key=lambda r: r["question_id"]):
            yield Example(
                row["question_id"],
                "generation",
                language,
                {
                    "prompt": row["input"],
                    "summary": row["docstring"],
                    "signature": row["signature"],
                },
            )


def summarization(code: dict[str, Path], inputs: Path) -> Iterator[Example]:
    """Functions in the study's order; the target is the raw docstring, the reference of the
    published scores.
    """
    with zipfile.ZipFile(inputs) as archive:
        for language, path in sorted(code.items()):
            raw = archive.read(_RAW[language]).decode("utf-8")
            reference = {row["question_id"]: row["docstring"] for row in _json_lines(raw, inputs)}
            for row in _json_lines(path.read_text(encoding="utf-8"), path):
                yield Example(
                    row["id"],
                    "summarization",
                    language,
                    {"code": row["code"]},
                    reference[row["id"]],
                )


def _json_lines(text: str, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise BadInput(
                    path, f"malformed JSON: {error}", "one JSON object a line", "make data", number
                ) from error

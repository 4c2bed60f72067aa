"""HumanEval as a corpus: its problems, and what tells that a completion is right.

Source: Chen et al., "Evaluating Large Language Models Trained on Code", 2021; the file of
openai/human-eval at the pinned commit. It is in no study of its own: `--corpus humaneval` names it.
"""

import gzip
import json
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.core.errors import BadInput
from mtpeft.core.files import lines, no_file
from mtpeft.corpora.examples import Example
from mtpeft.corpora.fetch import require
from mtpeft.corpora.manifest import manifest

ENTRY = "humaneval/problems"
PROBLEMS = 164
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")


def read_rows(path: Path | None = None) -> dict[str, dict[str, str]]:
    """The fields of the 164 problems by task id, in file order.

    Args:
        path: JSON lines, gzipped or not (default: the file of the manifest).

    Raises:
        BadInput: The file is malformed; the error names the line.
        MtpeftError: The manifest's file cannot be had.
    """
    source = path or require(manifest().files[ENTRY])
    if not source.is_file():
        raise no_file(source, "HumanEval.jsonl or HumanEval.jsonl.gz", "make data")
    data = source.read_bytes()
    try:
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise BadInput(source, f"damaged gzip: {error}", "a whole gzip file") from error
    problems: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines(text), start=1):
        try:
            fields = json.loads(line)
            problem = {name: fields[name] for name in _FIELDS}
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                source, f"no HumanEval problem: {error!r}", ", ".join(_FIELDS), line=number
            ) from error
        if problem["task_id"] in problems:
            raise BadInput(source, f"{problem['task_id']} again", "every task id once", line=number)
        problems[problem["task_id"]] = problem
    if len(problems) != PROBLEMS and path is None:
        raise BadInput(source, f"{len(problems)} problems", f"{PROBLEMS}")
    return problems


def examples(task: str, split: str) -> list[Example]:
    """The problems as examples of a task that generates; there is a test split only.

    The target continues the prompt. `tests` holds the benchmark's own test program, which defines
    `check`.
    """
    if split != "test" or catalog().get("tasks", task).module != "mtpeft.tasks.generation":
        return []
    return [
        Example(
            name,
            task,
            "python",
            {"prompt": row["prompt"], "entry_point": row["entry_point"]},
            row["canonical_solution"],
            tests=[row["test"]],
        )
        for name, row in read_rows().items()
    ]

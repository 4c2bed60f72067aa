"""HumanEval as a corpus: its problems, and what tells that a completion is right.

Source: Chen et al., "Evaluating Large Language Models Trained on Code", 2021; the file of
openai/human-eval at the pinned commit. It is in no study of its own: `--corpus humaneval` names it.
"""

import gzip
import hashlib
import json
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import lines
from mtpeft.corpora.examples import Example

RELATIVE = "openai/human-eval/6d43fb980f9fee3c892a914eda09951f772ad10d/data/HumanEval.jsonl.gz"
SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
PROBLEMS = 164
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")


def default_path() -> Path:
    """The benchmark below MTPEFT_MIRROR or in the cache.

    Raises:
        MtpeftError: It is in neither.
    """
    folders = [folder for folder in (paths.mirror(), paths.CACHE) if folder is not None]
    for folder in folders:
        if (folder / RELATIVE).is_file():
            return folder / RELATIVE
    raise MtpeftError(
        f"HumanEval is not below {' or '.join(map(str, folders))}",
        RELATIVE,
        "set MTPEFT_MIRROR to a local mirror, or run `make data`",
    )


def read_rows(path: Path | None = None) -> dict[str, dict[str, str]]:
    """The fields of the 164 problems by task id, in file order.

    Args:
        path: JSON lines, gzipped or not (default: `default_path()`, which is checked by SHA-256).

    Raises:
        BadInput: The file is malformed; the error names the line.
    """
    source = path or default_path()
    if not source.is_file():
        raise BadInput(source, "no such file", "HumanEval.jsonl or HumanEval.jsonl.gz")
    data = source.read_bytes()
    if path is None and hashlib.sha256(data).hexdigest() != SHA256:
        raise BadInput(
            source,
            f"SHA-256 {hashlib.sha256(data).hexdigest()}",
            SHA256,
            "fetch the file again from openai/human-eval at the pinned commit",
        )
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

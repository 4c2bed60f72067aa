"""The tiny corpora of `data/smoke`: hand-written functions in Java, Python and C# with summaries
and tests.
"""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput
from mtpeft.core.paths import DATA
from mtpeft.corpora.examples import Example

FOLDER = DATA / "smoke"
LANGUAGES = ("java", "python", "csharp")
TASKS = ("generation", "summarization", "translation")


@lru_cache(maxsize=4)
def functions(split: str, folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The functions of a split by id, sorted; each as in its file.

    Raises:
        BadInput: There is no such split, or a file is malformed.
    """
    splits = tomllib.loads((folder / "splits.toml").read_text(encoding="utf-8"))
    if split not in splits:
        raise BadInput(folder / "splits.toml", f"no split {split!r}", f"one of {', '.join(splits)}")
    result = {}
    for name in sorted(splits[split]):
        path = folder / "functions" / f"{name}.toml"
        try:
            result[name] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise BadInput(
                path, str(error), "a function as described in data/smoke/README.md"
            ) from error
    return result


def signature(code: str) -> str:
    """The first line of a function without the brace or colon that ends it."""
    return code.lstrip().splitlines()[0].rstrip().removesuffix("{").removesuffix(":").rstrip()


def examples(task: str, split: str, folder: Path = FOLDER) -> list[Example]:
    """The examples of one task, in the order of the study's concatenation: by language or
    direction, then by id.
    """
    known = functions(split, folder)
    made: list[Example] = []
    if task not in TASKS:
        return made
    if task == "translation":
        for source, target in (("java", "csharp"), ("csharp", "java")):
            made += [
                Example(
                    name,
                    task,
                    target,
                    {"code": f[source]["code"].strip("\n")},
                    f[target]["code"].strip("\n"),
                    source,
                    _tests(f, target),
                )
                for name, f in known.items()
            ]
        return made
    for language in ("java", "python"):
        for name, function in known.items():
            code = function[language]["code"].strip("\n")
            if task == "generation":
                made.append(
                    Example(
                        name,
                        task,
                        language,
                        {"summary": function["summary"], "signature": signature(code)},
                        code,
                        tests=_tests(function, language),
                    )
                )
            else:
                made.append(Example(name, task, language, {"code": code}, function["summary"]))
    return made


def _tests(function: dict[str, Any], language: str) -> list[str]:
    return [line for line in function[language]["tests"].strip().splitlines() if line.strip()]

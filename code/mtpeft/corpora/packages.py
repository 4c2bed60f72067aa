"""Python functions with docstrings of the installed packages: a real corpus that every machine has
on its disk once the package is set up.

The rule, so that the same lock gives the same examples:

- The packages are those that the locks of the groups core, score and train pin to one version, and
  that are installed in that version. One that a lock pins twice (another version for another
  Python) is left out.
- Of each package the `FILES` modules whose paths have the least SHA-256 are read, tests left out,
  so that no package outweighs the others.
- A function, or method, counts where `code_to_text` takes it apart, its summary has `WORDS` words,
  and its code without docstring has `CODE` characters. Of equal codes the first one counts.
- A function is left out whose name HumanEval asks for or shows, with or without underscores and
  capitals.
- A package is in one split alone, which the SHA-256 of its name decides.

The texts stay in the packages; `made_of` says whose they are and under which licence.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.core.errors import Unavailable
from mtpeft.core.files import text_lines
from mtpeft.core.paths import ROOT
from mtpeft.corpora import derived, humaneval
from mtpeft.corpora.code_to_text import first_paragraph, python_parts
from mtpeft.corpora.examples import Example

LOCKS = ("core", "score", "train")
FILES = 30
WORDS = (4, 30)
CODE = (60, 700)
VALID, TEST = 8, 25
"""Percent of the packages."""
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")


@dataclass(frozen=True)
class Function:
    """A documented function.

    Attributes:
        package: Its package, normalised.
        signature: From `def` to the end of the header, on one line.
        code: Without docstring.
        summary: The first paragraph of the docstring.
    """

    package: str
    signature: str
    code: str
    summary: str

    @property
    def id(self) -> str:
        """Package and hash of the code."""
        return f"{self.package}-{_hash(self.code)[:12]}"


def examples(task: str, split: str, **sizes: int) -> list[Example]:
    """The functions of a split as examples of generation or of summarization, by id.

    Args:
        task: A task whose module is that of generation or summarization; any other is that of the
            derived sets.
        split: `train`, `valid` or `test`.
        sizes: How many examples of a split are taken of each pair of languages (by the split's
            name; left out: all). They are those with the least SHA-256 of their ids, so that a
            package more or less changes few of them.
    """
    every, size = _examples(task, split), sizes.get(split, 0)
    if not size:
        return every
    taken: dict[tuple[str, str], int] = {}
    chosen = set()
    for number in sorted(range(len(every)), key=lambda n: _hash(every[n].id)):
        pair = every[number].source_language, every[number].language
        taken[pair] = taken.get(pair, 0) + 1
        if taken[pair] <= size:
            chosen.add(number)
    return [example for number, example in enumerate(every) if number in chosen]


def _examples(task: str, split: str) -> list[Example]:
    kind = catalog().get("tasks", task).module.rpartition(".")[2]
    if kind not in ("generation", "summarization"):
        return derived.examples(task, split)
    found = sorted((f for f in functions() if split_of(f.package) == split), key=lambda f: f.id)
    if kind == "generation":
        return [
            Example(f.id, task, "python", {"summary": f.summary, "signature": f.signature}, f.code)
            for f in found
        ]
    return [Example(f.id, task, "python", {"code": f.code}, f.summary) for f in found]


def split_of(package: str) -> str:
    """The split that a package belongs to, whatever else is installed."""
    place = int(_hash(package)[:8], 16) % 100
    return "test" if place < TEST else "valid" if place < TEST + VALID else "train"


def made_of() -> list[tuple[str, str, str, str, int]]:
    """Package, version, licence as its authors state it, split, and number of functions."""
    counts: dict[str, int] = {}
    for function in functions():
        counts[function.package] = counts.get(function.package, 0) + 1
    return [
        (name, version, licence(distribution(name)), split_of(name), counts[name])
        for name, version in sorted(packages().items())
        if name in counts
    ]


def licence(package: Distribution) -> str:
    """What a package's metadata say, on one line."""
    about = package.metadata
    classes = [
        text.rpartition(" :: ")[2]
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::")
    ]
    stated = next(
        (
            text.strip()
            for key in ("License-Expression", "License")
            for text in about.get_all(key) or []
        ),
        "",
    )
    if not stated or "\n" in stated or len(stated) > 80:  # some give the whole text
        stated = "; ".join(classes) or next(iter(text_lines(stated)), "")
    return " ".join(stated.split()) or "not stated"


@lru_cache(maxsize=1)
def packages() -> dict[str, str]:
    """Names and versions of the packages that the rule takes, sorted.

    Raises:
        Unavailable: A package is missing or has another version.
    """
    pins: dict[str, set[str]] = {}
    for group in LOCKS:
        for line in text_lines((ROOT / "docker" / "locks" / f"{group}.txt").read_text("utf-8")):
            if match := _PIN.match(line):
                pins.setdefault(re.sub(r"[-_.]+", "-", match[1]).lower(), set()).add(match[2])
    found, other = {}, []
    for name, versions in sorted(pins.items()):
        try:
            here = distribution(name).version
        except PackageNotFoundError:
            continue  # pinned for another platform
        if len(versions) > 1:
            continue
        if here not in versions:
            other.append(f"{name} {here}")
            continue
        found[name] = here
    if other:
        raise Unavailable(
            f"installed in another version than the locks say: {', '.join(other)}",
            "the pinned versions, of which the corpus is made",
            "make .venv/.score .venv/.train",
        )
    return found


@lru_cache(maxsize=1)
def functions() -> list[Function]:
    """Every function that the rule takes, by package, path and line."""
    asked, seen, result = _asked_by_humaneval(), set(), []
    for package in packages():
        for tree, source in _modules(distribution(package)):
            for node in ast.walk(tree):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                function = _function(package, node, source)
                if function is None or _bare(node.name) in asked or function.code in seen:
                    continue
                seen.add(function.code)
                result.append(function)
    return result


def _modules(package: Distribution) -> Iterator[tuple[ast.Module, str]]:
    """The modules of a package that are read, by path."""
    paths = [
        path.as_posix()
        for path in package.files or []
        if path.suffix == ".py" and not {"test", "tests", ".."} & set(path.parts)
    ]
    chosen = sorted(paths, key=_hash)[:FILES]
    for path in sorted(chosen):
        try:
            source = Path(str(package.locate_file(path))).read_text("utf-8")
            yield ast.parse(source), source
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue  # a template, say: no module


def _function(
    package: str, node: ast.FunctionDef | ast.AsyncFunctionDef, source: str
) -> Function | None:
    docstring = ast.get_docstring(node)
    if not docstring or not docstring.isascii():
        return None
    summary = first_paragraph(docstring)
    if not WORDS[0] <= len(summary.split()) <= WORDS[1]:
        return None
    # The first line is taken with its indentation, so that all lines lose the same.
    lines = source.split("\n")[node.lineno - 1 : node.end_lineno]
    parts = python_parts("\n".join(lines))
    if parts is None or not CODE[0] <= len(parts[1]) <= CODE[1] or not parts[1].isascii():
        return None
    return Function(package, *parts, summary)


def _asked_by_humaneval() -> set[str]:
    """Names of HumanEval's functions: those that are asked for, and those that prompts bring."""
    rows = humaneval.read_rows().values()
    shown = [name for row in rows for name in re.findall(r"\bdef\s+(\w+)", row["prompt"])]
    return {_bare(name) for name in [*shown, *(row["entry_point"] for row in rows)]}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _bare(name: str) -> str:
    return name.replace("_", "").lower()

"""Which room may import which: the table of docs/architecture.md, held against the imports.

The rooms stand in order, from the ground up; an import that the table does not allow, and a circle
of files, fail with the file and line that wrote it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "code" / "mtpeft"

_GROUND = {"core"}
_KINDS = _GROUND | {"catalog", "studies"}
_INPUTS = _KINDS | {"corpora", "tasks"}
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "catalog": _GROUND,
    "studies": _GROUND | {"catalog"},
    "sandbox": _GROUND,
    "corpora": _KINDS,
    "tasks": _KINDS | {"corpora"},
    "models": _KINDS,
    "tuning": _INPUTS | {"models"},
    "inference": _INPUTS | {"models"},
    "scoring": _INPUTS | {"sandbox"},
    "archive": _KINDS,
    "statistics": _KINDS,
    "audit": _KINDS | {"statistics", "scoring", "corpora", "tasks"},
    "verification": _KINDS | {"audit", "statistics"},
    "reporting": _KINDS | {"verification", "audit", "statistics"},
    "matrix": _KINDS,
}
"""Room → the rooms that it may import, itself aside. `cli`, `proof` and `smoke` may import all."""

ABOVE = {"cli", "proof", "smoke", "__init__", "__main__"}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name below `mtpeft`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path, names: dict[str, Path]) -> Iterator[tuple[str, int, bool]]:
    """(module of the package, line, at the top level of the file) for every import of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            targets = [
                f"{node.module}.{alias.name}"
                if f"{node.module}.{alias.name}".removeprefix("mtpeft.") in names
                else node.module
                for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        for target in targets:
            if target.startswith("mtpeft."):
                yield target.removeprefix("mtpeft."), node.lineno, id(node) in top


def test_no_room_imports_a_room_that_the_table_does_not_allow():
    names = modules()
    forbidden = []
    for name, path in names.items():
        room = name.partition(".")[0]
        if room in ABOVE:
            continue
        assert room in ALLOWED, f"{path}: room {room} is not in the table of rooms"
        for target, line, _ in imports(path, names):
            other = target.partition(".")[0]
            if other != room and other not in ALLOWED[room]:
                forbidden.append(f"{path.relative_to(PACKAGE)}:{line} imports {target}")
    assert not forbidden, "\n".join(forbidden)


def test_every_import_inside_the_package_is_absolute():
    # A study's folder may lie outside the package: its modules name each other relatively.
    relative = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in modules().values()
        if not {"inside", "studies"} & set(path.relative_to(PACKAGE).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, "\n".join(relative)


def test_no_line_outside_the_studies_calls_a_study_by_a_letter():
    letter = re.compile(r"study[-_]?[ab]\b|\"[ab]\"|'[ab]'")
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".py", ".yaml", ".toml", ".R")
        and "studies" not in path.relative_to(PACKAGE).parts
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1)
        if letter.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_files_import_each_other_in_a_circle():
    names = modules()
    edges = {
        name: {
            target for target, _, _ in imports(path, names) if target in names and target != name
        }
        for name, path in names.items()
    }
    state: dict[str, int] = {}
    trail: list[str] = []

    def visit(name: str) -> None:
        state[name] = 1
        trail.append(name)
        for target in sorted(edges[name]):
            if state.get(target) == 1:
                pytest.fail(" -> ".join([*trail[trail.index(target) :], target]))
            if target not in state:
                visit(target)
        trail.pop()
        state[name] = 2

    for name in edges:
        if name not in state:
            visit(name)

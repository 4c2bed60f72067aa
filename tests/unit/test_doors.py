"""One door of each kind: what opens a connection, a process, a lock or a file does it in `core`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "code" / "mtpeft"

# What may only be imported in these files (below the package), and the door to use instead.
DOORS = {
    "urllib.request": ({"core/http.py"}, "core.http"),
    "http.client": (set(), "core.http"),
    "httpx": (set(), "core.http"),
    "httpcore": ({"core/http.py"}, "core.http"),
    "requests": (set(), "core.http"),
    "socket": (set(), "core.http"),
    # A worker of the matrix writes into a log of its own and can be stopped; it is tied as well.
    "subprocess": ({"core/processes.py", "matrix/step.py"}, "core.processes"),
    "fcntl": ({"core/locks.py", "core/output.py"}, "core.locks"),
    "tempfile": ({"core/files.py"}, "core.files.scratch"),
}
APART = ("sandbox/",)
"""Rooms whose business it is, and which runs beside untrusted programs without the package."""


def modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.relative_to(PACKAGE).as_posix().startswith(APART)
    ]


def imported(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


@pytest.mark.parametrize("name", DOORS)
def test_there_is_one_door_of_each_kind(name: str) -> None:
    allowed, door = DOORS[name]
    others = []
    for path in modules():
        place = path.relative_to(PACKAGE).as_posix()
        for found, line in imported(path):
            if (found == name or found.startswith(f"{name}.")) and place not in allowed:
                others.append(f"{place}:{line}")
    assert not others, f"{name} is imported in {others}; use mtpeft.{door}"


def test_no_result_is_written_in_place() -> None:
    """`write_text` and `open(…, "w")` leave half a file behind a kill or a full disk."""
    # Into a scratch folder, or a part that gets its name when it is whole.
    scratch = {"scoring/other_versions.py", "scoring/tools/pmd.py", "scoring/tools/flake8.py",
               "scoring/tools/pylint.py", "scoring/tools/checkstyle.py", "scoring/tools/jvm.py",
               "corpora/fetch.py", "core/download.py", "core/files.py", "core/output.py",
               # A checkpoint's folder, which counts when the trainer has finished it.
               "tuning/trainer.py", "tuning/identity.py",
               # Standard output into nothing, and logs.
               "smoke/driver.py", "matrix/step.py", "proof/driver.py"}  # fmt: skip
    others = []
    for path in modules():
        place = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or place in scratch:
                continue
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            texts = [
                a.value
                for a in node.args
                if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            opened = name == "open" and any(
                set(text) & set("wax+") and len(text) <= 3 for text in texts
            )
            if name in ("write_text", "write_bytes") or opened:
                others.append(f"{place}:{node.lineno}")
    assert not others, f"{others} write in place; use mtpeft.core.files"

"""Docstrings say what a parameter means in a section, one parameter a line, where readers look."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "code" / "mtpeft"
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):\n((?:    .*\n|\n)*)", re.M)
ENTRY = re.compile(r"^    \*{0,2}(\w+):", re.M)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Documented = tuple[str, set[str], str]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return {x.arg for x in every} - {"self", "cls"}


def members(owner: ast.ClassDef) -> set[str]:
    """Fields, the parameters of `__init__`, and what the class sets on itself."""
    names: set[str] = set()
    for node in ast.walk(owner):
        if isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            for target in (x for t in targets for x in ast.walk(t)):
                names |= {target.id} if isinstance(target, ast.Name) else set()
                names |= {target.attr} if isinstance(target, ast.Attribute) else set()
        elif isinstance(node, FUNCTIONS):
            names |= parameters(node) if node.name == "__init__" else {node.name}
    return names


def documented(source: str, path: str) -> Iterator[Documented]:
    """Place, names and docstring of every function and class that has one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and (text := ast.get_docstring(node)):
            names = members(node) if isinstance(node, ast.ClassDef) else parameters(node)
            yield f"{path}:{node.lineno} {node.name}", names, text + "\n"


def run_ons(names: set[str], text: str) -> list[str]:
    """The names that the text explains outside a section: `a: …; b: …`, or `a, b: …`."""
    clause = re.compile(r"(?:^|[.;] )((?:\w+(?:, | and |/))*\w+): ", re.M)
    found = {
        name
        for clauses in clause.findall(SECTION.sub("", text))
        for name in re.split(r", | and |/", clauses)
    }
    return sorted(name for name in found if name in names or name.lower() in names)


def unknown(names: set[str], text: str) -> list[str]:
    """The entries of sections about parameters and fields that are neither."""
    return [
        entry
        for head, body in SECTION.findall(text)
        if head in ("Args", "Attributes")
        for entry in ENTRY.findall(body)
        if entry not in names
    ]


def everywhere() -> list[Documented]:
    return [
        entry
        for path in sorted(PACKAGE.rglob("*.py"))
        for entry in documented(path.read_text("utf-8"), path.relative_to(PACKAGE).as_posix())
    ]


def test_no_docstring_explains_its_parameters_in_running_text() -> None:
    found = {place: wrong for place, names, text in everywhere() if (wrong := run_ons(names, text))}
    assert not found, f"{found}: put them below `Args:` or `Attributes:`, one a line"


def test_no_docstring_explains_what_is_no_parameter() -> None:
    found = {place: wrong for place, names, text in everywhere() if (wrong := unknown(names, text))}
    assert not found, f"{found}: renamed or removed, but still explained"


def test_errors_stand_in_a_section() -> None:
    found = [
        place
        for place, _, text in everywhere()
        if re.search(r"\bRaises\s+`?[A-Z]\w+", SECTION.sub("", text))
    ]
    assert not found, f"{found}: put the errors below `Raises:`, one a line"


def test_no_module_calls_a_study_by_a_letter() -> None:
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if re.search(r"\bstudy\s+[AB]\b", path.read_text("utf-8"), re.IGNORECASE)
    ]
    assert not found, f"{found}: say which study, or what studies have in common"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Do it. size: in bytes; seed: of the draw.", ["seed", "size"]),
        ("Do it.\n\nsize, seed: what decides.", ["seed", "size"]),
        ("size: in bytes.", ["size"]),
        ("Do it.\n\nArgs:\n    size: In bytes.\n    seed: Of the draw.", []),
        ("Write the size: it is needed.", []),
        ("Options: other.", []),
    ],
)
def test_run_ons_are_told_from_sections(text: str, wrong: list[str]) -> None:
    assert run_ons({"size", "seed"}, text + "\n") == wrong


def test_an_entry_without_parameter_is_found() -> None:
    source = 'def f(size):\n    """Do it.\n\n    Args:\n        sise: In bytes.\n    """\n'
    [(_, names, text)] = documented(source, "f.py")
    assert unknown(names, text) == ["sise"]

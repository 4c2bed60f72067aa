#!/usr/bin/env python3
"""Write the reference pages that the code decides: rooms, records, catalog, commands.

`make docs` runs it before the site is built; the pages are not kept in the repository.
"""

import ast
import dataclasses
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperGroup

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
EDIT = "<!-- Written by docs/generate.py; do not edit. -->\n"


def summary(text: str | None) -> str:
    """The first paragraph of a docstring in one line."""
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def cell(text: str) -> str:
    """Text that can stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def shown(hint: Any) -> str:
    """A type as people read it: the words of a closed vocabulary, else its name."""
    if get_origin(hint) is Literal:
        return ", ".join(f"`{word}`" if word else "(empty)" for word in get_args(hint))
    name = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    name = re.sub(r"(typing|collections\.abc|mtpeft(\.\w+)+)\.", "", name)
    return f"`{name}`"


def parts(record: type) -> tuple[str, dict[str, str]]:
    """The docstring of a dataclass without its section of attributes, and what that says of each."""
    text, _, section = inspect.cleandoc(record.__doc__ or "").partition("\nAttributes:\n")
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return text.strip(), {name: " ".join(about.split()) for name, about in found}


def fields(record: type) -> Iterator[str]:
    """The rows of a table of a dataclass's fields."""
    hints, about = get_type_hints(record), parts(record)[1]
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for entry in dataclasses.fields(record):
        if entry.default is not dataclasses.MISSING:
            default = f"`{entry.default!r}`"
        elif entry.default_factory is not dataclasses.MISSING:
            default = f"`{entry.default_factory()!r}`"
        else:
            default = "must be given"
        meaning = cell(about.get(entry.name, ""))
        yield f"| `{entry.name}` | {cell(shown(hints[entry.name]))} | {cell(default)} | {meaning} |"


def described(record: type) -> Iterator[str]:
    """A heading, the docstring and the fields of a dataclass."""
    yield f"## {record.__name__}\n"
    yield parts(record)[0] + "\n"
    yield from fields(record)
    yield ""


def layers() -> Any:
    """The test that holds the rooms, as a module."""
    path = ROOT / "tests" / "unit" / "test_layers.py"
    spec = importlib.util.spec_from_file_location("layers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rooms() -> Iterator[str]:
    """Which room does what and may import which."""
    yield "# Rooms\n"
    yield (
        "From the ground up. `tests/unit/test_layers.py` reads every import of the package and fails "
        "on an arrow that this table does not allow, and on a circle of files.\n"
    )
    yield "| room | what it does | may import |"
    yield "|---|---|---|"
    module = layers()
    for room, allowed in module.ALLOWED.items():
        path = module.PACKAGE / room / "__init__.py"
        if path.is_file():
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            others = ", ".join(f"`{name}`" for name in module.ALLOWED if name in allowed)
            yield f"| `{room}/` | {cell(summary(text))} | {others or '–'} |"
    yield "| `proof/`, `smoke/`, `cli/` | studies of ours on this machine; the run of every stage on a tiny model; the commands | all |"


def records() -> Iterator[str]:
    """The records that pass between the rooms."""
    from mtpeft.core import records as module

    yield "# Records\n"
    yield inspect.cleandoc(module.__doc__ or "") + "\n"
    for name, record in vars(module).items():
        if (
            dataclasses.is_dataclass(record)
            and isinstance(record, type)
            and record.__module__ == module.__name__
            and name not in ("Column", "ScoreSet")
        ):
            yield from described(record)
    yield "## Statuses and verdicts\n"
    yield "A status of a score: " + ", ".join(f"`{s}`" for s in module.STATUSES) + ".\n"
    yield "A verdict: " + ", ".join(f"`{v}`" for v in module.VERDICTS) + "; never merged."


def kinds() -> Iterator[str]:
    """The kinds of things in the catalog."""
    from mtpeft.catalog import schema

    yield "# Catalog\n"
    yield (
        "Each thing is a mapping in a YAML file. A key, or a word of a closed vocabulary, that is not "
        "in these tables is refused with file, line and the nearest known one.\n"
    )
    for record in vars(schema).values():
        if dataclasses.is_dataclass(record) and isinstance(record, type):
            yield from described(record)


def commands() -> Iterator[str]:
    """Every command with its help."""
    from mtpeft.cli import ALIASES, app

    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    short = {place: name for name, place in ALIASES.items()}
    yield "# Commands\n"
    yield "`mtpeft` stands for `.venv/bin/mtpeft`, or `python -m mtpeft` with the environment active.\n"
    for name, entry in root.commands.items():
        yield f"## mtpeft {name}\n"
        if isinstance(entry, TyperGroup):
            yield f"{entry.help}\n"
            default = getattr(entry, "default", "")
            if default:
                yield f"Without a command: `{default}`.\n"
            for inner, command in entry.commands.items():
                yield from _command(f"{name} {inner}", command, short.get((name, inner), ""))
        else:
            yield from _command("", entry, "")


def _command(name: str, command: Any, alias: str) -> Iterator[str]:
    if name:
        yield f"### mtpeft {name}\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    if alias:
        yield f"Short: `mtpeft {alias}`.\n"
    rows = [
        (
            ", ".join([*entry.opts, *entry.secondary_opts])
            if entry.param_type_name == "option"
            else (entry.name or "").upper(),
            getattr(entry, "help", "") or "",
        )
        for entry in command.params
        if entry.name != "help"
    ]
    if rows:
        yield "| argument | meaning |"
        yield "|---|---|"
        for left, right in rows:
            yield f"| `{left}` | {cell(right)} |"
        yield ""
    lines = re.findall(r"\$ (.*)", command.epilog or "")
    if lines:
        yield "\n".join(["```sh", *lines, "```", ""])


WRITERS: dict[str, Callable[[], Iterator[str]]] = {
    "rooms.md": rooms,
    "records.md": records,
    "catalog.md": kinds,
    "commands.md": commands,
}


def main() -> None:
    """Write the pages."""
    for name, writer in WRITERS.items():
        text = EDIT + "\n" + "\n".join(writer()).rstrip() + "\n"
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "code"))
    main()

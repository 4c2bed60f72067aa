"""The documentation does what it says: its commands run, its names exist, its site builds."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from mtpeft.cli import ALIASES, app
from mtpeft.tuning.settings import Settings
from typer.core import TyperGroup

pytestmark = pytest.mark.recipe
ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"rooms.md", "records.md", "catalog.md", "commands.md"}
PAGES = sorted(p for p in (ROOT / "docs").rglob("*.md") if p.name not in GENERATED)
TEXTS = [*PAGES, *ROOT.glob("*.md"), *(ROOT / "docker").glob("*.md"), ROOT / "tests" / "README.md"]
BLOCK = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`|^(?: {4}|\t)?((?:[A-Z_]+=\S+ )*(?:make|mtpeft) .*)$", re.MULTILINE)
"""Code in a text: between backticks, or a line that begins with the command."""
TARGET = re.compile(r"^(?:[A-Z_]+=\S+ )*make (?:[A-Z_]+=\S+ )*([a-z.][\w./-]*)")
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*mtpeft ((?:[a-z][a-z-]+ ?)+)")
FAMILIES = ("train-", "infer-", "score-", "table-", "figure-", "claim-", ".venv/")


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """(language, title, text) of every fenced block of a page."""
    yield from BLOCK.findall(page.read_text(encoding="utf-8"))


EXECUTED = [page for page in PAGES if any(language == "sh" for language, *_ in blocks(page))]


def needs_train(page: Path) -> bool:
    """Whether a page trains or generates."""
    return "<!-- needs: train -->" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=page.relative_to(ROOT / "docs").as_posix(),
            marks=[pytest.mark.train] if needs_train(page) else [],
        )
        for page in EXECUTED
    ],
)
def test_the_commands_of_a_page_run_as_they_stand(page, tmp_path):
    """Blocks with a title become files, blocks of `sh` are run in order, each must succeed."""
    if page.parts[-2] == "reference":
        pytest.skip("generated: every command is shown, none is meant to be run in order")
    if needs_train(page):
        pytest.importorskip(
            "torch", reason="the group `train` is not installed (make .venv/.train)"
        )
    work, shims = tmp_path / "work", tmp_path / "bin"
    work.mkdir(), shims.mkdir()
    (shims / "mtpeft").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mtpeft "$@"\n')
    (shims / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for shim in shims.iterdir():
        shim.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "code"),
        "MTPEFT_OUT": str(tmp_path / "out"),
        "OFFLINE": "1",
    }
    ran = 0
    for language, title, text in blocks(page):
        if title:
            (work / title).parent.mkdir(parents=True, exist_ok=True)
            (work / title).write_text(text, encoding="utf-8")
        elif language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            ran += 1
    assert ran


def known_commands() -> set[str]:
    """Every command, group and short name."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    found = {*root.commands, *ALIASES}
    for name, entry in root.commands.items():
        if isinstance(entry, TyperGroup):
            found |= {f"{name} {inner}" for inner in entry.commands}
    return found


def makefile_targets() -> set[str]:
    """What `make` knows by name, tables, figures and claims included."""
    done = subprocess.run(
        ["make", "-qpn", "-f", str(ROOT / "Makefile"), "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(re.findall(r"^([a-zA-Z][\w./-]*):", done.stdout, re.MULTILINE))


def strings_of_the_code() -> Iterator[tuple[str, str]]:
    """(place, text) of every string in the package that is no docstring."""
    for path in sorted((ROOT / "code" / "mtpeft").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def spans() -> Iterator[tuple[str, str]]:
    """(place, code) wherever a document or a message of the package quotes a command."""
    places = [(str(p.relative_to(ROOT)), p.read_text(encoding="utf-8")) for p in TEXTS]
    for place, text in [*places, *strings_of_the_code()]:
        for quoted, line in SPAN.findall(text):
            yield place, (quoted or line).strip()


def test_every_make_target_in_documents_and_messages_exists():
    targets = makefile_targets()
    wrong = [
        f"{place}: make {name}"
        for place, code in spans()
        for name in TARGET.findall(code)
        if name not in targets and not name.startswith(FAMILIES)
    ]
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_every_command_in_documents_and_messages_exists():
    commands = known_commands()
    wrong = []
    for place, code in spans():
        for words in COMMAND.findall(code):
            first, *rest = words.split()
            if first not in commands and " ".join([first, *rest[:1]]) not in commands:
                wrong.append(f"{place}: mtpeft {words.strip()}")
    assert not wrong, "\n".join(sorted(set(wrong)))


@cache
def whole_command() -> Any:
    """`mtpeft` with all its commands."""
    return typer.main.get_command(app)


def everything_said() -> Iterator[tuple[str, str]]:
    """(place, text) of documents, scripts, settings and all strings of the package; what a message
    fills in is X.
    """
    scripts = [
        *(ROOT / "docker").rglob("*.sh"),
        *(ROOT / "docker").rglob("*.py"),
        ROOT / "Makefile",
    ]
    for path in [*TEXTS, *scripts, *(ROOT / "code").rglob("*.yaml")]:
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "code" / "mtpeft").rglob("*.py")):
        within: set[int] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                within |= {id(part) for part in node.values}
                yield (
                    place,
                    "".join(
                        getattr(part, "value", "X") if isinstance(part, ast.Constant) else "X"
                        for part in node.values
                    ),
                )
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in within
            ):
                yield place, node.value


def command_of(words: list[str]) -> tuple[typer.core.TyperCommand | TyperGroup, list[str]]:
    """The command that words name, as the command line reads them, and the words behind it."""
    at: Any = whole_command()
    words = [*ALIASES.get(words[0], words[:1]), *words[1:]]
    while isinstance(at, TyperGroup):
        if words and words[0] in at.commands:
            at = at.commands[words.pop(0)]
        elif (default := getattr(at, "default", None)) and words:
            at = at.commands[default]
        else:
            break
    return at, words


def test_every_option_of_a_command_in_documents_and_messages_exists():
    """`mtpeft NAME … --option`, up to what ends a command in a sentence."""
    wrong, found = [], 0
    for place, text in everything_said():
        for said in re.findall(r"\bmtpeft ([a-z][a-z-]*(?:[ =][^\n`;,|)\]]*)?)", text):
            at, rest = command_of(said.split())
            known = {name for p in at.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
            for option in re.findall(r"(?<=\s)--?[a-z][\w-]*", " " + " ".join(rest)):
                found += 1
                if option not in known:
                    wrong.append(f"{place}: mtpeft {said}: {option}")
    assert found > 100
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_every_setting_in_documents_and_messages_exists():
    """`--set NAME=`; a method of one's own, in a guide, has options besides."""
    known = {f.name for f in fields(Settings)} | {"X"}
    places = {
        f"{place}: --set {name}"
        for place, text in everything_said()
        for name in re.findall(r"--set '?([A-Za-z]\w*)=", text)
        if name not in known
    }
    assert not places


def test_every_environment_variable_is_documented():
    page = (ROOT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    used: dict[str, str] = {}
    places = [*(ROOT / "code").rglob("*.py"), ROOT / "Makefile", *(ROOT / "docker").rglob("*.sh")]
    for path in places:
        for name in re.findall(r"\bMTPEFT_[A-Z_]+\b", path.read_text(encoding="utf-8")):
            used[name] = str(path.relative_to(ROOT))
    inside = {"MTPEFT_BAIT_SECRET"}  # planted for a hostile program to find
    missing = {n: p for n, p in used.items() if f"`{n}`" not in page and n not in inside}
    assert not missing
    named = set(re.findall(r"`(MTPEFT_[A-Z_]+)`", page))
    everywhere = used.keys() | set(
        re.findall(
            r"MTPEFT_[A-Z_]+",
            " ".join(
                p.read_text(encoding="utf-8", errors="ignore")
                for p in (ROOT / "docker").rglob("*")
                if p.is_file()
            )
            + (ROOT / "Dockerfile").read_text(encoding="utf-8"),
        )
    )
    assert named <= everywhere, "documented, but nothing reads it"


def test_links_between_pages_lead_somewhere():
    dead = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+\.md)", page.read_text(encoding="utf-8")):
            written = page.parent / link
            generated = written.name in GENERATED
            if not written.is_file() and not generated:
                dead.append(f"{page.relative_to(ROOT)}: {link}")
    assert not dead


def test_the_site_builds_without_a_warning(tmp_path):
    if shutil.which("mkdocs", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("the group `docs` is not installed (make .venv/.docs)")
    copy = tmp_path / "source"
    shutil.copytree(ROOT / "docs", copy / "docs")
    shutil.copytree(ROOT / "code", copy / "code")
    shutil.copytree(ROOT / "tests" / "unit", copy / "tests" / "unit")
    shutil.copy(ROOT / "mkdocs.yml", copy)
    for command in (["docs/generate.py"], ["-m", "mkdocs", "build", "--strict", "--quiet"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=copy,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(copy / "code")},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (copy / "site" / "index.html").is_file()

"""Mutation testing: a sample of small faults in a module, and whether the unit tests notice.

    make mutation [MUTANTS=40] [SEED=1]

Operators and positions are cosmic-ray's. Its own sessions mutate every place of a file on disk and
start a process for each; here a seeded sample is taken (first a place, then one mutation of it),
the mutated module is only imported, never written, and each mutant runs in a fork of one process,
so that a session of some minutes is possible and an interrupted one leaves the tree as it was. A
mutant is tried by the unit tests that import the mutated module, without those that start the
package as a process of its own (they would run the unmutated one). It is *killed* where a test
fails or takes three times as long as all tests did; *invalid*, and not counted, where the module
cannot be imported. Not mutated are annotations, decorators, and `strict=True` of zip, which guards
against faults elsewhere; nor R's functions, since cosmic-ray knows Python only.

Exit code 1 where fewer than 90 % are killed.
"""

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import cosmic_ray.plugins
import hypothesis
import numpy as np  # the libraries that each fork would import anew
import pandas as pd
import pytest
import scipy.stats
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "code"
PRELOADED = (np, pd, scipy.stats, hypothesis)
ROOMS = {
    "statistics": sorted((CODE / "mtpeft" / "statistics").glob("*.py")),
    "verification": sorted((CODE / "mtpeft" / "verification").rglob("*.py")),
    "records": [CODE / "mtpeft" / "core" / "records.py"],
}
TARGET = 0.9
INVALID = 99


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    return ".".join(path.relative_to(CODE).with_suffix("").parts)


def tests_of(path: Path) -> list[str]:
    """The unit tests that import a module, the smallest first; those named after it, where there are
    any (half of the tests read records).
    """
    room, _, module = name_of(path).rpartition(".")
    imports = re.compile(
        rf"^\s*(?:from {re.escape(room)}\.{module} import|import {re.escape(room)}\.{module}\b"
        rf"|from {re.escape(room)} import [^\n]*\b{module}\b)",
        re.MULTILINE,
    )
    found = [
        p for p in (ROOT / "tests" / "unit").glob("test_*.py") if imports.search(p.read_text())
    ]
    found = [p for p in found if module in p.stem] or found
    return [str(p) for p in sorted(found, key=lambda p: p.stat().st_size)]


def mutants(path: Path) -> dict[tuple[int, int], list[tuple[str, int]]]:
    """Place (line, column) → its mutations (operator, occurrence)."""
    tree = get_ast_from_path(path)
    found: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for name in cosmic_ray.plugins.operator_names():
        kind = cosmic_ray.plugins.get_operator(name)
        if kind.arguments() or "RemoveDecorator" in name:
            continue
        places = (
            (node, start)
            for node in ast_nodes(tree)
            for start, _ in kind().mutation_positions(node)
        )
        for occurrence, (node, start) in enumerate(places):
            if not beside(node):
                found.setdefault(start, []).append((name, occurrence))
    return found


def beside(node: Any) -> bool:
    """Whether a node of the tree stands in an annotation, a decorator or `strict=`."""
    while node.parent is not None:
        kind, siblings = node.parent.type, node.parent.children
        if kind == "argument" and siblings[0].get_code().strip() == "strict":
            return True
        if kind == "decorator" or kind == "annassign" and node is siblings[1]:
            return True
        if kind == "tfpdef" or (kind == "funcdef" and node is not siblings[-1]):
            return kind == "tfpdef" or siblings.index(node) > 2
        node = node.parent
    return False


class Mutated(importlib.abc.MetaPathFinder):
    """Imports one module from a text of its own."""

    def __init__(self, path: Path, source: str) -> None:
        self.name, self.path, self.source = name_of(path), path, source

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """The mutated module in place of the one on disk."""
        if name != self.name:
            return None
        mutant = self

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                return compile(mutant.source, str(mutant.path), "exec")

        return importlib.util.spec_from_file_location(
            name, self.path, loader=Loader(name, str(self.path))
        )


class InProcess:
    """Leaves out the tests that start the package as a process of its own."""

    def pytest_collection(self) -> None:
        """One failing example kills; a smaller one is not looked for."""
        own = hypothesis.settings.get_profile("mtpeft")
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutation", parent=own, phases=phases)
        hypothesis.settings.load_profile("mutation")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the others."""
        items[:] = [i for i in items if "mtpeft" not in getattr(i, "fixturenames", ())]


def run(path: Path, source: str, limit: int) -> tuple[int, float]:
    """(exit code of the tests, seconds) with a module of this text; -1: it took too long."""
    start = time.monotonic()
    child = os.fork()
    if not child:
        signal.alarm(limit)
        sys.meta_path.insert(0, Mutated(path, source))
        code = INVALID
        with (
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            try:
                module: ModuleType = importlib.import_module(name_of(path))
                del module
                options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
                code = int(pytest.main([*options, *tests_of(path)], plugins=[InProcess()]))
            except BaseException:  # noqa: BLE001 - whatever a mutant does while it is imported
                code = INVALID
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = -1 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return code, time.monotonic() - start


def difference(old: str, new: str) -> str:
    """The first line that a mutant changes."""
    pairs = zip(old.splitlines(), new.splitlines(), strict=False)
    was, now = next(((a, b) for a, b in pairs if a != b), ("", ""))
    return f"`{was.strip()}` → `{now.strip()}`"


def sample(room: str, count: int, seed: int) -> Iterator[tuple[Path, int, str]]:
    """(file, line, mutated text) of a seeded sample; a file without tests of its own is left out,
    and named.
    """
    draw = random.Random(f"{seed}/{room}")
    places = []
    for path in ROOMS[room]:
        if path.name != "__init__.py" and not tests_of(path):
            print(f"  {path.relative_to(CODE)}: no unit test imports it", flush=True)
        elif path.name != "__init__.py":
            places += [(path, place, kinds) for place, kinds in sorted(mutants(path).items())]
    print(f"{room}: {count} of {len(places)} places", flush=True)
    for path, (line, _), kinds in draw.sample(places, min(count, len(places))):
        operator, occurrence = draw.choice(sorted(kinds))
        text = path.read_text(encoding="utf-8")
        changed = mutate_code(text, cosmic_ray.plugins.get_operator(operator)(), occurrence)
        if changed:
            yield path, line, changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), choices=list(ROOMS))
    parser.add_argument("--mutants", type=int, default=40, help="a room")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.environ["PYTHONPATH"] = str(CODE)
    sys.path[:0] = [str(CODE), str(ROOT / "tests" / "unit")]
    os.chdir(ROOT)
    limits: dict[Path, int] = {}
    short = False
    for room in asked.rooms:
        killed, survived, invalid = 0, 0, 0
        for path, line, text in sample(room, asked.mutants, asked.seed):
            old = path.read_text(encoding="utf-8")
            if path not in limits:
                code, seconds = run(path, old, 600)
                if code:
                    print(f"  {path.relative_to(CODE)}: its tests fail without a mutant ({code})")
                    return 2
                limits[path] = 10 + int(3 * seconds)
            code, _ = run(path, text, limits[path])
            invalid += code == INVALID
            killed += code not in (0, INVALID)
            print(f"  {killed + survived + invalid + (code == 0)}", end="\r", file=sys.stderr)
            survived += code == 0
            if code == 0:
                print(
                    f"  survived {path.relative_to(CODE)}:{line} {difference(old, text)}",
                    flush=True,
                )
        counted = killed + survived
        rate = killed / counted if counted else 0.0
        short |= rate < TARGET
        print(
            f"{room}: {killed} of {counted} mutants killed ({rate:.0%}), {invalid} invalid, "
            f"seed {asked.seed}",
            flush=True,
        )
    return int(short)


if __name__ == "__main__":
    sys.exit(main())

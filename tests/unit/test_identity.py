"""A result is reused only where everything that decides it is equal; a moving name decides nothing."""

import os
import subprocess
import sys

import pytest
from mtpeft.core import hashing
from mtpeft.scoring import engine
from mtpeft.scoring.tools.pylint import PylintScorer


def order(**environment: str) -> bytes:
    """What a command sees of the order of a set, from a start without any seed of its own."""
    code = (
        "from mtpeft.core.hashing import fix_seed, seed; fix_seed()\n"
        "print(seed(), [x for x in {f'name-{n}' for n in range(50)}])"
    )
    mine = {k: v for k, v in os.environ.items() if k != "PYTHONHASHSEED"}
    done = subprocess.run([sys.executable, "-c", code], env=mine | environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_itself_fixes_the_hash_seed():
    assert order() == order() == order(PYTHONHASHSEED="random") == order(PYTHONHASHSEED="0")
    assert order(PYTHONHASHSEED="7") != order()


def test_python_that_ignores_its_environment_is_not_started_for_ever():
    code = "from mtpeft.core.hashing import fix_seed, seed; fix_seed(); print(repr(seed()))"
    place = os.pathsep.join(p for p in sys.path if p)
    start = f"import sys; sys.path[:0] = {place.split(os.pathsep)!r}; {code}"
    done = subprocess.run([sys.executable, "-E", "-c", start], capture_output=True, timeout=60)
    assert done.stdout == b"''\n", done.stderr


def test_an_explicit_seed_starts_nothing_again(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "42")
    monkeypatch.setattr(hashing.os, "execv", None)
    hashing.fix_seed()
    assert hashing.seed() == "42"


def test_what_is_installed_belongs_to_the_identity_of_a_tool_that_looks_at_it(monkeypatch):
    """`import torch` is an error for Pylint where torch is not installed, and nothing where it is."""
    before = engine.identity(PylintScorer())
    monkeypatch.setattr(engine, "distributions", list)
    engine.environment_digest.cache_clear()
    without = engine.identity(PylintScorer())
    engine.environment_digest.cache_clear()
    assert without != before
    monkeypatch.setattr(engine.sys, "version", "3.99")
    assert engine.identity(PylintScorer()) not in (before, without)
    engine.environment_digest.cache_clear()


@pytest.mark.parametrize(("revision", "ends"), [("main", 2), ("v1.0", 2), ("a" * 40, 0), ("", 0)])
def test_a_moving_name_is_no_revision_of_a_backbone(mtpeft, tmp_path, revision, ends):
    (tmp_path / "backbones").mkdir()
    shipped = next(p for p in engine.paths.CATALOG.glob("backbones/qwen2.5-coder-0.5b.yaml"))
    lines = [
        "id: mine" if line.startswith("id:")
        else f'revision: "{revision}"' if line.startswith("revision:") else line
        for line in shipped.read_text().splitlines()
    ]  # fmt: skip
    (tmp_path / "backbones" / "mine.yaml").write_text("\n".join(lines) + "\n")
    done = mtpeft("list", "backbones", MTPEFT_CATALOG=str(tmp_path))
    assert done.returncode == ends, done.stderr
    if ends:
        assert "mine.yaml" in done.stderr and "may name other weights tomorrow" in done.stderr

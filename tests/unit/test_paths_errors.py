"""Paths follow the environment; errors say what was found, what was expected and what repairs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError, Unavailable, UnknownName


def test_an_error_has_three_parts():
    assert str(MtpeftError("3 apples", "4 apples", "make apples")).splitlines() == [
        "3 apples",
        "  expected: 4 apples",
        "  to fix:   make apples",
    ]


def test_a_part_that_is_unknown_is_left_out():
    assert str(MtpeftError("3 apples")) == "3 apples"


def test_a_bad_input_begins_with_file_and_line():
    assert str(BadInput("a/b.csv", "oops", line=7)).startswith("a/b.csv:7: oops")
    assert str(BadInput("a/b.csv", "oops")).startswith("a/b.csv: oops")


def test_every_deliberate_error_ends_with_exit_code_2():
    assert {
        e.exit_code
        for e in (MtpeftError("x"), BadInput("p", "x"), UnknownName("k", "n", []), Unavailable("x"))
    } == {2}


def test_an_unknown_name_offers_the_nearest():
    assert "did you mean pylint?" in str(
        UnknownName("tool", "pylnt", ["pylint", "pmd", "sonarcloud"])
    )


def test_an_unknown_name_like_no_other_lists_a_few_and_their_number():
    assert "one of 00, 01" in (
        many := str(UnknownName("run", "zzzz", [f"{n:02}" for n in range(99)]))
    )
    assert "(99 in all)" in many and "98" not in many
    assert "one of aa, bb" in str(UnknownName("tool", "zzzz", ["bb", "aa"]))
    assert "(none)" in str(UnknownName("tool", "zzzz", []))


def test_paths_inside_the_repository_are_shown_short():
    assert paths.shown(paths.ROOT / "stats" / "pairs.R") == "stats/pairs.R"
    assert paths.shown(Path("/elsewhere/x")) == "/elsewhere/x"


def test_no_mirror_is_none(monkeypatch):
    monkeypatch.delenv("MTPEFT_MIRROR", raising=False)
    assert paths.mirror() is None


def test_a_mirror_that_is_no_folder_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path / "gone"))
    with pytest.raises(MtpeftError, match="not a directory") as error:
        paths.mirror()
    assert "unset MTPEFT_MIRROR" in error.value.fix


def test_the_environment_moves_what_runs_write(tmp_path):
    code = "from mtpeft.core import paths; print(paths.REGENERATED, paths.CACHE)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        text=True,
        capture_output=True,
        check=True,
        env=os.environ | {"MTPEFT_OUT": str(tmp_path / "o"), "MTPEFT_CACHE": str(tmp_path / "c")},
    )
    assert done.stdout.split() == [str(tmp_path / "o"), str(tmp_path / "c")]

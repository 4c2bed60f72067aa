"""`make clean` removes what the package wrote and nothing else, whatever MTPEFT_OUT names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mtpeft.core import output, paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.files import write_atomic


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output folder of its own, which nothing has been written into."""
    folder = tmp_path / "out"
    monkeypatch.setattr(paths, "REGENERATED", folder)
    monkeypatch.setattr(output, "_at_start", {})
    return folder


def make_clean(root: Path, out: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "clean", f"PYTHON={sys.executable}"],
        cwd=root,
        text=True,
        capture_output=True,
        env=os.environ | {"MTPEFT_OUT": out} | more,
    )


def test_clean_removes_results_and_the_folder_that_the_package_made(out: Path) -> None:
    write_atomic(out / "tables" / "table-01.csv", "x\n")
    write_atomic(out / "ro-crate-metadata.json", "{}\n")
    assert output.clean(out) == ["ro-crate-metadata.json", "tables"] and not out.exists()


def test_make_clean_keeps_a_folder_that_the_package_never_wrote_into(
    root: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    done = make_clean(root, str(mine))
    assert (
        done.returncode == 2
        and "no marker" in done.stderr
        and "expected:" in done.stderr
        and "to fix:" in done.stderr
    )
    assert (mine / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_of_someone_else_stops_clean_before_anything_is_removed(
    out: Path, when: str
) -> None:
    out.mkdir()
    if when == "before":
        (out / "tables").mkdir()
        (out / "tables" / "thesis.tex").write_text("mine")
    write_atomic(out / "tables" / "table-01.csv", "x\n")
    write_atomic(out / "audit" / "causes.csv", "x\n")
    if when == "after":
        (out / "thesis.tex").write_text("mine")
    with pytest.raises(MtpeftError, match="did not write: t(ables|hesis.tex)"):
        output.clean(out)
    assert (out / "audit" / "causes.csv").is_file() and len(list(out.rglob("thesis.tex"))) == 1


def test_what_a_library_wrote_first_into_an_empty_folder_is_the_package_s(tmp_path: Path) -> None:
    code = (
        "from mtpeft.core import paths; from mtpeft.core.records import write_atomic; "
        "(paths.REGENERATED / 'smoke').mkdir(parents=True); write_atomic(paths.REGENERATED / 'smoke' / 'a', 'x'); "
        "from mtpeft.core.output import clean; print(clean(paths.REGENERATED))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ
        | {"MTPEFT_OUT": str(tmp_path / "new"), "PYTHONPATH": str(paths.ROOT / "code")},
    )
    assert done.stdout == "['smoke']\n", done.stderr


def test_clean_follows_no_link_out_of_the_folder(out: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").write_text("kept")
    write_atomic(out / "training" / "run" / "x", "x")
    (out / "training" / "link").symlink_to(precious)
    output.clean(out)
    assert (precious / "data").read_text() == "kept" and not out.exists()


@pytest.mark.parametrize("which", ["root", "its parent", "home", "working folder", "/"])
def test_a_folder_that_is_or_holds_more_than_results_is_refused(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, home, work = (tmp_path / name for name in ("a/checkout", "home", "work"))
    for folder in (checkout, home, work):
        folder.mkdir(parents=True)
    monkeypatch.setattr(paths, "ROOT", checkout)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    place = {
        "root": checkout,
        "its parent": checkout.parent,
        "home": home,
        "working folder": work,
        "/": Path("/"),
    }[which]
    if which != "/":
        (place / output.MARKER).write_text('{"made": true, "foreign": [], "entries": []}')
    with pytest.raises(MtpeftError, match="is or holds"):
        output.clean(place)
    assert place.is_dir()


@pytest.mark.parametrize(
    "name",
    ["my results", "a:b", "a*b", "$HOME", "a#b", "a;b", "a'b", "a%b", "~x", "a(b", " a", "a\nb"],
)
def test_make_refuses_an_output_folder_that_it_would_split_or_expand(
    root: Path, tmp_path: Path, name: str
) -> None:
    before = tmp_path / "my"
    before.mkdir()
    done = make_clean(root, f"{tmp_path}/{name}")
    assert done.returncode == 2 and f"MTPEFT_OUT is '{tmp_path}/{name}'" in done.stderr, done.stderr
    assert "to fix: MTPEFT_OUT=" in done.stderr and before.is_dir()


def test_make_refuses_an_environment_below_a_path_with_a_blank(root: Path, tmp_path: Path) -> None:
    done = make_clean(root, str(tmp_path), VENV="/tmp/my venv")
    assert done.returncode == 2 and "VENV is '/tmp/my venv'" in done.stderr


def test_clean_is_content_with_nothing_to_remove(root: Path, tmp_path: Path) -> None:
    done = make_clean(root, str(tmp_path / "never"))
    assert (done.returncode, done.stdout.strip()) == (
        0,
        f"mtpeft: nothing to remove in {tmp_path}/never",
    )


def test_no_recipe_removes_a_folder_by_itself(root: Path) -> None:
    recipes = [
        line for line in (root / "Makefile").read_text().splitlines() if line.startswith("\t")
    ]
    assert len(recipes) > 40 and not [line for line in recipes if "rm -" in line]

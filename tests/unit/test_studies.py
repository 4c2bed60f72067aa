"""`mtpeft study`: a new study works at once; a check names every mistake with file, line and fix."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from mtpeft.catalog import catalog, load
from mtpeft.catalog.places import archived, archived_table, published, score_files
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.studies import dialect
from mtpeft.studies.check import check_study
from mtpeft.studies.scaffold import new_study


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return new_study("my-study", tmp_path)


def test_a_new_study_has_nothing_wrong(study: Path) -> None:
    studies, found = check_study(study)
    assert [s.id for s in studies] == ["my-study"]
    assert found == []


def test_a_study_in_a_catalog_folder_knows_what_stands_beside_it(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "mine"
    (place / "studies").mkdir(parents=True)
    (place / "tasks").mkdir()
    inside = study.rename(place / "studies" / study.name)
    task = next((inside / "tasks").glob("*.yaml"))
    task.rename(place / "tasks" / task.name)
    assert check_study(inside)[1], "alone it lacks its task"
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setenv("MTPEFT_CATALOG", str(place))
    studies, found = check_study(inside)
    assert ([s.id for s in studies], found) == (["my-study"], [])


def test_the_shipped_studies_have_nothing_wrong() -> None:
    studies, found = check_study(paths.STUDIES)
    assert [s.id for s in studies] == list(catalog().studies)
    assert found == []
    assert [s.id for s in check_study(Path("multitask-peft"))[0]] == ["multitask-peft"]


@pytest.mark.parametrize("name", ["My-Study", "my_study", "../x", "a--b", "-a", "9a", "", "a/b"])
def test_a_name_that_cannot_be_a_folder_and_an_id_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(MtpeftError, match="cannot be the name"):
        new_study(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_study_or_folder_that_is_there_is_never_overwritten(study: Path) -> None:
    before = (study / "study.yaml").read_text()
    with pytest.raises(MtpeftError, match="is there"):
        new_study("my-study", study.parent)
    with pytest.raises(MtpeftError, match="is there"):
        new_study("multitask-qlora", study.parent)
    assert (study / "study.yaml").read_text() == before


SCORES = "scores/my-study-tool/my-study-test.csv"


@pytest.mark.parametrize(
    ("file", "change", "line", "found", "expected"),
    [
        ("study.yaml", ('title: "TITLE OF YOUR STUDY"\n', ""), None, "no title", "title"),
        ("study.yaml", ('arxiv: ""', 'arxiv: "26.1"'), 4, "arxiv is '26.1'", "2601.15094"),
        ("comparisons/quality.yaml", ("test: wilcoxon", "test: wilcoxn"), 4, "wilcoxn", "wilcoxon"),
        ("comparisons/quality.yaml", ("RQ1", "RQ2"), 2, "unknown question 'RQ2'", "RQ1"),
        ("claims/claims.yaml", ("block: all", "block: al"), 8, "unknown block 'al'", "all"),
        (
            "claims/claims.yaml",
            ("relative_change", "mine.rule"),
            4,
            "module mine cannot be loaded",
            "mine.py",
        ),
        (
            "claims/claims.yaml",
            ("  source: your", "  expected: exakt\n  source: your"),
            3,
            "unknown verdict that is expected 'exakt'",
            "did you mean exact?",
        ),
        (
            "tools/my-study.yaml",
            ("reads: [code]", "reads: [code]\nlanguages: [pyton]"),
            7,
            "'pyton'",
            "python",
        ),
        ("tasks/my-study.yaml", ("mtpeft.tasks.generation", "mtpeft.nothing"), 5, "nothing", ""),
        (SCORES, ("my-study-quality", "my-study-qualty"), 1, "my-study-qualty", "my-study-quality"),
        (SCORES, ("my-study/second,", "my-study/secnd,"), 26, "unknown run", "mtpeft list runs"),
        (SCORES, ("first,1,my-study-01,ok", "first,1,my-study-01,okay"), 2, "okay", "status"),
        ("tasks/my-study.yaml", ("instances: 24", "instances: 23"), 2, "24 rows", "at most 23"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(
    study: Path, file: str, change: tuple[str, str], line: int | None, found: str, expected: str
) -> None:
    path = study / file
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    errors = [e for e in check_study(study)[1] if found in str(e)]
    assert errors, found
    error = errors[0]
    assert isinstance(error, BadInput)
    assert error.line == line
    assert expected in error.expected
    assert error.path.name == (path.name if "instances" not in change[0] else "my-study-test.csv")


def test_a_test_that_is_not_made_for_the_values_is_named_where_they_stand(study: Path) -> None:
    path = study / "comparisons" / "quality.yaml"
    path.write_text(path.read_text().replace("test: wilcoxon", "test: mcnemar"))
    (error,) = check_study(study)[1]
    assert isinstance(error, BadInput)
    assert error.path.name == "my-study-test.csv" and error.line is not None
    value = error.path.read_text().splitlines()[error.line - 1].split(",")[-1]
    assert f"is {float(value):g}, and my-study-quality tests it by mcnemar" in error.found
    assert "test: wilcoxon" in error.fix


def test_every_mistake_is_named_not_the_first_alone(study: Path) -> None:
    path = study / "comparisons" / "quality.yaml"
    text = (
        path.read_text().replace("wilcoxon", "wilcoxn").replace("pairing: id", "pairing: postion")
    )
    path.write_text(text)
    (study / "tables" / "tables.yaml").write_text("id: [\n")
    (study / "claim").mkdir()
    (study / "claim" / "more.yaml").write_text("id: C2\n")
    errors = [str(e) for e in check_study(study)[1]]
    for word in ("wilcoxn", "postion", "tables.yaml:2", "'claim'"):
        assert any(word in e for e in errors), word


def test_scores_that_are_missing_are_named_unless_the_study_says_so(study: Path) -> None:
    table = study / SCORES
    rows = table.read_text().splitlines(keepends=True)
    table.write_text("".join(r for r in rows if "second" not in r))
    (error,) = check_study(study)[1]
    assert "no scores of my-study/second" in str(error)
    assert isinstance(error, BadInput)
    assert (error.path.name, error.line) == ("quality.yaml", 12)
    with (study / "study.yaml").open("a") as stream:
        stream.write(
            "absent:\n  - {tool: my-study-tool, evaluation: my-study-test, "
            "runs: [my-study/second], reason: lost}\n"
        )
    assert check_study(study)[1] == []


def test_a_folder_of_studies_is_checked_as_a_whole(study: Path) -> None:
    new_study("other", study.parent)
    assert [s.id for s in check_study(study.parent)[0]] == ["my-study", "other"]
    assert check_study(study.parent / "none")[1] != []


def test_scores_of_a_study_from_outside_lie_in_its_folder(study: Path) -> None:
    known = load([paths.CATALOG, paths.STUDIES, study])
    mine = known.studies["my-study"]
    assert archived(mine) == study
    assert published(mine) == study / "published"
    assert archived_table(known, "my-study-tool", "my-study-test") == study / SCORES
    assert score_files(known)[-1] == study / SCORES
    assert archived(known.studies["multitask-qlora"]) == paths.ARCHIVED / "multitask-qlora"


def test_figures_imported_on_demand_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "REGENERATED", tmp_path)
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "none")
    imported = tmp_path / "published" / "multitask-peft"
    imported.mkdir(parents=True)
    assert published(catalog().studies["multitask-peft"]) == imported


def test_a_dialect_is_loaded_from_the_folder_of_its_study(study: Path) -> None:
    known = load([paths.CATALOG, paths.STUDIES, study])
    with pytest.raises(MtpeftError, match=r"dialect\.py: no such file"):
        dialect(known.studies["my-study"])
    (study / "dialect.py").write_text("WORD = 'mine'\n")
    assert dialect(known.studies["my-study"], "WORD").WORD == "mine"
    with pytest.raises(MtpeftError, match="no NUMBER"):
        dialect(known.studies["my-study"], "NUMBER")
    shutil.rmtree(study)


def test_one_problem_is_one_problem(study: Path, mtpeft: Any) -> None:
    (study / "claims" / "claims.yaml").write_text("")
    done = mtpeft("study", "check", str(study))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "study: my-study: 1 problem"


def test_a_study_without_upstream_files_says_so_and_what_its_matrix_costs(
    study: Path, mtpeft: Any
) -> None:
    there = ("--catalog", str(study))
    done = mtpeft(*there, "archive", "import", "my-study")
    assert done.returncode == 2
    assert "my-study has no dialect.py" in done.stderr
    said = mtpeft(*there, "matrix", "plan", "--study", "my-study", "--seed", "1").stdout
    assert said.startswith("matrix matrix: 2 runs × 1 seed, 2 cells\n")
    assert "mtpeft train plan my-study/first my-study/second; plan: " in said

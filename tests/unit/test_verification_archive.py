"""What the archive holds against what its sources gave, and typed cells against the logs."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.figures import Counterpart
from mtpeft.core.records import PublishedCell, read_records
from mtpeft.verification.completeness import judge_completeness, known_absent
from mtpeft.verification.typed import judge_typed

STUDY = "multitask-qlora"
TABLE = Path(STUDY, "scores", "lizard", "generation-java.csv")


@pytest.fixture(scope="module")
def cells() -> list[PublishedCell]:
    return read_records(paths.PUBLISHED / STUDY / "statistics.csv", PublishedCell)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(paths.ARCHIVED, tmp_path / "archived")
    monkeypatch.setattr(paths, "ARCHIVED", tmp_path / "archived")
    return tmp_path / "archived"


def different(cells: list[PublishedCell]) -> dict[str, tuple[str, str]]:
    return {
        v.id.rpartition("results/archived/")[2]: (v.archived, v.regenerated)
        for v in judge_completeness(catalog(), cells)
        if v.verdict != "exact"
    }


def test_the_shipped_archive_is_complete(cells: list[PublishedCell]) -> None:
    found = judge_completeness(catalog(), cells)
    assert len(found) == 9 + 19 + 56 and {v.verdict for v in found} == {"exact"}


def test_an_absence_is_known_for_its_own_tool_evaluation_and_run_alone() -> None:
    known = catalog()
    (absent, *_) = (a for a in known.studies["multitask-qlora"].absent if a.runs)
    metric, other = known.tools[absent.tool].metrics[0].id, "no-such"

    def why(metric: str, evaluation: str, run: str) -> str:
        return known_absent(known, "multitask-qlora", metric, evaluation, run)

    assert why(metric, absent.evaluation, absent.runs[0]) == absent.reason
    assert why(metric, absent.evaluation, other) == ""
    assert why(metric, other, absent.runs[0]) == ""
    assert why(other, absent.evaluation, absent.runs[0]) == ""


def test_a_run_that_was_removed_is_unexplained(cells: list[PublishedCell], archive: Path) -> None:
    lines = (archive / TABLE).read_text().splitlines(keepends=True)
    left = [line for line in lines if not line.startswith("qwen2.5-coder-1.5b/mt-qlora,")]
    (archive / TABLE).write_text("".join(left))
    (found,) = [v for v in judge_completeness(catalog(), cells) if v.verdict != "exact"]
    assert (found.archived, found.regenerated) == ("1656 rows of 9 runs", "1472 rows of 8 runs")
    assert found.unexplained


def test_one_row_that_was_removed_is_noticed(cells: list[PublishedCell], archive: Path) -> None:
    lines = (archive / TABLE).read_text().splitlines(keepends=True)
    (archive / TABLE).write_text("".join(lines[:-1]))
    assert list(different(cells).values()) == [("1656 rows of 9 runs", "1655 rows of 9 runs")]


def test_printed_values_that_were_removed_are_noticed(cells: list[PublishedCell]) -> None:
    source = cells[0].source
    number = sum(c.source == source for c in cells)
    assert different(cells[1:]) == {
        f"{STUDY}/{source}": (f"{number} values", f"{number - 1} values")
    }


@pytest.mark.parametrize(
    ("study", "table", "rows"),
    [
        ("multitask-peft", "figures", 3365),
        ("multitask-peft", "counterparts", 743),
        ("multitask-peft", "printed", 493),
        ("multitask-qlora", "sources", 235),
    ],
)
def test_a_published_record_that_was_removed_is_unexplained(
    cells: list[PublishedCell],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    study: str,
    table: str,
    rows: int,
) -> None:
    shutil.copytree(paths.PUBLISHED, tmp_path / "published")
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "published")
    path = tmp_path / "published" / study / f"{table}.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    place = f"{study}/{table}.csv"
    (found,) = [v for v in judge_completeness(catalog(), cells) if v.id.endswith(place)]
    assert (found.archived, found.regenerated) == (f"{rows} records", f"{rows - 1} records")
    assert found.unexplained
    path.unlink()
    assert any(v.regenerated == "0 records" for v in judge_completeness(catalog(), cells))


def test_an_output_is_the_same_whatever_folder_its_cells_name(cells: list[PublishedCell]) -> None:
    moved = [replace(c, source=f"stats/{c.source}") for c in cells]
    assert different(moved) == {}


def logged(rule: str, value: float | None, printed: float = 61.35) -> Counterpart:
    return Counterpart(
        document="table.tex",
        table="revision",
        generation="G2",
        setting="multi",
        backbone="b",
        method="fft",
        tasks="x+y",
        column="x",
        printed=printed,
        rule=rule,
        run="r",
        epoch=None,
        logged=value,
        repository="",
        commit="",
        file="",
        line=None,
    )


@pytest.mark.parametrize(
    ("found", "verdict", "cause"),
    [
        ([("best_valid_combined", 61.3511), ("last_epoch", 60.0)], "exact", ""),
        ([("best_valid_combined", 61.3551), ("last_epoch", 60.0)], "not reproducible", ""),
        ([("best_valid_combined", 60.0), ("last_epoch", 61.35)], "differs", "last epoch"),
        ([("best_valid_combined", 60.0), ("best_test", 61.35)], "differs", "best test"),
        ([("no log", None)], "not reproducible", ""),
    ],
)
def test_a_typed_value_is_held_against_the_number_that_the_study_says_it_is(
    found: list[tuple[str, float | None]], verdict: str, cause: str
) -> None:
    (got,) = judge_typed("own", [logged(rule, value) for rule, value in found])
    assert got.verdict == verdict and cause in got.cause and bool(cause) == bool(got.cause)
    assert not got.unexplained and (verdict != "not reproducible" or got.reason)


def test_every_typed_cell_has_one_verdict() -> None:
    folder = paths.PUBLISHED / "multitask-peft"
    found = judge_typed("multitask-peft", read_records(folder / "counterparts.csv", Counterpart))
    assert len(found) == len({v.id for v in found}) == 493

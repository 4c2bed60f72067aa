"""KNOWN_ISSUES.md: counts in words, titles in place of ids, and faults that are printed exactly."""

from dataclasses import replace

import pytest
from mtpeft.audit.choices import BY_ROW, Repeated
from mtpeft.audit.consistency import Check
from mtpeft.audit.scores import Finding
from mtpeft.audit.stage import CauseRow
from mtpeft.core.records import write_records
from mtpeft.core.text import counted
from mtpeft.reporting.known_issues import known_issues, write
from mtpeft.reporting.repeated import TITLE
from mtpeft.reporting.sections.repeated import section
from small_study import TESTS, write_study

CAUSE = CauseRow(
    "k", "t", "wrong label", "quality", 1, 1, 0, "the label names holm", "q.txt:3", "all", 0, "e"
)


@pytest.fixture
def inputs(tmp_path):
    return write_study(tmp_path)


@pytest.mark.parametrize(("number", "text"), [(1, "1 metric"), (2, "2 metrics"), (0, "0 metrics")])
def test_one_is_singular(number, text):
    assert counted(number, "metric") == text


def test_a_test_paired_with_the_wrong_rows_is_told_beside_the_right_pairs(inputs):
    """What a study prints from misaligned rows is recomputed exactly, and is a fault all the same."""
    place = ("toy", "passes", "1", "pass@1")
    moved = [
        Repeated(BY_ROW, *place, quantity, was, right, "no", "3 of 9 rows hold other instances")
        for quantity, was, right in (
            ("a_only", "25", "8"),
            ("b_only", "23", "6"),
            ("p", "0.8852", "0.7893"),
            ("odds_ratio", "1.085", "1.308"),
        )
    ]
    text = known_issues([], [], [], TESTS, inputs)
    assert TITLE not in text
    write_records(inputs.regenerated / "audit" / "repeated.csv", moved, Repeated)
    text = known_issues([], [], [], TESTS, inputs)
    assert f"## {TITLE}" in text
    assert "| 25 / 23 | 0.8852 | 1.085 | 8 / 6 | 0.7893 | 1.308 | 3 of 9 rows" in text
    page = section(inputs)
    assert page is not None and "25 / 23" in page.body and "8 / 6" in page.body


def test_causes_are_told_by_title_and_a_studys_notes_come_from_its_own_file(inputs):
    study = inputs.known.studies["toy"]
    inputs.known.studies["toy"] = replace(study, notes=["Poems are short."])
    text = known_issues([CAUSE], [], [], TESTS, inputs)
    assert "- **RQ1, Verse: ST vs MT**: the label names holm. 1 cell (e)." in text
    assert "## Not visible in the figures: A study of poems\n\n- Poems are short.\n" in text


def test_the_file_is_written_from_the_records_of_the_audit(inputs):
    folder = inputs.regenerated / "audit"
    for name, rows, record in (
        ("causes", [CAUSE], CauseRow),
        ("consistency", [], Check),
        ("scores", [], Finding),
    ):
        write_records(folder / f"{name}.csv", rows, record)
    assert [path.name for path in write(inputs)] == ["KNOWN_ISSUES.md"]
    assert "Labels that name another correction" in (folder / "KNOWN_ISSUES.md").read_text("utf-8")

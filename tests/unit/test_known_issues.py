"""KNOWN_ISSUES.md: counts in words, titles in place of ids, and faults that are printed exactly."""

from dataclasses import replace

import pytest
from mtpeft.audit.consistency import Check
from mtpeft.audit.scores import Finding
from mtpeft.audit.stage import CauseRow
from mtpeft.core.records import write_records
from mtpeft.reporting.known_issues import counted, known_issues, write
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
    passes = next(t for t in TESTS if t.comparison == "passes")
    wrong = replace(passes, a_only=25.0, b_only=23.0, p=0.885, odds_ratio=1.09)
    inputs.__dict__["tests"] = {
        (t.comparison, t.block, t.metric, t.protocol): t
        for t in (wrong, replace(passes, protocol="corrected", a_only=8.0, b_only=6.0))
    }
    by_id = known_issues([], [], [], list(inputs.tests.values()), inputs)
    assert "pair the wrong instances" not in by_id
    comparison = inputs.known.comparisons["passes"]
    inputs.known.comparisons["passes"] = replace(comparison, pairing="position")
    text = known_issues([], [], [], list(inputs.tests.values()), inputs)
    assert "| 25 / 23 | 0.885 | 1.09 | 8 / 6 | 1.000 | 0.33 |" in text


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

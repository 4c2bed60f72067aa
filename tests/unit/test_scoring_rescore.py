"""The comparison with the archive must count every instance once, name what differs, and hide no
difference behind a reason.
"""

from dataclasses import replace

import pandas as pd
import pytest
from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.records import SCORE_KEYS, write_scores
from mtpeft.core.rescored import Line
from mtpeft.scoring import engine
from mtpeft.scoring.engine import Outcome
from mtpeft.scoring.interface import Item
from mtpeft.scoring.other_versions import compared_runs
from mtpeft.scoring.rescore import NO_OUTPUTS, as_published, compare
from mtpeft.verification.rescored import judge_line as verdict

RUN, OTHER = "qwen2.5-coder-3b/mt-qlora", "qwen2.5-coder-3b/mt-qlora/generation+translation"
METRICS = ("lizard_loc", "lizard_tokens", "lizard_detection_rate", "lizard_cyclomatic")


@pytest.fixture
def archived(tmp_path, monkeypatch):
    """Archived Lizard scores of three instances of one run, the last one of them without any
    function.
    """
    monkeypatch.setattr(paths, "ARCHIVED", tmp_path)
    rows = [
        [RUN, n, f"i{n}", "ok", *values]
        for n, values in enumerate([(3, 20, 1, 2), (5, 40, 1, 3), (0, 0, 0, 0)], start=1)
    ]
    write_scores(
        tmp_path / "multitask-qlora",
        "lizard",
        "generation-java",
        pd.DataFrame(rows, columns=[*SCORE_KEYS, *METRICS]),
    )
    return catalog().evaluations()["generation-java"]


def scored(evaluation, *rows):
    """Regenerated outcomes of (run, instance, values or None where Lizard found no function)."""
    items = [Item(run, evaluation.id, name, "java", "x") for run, name, _ in rows]
    nothing = dict.fromkeys(METRICS, (None, "unparseable", "none")) | {
        "lizard_detection_rate": (0.0, "ok", "")
    }
    outcomes = [
        Outcome(
            {m: (v, "ok", "") for m, v in zip(METRICS, values, strict=True)} if values else nothing
        )
        for _, _, values in rows
    ]
    table = engine.table(items, outcomes, METRICS)
    published = as_published(table, catalog().tools["lizard"])
    return compare("lizard", "1", evaluation, table, published, [o.detail for o in outcomes])


def test_an_unparseable_output_equals_the_zeros_that_the_study_wrote(archived):
    (line,), differences = scored(
        archived, (RUN, "i1", (3, 20, 1, 2)), (RUN, "i2", (5, 40, 1, 3)), (RUN, "i3", None)
    )
    assert (line.instances, line.equal, line.different, line.unparseable) == (3, 3, 0, 1)
    assert differences == [] and verdict(line).verdict == "exact"


def test_one_wrong_column_makes_its_instance_different_and_is_named(archived):
    (line,), (difference,) = scored(
        archived, (RUN, "i1", (3, 21, 1, 2)), (RUN, "i2", (5, 40, 1, 3)), (RUN, "i3", None)
    )
    assert (line.equal, line.different) == (2, 1)
    assert (
        difference.instance_id,
        difference.metric,
        difference.archived,
        difference.regenerated,
        difference.difference,
    ) == ("i1", "lizard_tokens", 20, 21, 1)


def test_missing_and_new_instances_are_counted_apart(archived):
    lines, _ = scored(
        archived,
        (RUN, "i1", (3, 20, 1, 2)),
        (RUN, "new", (1, 1, 1, 1)),
        (OTHER, "i1", (3, 20, 1, 2)),
    )
    mine, other = sorted(lines, key=lambda x: x.run)
    assert (mine.instances, mine.equal, mine.no_output, mine.not_archived) == (4, 1, 2, 1)
    assert (other.instances, other.not_archived, other.reason) == (1, 1, "no archived scores")


LINE = Line("lizard", "1", "lizard", "generation-java", RUN, "", 10)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (replace(LINE, equal=10), "exact"),
        (replace(LINE, equal=9, within_tolerance=1), "within tolerance"),
        (replace(LINE, equal=9, different=1), "differs"),
        (replace(LINE, equal=9, no_output=1), "differs"),
        (replace(LINE, cannot_run_here=10, reason="cannot run here: no PMD"), "cannot run here"),
        (replace(LINE, no_output=10, reason=NO_OUTPUTS), "not reproducible"),
    ],
)
def test_the_verdict_on_a_line(line, kind):
    assert verdict(line).verdict == kind


def test_a_line_is_explained_only_where_every_difference_has_a_reason():
    differs = replace(LINE, equal=8, different=2)
    assert verdict(differs, {"known"}).cause == "known"
    assert verdict(differs, {"known", ""}).unexplained
    assert verdict(replace(LINE, equal=10), {"known"}).cause == ""


def test_other_versions_score_both_sides_of_comparisons_that_lack_archived_scores(archived):
    """In the fixture only one run has archived scores, so that every comparison of generation lacks
    a side.
    """
    tool = catalog().tools["lizard"]
    assert {RUN, OTHER} <= compared_runs(tool, "generation-java")
    assert compared_runs(tool, "summarization-java") == set()

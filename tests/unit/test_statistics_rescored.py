"""Scores made again must stand exactly where they are meant to: in gaps of the archive, or in place
of damaged ones.
"""

from mtpeft.core.records import ScoreSet
from mtpeft.statistics.compare import run_comparison
from mtpeft.statistics.rescored import ARCHIVED_READING, Layered, repaired_tests
from synthetic_study import COUNTS, TEXTS


def only(scores, tool, task, change=None):
    """One table of a score set, changed or not."""
    frame = scores.tables[tool, task]
    return ScoreSet(scores.root, {(tool, task): frame if change is None else change(frame.copy())})


def test_the_upper_layer_hides_the_lower_one_run_by_run(study, scores):
    def double(frame):
        frame[list(COUNTS)] *= 2
        return frame[frame["run"] == "b1/mt-q"]

    layered = Layered(only(scores, "counter", "code-x", double), scores)
    for run, factor in (("b1/mt-q", 2), ("b2/mt-q", 1)):
        expected = scores.column(run, "code-x", "lines").value * factor
        assert (layered.column(run, "code-x", "lines").value == expected).all()
    assert not layered.has("b9/mt-q", "code-x", "lines")


def test_a_repair_changes_the_tests_of_what_was_repaired_and_no_other(study, scores):
    def repair(frame):
        frame.loc[frame["run"].str.endswith("mt-q"), "lines"] += 50
        return frame

    found = repaired_tests(
        scores,
        {"repaired": only(scores, "counter", "code-x", repair)},
        study.comparisons.values(),
        study,
    )
    assert {t.comparison for t in found} == {"effects"}, "no metric of `passes` was scored again"
    by_protocol = {
        p: {(t.block, t.metric): t for t in found if t.protocol == p}
        for p in (ARCHIVED_READING, "repaired")
    }
    expected = {
        (t.block, t.metric): t
        for t in run_comparison(scores, study.comparisons["effects"], study, "as-published")
    }
    for place, test in by_protocol[ARCHIVED_READING].items():
        assert test.p == expected[place].p
    for (block, metric), test in by_protocol["repaired"].items():
        assert (test.p != expected[block, metric].p) == (metric == "lines")
    assert {metric for _, metric in by_protocol["repaired"]} == {*COUNTS, *TEXTS}

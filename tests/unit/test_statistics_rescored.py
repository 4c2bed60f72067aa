"""Scores made again must stand exactly where they are meant to: in gaps of the archive, or in place
of damaged ones.
"""

from dataclasses import replace

from mtpeft.core.records import ScoreSet, write_scores
from mtpeft.statistics.compare import run_comparison
from mtpeft.statistics.rescored import ARCHIVED_READING, Layered, recovered_tests, repaired_tests
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


def without(scores, run, *tools):
    """The scores of all tables, without those of a run in some tools."""
    return ScoreSet(
        scores.root,
        {
            key: frame[frame["run"] != run] if key[0] in tools else frame
            for key, frame in scores.tables.items()
        },
    )


def test_rescored_outputs_fill_gaps_and_complete_families(study, scores, tmp_path):
    frame = scores.tables["counter", "code-x"]
    write_scores(tmp_path, "counter", "code-x", frame[frame["run"] == "b1/mt-q"])

    def recovered(archived):
        found = recovered_tests(archived, tmp_path, [study.comparisons["effects"]], study)
        assert {(t.protocol, t.block, t.pairing) for t in found} <= {("rescored", "1", "id")}
        return {t.metric: t for t in found}

    # The family of block 1 is whole again: its text metrics get adjusted p-values, too.
    whole = recovered(without(scores, "b1/mt-q", "counter"))
    assert whole.keys() == {*COUNTS, *TEXTS}
    by_id = run_comparison(
        scores, replace(study.comparisons["effects"], pairing="id"), study, "as-published"
    )
    for test in by_id:
        if test.block == "1":
            assert repr(replace(whole[test.metric], protocol="as-published")) == repr(test)
    # Without the text metrics it is not, and nothing is adjusted.
    part = recovered(without(scores, "b1/mt-q", "counter", "texter"))
    assert part.keys() == {*COUNTS}
    assert all(t.note.startswith("family incomplete") and not t.m for t in part.values())
    assert recovered(scores) == {}

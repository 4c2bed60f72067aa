"""Verdicts: each class arises from what it should arise from, none is merged, and the exit code
says whether all is explained.
"""

import math
import os
from collections import Counter
from dataclasses import replace

import pytest
from mtpeft.catalog import Claim
from mtpeft.catalog.schema import Absent
from mtpeft.core import records
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.records import ScoreSet, Verdict, write_records
from mtpeft.statistics.compare import run_all
from mtpeft.verification import stage
from mtpeft.verification.cells import explained, judge_cells, judge_recovered
from mtpeft.verification.claims import RULES, Evidence, judge_claims
from mtpeft.verification.claims.changes import BY_CELLS, change
from synthetic_study import Crime, printed


@pytest.fixture(scope="module")
def tests(study, scores):
    return run_all(scores, study.comparisons.values(), study)


@pytest.fixture(scope="module")
def cells(study, scores):
    return [
        c for comparison in study.comparisons.values() for c in printed(comparison, scores, study)
    ]


def judged(cells, tests, study, causes=None, suspicions=None):
    return {v.id: v for v in judge_cells(cells, tests, causes or {}, suspicions or {}, study)}


def edited(cells, edits):
    return [replace(c, printed=edits.get(c.id, c.printed)) for c in cells]


# ---------------------------------------------------------------- cells


def test_what_prints_as_printed_is_exact(cells, tests, study):
    verdicts = judged(cells, tests, study)
    assert len(verdicts) == len(cells)
    assert Counter(v.verdict for v in verdicts.values()) == {"exact": len(cells)}
    assert not any(v.cause or v.unexplained for v in verdicts.values())


CELL = "effects:RAW:1:lines:cliffs_delta"


@pytest.mark.parametrize("cause, unexplained", [("", True), ("some-cause", False)])
def test_what_prints_otherwise_differs_with_or_without_a_cause(
    cells, tests, study, cause, unexplained
):
    verdict = judged(
        edited(cells, {CELL: "0.7654321"}), tests, study, {CELL: cause} if cause else {}
    )[CELL]
    assert (verdict.verdict, verdict.cause, verdict.unexplained) == ("differs", cause, unexplained)
    assert verdict.published == "0.7654321"
    assert verdict.regenerated == next(c.printed for c in cells if c.id == CELL)


def test_a_cause_does_not_make_an_equal_cell_differ(cells, tests, study):
    verdict = judged(cells, tests, study, {CELL: "some-cause"})[CELL]
    assert (verdict.verdict, verdict.cause) == ("exact", "")


def test_a_cell_without_a_test_was_not_run(cells, tests, study):
    verdicts = judged(cells, [t for t in tests if t.block != "1"], study)
    assert {v.verdict for v in verdicts.values() if ":1:" in v.id} == {"not run"}
    assert {v.verdict for v in judged(cells, [], study).values()} == {"not run"}


@pytest.fixture(scope="module")
def half(study, scores):
    """Tests where the counter's table lacks side B of block 2."""
    tables = {
        key: frame[frame["run"] != "b2/mt-q"] if key[0] == "counter" else frame
        for key, frame in scores.tables.items()
    }
    return run_all(ScoreSet(scores.root, tables), study.comparisons.values(), study)


def lacking(study, *runs):
    """The study, its archive known to lack the counter's scores of some runs."""
    absent = [Absent("counter", "code-x", "never uploaded", list(runs))]
    return replace(study, studies={"own": replace(study.studies["own"], absent=absent)})


@pytest.mark.parametrize("known", [(), ("b1/mt-q",)])
def test_a_run_that_is_lost_is_not_taken_for_one_that_is_known_to_be_absent(
    cells, half, study, known
):
    got = judged(cells, half, lacking(study, *known) if known else study)
    lost = got["effects:RAW:2:lines:cliffs_delta"]
    assert lost.verdict == "differs" and lost.unexplained
    assert "lost the scores of b2/mt-q" in lost.reason


def test_absent_inputs_and_their_families_are_not_reproducible(cells, half, study):
    study = lacking(study, "b2/mt-q")
    verdicts = judged(
        cells, half, study, suspicions={("effects", "2", "lines"): "2 consistency checks pass"}
    )
    absent = verdicts["effects:RAW:2:lines:cliffs_delta"]
    assert absent.verdict == "not reproducible"
    assert (
        "no archived scores of b2/mt-q" in absent.reason
        and "2 consistency checks pass" in absent.reason
    )
    assert verdicts["effects:RAW:2:overlap:p_adjusted"].verdict == "not reproducible"
    assert "family incomplete" in verdicts["effects:RAW:2:overlap:p_adjusted"].reason
    # Its effect needs no family, and other blocks need none of this.
    assert verdicts["effects:RAW:2:overlap:cliffs_delta"].verdict == "exact"
    assert verdicts["effects:RAW:1:lines:p_adjusted"].verdict == "exact"
    assert not any(v.unexplained for v in verdicts.values())


def test_a_label_is_exact_or_has_a_cause(cells, tests, study):
    label = "effects:CLEAN:label"
    assert judged(cells, tests, study)[label].verdict == "exact"
    wrong = judged(cells, tests, study, {label: "wrong-label"})[label]
    assert (wrong.verdict, wrong.cause) == ("differs", "wrong-label")


def test_a_remark_on_absent_files_is_not_reproducible(cells, tests, study):
    note = replace(
        cells[0], id="note", metric="", block="", quantity="input_note", printed="uses file: x.csv"
    )
    verdict = judged([note], tests, study)["note"]
    assert verdict.verdict == "not reproducible" and verdict.reason


def test_a_conclusion_changes_only_where_the_yes_or_no_turns(cells, tests, study):
    cell = next(c for c in cells if c.quantity == "significant" and c.printed == "No")
    place = (cell.comparison, cell.block, cell.metric, "corrected")

    def with_corrected(p):
        return [
            replace(t, p_holm=p) if (t.comparison, t.block, t.metric, t.protocol) == place else t
            for t in tests
        ]

    changes = {
        p: judged([cell], with_corrected(p), study)[cell.id].conclusion_changes
        for p in (0.01, 0.9, math.nan)
    }
    assert list(changes.values()) == ["yes", "no", ""]
    other = next(c for c in cells if c.quantity == "cliffs_delta")
    assert judged([other], tests, study)[other.id].conclusion_changes == ""


def test_recovered_values_are_judged_beside_and_not_instead(cells, half, study, scores):
    rescored = [
        replace(t, protocol="rescored")
        for t in run_all(scores, [study.comparisons["effects"]], study)
        if t.protocol == "as-published" and t.block == "2" and t.metric == "lines"
    ]
    verdicts = judge_recovered(cells, rescored, {})
    assert verdicts and {(v.tier, v.kind, v.verdict) for v in verdicts} == {
        ("T2", "recovered", "exact")
    }
    assert all(":2:lines:" in v.id for v in verdicts)
    wrong = judge_recovered(edited(cells, {"effects:RAW:2:lines:ci_low": "0.99"}), rescored, {})
    assert [v.id for v in wrong if v.unexplained] == ["effects:RAW:2:lines:ci_low"]


def test_what_the_audit_left_unexplained_is_no_cause(tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text("id,cause\na,effects:1:other-run\nb,effects:unexplained\n")
    assert explained(stage._causes(path)) == {"a": "effects:1:other-run"}


def test_a_label_over_numbers_that_nothing_gives_is_not_exact(cells, tests, study):
    label = "effects:CLEAN:label"
    found = judged(cells, tests, study, {label: f"{label}:label:unexplained"})[label]
    assert (found.verdict, found.cause) == ("differs", "") and found.unexplained


def test_an_impossible_adjusted_value_of_an_incomplete_family_differs(cells, half, study):
    name = "effects:RAW:2:overlap:p_adjusted"
    known = lacking(study, "b2/mt-q")
    assert judged(cells, half, known)[name].verdict == "not reproducible"
    found = judged(cells, half, known, {name: "effects:bounds:unexplained"})[name]
    assert found.verdict == "differs" and found.unexplained and "raw p-values" in found.reason


def test_a_verdict_says_how_many_pairs_it_rests_on(cells, tests, study):
    found = judged(cells, tests, study)
    assert found["effects:RAW:1:lines:cliffs_delta"].rests_on.startswith("59 pairs of ")
    assert "1 left out" in found["effects:RAW:1:lines:cliffs_delta"].rests_on


# ---------------------------------------------------------------- claims


def claim(kind, **options):
    return Claim("c1", "own", "text", "source", kind, options)


def verdict_of(study, tests, cells, kind, **options):
    known = replace(study, claims={"c1": claim(kind, **options)})
    (verdict,) = judge_claims(Evidence(tests, cells, known), "own")
    return verdict


PLACE = {"comparison": "effects", "block": "1", "metric": "lines"}


@pytest.fixture
def shift(tests):
    """The tests, with the means at one place set: B is 25 % above A as published and 40 % above it
    when corrected.
    """

    def at(test):
        if (test.comparison, test.block, test.metric) != ("effects", "1", "lines"):
            return test
        return replace(
            test, mean_a=8.0, mean_b={"as-published": 10.0, "corrected": 11.2}[test.protocol]
        )

    return [at(t) for t in tests]


@pytest.mark.parametrize(
    "percent, verdict",
    [("25", "exact"), ("25.0", "exact"), ("25.1", "differs"), ("-25", "differs")],
)
def test_a_relative_change_is_compared_at_printed_decimals(study, shift, cells, percent, verdict):
    got = verdict_of(study, shift, cells, "relative_change", **PLACE, percent=percent)
    assert got.verdict == verdict
    assert got.regenerated.startswith("+25") and got.corrected.startswith("+40")
    assert got.kind == "claim"


def test_a_change_that_stands_elsewhere_is_said_to_stand_there(study, shift, cells):
    got = verdict_of(
        study, shift, cells, "relative_change", **PLACE | {"block": "2"}, percent="25.000"
    )
    assert got.verdict == "differs"
    assert "effects 1 lines (relative): 1 of " in got.reason and "expected by chance" in got.reason
    nowhere = verdict_of(study, shift, cells, "relative_change", **PLACE, percent="912.345678")
    assert "nowhere" in nowhere.reason and nowhere.unexplained


def test_the_largest_change_is_looked_for_in_all_named_places(study, shift, cells):
    options = {"comparisons": ["effects"], "blocks": ["1"], "metrics": ["lines"]}
    assert (
        verdict_of(study, shift, cells, "largest_change", **options, percent="25").verdict
        == "exact"
    )
    assert (
        verdict_of(study, shift, cells, "largest_change", **options, percent="24").verdict
        == "differs"
    )
    nothing = verdict_of(
        study, shift, cells, "largest_change", **options | {"blocks": ["9"]}, percent="25"
    )
    assert nothing.verdict == "not reproducible"


def test_the_largest_of_what_is_left_is_not_the_largest(study, shift, cells):
    options = {"comparisons": ["effects"], "blocks": ["1"], "metrics": ["lines"], "percent": "25"}
    left = [t for t in shift if (t.block, t.metric) != ("1", "lines")]
    got = verdict_of(study, left, cells, "largest_change", **options)
    assert got.verdict == "not reproducible" and "1 of 1 tests" in got.reason


@pytest.mark.parametrize(
    ("percent", "expected", "word"),
    [("own", "exact", "exact"), ("own", "differs", "differs"), ("55.5", "exact", "differs")],
)
def test_another_verdict_than_the_claims_file_expects_is_unexplained(
    study, tests, cells, percent, expected, word
):
    found = next(
        t
        for t in tests
        if (t.protocol, t.comparison, t.block, t.metric) == ("as-published", *PLACE.values())
    )
    own = f"{change(found):.1f}"
    one = claim("relative_change", **PLACE, percent=own if percent == "own" else percent)
    known = replace(study, claims={"c1": replace(one, expected=expected)})
    (verdict,) = judge_claims(Evidence(tests, cells, known), "own")
    assert verdict.verdict == word and verdict.unexplained == (word == "differs")
    assert (f"{expected!r} is expected" in verdict.reason) == (word == "differs")


def test_a_figure_of_another_metric_is_no_cause(study, tests, cells):
    # Every change of every other metric is +3.3 %, that of the same metric is not.
    moved = [replace(t, mean_a=10.0, mean_b=10.33 if t.metric != "lines" else 12.0) for t in tests]
    got = verdict_of(study, moved, cells, "relative_change", **PLACE, percent="3.3")
    assert got.verdict == "differs" and got.unexplained


def test_a_figure_that_occurs_as_often_as_chance_would_have_it_is_no_cause(study, tests, cells):
    # One place of the same metric fits, but so does nearly every other figure of the study.
    moved = [
        replace(t, mean_a=10.0, mean_b=12.0 if (t.block, t.metric) == ("1", "lines") else 10.33)
        for t in tests
    ]
    got = verdict_of(study, moved, cells, "relative_change", **PLACE, percent="3.3")
    assert "places that may be meant" in got.reason and got.unexplained


def test_a_change_that_cannot_be_computed_is_not_reproducible(study, tests, cells):
    got = verdict_of(study, [], cells, "relative_change", **PLACE, percent="3.3")
    assert got.verdict == "not reproducible" and got.reason and not got.cause


def adjusted_to(tests, p):
    return [replace(t, p_holm=p, p_bh=p) for t in tests]


@pytest.mark.parametrize(
    "p, verdict", [(0.05, "exact"), (0.0499, "differs"), (math.nan, "not reproducible")]
)
def test_none_significant_holds_up_to_the_threshold(study, tests, cells, p, verdict):
    got = verdict_of(
        study,
        adjusted_to(tests, p),
        cells,
        "none_significant",
        comparisons=["passes"],
        adjustment="holm",
    )
    assert got.verdict == verdict


def test_nothing_is_said_of_all_tests_where_there_is_none(study, tests, cells):
    left = [t for t in tests if t.comparison != "passes"]
    options = {"comparisons": ["passes"], "adjustment": "holm"}
    got = verdict_of(study, left, cells, "none_significant", **options)
    assert got.verdict == "not reproducible" and "are absent" in got.reason
    unknown = verdict_of(
        study, tests, cells, "none_significant", **options | {"comparisons": ["x"]}
    )
    assert unknown.verdict == "not reproducible"


def test_a_count_that_differs_is_explained_only_by_causes_of_the_cells_that_turn(
    study, tests, cells
):
    many = adjusted_to(tests, 0.001)
    known = replace(study, claims={"c1": claim("count_significant", question="RQ1")})
    turned = [c.id for c in cells if c.quantity == "significant" and c.printed == "No"]
    for causes, cause in (({}, ""), (dict.fromkeys(turned, "x"), BY_CELLS)):
        (got,) = judge_claims(Evidence(many, cells, known, causes=causes), "own")
        assert (got.verdict, got.cause) == ("differs", cause)


def test_significant_results_are_counted_against_the_printed_ones(study, tests, cells):
    got = verdict_of(study, tests, cells, "count_significant", question="RQ1")
    total = sum(c.quantity == "significant" for c in cells)
    assert got.verdict == "exact"
    assert (
        got.published
        == f"{sum(c.printed == 'Yes' for c in cells if c.quantity == 'significant')} of {total} significant"
    )
    more = verdict_of(study, adjusted_to(tests, 0.001), cells, "count_significant", question="RQ1")
    assert (more.verdict, more.regenerated) == ("differs", f"{total} of {total}")


def test_significant_results_that_cannot_be_recomputed_are_not_counted_as_no(study, half, cells):
    got = verdict_of(study, half, cells, "count_significant", question="RQ1")
    assert got.verdict == "not reproducible"
    assert "only 10 of 15" in got.reason


def test_an_unknown_kind_of_claim_is_answered_with_the_nearest(study, tests, cells):
    with pytest.raises(UnknownName, match="did you mean relative_change"):
        verdict_of(study, tests, cells, "relativ_change", **PLACE, percent="1")


def test_every_shipped_claim_has_a_rule(known):
    assert {c.kind for c in known.of("claims", "multitask-qlora")} <= set(RULES)
    assert len(list(known.of("claims", "multitask-qlora"))) >= 10


def test_a_change_from_zero_is_undefined(tests):
    assert math.isnan(change(None)) and math.isnan(change(replace(tests[0], mean_a=0.0)))


# ---------------------------------------------------------------- exit codes and counts


def verdict(name="exact", **more):
    return Verdict("i", "T1", "cell", "1", "", "2", "", "", name, **more)


@pytest.fixture
def conclude(tmp_path, monkeypatch, capsys):
    def run(*verdicts):
        monkeypatch.setattr(stage, "VERIFICATION", tmp_path)
        monkeypatch.setattr(stage, "REGENERATED", tmp_path)
        write_records(tmp_path / "verdicts.csv", verdicts, Verdict)
        code = stage.conclude()
        return code, capsys.readouterr().out

    return run


def test_all_accounted_for_ends_with_0(conclude):
    code, text = conclude(
        verdict(),
        verdict("within tolerance"),
        verdict("differs", cause="c"),
        verdict("not run"),
        verdict("not reproducible", reason="r"),
        verdict("cannot run here", reason="r"),
    )
    assert code == 0
    for name in records.VERDICTS:
        assert f"1 {name}" in text
    assert "0 unexplained differences" in text


def test_a_report_is_named_only_where_it_shows_these_verdicts(conclude, tmp_path):
    assert "make report" in conclude(verdict())[1]
    page = tmp_path / "report" / "index.html"
    page.parent.mkdir()
    page.touch()
    os.utime(page, (1, 1))  # made before the verdicts
    assert "make report" in conclude(verdict())[1]
    os.utime(page, (2**31, 2**31))
    assert f"report: {page}" in conclude(verdict())[1]


@pytest.mark.parametrize("bad", [verdict("differs"), verdict("not reproducible")])
def test_an_unexplained_difference_ends_with_1(conclude, bad):
    code, text = conclude(verdict(), bad)
    assert code == 1
    assert "1 unexplained difference;" in text


@pytest.mark.parametrize("kind", records.OWN)
def test_a_difference_of_ones_own_runs_is_not_one_of_the_archive(conclude, kind):
    code, text = conclude(verdict(), replace(verdict("differs"), tier="T3", kind=kind))
    assert code == 0 and "0 unexplained differences" in text
    assert "1 difference of answers and runs of your own: nothing" in text


@pytest.mark.parametrize("word, code", [("exact", 0), ("differs", 1)])
def test_judging_ends_with_1_where_a_difference_has_no_cause(monkeypatch, capsys, word, code):
    written = []
    for name, value in {
        "read_records": [],
        "_causes": {},
        "_suspicions": {},
        "statistics_files": [],
        "with_figures": [],
        "judge_completeness": [],
        "judge_claims": [],
        "judge_recovered": [],
        "judge_cells": [verdict(word)],
        "later_verdicts": [],
    }.items():
        monkeypatch.setattr(stage, name, lambda *_, value=value: value)
    monkeypatch.setattr(stage, "write_result", lambda *a, **k: written.append(a))
    assert stage.run() == code and len(written) == 1
    assert ("unexplained: i" in capsys.readouterr().out) == bool(code)


def test_verdicts_that_are_not_there_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "VERIFICATION", tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        stage.conclude()


def test_verdicts_are_counted_by_tier_and_kind():
    other = replace(verdict(), kind="claim")
    lines = stage.summary(
        [
            verdict(),
            verdict(),
            other,
            replace(verdict("differs", cause="c"), tier="T0", kind="file"),
        ]
    )
    assert [" ".join(line.split()) for line in lines] == [
        "T1 printed values 2 exact",
        "T1 claims 1 exact",
        "T0 files 1 differs",
    ]


def test_a_crime_makes_cells_differ_and_the_verdict_unexplained_until_it_is_found(
    study, scores, tests
):
    cells = printed(
        study.comparisons["effects"],
        scores,
        study,
        Crime(lambda block, metric, meant: replace(meant, a=meant.b, b=meant.a)),
    )
    before = judged(cells, tests, study)
    differing = {v.id for v in before.values() if v.verdict == "differs"}
    assert differing and all(before[i].unexplained for i in differing)
    after = judged(cells, tests, study, dict.fromkeys(differing, "sides-swapped"))
    assert not any(v.unexplained for v in after.values())


def test_old_verdicts_do_not_survive_a_new_file_of_a_later_tier(root, tmp_path):
    """Make and the stage read one list: what the stage reads makes the verdicts out of date."""
    import os
    import subprocess

    from mtpeft.verification.stage import later, later_verdicts

    out = tmp_path / "out"
    names = ["rescore/summary.csv", "rescore/differences.csv", "statistics/rescored.csv", "audit/rescored-cells.csv",
             "verification/answers/a.csv", "verification/answers/a.flipped.csv",
             "verification/seeds.csv"]  # fmt: skip
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("x\n")
    assert [p.relative_to(out).as_posix() for p in later(out)] == names
    assert [p.relative_to(out).as_posix() for p in later_verdicts(out)] == [
        names[4],
        names[6],
    ]
    (out / "verification" / "verdicts.csv").write_text("x\n")
    said = subprocess.run(
        ["make", "-npq", f"{out}/verification/verdicts.csv"],
        cwd=root, env=os.environ | {"MTPEFT_OUT": str(out)}, capture_output=True, text=True,
    ).stdout  # fmt: skip
    rules = [r for r in said.splitlines() if r.startswith(f"{out}/verification/verdicts.csv:")]
    for path in later(out):
        assert any(f" {path}" in rule for rule in rules), f"make does not know {path}"

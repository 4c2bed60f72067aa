"""`mtpeft compare`: anyone's score tables, paired by id; every right value comes from scipy or by hand."""

import csv
import json
import math
import os
import random
import subprocess
import sys

import pytest
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.reporting import own_runs as pages
from mtpeft.statistics.clusters import read_clusters
from mtpeft.statistics.own_runs import compare, parted, parted_ids, read_sides, rule
from scipy import stats


def table(path, rows, columns=("id", "score")):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return str(path)


@pytest.fixture
def noisy(tmp_path):
    """Two runs over 40 instances, another order in each file, three missing on one side."""
    draw = random.Random(7)
    a = {f"p{i}": round(draw.random(), 3) for i in range(40)}
    b = {i: round(v + draw.gauss(0.05, 0.1), 3) for i, v in a.items() if i not in ("p3", "p9")}
    b["only-here"] = 0.5
    names = list(b)
    draw.shuffle(names)
    first = table(tmp_path / "first.csv", a.items())
    second = table(tmp_path / "second.csv", [(i, b[i]) for i in names])
    return first, second, a, b


def test_a_file_whose_name_holds_an_equals_sign_is_a_file(tmp_path):
    odd = table(tmp_path / "lr=0.1.csv", [(1, 2)])
    assert parted(odd) == ("", tmp_path / "lr=0.1.csv")
    assert parted(f"ours={odd}") == ("ours", tmp_path / "lr=0.1.csv")
    assert parted("absent.csv")[0] == ""
    assert parted("ours=absent.csv")[0] == "ours"


def test_pairs_are_made_by_id_and_what_has_no_partner_is_named(noisy):
    first, second, a, b = noisy
    (found,) = compare(read_sides([first, second]))
    shared = [i for i in a if i in b]
    assert (found.n, found.dropped_ids) == (38, "only-here p3 p9")
    x, y = [a[i] for i in shared], [b[i] for i in shared]
    whole = [round(1000 * v - 1000 * u) for u, v in zip(x, y, strict=True)]
    right = stats.wilcoxon(whole, zero_method="wilcox", correction=False, method="asymptotic")
    assert found.p == pytest.approx(right.pvalue, rel=1e-9)
    t = stats.ttest_rel(y, x).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((t.low, t.high), rel=1e-9)
    assert found.difference == pytest.approx(sum(y) / 38 - sum(x) / 38)


def test_a_metric_of_0_and_1_is_tested_by_mcnemar_exactly_where_few_pairs_differ(tmp_path):
    a = table(tmp_path / "a.csv", [(i, int(i < 4)) for i in range(20)])
    b = table(tmp_path / "b.csv", [(i, int(2 <= i < 12)) for i in range(20)])
    (found,) = compare(read_sides([a, b]))
    assert (found.test, found.changed) == ("mcnemar", 10)
    assert found.p == pytest.approx(stats.binomtest(8, 10).pvalue, rel=1e-9)
    share = stats.binomtest(8, 10).proportion_ci(0.95, "exact")
    assert found.effect == 8.5 / 2.5
    assert (found.effect_low, found.effect_high) == pytest.approx(
        (share.low / (1 - share.low), share.high / (1 - share.high)), rel=1e-9
    )


def test_every_test_of_the_call_is_adjusted_together(tmp_path):
    draw = random.Random(1)
    rows = [(i, *(draw.random() for _ in range(3))) for i in range(30)]
    more = [(i, *(v + draw.gauss(0.1 * k, 0.2) for k, v in enumerate(vs))) for i, *vs in rows]
    columns = ("id", "x", "y", "z")
    sides = read_sides(
        [table(tmp_path / "a.csv", rows, columns), table(tmp_path / "b.csv", more, columns)]
    )
    p = [c.p for c in compare(sides, "none")]
    assert [c.p_adjusted for c in compare(sides, "bh")] == pytest.approx(
        list(stats.false_discovery_control(p)), rel=1e-9
    )
    ranked = sorted(p)
    holm = [max(min(1, (3 - k) * ranked[k]) for k in range(ranked.index(value) + 1)) for value in p]
    assert [c.p_adjusted for c in compare(sides, "holm")] == pytest.approx(holm, rel=1e-9)


def test_equal_runs_have_no_p_value_and_say_why(tmp_path):
    rows = [(i, i / 10) for i in range(12)]
    a, b = table(tmp_path / "a.csv", rows), table(tmp_path / "b.csv", rows)
    (found,) = compare(read_sides([a, b]))
    assert math.isnan(found.p) and found.note == "no two values differ"
    assert (found.difference, found.changed) == (0, 0)


def test_missing_values_are_dropped_and_named_not_read_as_zero(tmp_path):
    a = table(tmp_path / "a.csv", [("p", 1.5), ("q", "NA"), ("r", 2), ("s", 4)])
    b = table(tmp_path / "b.csv", [("p", 2), ("q", 3), ("r", ""), ("s", 4.5)])
    (found,) = compare(read_sides([a, b]))
    assert (found.n, found.dropped_ids, found.mean_a) == (2, "q r", 2.75)


def test_columns_of_words_are_passed_over_and_a_tab_or_semicolon_may_separate(tmp_path):
    a, b = tmp_path / "a.tsv", tmp_path / "b.csv"
    a.write_text("id\tscore\tremark\n1\t0.5\tgood\n2\t0.7\tbad\n")
    b.write_text("id;score;remark\n1;0.6;good\n2;0.9;bad\n")
    (found,) = compare(read_sides([str(a), str(b)]))
    assert (found.metric, found.n) == ("score", 2)


def test_score_tables_of_any_name_are_compared(tmp_path):
    head = "run,row,instance_id,status,codebleu\n"
    for name, values in (("old", (0.25, 0.5)), ("new", (0.5, 0.625))):
        rows = [f"{name},{i},p{i},ok,{v}" for i, v in enumerate(values, 1)]
        (tmp_path / f"{name}.csv").write_text(head + "\n".join(rows) + "\n")
    (found,) = compare(read_sides([str(tmp_path / "old.csv"), str(tmp_path / "new.csv")]))
    assert (found.metric, found.n, found.difference) == ("codebleu", 2, 0.1875)


def test_values_equal_on_paper_do_not_count_as_changed(tmp_path):
    a = table(tmp_path / "a.csv", [(1, repr(0.1 + 0.2)), (2, 0.5)])
    b = table(tmp_path / "b.csv", [(1, 0.3), (2, 0.75)])
    (found,) = compare(read_sides([a, b]))
    assert (found.changed, found.p) == (1, 1)


def test_equal_differences_have_a_mean_without_an_interval(tmp_path):
    a = table(tmp_path / "a.csv", [(i, i / 10) for i in range(6)])
    b = table(tmp_path / "b.csv", [(i, i / 10 + 0.1) for i in range(6)])
    (found,) = compare(read_sides([a, b]))
    assert found.difference == pytest.approx(0.1) and found.p == pytest.approx(2 / 64)
    assert math.isnan(found.low) and math.isnan(found.detectable)
    assert "all differences are equal" in found.note


def test_a_test_over_few_of_the_instances_carries_a_warning(tmp_path):
    a = table(tmp_path / "a.csv", [(i, i) for i in range(100)])
    b = table(tmp_path / "b.csv", [(i, 3 * i % 7) for i in range(50)])
    (found,) = compare(read_sides([a, b]))
    assert "rests on 50% of 100 instances" in found.note
    full = table(tmp_path / "full.csv", [(i, 3 * i % 7) for i in range(95)])
    (found,) = compare(read_sides([a, full]))
    assert found.note == ""


# ---------------------------------------------------------------- clusters and power


@pytest.fixture
def projects(tmp_path):
    """Two runs over 60 instances of 12 projects whose instances move together."""
    draw = random.Random(11)
    shift = [draw.gauss(0.05, 0.2) for _ in range(12)]
    a = [(f"p{i}", f"project {i // 5}", round(draw.random(), 3)) for i in range(60)]
    b = [(i, p, round(v + shift[int(p[8:])] + draw.gauss(0, 0.02), 3)) for i, p, v in a]
    columns = ("id", "project", "score")
    first, second = (table(tmp_path / f"{n}.csv", r, columns) for n, r in (("a", a), ("b", b)))
    return first, second, a, b


def test_instances_of_a_project_are_no_draws_of_their_own(projects):
    first, second, a, b = projects
    (alone,) = compare(read_sides([first, second]))
    (found,) = compare(read_sides([first, second], cluster="project"))
    assert (alone.clusters, found.clusters, found.n) == (0, 12, 60)
    d = [y[2] - x[2] for x, y in zip(a, b, strict=True)]
    # Clusters of one size: the robust error is that of the 12 means.
    means = [sum(d[5 * g : 5 * g + 5]) / 5 for g in range(12)]
    t = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((t.low, t.high))
    error = stats.sem(means)
    assert found.detectable == pytest.approx(
        (stats.t.ppf(0.975, 11) + stats.t.ppf(0.8, 11)) * error
    )
    assert found.p > 2 * alone.p
    assert found.high - found.low > 1.5 * (alone.high - alone.low)
    assert found.effect == alone.effect
    assert found.effect_high - found.effect_low > alone.effect_high - alone.effect_low


def test_a_file_of_clusters_serves_as_a_column_does(projects, tmp_path):
    first, second, a, _ = projects
    file = table(tmp_path / "of.csv", [(i, p) for i, p, _ in reversed(a)], ("task_id", "cluster"))
    plain = [read_sides([first, second], cluster=c) for c in ("project", file)]
    of_column, of_file = (compare(sides) for sides in plain)
    assert of_column == of_file


def test_passes_by_clusters_have_clustered_tests_and_intervals(tmp_path):
    ids = [(f"p{i}", i // 5) for i in range(60)]
    a = [(i, g, int(g % 3 == 0)) for i, g in ids]
    b = [(i, g, int(g < 8)) for i, g in ids]
    columns = ("id", "file", "passed")
    places = [table(tmp_path / f"{n}.csv", r, columns) for n, r in (("a", a), ("b", b))]
    (found,) = compare(read_sides(places, cluster="file"))
    # five projects pass only under B (1, 2, 4, 5, 7), one only under A (9): twice P(5 or more of 6)
    assert found.p == pytest.approx(2 * 7 / 64)
    d = [int(g < 8) - int(g % 3 == 0) for g in range(12)]
    t = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((t.low, t.high))
    assert found.effect == 25.5 / 5.5 and math.isnan(found.effect_low)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,cluster\np1,x\np1,y\n", "of.csv:3: an id that was there before"),
        ("id,cluster\np1,\n", "of.csv:2: an instance without a cluster"),
        ("who,cluster\np1,x\n", "of.csv:1: columns who, cluster"),
        ("id,one,two\np1,x,y\n", "of.csv:1: columns id, one, two"),
        ("id,cluster\np1,x\n", "59 of 60 pairs without a cluster"),
        ("", "of.csv: not a table"),
    ],
)
def test_a_bad_file_of_clusters_is_refused(projects, tmp_path, text, said):
    (tmp_path / "of.csv").write_text(text)
    with pytest.raises(MtpeftError) as caught:
        compare(read_sides(list(projects[:2]), cluster=str(tmp_path / "of.csv")))
    assert said in str(caught.value)


def test_a_file_of_clusters_may_be_separated_by_semicolons(tmp_path):
    path = tmp_path / "of.csv"
    path.write_text("id;cluster\np1;x\np2;y\n")
    assert read_clusters(path) == {"p1": "x", "p2": "y"}


def test_a_column_of_clusters_is_in_every_file_and_says_the_same(projects, tmp_path):
    first, second, a, b = projects
    with pytest.raises(BadInput, match="none called file"):
        read_sides([first, second], cluster="file")
    moved = [(i, "project 3" if i == "p1" else p, v) for i, p, v in b]
    other = table(tmp_path / "other.csv", moved, ("id", "project", "score"))
    with pytest.raises(MtpeftError, match="p1 is in project 0 .a. and project 3 .other."):
        read_sides([first, other], cluster="project")
    scores = tmp_path / "scores.csv"
    scores.write_text("run,row,instance_id,status,codebleu\nr,1,p1,ok,0.5\n")
    with pytest.raises(BadInput, match="no column project in score tables"):
        read_sides([first, str(scores)], cluster="project")


def test_the_command_takes_clusters(mtpeft, projects):
    first, second, *_ = projects
    done = mtpeft("compare", first, second, "--cluster", "project", "--name", "try")
    assert done.returncode == 0, done.stderr
    assert "by clusters" in done.stdout and "detectable" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,score\n1,2\n1,3\n", "bad.csv:3: an id that was there before"),
        ("id,score\n,2\n", "bad.csv:2: a row without an id"),
        ("id,score\n1,inf\n", "bad.csv:2: score is inf"),
        ("who,score\n1,2\n", "bad.csv:1: columns who, score"),
        ("id;score\n1;2\n2;0,5\n", "bad.csv:3: score is 0,5"),
        ("id,score\n1,high\n", "bad.csv:1: no column of numbers"),
        ("id,score\n1,2,9\n2,3,9\n", "bad.csv:2: 3 fields, 2 in the header"),
        ("id,score\n1,2\n2\n", "bad.csv:3: 1 fields, 2 in the header"),
        ("id,score,score\n1,2,3\n", "bad.csv:1: columns id, score, score"),
        ("id,score\n\n1,2\n1,3\n", "bad.csv:4: an id that was there before"),
        ('id,score\n"a\nb",2\n1,3\n1,4\n', "bad.csv:5: an id that was there before"),
        ('id,score\n"1,2\n2,3\n', "bad.csv:3: not a table"),
        ("", "bad.csv: not a table"),
    ],
)
def test_a_bad_table_is_refused_by_file_and_line(tmp_path, text, said):
    good = table(tmp_path / "good.csv", [(1, 2)])
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_sides([good, str(tmp_path / "bad.csv")])
    assert said in str(caught.value)


def test_one_run_equal_names_no_shared_id_and_unknown_words_are_refused(tmp_path):
    a = table(tmp_path / "a.csv", [(1, 2)])
    b = table(tmp_path / "b.csv", [(2, 2)])
    with pytest.raises(MtpeftError, match="1 run in"):
        read_sides([a])
    with pytest.raises(MtpeftError, match="more than one run is called a"):
        read_sides([a, a])
    with pytest.raises(MtpeftError, match="share no instance"):
        compare(read_sides([a, b]))
    with pytest.raises(UnknownName, match="bonferroni"):
        compare(read_sides([a, f"c={a}"]), "bonferroni")
    with pytest.raises(UnknownName, match="scor"):
        read_sides([a, b], ["scor"])


def test_the_command_writes_tests_pairs_and_a_page(mtpeft, tmp_path, noisy):
    first, second, *_ = noisy
    done = mtpeft("compare", first, second, "--name", "try")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "compare" / "try"
    assert (folder / "contrasts.csv").is_file() and (folder / "index.html").is_file()
    assert len((folder / "pairs.csv").read_text().splitlines()) == 39
    assert "3 in no pair" in done.stdout


def test_prediction_files_are_scored_first_and_runs_of_one_id_keep_their_files_names(
    mtpeft, tmp_path
):
    pytest.importorskip("lizard")
    from mtpeft.catalog import catalog

    ids = [f"own{i}" for i in range(3)]
    assert "code-search-cosqa" in catalog().evaluations()
    for name, rank in (("old", "[1]"), ("new", "[2]")):
        lines = [
            json.dumps(
                {
                    "run": "r",
                    "task": "code-search-cosqa",
                    "instance_id": i,
                    "prompt_sha256": "",
                    "raw_output": "",
                    "output": rank,
                    "finish_reason": "stop",
                    "seconds": 0,
                }
            )
            for i in ids
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    done = mtpeft(
        "compare", str(tmp_path / "old.jsonl"), str(tmp_path / "new.jsonl"), "--tool", "ranks"
    )
    assert "old" in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_ids_with_blanks_are_named_whole_in_the_file_and_on_the_page(tmp_path):
    a = table(tmp_path / "a.csv", [("body 1", 1), ("body 2", 2), ("it's", 3), ("p", 4)])
    b = table(tmp_path / "b.csv", [("body 1", 2), ("p", 6)])
    sides = read_sides([a, b])
    (found,) = compare(sides)
    assert (found.n_dropped, parted_ids(found.dropped_ids)) == (2, ["body 2", "it's"])
    page = pages.write(sides, [found], tmp_path / "out", [], "").read_text()
    assert "<summary>2 instances in no pair</summary><p>body 2, it&#39;s</p>" in page


def test_the_rule_says_that_a_half_is_added_to_the_counts_of_an_odds_ratio(tmp_path):
    # 107 pairs pass in B alone, 14 in A alone: 107 / 14 is 7.64, with halves added 7.41.
    a = table(tmp_path / "a.csv", [(k, int(k % 3 == 0)) for k in range(200)])
    b = table(tmp_path / "b.csv", [(k, int(k % 5 != 0)) for k in range(200)])
    found = compare(read_sides([a, b]))
    assert found[0].effect == pytest.approx(107.5 / 14.5)
    assert "0.5 added to both counts" in rule(found, "holm", 0.95)
    scores = [table(tmp_path / f"{name}.csv", [(1, 2), (2, 3)]) for name in "xy"]
    assert "0.5" not in rule(compare(read_sides(scores)), "holm", 0.95).replace("0.05", "")


def test_a_list_of_ids_that_is_not_there_is_said_to_be_missing(tmp_path, noisy):
    with pytest.raises(BadInput, match=r"none\.csv: no such file"):
        read_sides(list(noisy[:2]), only=tmp_path / "none.csv")


@pytest.mark.parametrize("name", [b"a\xff.csv", b"a\x1b]0;x\x07.csv", b"a\nb.csv"])
def test_a_files_name_reaches_a_terminal_raw_or_costs_the_result(tmp_path, name):
    """A file may be called what no UTF-8 holds, or what a terminal obeys."""
    first, second = tmp_path / os.fsdecode(name), tmp_path / "b.csv"
    first.write_text("id,x\n" + "".join(f"{n},{n}\n" for n in range(9)))
    second.write_text("id,x\n" + "".join(f"{n},{n * n}\n" for n in range(9)))
    environment = os.environ | {"MTPEFT_OUT": str(tmp_path / "out")}
    done = subprocess.run(
        [sys.executable, "-m", "mtpeft", "compare", first, second],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not {b"\x1b", b"\x07", b"\xff"} & {bytes([c]) for c in done.stdout + done.stderr}
    assert (tmp_path / "out/compare/runs/index.html").is_file()

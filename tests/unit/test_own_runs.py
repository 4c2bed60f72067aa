"""`mtpeft compare`: anyone's score tables, paired by id; every right value comes from scipy or by hand."""

import csv
import json
import math
import random

import pytest
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.statistics.own_runs import compare, read_sides
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,score\n1,2\n1,3\n", "bad.csv:3: an id that was there before"),
        ("id,score\n,2\n", "bad.csv:2: a row without an id"),
        ("id,score\n1,inf\n", "bad.csv:2: score is inf"),
        ("who,score\n1,2\n", "bad.csv:1: columns who, score"),
        ("id,score\n1,high\n", "bad.csv:1: no column of numbers"),
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

"""Records: equal results are equal bytes, and a damaged file is refused by name and line."""

import dataclasses
import errno
import json
import math
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtpeft.core import records
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.records import (
    Prediction,
    PublishedCell,
    Score,
    ScoreSet,
    Test,
    Verdict,
    append_predictions,
    csv_text,
    format_value,
    read_frame,
    read_predictions,
    read_records,
    read_scores,
    score_path,
    unaccounted,
    write_records,
    write_scores,
)

WORDS = {
    f.name: "w" if f.type is str else 7 for f in dataclasses.fields(Test) if f.type is not float
}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))


def prediction(**changes):
    return Prediction(
        **dict(
            run="b/r",
            task="t",
            instance_id="1",
            prompt_sha256="ab",
            raw_output="x\n\u2028y",
            output="y",
            finish_reason="eos",
            seconds=0.25,
        )
        | changes
    )


def scores(rows):
    return pd.DataFrame(rows, columns=["run", "row", "instance_id", "status", "m"])


# ---------------------------------------------------------------- canonical text


@pytest.mark.parametrize(
    "value, text",
    [
        (None, ""),
        (math.nan, ""),
        (True, "true"),
        (False, "false"),
        (1.0, "1"),
        (-3.0, "-3"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (1e-300, "1e-300"),
        (1e15, "1000000000000000.0"),
        (0.30000000000000004, "0.30000000000000004"),
        (7, "7"),
        ("x", "x"),
        (np.float64(0.5), "0.5"),
        (np.int64(4), "4"),
    ],
)
def test_a_value_has_one_text(value, text):
    assert format_value(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_float_is_lost(value):
    assert float(format_value(value)) == value


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_text_survives_quoting(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    write_atomic(path, csv_text(["a", "b"], rows))
    assert list(read_frame(path).itertuples(index=False, name=None)) == rows


def test_lines_end_in_lf_alone(tmp_path):
    path = tmp_path / "a.csv"
    write_records(path, [Verdict("i", "T1", "cell", "1", "", "1", "", "", "exact")], Verdict)
    assert b"\r" not in path.read_bytes()
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize(
    "record",
    [
        Score("r", "t", "i", "tool", "1.0", "m", None, "unparseable", 'a "quoted", detail'),
        Score("r", "t", "i", "tool", "1.0", "m", 0.1),
        Test(**dict.fromkeys((f.name for f in dataclasses.fields(Test)), 2.5) | WORDS),
        PublishedCell("a:1:p", "a.txt", 1, "CLEAN", "c", "b", "m", "p", "holm", "0.0010"),
    ],
)
def test_a_record_reads_back_as_it_was(tmp_path, record):
    path = tmp_path / "r.csv"
    write_records(path, [record], type(record))
    assert read_records(path, type(record)) == [record]


def test_a_missing_figure_of_a_test_reads_back_as_nan(tmp_path):
    path = tmp_path / "r.csv"
    test = Test(**dict.fromkeys((f.name for f in dataclasses.fields(Test)), math.nan) | WORDS)
    write_records(path, [test], Test)
    (found,) = read_records(path, Test)
    assert math.isnan(found.p) and found.n_pairs == 7


def test_the_share_left_is_that_of_all_instances(tmp_path):
    test = Test(**dict.fromkeys((f.name for f in dataclasses.fields(Test)), 0.5) | WORDS)
    assert dataclasses.replace(test, n_pairs=3, n_dropped=1).share_left == 0.75
    assert math.isnan(dataclasses.replace(test, n_pairs=0, n_dropped=0).share_left)


@pytest.mark.parametrize(
    "verdict, cause, reason, unexplained",
    [
        ("differs", "", "", True),
        ("differs", "", "said", True),
        ("differs", "known", "", False),
        ("not reproducible", "", "", True),
        ("not reproducible", "", "said", False),
        ("not reproducible", "known", "", False),
        ("exact", "", "", False),
        ("not run", "", "", False),
    ],
)
def test_what_nothing_explains_counts_unless_it_is_a_users_own(verdict, cause, reason, unexplained):
    found = Verdict("i", "T1", "cell", "1", "", "2", "", "", verdict, reason=reason, cause=cause)
    assert found.unexplained == unexplained
    assert unaccounted([found]) == ([found] if unexplained else [])
    for kind in ("answers", "trained", "trained claim"):
        assert unaccounted([dataclasses.replace(found, kind=kind)]) == []


def test_printed_values_stay_text(tmp_path):
    path = tmp_path / "r.csv"
    cells = [
        PublishedCell("a", "a.txt", 1, "RAW", "c", "b", "m", "p", "holm", p)
        for p in ("0.0010", "-0.0000", "NA", "1e-05")
    ]
    write_records(path, cells, PublishedCell)
    assert [c.printed for c in read_records(path, PublishedCell)] == [
        "0.0010",
        "-0.0000",
        "NA",
        "1e-05",
    ]


# ---------------------------------------------------------------- damaged tables

GOOD = "a,b\n1,x\n2,y\n"


@pytest.mark.parametrize(
    "text, line, found",
    [
        ("a,b\n1,x\n2,y", None, "truncated"),
        ("a,b\n1,x\n2", None, "truncated"),
        ("a,b\n1,x\n2\n", 3, "1 fields"),
        ("a,b\n1,x\n2,y,z\n", 3, "3 fields"),
        ("", None, "empty"),
        ("b,a\nx,1\n", 1, "header"),
        ("a,b\n1,x\n-,y\n", 3, "-"),
        ("a,b\n,x\n1e999,y\n", 3, "1e999"),
        ("a,b\n1,x\ntwo,y\n", 3, "two"),
    ],
)
def test_a_damaged_table_is_refused_by_line(tmp_path, text, line, found):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=found) as error:
        read_frame(path, ["a", "b"], numeric=["a"])
    assert error.value.path == path
    assert error.value.line == line


def test_a_header_with_a_column_twice_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,a\n1,2\n")
    with pytest.raises(BadInput, match="header is a,a") as error:
        read_frame(path)
    assert error.value.line == 1


def test_numbers_are_numbers_and_empty_fields_are_missing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1.5,x\n,\n-2e3,z\n")
    frame = read_frame(path, ["a", "b"], numeric=["a"])
    assert frame["a"].dtype == "float64" and list(frame["b"]) == ["x", "", "z"]
    assert frame["a"][0] == 1.5 and math.isnan(frame["a"][1]) and frame["a"][2] == -2000
    path.write_text("a,b\n")
    assert read_frame(path, ["a", "b"], numeric=["a"]).shape == (0, 2)


def test_an_absent_table_names_its_file_and_a_command(tmp_path):
    with pytest.raises(BadInput, match="no such file") as error:
        read_frame(tmp_path / "absent.csv")
    assert "absent.csv" in str(error.value)
    assert error.value.fix


def test_a_table_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_frame(path)


def test_a_record_with_a_wrong_type_is_refused_by_line(tmp_path):
    path = tmp_path / "r.csv"
    cell = PublishedCell("a", "a.txt", 1, "RAW", "c", "b", "m", "p", "holm", "1")
    write_records(path, [cell, cell], PublishedCell)
    path.write_text(path.read_text().replace("a,a.txt,1,RAW", "a,a.txt,one,RAW"))
    with pytest.raises(BadInput, match="one") as error:
        read_records(path, PublishedCell)
    assert error.value.line == 2


# ---------------------------------------------------------------- interrupted and failing writes


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_atomic(path, GOOD)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MtpeftError, match="No space left") as error:
        write_atomic(path, "a,b\n3,z\n")
    assert "df -h" in error.value.fix
    assert path.read_text() == GOOD
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this kernel has no /dev/full")
def test_a_write_that_the_kernel_refuses_is_an_error_not_an_empty_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_atomic(path, GOOD)
    opened = open

    def full(name, mode="r", *more, **options):
        return opened("/dev/full" if "w" in mode else name, mode, *more, **options)

    monkeypatch.setattr("builtins.open", full)
    with pytest.raises(MtpeftError, match="No space left"):
        write_atomic(path, "new\n")
    monkeypatch.undo()
    assert path.read_text() == GOOD


def test_a_killed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_atomic(path, GOOD)

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "half")
    assert path.read_text() == GOOD


def test_a_folder_where_a_file_should_be_is_a_clear_error(tmp_path):
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(MtpeftError, match="cannot write"):
        write_atomic(tmp_path / "t.csv", "x")


# ---------------------------------------------------------------- predictions


def test_a_file_of_predictions_is_written_whole_in_place_of_the_old_one(tmp_path):
    path = tmp_path / "p.jsonl"
    append_predictions(path, [prediction(instance_id="old")])
    both = [prediction(), prediction(instance_id="2", output="half \ud800 of a pair")]
    records.write_predictions(path, both)
    assert list(read_predictions(path)) == both
    assert path.read_bytes().count(b"\n") == 2 and b"\\ud800" in path.read_bytes()


def test_unwanted_predictions_go_and_every_other_line_keeps_its_bytes(tmp_path):
    path = tmp_path / "p.jsonl"
    assert records.drop_predictions(path, lambda p: True) == 0
    append_predictions(path, [prediction(instance_id=str(i)) for i in range(4)])
    path.write_bytes(path.read_bytes() + b"{broken\n")
    before = path.read_bytes().split(b"\n")
    assert records.drop_predictions(path, lambda p: p.instance_id == "9") == 0
    assert path.read_bytes().split(b"\n") == before
    assert records.drop_predictions(path, lambda p: p.instance_id in "03") == 2
    assert path.read_bytes().split(b"\n") == before[1:3] + before[4:]


def test_what_a_kill_left_is_resumed_and_a_bad_line_is_not_passed_over(tmp_path):
    path = tmp_path / "p.jsonl"
    assert records.resume_predictions(path) == []
    append_predictions(path, [prediction(), prediction(instance_id="2")])
    with path.open("ab") as stream:
        stream.write(b'{"run": "b')
    assert [r.instance_id for r in records.resume_predictions(path)] == ["1", "2"]
    assert path.read_bytes().endswith(b"}\n")
    with path.open("ab") as stream:
        stream.write(b"{}\n")
    with pytest.raises(BadInput, match="missing") as error:
        records.resume_predictions(path)
    assert error.value.line == 3


def test_predictions_survive_odd_characters(tmp_path):
    path = tmp_path / "p.jsonl"
    wanted = [
        prediction(instance_id="1"),
        prediction(instance_id="2", raw_output='"\\\t\u0085\U0001f600', error="é"),
    ]
    append_predictions(path, wanted[:1])
    append_predictions(path, wanted[1:])
    assert list(read_predictions(path)) == wanted


def _line(**changes):
    data = json.loads(json.dumps(prediction().__dict__)) | changes
    return json.dumps({k: v for k, v in data.items() if v != "DROP"}).encode()


@pytest.mark.parametrize(
    "bad, found",
    [
        (_line()[:40], "malformed JSON"),
        (_line().replace(b'"t"', b'"\\u0000t"').replace(b"\\u0000", b"\0"), "NUL"),
        (_line().replace(b'"t"', b'"\xff"'), "invalid UTF-8"),
        (b"[1]", "not an object"),
        (b"", "malformed JSON"),
        (_line(output="DROP"), "missing output"),
        (_line(extra=1), "unknown extra"),
        (_line(seconds="fast"), "seconds is a str"),
        (_line(seconds=True), "seconds is a bool"),
        (_line(instance_id=5), "instance_id is a int"),
        (_line(instance_id="first"), r"again \(first on line 1\)"),
    ],
)
def test_a_bad_line_is_named_and_costs_no_good_one(tmp_path, bad, found):
    path = tmp_path / "p.jsonl"
    path.write_bytes(
        _line(instance_id="first") + b"\n" + bad + b"\n" + _line(instance_id="last") + b"\n"
    )
    first, error, last = read_predictions(path)
    assert (first.instance_id, last.instance_id) == ("first", "last")
    assert isinstance(error, BadInput)
    assert error.line == 2
    with pytest.raises(BadInput, match=found):
        raise error


def test_a_line_cut_by_a_kill_is_the_only_one_lost(tmp_path):
    path = tmp_path / "p.jsonl"
    append_predictions(path, [prediction(instance_id=str(i)) for i in range(3)])
    path.write_bytes(path.read_bytes()[:-20])
    *good, bad = read_predictions(path)
    assert [p.instance_id for p in good] == ["0", "1"]
    assert bad.line == 3


# ---------------------------------------------------------------- scores


def test_scores_are_sorted_so_that_equal_scores_are_equal_bytes(tmp_path):
    rows = [["b", 1, "i", "ok", 1.5], ["a", 2, "j", "ok", 2.0], ["a", 1, "i", "unparseable", None]]
    one = write_scores(tmp_path / "1", "tool", "task", scores(rows)).read_bytes()
    two = write_scores(tmp_path / "2", "tool", "task", scores(rows[::-1])).read_bytes()
    assert (
        one
        == two
        == b"run,row,instance_id,status,m\na,1,i,unparseable,\na,2,j,ok,2\nb,1,i,ok,1.5\n"
    )


def test_each_value_has_a_status_of_its_own(tmp_path):
    text = records.row_status(
        {"a": "ok", "b": "unparseable", "c": "cannot run here", "d": "unparseable"}
    )
    assert text == "cannot run here;b=unparseable;d=unparseable"
    frame = pd.DataFrame(
        [["r", 1, "i", text, 0.0, None, None, None], ["r", 2, "j", "ok", 1.0, 2.0, 3.0, 4.0]],
        columns=["run", "row", "instance_id", "status", "a", "b", "c", "d"],
    )
    write_scores(tmp_path, "tool", "task", frame)
    read = ScoreSet.load(tmp_path)
    assert [list(read.column("r", "task", m).status) for m in "abcd"] == [
        ["ok", "ok"],
        ["unparseable", "ok"],
        ["cannot run here", "ok"],
        ["unparseable", "ok"],
    ]


def test_a_score_without_a_value_is_not_written_as_ok(tmp_path):
    for row in (["a", 1, "i", "ok", None], ["a", 1, "i", "unparseable", 0.0]):
        with pytest.raises(MtpeftError, match="exactly where"):
            write_scores(tmp_path, "tool", "task", scores([row]))


def test_an_instance_scored_twice_is_not_written(tmp_path):
    with pytest.raises(MtpeftError, match="i twice"):
        write_scores(
            tmp_path, "tool", "task", scores([["a", 1, "i", "ok", 1.0], ["a", 2, "i", "ok", 1.0]])
        )


def test_a_score_table_without_keys_is_not_written(tmp_path):
    with pytest.raises(MtpeftError, match="lacks status"):
        write_scores(tmp_path, "tool", "task", scores([]).drop(columns="status"))


@pytest.mark.parametrize(
    "rows, line, expected",
    [
        ("a,1,i,fine,1\n", 2, "status"),
        ("a,1,i,ok,1\na,2,i,ok,2\n", 3, "one row per run"),
        ("a,2,i,ok,1\na,1,j,ok,2\n", 3, "ascending"),
        ("a,1,i,ok,1\na,2,j,ok,n/a\n", 3, "a number"),
        ("a,x,i,ok,1\n", 2, "a number"),
        ("a,1.5,i,ok,1\n", 2, "a number"),
        ("a,1_0,i,ok,1\n", 2, "a number"),
        ("a,1,i,ok,1_0\n", 2, "a number"),
        ("a,1,i,ok,nan\n", 2, "a number"),
        ("a,1,i,ok,Infinity\n", 2, "a number"),
        ("a,1,i,ok, 1\n", 2, "a number"),
        ("a,1,i,ok,\n", 2, "exactly where"),
        ("a,1,i,ok,1\na,2,j,empty,0\n", 3, "exactly where"),
        ("a,1,i,empty;m=ok,\n", 2, "exactly where"),
        ("a,1,i,empty;m=empty,\n", 2, "exactly where"),
        ("a,1,i,empty;m=lost,\n", 2, "exactly where"),
        ("a,1,i,ok;m=empty,\n", 2, "exactly where"),
        ("a,1,i,,\n", 2, "exactly where"),
        ("a,1,i,empty;n=unparseable,\n", 2, "exactly where"),
        ("a,1,i,empty;m=unparseable,\n", 2, "exactly where"),
        ("a,1,i,ok,1e999\n", 2, "a number"),
        ("a,0,i,ok,1\n", 2, "a number"),
        ("a,01,i,ok,1\n", 2, "a number"),
        ("a,99999999999999999999,i,ok,1\n", 2, "a number"),
        ("a,1,i,ok,1\nb,1,i,ok,1\na,1,j,ok,1\n", 4, "ascending"),
        (",1,i,ok,1\n", 2, "a name"),
        ("a,1,i,ok,1\na,2,,ok,1\n", 3, "a name"),
        ("a,1,i\0,ok,1\n", 2, "a name"),
        ('a,1,"i\nj",ok,1\n', 2, "a name"),
    ],
)
def test_a_damaged_score_table_is_refused_by_line(tmp_path, rows, line, expected):
    path = score_path(tmp_path, "tool", "task")
    write_atomic(path, "run,row,instance_id,status,m\n" + rows)
    with pytest.raises(BadInput) as error:
        read_scores(path)
    assert error.value.line == line
    assert expected in error.value.expected


def test_a_status_gives_each_metric_one_reason(tmp_path):
    path = score_path(tmp_path, "tool", "task")
    write_atomic(
        path, "run,row,instance_id,status,m,n\na,1,i,empty;m=unparseable;m=infrastructure,,\n"
    )
    with pytest.raises(BadInput, match="empty;m=unparseable;m=infrastructure"):
        read_scores(path)


def test_a_score_table_with_a_foreign_header_is_refused(tmp_path):
    path = score_path(tmp_path, "tool", "task")
    write_atomic(path, "run,instance_id,status,m\na,i,ok,1\n")
    with pytest.raises(BadInput, match="header") as error:
        read_scores(path)
    assert error.value.line == 1


def test_a_reason_of_a_metric_that_has_a_value_is_refused(tmp_path):
    path = score_path(tmp_path, "tool", "task")
    head = "run,row,instance_id,status,m,n,o\n"
    write_atomic(path, f"{head}a,1,i,empty;m=ok,,,1\n")
    with pytest.raises(BadInput, match="empty;m=ok"):
        read_scores(path)
    for fields in ("1,,", "1,2,", ",,1", ",1,1"):
        status = "unparseable;n=empty"
        write_atomic(path, f"{head}a,1,i,{status},{fields}\n")
        good = fields in ("1,,", ",,1")
        if good:
            assert list(read_scores(path)["status"]) == [status]
            continue
        with pytest.raises(BadInput) as error:
            read_scores(path)
        assert error.value.line == 2


def test_a_score_table_needs_a_metric_and_values_there(tmp_path):
    path = score_path(tmp_path, "tool", "task")
    write_atomic(path, "run,row,instance_id,status\na,1,i,ok\n")
    with pytest.raises(BadInput, match="header"):
        read_scores(path)
    write_atomic(path, "run,row,instance_id,status,m\na,1,i,ok,1\na,7,j,ok,2.5\nb,3,i,ok,\n")
    with pytest.raises(BadInput, match=r"b / i \(status ok, row 3\)") as error:
        read_scores(path)
    assert error.value.line == 4


def test_tables_of_one_name_in_two_roots_are_put_together(tmp_path):
    write_scores(tmp_path / "1", "tool", "task", scores([["a", 1, "i", "ok", 1.0]]))
    write_scores(tmp_path / "2", "tool", "task", scores([["b", 1, "i", "ok", 2.0]]))
    write_scores(tmp_path / "2", "other", "task2", scores([["b", 1, "i", "ok", 3.0]]))
    both = ScoreSet.load(tmp_path / "1", tmp_path / "2")
    assert both.root == tmp_path / "1"
    assert both.runs("task", "m") == ["a", "b"] and both.runs("task2", "m") == ["b"]
    assert [both.column(r, "task", "m").value[0] for r in "ab"] == [1, 2]
    assert both.tool_of("task2", "m") == "other"
    assert both.has("b", "task2", "m") and not both.has("a", "task2", "m")
    with pytest.raises(UnknownName, match="metric of task2"):
        both.tool_of("task2", "mm")


def test_a_status_taken_apart_is_the_one_that_was_put_together():
    assert records.row_status({"a": "ok", "b": "ok"}) == "ok"
    assert records.row_status({"a": "empty", "b": "ok", "c": "infrastructure"}) == (
        "infrastructure;a=empty"
    )
    assert records.statuses_of("empty;x=y=unparseable") == ("empty", {"x=y": "unparseable"})


@pytest.fixture
def score_set(tmp_path):
    rows = [["a", 1, "j", "ok", 1.0], ["a", 2, "i", "empty", None], ["b", 1, "i", "ok", 2.0]]
    write_scores(tmp_path, "tool", "task", scores(rows))
    return ScoreSet.load(tmp_path)


def test_a_score_set_keeps_row_order_and_status(score_set):
    column = score_set.column("a", "task", "m")
    assert list(column.ids) == ["j", "i"]
    assert list(column.status) == ["ok", "empty"]
    assert column.value[0] == 1.0 and math.isnan(column.value[1])
    assert list(score_set.vector("b", "task", "m")["value"]) == [2.0]
    assert score_set.runs("task", "m") == ["a", "b"]


def test_an_absent_run_is_absent_not_zero(score_set):
    assert not score_set.has("c", "task", "m")
    assert not score_set.has("a", "other", "m")
    assert len(score_set.column("c", "task", "m").value) == 0


def test_an_unknown_metric_is_answered_with_a_known_one(score_set):
    with pytest.raises(UnknownName, match="did you mean m"):
        score_set.column("a", "task", "mm")


def test_an_archive_without_scores_is_an_error(tmp_path):
    with pytest.raises(MtpeftError, match="no score tables"):
        ScoreSet.load(tmp_path)


def test_the_contract_has_the_records_that_rooms_exchange():
    assert set(records.RECORDS) == {
        "Prediction",
        "Score",
        "Test",
        "Mean",
        "PublishedCell",
        "Verdict",
    }

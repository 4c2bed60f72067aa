"""A bad line in a prediction file must be named and must not cost the good ones."""

import gzip
import json

import pytest
from mtpeft.catalog import catalog, load
from mtpeft.core.errors import BadInput
from mtpeft.core.records import Prediction, append_predictions
from mtpeft.scoring.predictions import (
    MAX_OUTPUT_BYTES,
    content,
    instance_order,
    read_archived_file,
    read_new,
    sets,
)
from mtpeft.scoring.wrapping import framed, wrap
from mtpeft.studies.outputs import dialect_of_set


def shown(code, instance):
    names = dialect_of_set(catalog(), "translation-cs-java")
    return framed(code, names.FRAMES["java"], names.unit_of(instance, "java"))


def line(instance="translation_1", code="int f() { return 1; }", wrapped=True, **change):
    record = {
        "task_id": instance,
        "model": "0.5b",
        "method": "mt_fft",
        "language": "java",
        "code": shown(code, instance) if wrapped else code,
        "source": "somewhere",
    }
    return json.dumps(record | change).encode()


@pytest.fixture
def java():
    return sets()["translation-cs-java"]


def read(tmp_path, java, *lines, known_ids=frozenset()):
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return read_archived_file(path, java, known_ids)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (b'{"task_id": "translation_2"', "malformed JSON"),
        (b'{"task_id": "translation_2"}', "fields task_id"),
        (b"[1, 2]", "fields list"),
        (line("translation_2").replace(b"somewhere", b"\xff\xfe"), "invalid UTF-8"),
        (line("translation_2", "a\0b"), "NUL byte"),
        (line("translation_2", "\ud800"), "no valid Unicode"),
        (line("translation_2", "x" * 50_000_000), "50,000,055 bytes"),
        (line("translation_1"), "again (first on line 1)"),
        (line("translation_99999"), "unknown instance 'translation_99999'"),
        (line("translation_2", method="mt_lora"), "unknown run '0.5b mt_lora'"),
        (line("translation_2", wrapped=False), "not wrapped"),
        (line("translation_2", language=None), "language is a NoneType"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path, java, bad, named):
    ids = {f"translation_{n}" for n in range(4)}
    got = read(tmp_path, java, line("translation_1"), bad, line("translation_3"), known_ids=ids)
    assert [i.instance_id for i in got.items] == ["translation_1", "translation_3"]
    assert [p.line for p in got.problems] == [2]
    assert named in str(got.problems[0])
    assert "predictions.jsonl:2" in str(got.problems[0])


def test_an_output_that_no_tool_can_be_given_keeps_its_row(tmp_path, java):
    got = read(tmp_path, java, line("translation_1"), line("translation_2", "a\0b"))
    assert {i.instance_id: r for i, r in got.rejected.items()} == {
        "translation_2": ("unparseable", "a NUL byte at character 54 of the output")
    }


def test_items_come_in_canonical_order_whatever_the_file_says(tmp_path, java):
    got = read(tmp_path, java, *[line(f"translation_{n}") for n in (10, 2, 1)])
    assert [i.instance_id for i in got.items] == [
        "translation_1",
        "translation_2",
        "translation_10",
    ]


def test_a_broken_gzip_file_is_an_error_with_its_name(tmp_path):
    path = tmp_path / "predictions.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 1000)[:-9])
    with pytest.raises(BadInput, match="not a whole gzip file"):
        content(path)


def test_every_archived_set_has_runs_of_the_catalog(known):
    for target in sets().values():
        assert len({run.run for run in target.runs} & known.runs.keys()) == len(target.runs) == 11
    assert [r.run for r in sets()["generation-java"].runs if r.method == "cg_cs_mt_qlora"] == [
        "qwen2.5-coder-3b/mt-qlora/generation+summarization"
    ]


DIALECT = """
from mtpeft.core.outputs import ArchivedRun, PredictionSet

UPSTREAM = ()
FRAMES = {"python": ("# output of {unit}\\n", "\\n# end")}
PREDICTIONS = (
    PredictionSet(
        "toy-x", "someone/outputs", "0" * 40, "python", ".py",
        (ArchivedRun("toy/st", "small", "single", "out"),), 2, "1" * 64,
    ),
)


def unit_of(instance_id, language):
    return "toy_" + instance_id
"""


def test_a_study_from_a_folder_outside_the_package_declares_archived_outputs(tmp_path, monkeypatch):
    place = tmp_path / "studies" / "mine"
    (place / "tasks").mkdir(parents=True)
    (place / "tasks" / "toy.yaml").write_text(
        "id: toy\ntitle: Toy\nabbreviation: TY\nmodule: toy\noutput: code\nevaluations:\n"
        "  - {id: toy-x, title: X, language: python, instances: 2}\n"
    )
    (place / "study.yaml").write_text("title: Mine\n")
    (place / "dialect.py").write_text(DIALECT)
    known = load([tmp_path])
    monkeypatch.setattr("mtpeft.scoring.predictions.catalog", lambda: known)
    record = {"model": "small", "method": "single", "language": "python", "source": "somewhere"}
    path = tmp_path / "toy-x.jsonl"
    path.write_text(
        "".join(
            json.dumps(record | {"task_id": name, "code": f"# output of toy_{name}\nx = 1\n# end"})
            + "\n"
            for name in "ba"
        )
    )
    got = read_archived_file(path, sets()["toy-x"])
    assert not got.problems
    assert [(i.run, i.instance_id, i.output) for i in got.items] == [
        ("toy/st", "a", "x = 1"),
        ("toy/st", "b", "x = 1"),
    ]
    assert wrap(got.items[0]) == "# output of toy_a\nx = 1\n# end"


def test_translations_are_ordered_by_number_and_other_ids_by_text():
    assert sorted(["translation_10", "translation_9"], key=instance_order) == [
        "translation_9",
        "translation_10",
    ]
    assert sorted(["63b", "62a"], key=instance_order) == ["62a", "63b"]


def prediction(instance="6367667d1a6d9265ec017401", output="int f() { return 1; }", **change):
    fields = {
        "run": "toy/st",
        "task": "generation-java",
        "instance_id": instance,
        "prompt_sha256": "",
        "raw_output": output,
        "output": output,
        "finish_reason": "stop",
        "seconds": 0.1,
    }
    return Prediction(**(fields | change))


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (prediction("b", "a\0b"), "NUL byte"),
        (prediction("b", "x" * (MAX_OUTPUT_BYTES + 1)), "1,048,577 bytes"),
        (prediction("zzz"), "unknown instance 'zzz'"),
        (prediction("b", task="no-such-set"), "unknown evaluation set"),
        (prediction("b", error="out of memory"), "inference failed: out of memory"),
    ],
)
def test_a_bad_record_of_a_new_run_is_named_and_the_others_are_read(tmp_path, bad, named):
    path = tmp_path / "new.jsonl"
    append_predictions(path, [prediction("a"), bad, prediction("c")])
    got = read_new(path, {"generation-java": frozenset("abc")}.__getitem__)
    assert [i.instance_id for i in got.items] == ["a", "c"]
    assert named in str(got.problems[0])
    assert got.problems[0].line is not None


def test_lines_that_the_record_reader_refuses_are_kept_as_problems(tmp_path):
    path = tmp_path / "new.jsonl"
    append_predictions(path, [prediction("a")])
    with open(path, "ab") as stream:
        stream.write(b'{"run": "half\n\xff\n')
    append_predictions(path, [prediction("a"), prediction("c")])
    got = read_new(path, {"generation-java": frozenset("abc")}.__getitem__)
    assert [i.instance_id for i in got.items] == ["a", "c"]
    assert [p.line for p in got.problems] == [2, 3, 4]

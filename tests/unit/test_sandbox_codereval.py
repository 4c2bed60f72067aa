"""CoderEval's files must be read as it writes them, and a container that is missing must be a
status, not a score.
"""

import json

import pytest
from mtpeft.core.errors import BadInput, MtpeftError, Unavailable
from mtpeft.core.records import Prediction, read_scores, write_predictions
from mtpeft.scoring.execution import codereval

# the documented shapes of a Python and a Java result line, with contents of our own
PYTHON = {
    "file_path": "a/b.py",
    "project": "owner/tool",
    "name": "f",
    "docstring": "d",
    "_id": "a1",
    "code": ["x", "y"],
    "level": "plib_runnable",
    "generate_results": [
        {"generate_code": "x", "is_pass": True, "return_code": 0},
        {"generate_code": "y", "is_pass": False, "return_code": 1},
    ],
}
JAVA = {
    "generate_results": [
        {
            "generate_code": "p",
            "errormessage": "compile error",
            "error_detail_message": "null",
            "is_pass": False,
        },
        {"generate_code": "q", "errormessage": "", "error_detail_message": "", "is_pass": True},
    ],
    "docstring": "/** */",
    "method_name": "g",
    "codes": ["p", "q"],
    "code_level": "self_contained",
    "_id": "b2",
    "project_name": "lib-master",
}


def write(path, *lines):
    path.write_bytes(
        b"".join(
            (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
            for line in lines
        )
    )
    return path


def prediction(instance_id: str, output: str) -> Prediction:
    return Prediction("r", "generation-python", instance_id, "0" * 64, output, output, "stop", 0.0)


def test_results_of_either_language_are_misread(tmp_path):
    samples = list(codereval.read_results(write(tmp_path / "out.jsonl", PYTHON, JAVA)))
    assert [(s.task_id, s.number, s.passed, s.reason) for s in samples] == [
        ("a1", 0, True, ""),
        ("a1", 1, False, "return code 1"),
        ("b2", 0, False, "compile error"),
        ("b2", 1, True, ""),
    ]
    assert [(s.level, s.project) for s in samples[1:3]] == [
        ("plib_runnable", "owner/tool"),
        ("self_contained", "lib-master"),
    ]
    scores = codereval.scores(samples, "r", "t")
    assert [(s.instance_id, s.value, s.status) for s in scores] == [
        ("a1", 1.0, "ok"),
        ("a1#1", 0.0, "ok"),
        ("b2", 0.0, "ok"),
        ("b2#1", 1.0, "ok"),
    ]
    assert codereval.pass_at_k(samples, 1) == 0.5 and codereval.pass_at_k(samples, 2) == 1.0


@pytest.mark.parametrize(
    "bad, found",
    [
        (b"{", "malformed JSON"),
        (b"\xff\xfe", "invalid UTF-8"),
        ([], "no text field _id"),
        ({"_id": "c"}, "no list"),
        ({"_id": "c", "generate_results": ["code"]}, "was not executed"),
        (
            {"_id": "c", "generate_results": [{"generate_code": "x", "is_pass": "true"}]},
            "is_pass 'true'",
        ),
        ({"_id": "c", "generate_results": [{"generate_code": "x"}]}, "is_pass None"),
        (
            {"_id": "a1", "generate_results": [{"generate_code": "x", "is_pass": True}]},
            "first on line 1",
        ),
    ],
)
def test_a_malformed_line_costs_the_others_or_is_a_failed_sample(tmp_path, bad, found):
    read = list(codereval.read_results(write(tmp_path / "out.jsonl", PYTHON, bad, JAVA)))
    errors = [item for item in read if isinstance(item, BadInput)]
    assert len(errors) == 1 and errors[0].line == 2 and found in str(errors[0])
    assert len(read) == 5


def test_input_is_not_what_codereval_reads(tmp_path):
    path = tmp_path / "in" / "generation.jsonl"
    count = codereval.write_input(
        path,
        [
            prediction("b#1", "B1"),
            prediction("b", "é"),
            prediction("a", "A"),
            prediction("a#1", "A1"),
        ],
    )
    assert count == 2
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {"_id": "a", "generate_results": ["A", "A1"]},
        {"_id": "b", "generate_results": ["é", "B1"]},
    ]


@pytest.mark.parametrize("ids", [("a", "a#1", "b"), ("a", "a"), ("a", "a#0"), ("a#x",)])
def test_uneven_or_doubled_samples_are_written(tmp_path, ids):
    with pytest.raises(MtpeftError):
        codereval.write_input(tmp_path / "x.jsonl", [prediction(name, "") for name in ids])
    assert not (tmp_path / "x.jsonl").exists()


def engine_script(folder, body: str, monkeypatch):
    path = folder / "podman"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_missing_engine_or_image_is_scored(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="cannot run here: no podman; no docker"):
        codereval.execute(tmp_path / "in.jsonl", "python", 1, "coder-eval", "/benchmark")
    engine_script(tmp_path, '[ "$1" = info ]', monkeypatch)
    with pytest.raises(Unavailable, match="no image 'coder-eval'"):
        codereval.execute(tmp_path / "in.jsonl", "python", 1, "coder-eval", "/benchmark")


def test_the_container_is_started_with_a_network_or_its_failure_is_lost(tmp_path, monkeypatch):
    codereval.write_input(tmp_path / "in.jsonl", [prediction("a1", "x"), prediction("a1#1", "y")])
    engine_script(
        tmp_path,
        f'[ "$1" = run ] || exit 0\necho "$@" > {tmp_path}/asked\necho broken >&2\nexit 3',
        monkeypatch,
    )
    with pytest.raises(MtpeftError, match="exit code 3: broken"):
        codereval.execute(tmp_path / "in.jsonl", "python", 2, "coder-eval", "/benchmark")
    asked = (tmp_path / "asked").read_text()
    assert "--network none" in asked and asked.endswith("python PythonExec.py /mtpeft/in.jsonl 2\n")
    engine_script(
        tmp_path,
        f"[ \"$1\" = run ] || exit 0\necho '{json.dumps(PYTHON)}' > {tmp_path}/in.jsonl_out.jsonl",
        monkeypatch,
    )
    result = codereval.execute(tmp_path / "in.jsonl", "python", 2, "coder-eval", "/benchmark")
    assert len(list(codereval.read_results(result))) == 2


def test_an_unknown_language_starts_a_container(tmp_path):
    with pytest.raises(MtpeftError, match="language"):
        codereval.execute(tmp_path / "in.jsonl", "csharp", 1, "i", "/")


def test_samples_that_codereval_dropped_shift_the_later_ones(tmp_path):
    results = [
        {"generate_code": "return 2", "is_pass": True, "return_code": 0},
        {"generate_code": "return 3", "is_pass": False, "return_code": 1},
    ]
    line = {"_id": "t1", "level": "x", "project": "p", "generate_results": results}
    sent = [prediction(f"t1#{n}" if n else "t1", f"return {n + 1}") for n in range(3)]
    wanted = [("t1", None, "infrastructure"), ("t1#1", 1.0, "ok"), ("t1#2", 0.0, "ok")]
    plain = list(codereval.read_results(write(tmp_path / "a.jsonl", line)))
    listed = {**line, "code": [p.output for p in sent]}
    own = list(codereval.read_results(write(tmp_path / "b.jsonl", listed)))
    for found in (codereval.scores(plain, "r", "t", sent), codereval.scores(own, "r", "t")):
        assert [(s.instance_id, s.value, s.status) for s in found] == wanted
    with pytest.raises(MtpeftError, match="nothing says which sample"):
        codereval.scores(plain, "r", "t")
    with pytest.raises(MtpeftError, match="result 2 belongs"):
        codereval.scores(plain, "r", "t", sent[:2])


def test_equal_codes_are_matched_in_their_order(tmp_path):
    results = [
        {"generate_code": code, "is_pass": code == "x", "return_code": 0}
        for code in ("x", "y", "x")
    ]
    line = {"_id": "t", "generate_results": results}
    samples = list(codereval.read_results(write(tmp_path / "a.jsonl", line)))
    sent = [prediction(f"t#{n}", code) for n, code in enumerate(("y", "x", "x", "x"))]
    found = codereval.scores(samples, "r", "t", sent)
    assert [s.value for s in found] == [0.0, 1.0, 1.0, None]


def test_a_failed_inference_is_no_program(tmp_path):
    lost = Prediction("r", "t", "b", "", "", "", "error", 0.1, "OutOfMemoryError")
    assert codereval.write_input(tmp_path / "in.jsonl", [prediction("a", "x"), lost]) == 1
    assert "b" not in (tmp_path / "in.jsonl").read_text()
    line = {"_id": "a", "generate_results": [{"generate_code": "x", "is_pass": True}]}
    samples = list(codereval.read_results(write(tmp_path / "out.jsonl", line)))
    found = codereval.scores(samples, "r", "t", [prediction("a", "x"), lost])
    assert [(s.instance_id, s.value, s.status, s.detail) for s in found] == [
        ("a", 1.0, "ok", ""),
        ("b", None, "infrastructure", "no answer: OutOfMemoryError"),
    ]
    with pytest.raises(MtpeftError, match="samples"):
        codereval.write_input(
            tmp_path / "x.jsonl",
            [prediction("a", "x"), prediction("a#1", "y"), prediction("b", "z")],
        )


def test_the_way_through_the_files_loses_or_mixes_samples(tmp_path):
    sent = [prediction("a1", "x"), prediction("a1#1", "y \ud83d"), prediction("a1#2", "z")]
    file = tmp_path / "p.jsonl"
    write_predictions(file, sent)
    assert codereval.export(file, tmp_path / "in.jsonl", "generation-python") == 1
    [given] = (json.loads(line) for line in (tmp_path / "in.jsonl").read_text().splitlines())
    assert given["generate_results"] == ["x", "y \ufffd", "z"]
    line = {
        "_id": "a1",
        "generate_results": [
            {"generate_code": given["generate_results"][1], "is_pass": False},
            {"generate_code": "z", "is_pass": True},
        ],
    }
    results = write(tmp_path / "out.jsonl", line)
    table = read_scores(
        codereval.import_results(results, file, "generation-python", tmp_path / "s")
    )
    assert list(table["instance_id"]) == ["a1", "a1#1", "a1#2"]
    assert list(table["status"]) == ["infrastructure", "ok", "ok"]
    assert table["pass@1"].tolist()[1] == 0.0
    assert table["pass@1"].tolist()[2] == 1.0
    with pytest.raises(MtpeftError, match="nothing of generation-java"):
        codereval.export(file, tmp_path / "x.jsonl", "generation-java")

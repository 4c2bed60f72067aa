"""A file of predictions that a kill or a failure left is taken up without losing an answer."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from mtpeft.core import files
from mtpeft.core.errors import BadInput
from mtpeft.core.records import Prediction, append_predictions, read_predictions, resume_predictions
from mtpeft.inference.prompting import _answered
from mtpeft.inference.stage import drop_errors


def record(name: str, raw: str = "yes", error: str = "", finish: str = "stop") -> Prediction:
    return Prediction(
        "m/0-shot", "flaky-detection-flakeflagger", name, "0" * 64, raw, "1", finish, 0.1, error
    )


def line(item: Prediction) -> str:
    return json.dumps(asdict(item)) + "\n"


def test_dropping_failures_keeps_every_answer_and_its_bytes(tmp_path: Path) -> None:
    path, good = (
        tmp_path / "p.jsonl",
        [line(record("0")), line(record("1", "yes \ud83d")), line(record("2", "a\u2028b\x85"))],
    )
    path.write_text("".join([good[0], good[1], line(record("9", "", "status 500")), good[2]]))
    assert _answered(path, "m/0-shot") == {"0", "1", "2"}
    assert path.read_text() == "".join(good)


def test_a_kill_while_failures_are_dropped_loses_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.jsonl"
    append_predictions(path, [record("0"), record("1", "", "status 500")])
    before = path.read_bytes()

    class Killed(BaseException):
        """As if the process ended here."""

    def killed(*_: object) -> None:
        assert path.read_bytes() == before, "the file is changed before its successor is whole"
        raise Killed

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(Killed):
        _answered(path, "m/0-shot")
    assert path.read_bytes() == before


def test_half_a_surrogate_pair_in_an_answer_can_be_recorded_and_read_back(tmp_path: Path) -> None:
    append_predictions(tmp_path / "p.jsonl", [record("0", "yes \ud83d"), record("1", "é")])
    assert resume_predictions(tmp_path / "p.jsonl") == [record("0", "yes \ud83d"), record("1", "é")]


@pytest.mark.parametrize("cut", range(1, len(line(record("2"))) - 1, 7))
def test_the_half_line_of_a_killed_prompt_is_asked_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line(record("0")) + line(record("1")) + line(record("2"))[:cut])
    assert _answered(path, "m/0-shot") == {"0", "1"}
    assert path.read_text() == line(record("0")) + line(record("1"))


def test_a_whole_last_line_without_its_end_is_a_record(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text((line(record("0")) + line(record("1"))).rstrip("\n"))
    assert _answered(path, "m/0-shot") == {"0", "1"}
    append_predictions(path, [record("2")])
    assert [r.instance_id for r in read_predictions(path) if isinstance(r, Prediction)] == [
        "0",
        "1",
        "2",
    ]


def test_a_broken_line_in_the_middle_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line(record("0")) + "{oops\n" + line(record("1", "", "status 500")))
    before = path.read_bytes()
    with pytest.raises(BadInput, match=":2: malformed JSON"):
        _answered(path, "m/0-shot")
    assert path.read_bytes() == before


def test_an_answer_with_a_line_separator_does_not_hinder_a_retry(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    append_predictions(path, [record("a", "s = 'x\u2028y\x0b'"), record("b", "", "boom", "error")])
    assert drop_errors(path) == 1
    assert resume_predictions(path) == [record("a", "s = 'x\u2028y\x0b'")]

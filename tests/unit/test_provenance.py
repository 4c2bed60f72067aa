"""Provenance: every result says what made it."""

import hashlib
import json

import pytest
from mtpeft.core import provenance


@pytest.fixture
def written(tmp_path):
    source, result = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("a\n1\n")
    result.write_text("b\n2\n")
    provenance.write_provenance(result, [source], seeds=[1, 2])
    return source, result, json.loads((tmp_path / "out.csv.provenance.json").read_text())


def test_inputs_and_result_are_named_with_their_checksums(written):
    source, result, record = written
    assert record["inputs"] == {str(source): hashlib.sha256(source.read_bytes()).hexdigest()}
    assert record["result_sha256"] == hashlib.sha256(result.read_bytes()).hexdigest()


def test_code_command_environment_and_cost_are_recorded(written):
    record = written[2]
    assert record["command"].startswith("mtpeft")
    assert set(record["code"]) == {"commit", "dirty"}
    assert "core.txt" in record["locks_sha256"]
    assert record["wall_seconds"] >= 0 and record["peak_memory_mib"] > 0
    assert record["seeds"] == [1, 2]


def test_an_input_that_vanished_is_an_error_not_a_gap(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(FileNotFoundError):
        provenance.write_provenance(tmp_path / "out", [tmp_path / "gone"])


def test_a_release_without_git_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("MTPEFT_COMMIT", "abc")
    provenance.code_state.cache_clear()
    try:
        assert provenance.code_state() == {"commit": "abc", "dirty": None}
    finally:
        provenance.code_state.cache_clear()


def test_large_files_hash_like_small_ones(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(b"x" * (3 << 20))
    assert provenance.sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_run_killed_between_a_result_and_its_provenance_leaves_the_old_result(
    tmp_path, monkeypatch
):
    path = tmp_path / "out.csv"
    provenance.write_result(path, "old\n", [])
    written = []

    def killed(target, content):
        written.append(target.name)
        raise KeyboardInterrupt

    monkeypatch.setattr(provenance, "write_atomic", killed)
    with pytest.raises(KeyboardInterrupt):
        provenance.write_result(path, "new\n", [])
    assert written == ["out.csv.provenance.json"]
    assert path.read_text() == "old\n"


def test_a_result_and_its_provenance_agree(tmp_path):
    path = tmp_path / "out.csv"
    provenance.write_result(path, "é\n", [])
    record = json.loads((tmp_path / "out.csv.provenance.json").read_text())
    assert record["result_sha256"] == provenance.sha256(path)

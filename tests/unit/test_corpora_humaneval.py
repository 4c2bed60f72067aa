"""A malformed, damaged or changed copy of HumanEval is refused, with the line."""

import gzip
import json

import pytest
from mtpeft.core import paths
from mtpeft.core.errors import BadInput
from mtpeft.corpora.fetch import Mismatch
from mtpeft.corpora.humaneval import ENTRY, read_rows
from mtpeft.corpora.manifest import manifest

PROBLEM = {
    "task_id": "Toy/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(4) == 8\n",
}


def benchmark(*problems: dict) -> bytes:
    return b"".join(json.dumps(problem).encode() + b"\n" for problem in problems)


def test_a_malformed_benchmark_is_read(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(benchmark(PROBLEM))
    packed.write_bytes(gzip.compress(benchmark(PROBLEM)))
    assert read_rows(plain) == read_rows(packed) == {"Toy/0": PROBLEM}
    for data, line in (
        (benchmark(PROBLEM, PROBLEM), 2),
        (benchmark(PROBLEM, {"task_id": "x"}), 2),
        (b"[]\n", 1),
        (b"{\n", 1),
    ):
        plain.write_bytes(data)
        with pytest.raises(BadInput) as error:
            read_rows(plain)
        assert error.value.line == line
    packed.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(BadInput, match="gzip"):
        read_rows(packed)


def test_a_changed_copy_of_the_benchmark_is_used(tmp_path, monkeypatch):
    path = tmp_path / manifest().files[ENTRY].relative
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(benchmark(PROBLEM)))
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path))
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    with pytest.raises(Mismatch, match="SHA-256"):
        read_rows()

"""Scoring must run the gold gate first, lose no instance to a bad one, resume, and never turn a
failure of ours into 0.
"""

import gzip
import json

import pytest
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.records import Prediction, Score, write_records
from mtpeft.sandbox import outcome
from mtpeft.sandbox.instances import FunctionInstance
from mtpeft.sandbox.limits import Limits
from mtpeft.sandbox.outcome import Outcome
from mtpeft.sandbox.runner import Pool
from mtpeft.scoring.execution import humaneval
from mtpeft.scoring.execution.humaneval import (
    Problem,
    gold_gate,
    read_problems,
    score_execution,
    summary,
)
from mtpeft.scoring.execution.results import ResultLog, key_of

# two problems of our own, in HumanEval's form
PROBLEMS = {
    "Toy/0": Problem(
        "Toy/0",
        'def double(x):\n    """Twice x."""\n',
        "double",
        "    return 2 * x\n",
        "def check(candidate):\n    assert candidate(4) == 8\n",
    ),
    "Toy/1": Problem(
        "Toy/1",
        'def last(items):\n    """The last item."""\n',
        "last",
        "    return items[-1]\n",
        "def check(candidate):\n    assert candidate([1, 2]) == 2\n    assert candidate('ab') == 'b'\n",
    ),
}
LIMITS = Limits(wall_seconds=20.0)


def prediction(instance_id: str, output: str, run: str = "m/st-qlora") -> Prediction:
    return Prediction(run, "generation-python", instance_id, "0" * 64, output, output, "stop", 0.1)


@pytest.fixture(scope="module")
def pool():
    with Pool(1) as running:
        yield running


def test_a_bad_prediction_costs_the_others(pool, tmp_path):
    predictions = [
        prediction("Toy/0", "    return x + x\n"),
        prediction("Toy/9", "    return 1\n"),
        BadInput("p.jsonl", "invalid UTF-8", line=3),
        prediction("Toy/1", "    return items[0]\n"),
        prediction("Toy/1#1", "    return '\0'\n"),
        prediction("Toy/1#2", "    return '\ud800'\n"),
        prediction("Toy/1#3", "    return '" + "x" * 50_000_000 + "'\n"),
        prediction("Toy/1#4", ""),
        prediction("Toy/1#5", "    return items[len(items) - 1]\n"),
    ]
    scored = score_execution(predictions, tmp_path / "log.jsonl", pool, PROBLEMS, LIMITS)
    assert [score.value for score in scored.scores] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert {score.status for score in scored.scores} == {"ok"}
    assert len(scored.refused) == 2 and "Toy/9" in str(scored.refused[0])
    assert summary(scored.scores) == {"failed": 5, "passed": 2}
    assert scored.pass_at_k(1) == {"m/st-qlora": pytest.approx((1.0 + 1 / 6) / 2)}


def test_a_finished_instance_runs_again(pool, tmp_path, monkeypatch):
    log = tmp_path / "log.jsonl"
    items = [prediction("Toy/0", "    return x + x\n"), prediction("Toy/1", "    return 0\n")]
    first = score_execution(items[:1], log, pool, PROBLEMS, LIMITS)
    with open(log, "ab") as stream:
        stream.write(b'{"key": "half a li')
    ran = []
    monkeypatch.setattr(
        humaneval,
        "_twice",
        lambda box, item: ran.append(item[1].id) or (*item, Outcome("failed", "x")),
    )
    second = score_execution(items, log, pool, PROBLEMS, LIMITS)
    assert ran == ["Toy/1"] and second.scores[0] == first.scores[0]
    assert len(log.read_text().splitlines()) == 2


def test_a_failure_of_the_runner_is_scored_0_or_remembered(pool, tmp_path, monkeypatch):
    broken = Outcome(outcome.INFRASTRUCTURE, "no process could be started")
    monkeypatch.setattr(humaneval, "_twice", lambda box, item: (*item, broken))
    items = [prediction("Toy/0", "    return x + x\n")]
    scored = score_execution(items, tmp_path / "log.jsonl", pool, PROBLEMS, LIMITS)
    assert [(score.value, score.status) for score in scored.scores] == [(None, "infrastructure")]
    with pytest.raises(MtpeftError, match="fewer than 1"):
        scored.pass_at_k(1)
    monkeypatch.undo()
    again = score_execution(items, tmp_path / "log.jsonl", pool, PROBLEMS, LIMITS)
    assert [score.value for score in again.scores] == [1.0]


def test_a_model_is_scored_by_a_runner_that_fails_right_answers(pool, tmp_path):
    wrong_gold = {
        **PROBLEMS,
        "Toy/1": Problem(
            "Toy/1", PROBLEMS["Toy/1"].prompt, "last", "    return None\n", PROBLEMS["Toy/1"].test
        ),
    }
    with pytest.raises(MtpeftError, match="1 of 2 canonical solutions.*Toy/1"):
        gold_gate(pool, wrong_gold, LIMITS)
    with pytest.raises(MtpeftError, match="canonical"):
        score_execution(
            [prediction("Toy/0", "    return x + x\n")],
            tmp_path / "log.jsonl",
            pool,
            wrong_gold,
            LIMITS,
        )
    assert not (tmp_path / "log.jsonl").exists()


def test_a_result_is_kept_under_a_key_that_forgets_something():
    base = FunctionInstance("a", "x = 1", "solve", "t")
    assert key_of(base, "3.11") == key_of(FunctionInstance("b", "x = 1", "solve", "t"), "3.11")
    others = [
        FunctionInstance("a", "x = 2", "solve", "t"),
        FunctionInstance("a", "x = 1", "other", "t"),
        FunctionInstance("a", "x = 1", "solve", "u"),
        FunctionInstance("a", "x = 1", "solve", "t", "p"),
        FunctionInstance("a", "x = 1", "solve", "t", limits=Limits(wall_seconds=1.0)),
    ]
    keys = {key_of(item, "3.11") for item in [base, *others]} | {key_of(base, "3.12")}
    assert len(keys) == 7


def test_a_damaged_log_is_read_as_results(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"key": "k", "id": "a"}\n')
    with pytest.raises(BadInput) as error:
        ResultLog(log)
    assert error.value.line == 1


def benchmark(*problems: dict) -> bytes:
    return b"".join(json.dumps(problem).encode() + b"\n" for problem in problems)


def test_a_malformed_benchmark_is_read(tmp_path):
    good = {**vars(PROBLEMS["Toy/0"])}
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(benchmark(good))
    packed.write_bytes(gzip.compress(benchmark(good)))
    assert read_problems(plain) == read_problems(packed) == {"Toy/0": PROBLEMS["Toy/0"]}
    for data, line in (
        (benchmark(good, good), 2),
        (benchmark(good, {"task_id": "x"}), 2),
        (b"[]\n", 1),
        (b"{\n", 1),
    ):
        plain.write_bytes(data)
        with pytest.raises(BadInput) as error:
            read_problems(plain)
        assert error.value.line == line
    packed.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(BadInput, match="gzip"):
        read_problems(packed)


def test_a_changed_copy_of_the_benchmark_is_used(tmp_path, monkeypatch):
    path = tmp_path / humaneval.RELATIVE
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(benchmark({**vars(PROBLEMS["Toy/0"])})))
    monkeypatch.setenv("MTPEFT_MIRROR", str(tmp_path))
    with pytest.raises(BadInput, match="SHA-256"):
        read_problems()


def test_one_candidates_text_stops_the_writing_of_all_scores(pool, tmp_path):
    log = tmp_path / "log.jsonl"
    hostile = 'raise ValueError("\\udfff\\x1b[2J" * 100_000)\n'
    items = [prediction("Toy/0", "    return 2 * x\n"), prediction("Toy/1", hostile)]
    scored = score_execution(items, log, pool, PROBLEMS, LIMITS)
    assert [score.value for score in scored.scores] == [1.0, 0.0]
    write_records(tmp_path / "scores.csv", scored.scores, Score)
    assert (tmp_path / "scores.csv").stat().st_size + log.stat().st_size < 20_000
    old = json.loads(log.read_text().splitlines()[0]) | {"evidence": "\udfff" * 5000}
    log.write_text(json.dumps(old) + "\n")
    again = score_execution(items, log, pool, PROBLEMS, LIMITS)
    write_records(tmp_path / "scores.csv", again.scores, Score)


def test_a_failed_inference_is_a_failed_program(pool, tmp_path):
    lost = Prediction(
        "m", "generation-python", "Toy/0", "", "", "", "error", 0.1, "OutOfMemoryError"
    )
    scored = score_execution([lost], tmp_path / "log.jsonl", pool, PROBLEMS, LIMITS)
    [score] = scored.scores
    assert (score.value, score.status) == (None, "infrastructure") and "OutOfMemory" in score.detail

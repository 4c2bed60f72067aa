"""The smoke run with too little training: every stage runs, and the verdict says that nothing was
learned.
"""

import json

import pytest

pytest.importorskip("torch")

from mtpeft.core.records import Prediction, Test, read_predictions, read_records
from mtpeft.smoke import driver, expected, heads
from mtpeft.smoke.base import Size

SMALL = Size(functions=3, epochs=2)


@pytest.mark.slow
def test_a_smoke_run_that_has_not_learned_fails_although_the_table_agrees(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(expected, "EXPECTED", tmp_path / "expected.csv")
    monkeypatch.setattr(heads, "EXPECTED", tmp_path / "expected-shared.csv")
    assert driver.run(2, tmp_path / "out", SMALL, {"epochs": 1}, update=True) == 0
    runs = list(driver.smoke_catalog().of("runs", "smoke"))
    obtained = expected.read_table(tmp_path / "out" / "table.csv")
    losses = {r.id: {"first": 6.0, "last": obtained[r.id, "", "last_loss"]} for r in runs}
    losses["smoke/base"] = {"first": 7.0, "last": obtained["smoke/base", "", "last_loss"]}

    for run in runs:
        for task in run.tasks:
            for path in (tmp_path / "out" / "predictions" / run.id).glob(f"{task}-*.jsonl"):
                assert sum(isinstance(p, Prediction) for p in read_predictions(path)) == 3, path
    tests = read_records(tmp_path / "out" / "tests.csv", Test)
    assert {t.comparison for t in tests} == {"smoke-rq1", "smoke-rq2", "smoke-rq3", "smoke-pass1"}
    assert all(t.n_pairs == 3 for t in tests)

    code = driver._verdict(obtained, losses, tmp_path / "out", 1.0)
    said = capsys.readouterr().out
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert (
        code == 1
        and verdict["cells"]["differs"] == 0
        and verdict["cells"]["exact"] == len(obtained)
    )
    assert "has not learned" in said and "knows 0%" in said

"""The verdict of the smoke run's part with shared modules can fail: every way in which it must."""

import importlib.util
import json

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("the group `train` is not installed (make .venv/.train)", allow_module_level=True)

from mtpeft.smoke import backbones, expected, heads
from mtpeft.smoke.base import smoke_catalog

ROWS = [
    {
        "run": "tiny/mt-lora",
        "status": "ok",
        "trained": 40,
        "mflops": 12.5,
        "first_loss": 0.9,
        "last_loss": 0.8,
    },
    {"run": "tiny/mt-prefix", "status": "has no effect", "trained": 7},
    {"run": "tiny/by-heart", "status": "ok", "first_loss": 0.9, "last_loss": 0.1, "seen": 0.95},
]


@pytest.fixture
def verdict(tmp_path, monkeypatch):
    """The exit code and the problems for given rows, against the table that `ROWS` make."""
    monkeypatch.setattr(heads, "EXPECTED", tmp_path / "expected.csv")
    (tmp_path / "expected.csv").write_text(expected.table(heads.cells(ROWS)))

    def judged(rows):
        def train(folder):
            folder.mkdir(parents=True)
            (folder / "smoke.csv").write_text("run\n")
            return rows

        monkeypatch.setattr(backbones, "run", train)
        code = heads.run(tmp_path / "out")
        return code, json.loads((tmp_path / "out" / "verdict.json").read_text())["problems"]

    return judged


def test_the_same_figures_pass(verdict, capsys):
    assert verdict(ROWS) == (0, [])
    assert "expected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "change", "word"),
    [
        (0, {"trained": 41}, "trained: differs"),
        (0, {"status": "out of order"}, "runs: differs"),
        (1, {"status": "ok"}, "runs: differs"),
        (2, {"seen": 0.5}, "knows 50%"),
        (2, {"last_loss": 0.5}, "has not learned"),
    ],
)
def test_a_figure_that_moves_fails(verdict, row, change, word):
    rows = [{**r, **change} if i == row else r for i, r in enumerate(ROWS)]
    code, problems = verdict(rows)
    assert code == 1 and any(word in p for p in problems)


def test_a_run_that_is_missing_fails_and_one_that_learned_nothing_is_missed(verdict):
    code, problems = verdict(ROWS[:2])
    assert (
        code == 1
        and "no model memorized anything" in problems
        and any("not run" in p for p in problems)
    )


def test_the_shipped_table_holds_three_kinds_and_every_method():
    known, runs = smoke_catalog(), {run for run, _, _ in expected.read_table(heads.EXPECTED)}
    methods = {m.id for m in known.methods.values() if m.heads and m.heads["weights"] != "nf4"}
    assert methods == set(backbones.METHODS)
    assert {f"{b}/mt-{m}" for b in backbones.TINY for m in methods} < runs
    by_heart = {known.backbones[b].kind for b in backbones.TINY if f"{b}/by-heart" in runs}
    assert by_heart == {"encoder", "encoder-decoder", "decoder"}

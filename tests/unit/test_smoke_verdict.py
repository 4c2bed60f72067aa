"""The smoke run's verdict can fail: every way in which it must."""

import pytest
from mtpeft.core.errors import BadInput
from mtpeft.smoke.base import Size, chosen, documents, examples, smoke_catalog
from mtpeft.smoke.driver import learning_problems
from mtpeft.smoke.expected import compare, read_table, shown, table

CELL = ("smoke/mt-fft", "generation-java", "smoke_exact_match")
LOSSES = {name: {"first": 3.0, "last": 0.1} for name in ("smoke/base", "smoke/mt-fft")}


def expected(tmp_path, value=0.9, tolerance=0.05):
    path = tmp_path / "expected.csv"
    path.write_text(table({CELL: value}, {CELL: tolerance}))
    return path


@pytest.mark.parametrize(
    "obtained, verdict",
    [(0.9, "exact"), (0.94, "within tolerance"), (0.951, "differs"), (0.85, "within tolerance")],
)
def test_a_value_beyond_its_tolerance_differs(tmp_path, obtained, verdict):
    (made,) = compare({CELL: obtained}, expected(tmp_path))
    assert made.verdict == verdict and f"{obtained:.4f}" in shown([made])


def test_a_missing_or_an_unexpected_cell_is_no_agreement(tmp_path):
    other = (*CELL[:2], "smoke_bleu")
    assert [(c.cell, c.verdict) for c in compare({other: 1.0}, expected(tmp_path))] == [
        (CELL, "not run"),
        (other, "not run"),
    ]


def test_an_expected_table_with_a_cell_twice_is_refused(tmp_path):
    path = expected(tmp_path)
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(BadInput, match="twice"):
        compare({}, path)


def test_tables_survive_writing_and_reading(tmp_path):
    assert read_table(expected(tmp_path, value=1 / 3)) == {CELL: 0.333333}


def test_a_model_that_has_not_learned_fails_the_smoke_run():
    assert learning_problems({CELL: 0.95}, LOSSES) == []
    assert "knows 80%" in learning_problems({CELL: 0.8}, LOSSES)[0]
    lazy = {**LOSSES, "smoke/mt-fft": {"first": 3.0, "last": 1.0}}
    assert "has not learned" in learning_problems({CELL: 0.95}, lazy)[0]


def test_the_smoke_catalog_has_every_kind_of_run_of_the_study():
    kinds = {(r.regime, r.method, len(r.tasks)) for r in smoke_catalog().of("runs", "smoke")}
    assert kinds == {("st", "qlora", 1), ("mt", "qlora", 3), ("mt", "qlora", 2), ("mt", "fft", 3)}
    assert len(list(smoke_catalog().of("runs", "smoke"))) == 8


def test_the_learned_functions_are_the_same_in_base_and_tasks():
    size = Size(functions=5)
    assert len(chosen(size)) == 5 and len(documents(size)) == 20
    assert all({e.id for e in some} == chosen(size) for some in examples(size).values())

"""A kind of table of its own: how many words every run shouts."""

from mtpeft.catalog import Table
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per run."""
    rows = []
    for run in inputs.known.of("runs", "toy"):
        values = inputs.scores.vector(run.id, "shouting-words", "loudness_capitals")["value"]
        number = int((values > 0).sum())
        rows.append(Row({"run": text(run.id), "words": Value(number, str(number))}))
    columns = [Column("run", "Run", numeric=False), Column("words", "Words with capitals")]
    return TableData(
        table,
        columns,
        [Group("", rows)],
        [],
        [inputs.score_file("loudness", "shouting-words")],
    )

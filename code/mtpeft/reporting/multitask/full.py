"""One module shared by all tasks against full multi-task fine-tuning."""

import math

from mtpeft.catalog import Table
from mtpeft.catalog.schema import Edition
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import (
    Published,
    backbone_title,
    edition_title,
    percent,
    points,
    published,
    standing_notes,
    task_title,
    whole,
)
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text

_PRINTED = 0.005 + 1e-9
"""Half of the last digit of a value typed with two decimals."""


def build(table: Table, inputs: Inputs) -> TableData:
    """One group per edition and backbone, one row per method; differences are to full fine-tuning
    of the same group.
    """
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("method", "Method", numeric=False),
        *(Column(task, task_title(known, data, task)) for task in data.tasks),
        Column("macro", "Mean"),
        Column("difference", "Mean − full"),
        Column("error", "± 2 SE"),
        Column("parameters", "Trained, heads apart"),
    ]
    groups = []
    for edition in data.editions:
        for backbone in data.figures.backbones(edition):
            rows = [
                row
                for method in data.numbers.methods
                if (row := _row(data, edition, backbone, method)) is not None
            ]
            groups.append(
                Group(f"{edition_title(edition)}: {backbone_title(known, backbone)}", rows)
            )
    notes = [
        *standing_notes(data, known),
        "± 2 SE: of the difference of two means, from sampling of test examples alone.",
        *_typed(data),
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _typed(data: Published) -> list[str]:
    """How many typed rows are what the logs give, for each edition that has both."""
    notes = []
    for edition in data.editions:
        rows = data.contrasts.find(edition.id, "typed against logged")
        if rows:
            agree = sum(c.value < _PRINTED for c in rows)
            notes.append(
                f"The {(edition.label or edition.title).removeprefix('the ')}'s own typed table "
                f"prints the test values of the epoch chosen on validation data in {agree} of "
                f"{len(rows)} multi-task rows; the other {len(rows) - agree} hold an epoch with a "
                "higher mean test score."
            )
    return notes


def _row(data: Published, edition: Edition, backbone: str, method: str) -> Row | None:
    place = {"setting": "multi", "backbone": backbone, "method": method}
    scores = {c.task: c for c in data.contrasts.find(edition.id, "score", **place)}
    if not scores:
        return None
    full = data.numbers.full
    difference = data.contrasts.one(
        edition.id, "difference", **place, task="", against=f"multi {full}"
    )
    run = data.figures.shared_run(edition, backbone, method) if edition.basis == "log" else None
    cut = " (log cut off)" if run and not run.status.startswith("complete") else ""
    values = {task: scores[task].value if task in scores else math.nan for task in data.tasks}
    errors = {task: scores[task].error if task in scores else math.nan for task in data.tasks}
    return Row(
        {
            "method": text(data.method_title(method) + cut),
            **{task: percent(v) for task, v in values.items()},
            "macro": percent(data.contrasts.value(edition.id, "mean", **place)),
            "difference": points(
                math.nan if method == full or difference is None else difference.value
            ),
            "error": Value(None, "")
            if method == full
            else percent(2 * difference.error if difference else math.nan),
            "parameters": whole(data.contrasts.value(edition.id, "parameters", **place)),
        },
        {
            "generation": edition.id,
            "backbone": backbone,
            "method_id": method,
            **{f"se_{task}": f"{error:.4f}" for task, error in errors.items()},
        },
    )

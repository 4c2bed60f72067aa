"""One module for all tasks against one module for each task."""

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
)
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per backbone and method that has both; single, multi and their difference for each
    task.

    Options: notes.
    """
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
    ]
    for task in data.numbers.tasks:
        short = task.short or known.get("tasks", task.id).title
        columns += [
            Column(f"{task.id}_single", f"{short} ST"),
            Column(f"{task.id}_multi", f"{short} MT"),
            Column(f"{task.id}_change", "Δ"),
        ]
    columns.append(Column("mean_change", "mean Δ"))
    groups = []
    for edition in data.editions:
        rows = [
            row
            for backbone in data.figures.backbones(edition)
            for method in data.numbers.methods
            if (row := _row(data, edition, backbone, backbone_title(known, backbone), method))
            is not None
        ]
        groups.append(Group(edition_title(edition), rows))
    notes = [
        "ST: one model per task; MT: one model for all four. Δ in points, MT − ST.",
        *standing_notes(data, known),
        *table.options.get("notes", []),
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(data: Published, edition: Edition, backbone: str, title: str, method: str) -> Row | None:
    place = {"backbone": backbone, "method": method}
    value = data.contrasts.value
    against = f"single {method}"
    values: dict[str, Value] = {}
    changes: list[float] = []
    for task in data.tasks:
        change = value(
            edition.id, "difference", **place, setting="multi", task=task, against=against
        )
        changes.append(change)
        values |= {
            f"{task}_single": percent(
                value(edition.id, "score", **place, setting="single", task=task)
            ),
            f"{task}_multi": percent(
                value(edition.id, "score", **place, setting="multi", task=task)
            ),
            f"{task}_change": points(change),
        }
    if all(map(math.isnan, changes)):
        return None
    mean = value(edition.id, "difference", **place, setting="multi", task="", against=against)
    return Row(
        {
            "backbone": text(title),
            "method": text(data.method_title(method)),
            **values,
            "mean_change": points(mean),
        },
        {"generation": edition.id, "backbone_id": backbone, "method_id": method},
    )

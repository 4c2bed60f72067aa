"""How far a task's result moves with the tasks that share its module."""

from mtpeft.catalog import Table
from mtpeft.core.figures import Contrast
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import (
    Published,
    backbone_title,
    edition_title,
    percent,
    published,
    standing_notes,
)
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, text


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per backbone, method and task: the value with each partner, with all tasks, and their
    range.
    """
    data, known = published(inputs, table.study), inputs.known
    short = {task: known.get("tasks", task).abbreviation for task in data.tasks}
    columns = [
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("task", "Task", numeric=False),
        *(Column(f"with_{task}", f"+ {short[task]}") for task in data.tasks),
        Column("all", "all four"),
        Column("range", "Range"),
        Column("chance", "Chance, 95 %"),
    ]
    groups = []
    for edition in data.editions:
        ranges = data.contrasts.find(edition.id, "range")
        rows = [
            _row(data, backbone_title(known, found.backbone), found)
            for found in ranges
            if found.method in data.numbers.pairs
        ]
        if rows:
            groups.append(Group(edition_title(edition), rows))
    abbreviations = ", ".join(f"{short[t]} {known.get('tasks', t).title}" for t in data.tasks)
    notes = [
        (
            "Range: largest minus smallest of the four groupings that hold the task. Chance: the range "
            "that four equal models would stay below in 95 % of cases by sampling of test examples "
            "alone (3.63 standard errors, Tukey's studentised range). "
            f"Abbreviations: {abbreviations}."
        ),
        *standing_notes(data, known),
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(data: Published, title: str, found: Contrast) -> Row:
    place = {"backbone": found.backbone, "method": found.method, "task": found.task}
    value, edition = data.contrasts.value, found.edition
    partners = {
        other: value(
            edition,
            "score",
            **place,
            setting="pair",
            tasks="+".join(task for task in data.tasks if task in (found.task, other)),
        )
        for other in data.tasks
    }
    return Row(
        {
            "backbone": text(title),
            "method": text(data.method_title(found.method)),
            "task": text(found.task),
            **{f"with_{other}": percent(v) for other, v in partners.items()},
            "all": percent(value(edition, "score", **place, setting="multi")),
            "range": percent(found.value),
            "chance": percent(value(edition, "range by chance", **place)),
        },
        {"generation": edition, "backbone_id": found.backbone, "method_id": found.method},
    )

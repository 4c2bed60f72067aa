"""Table B6: how far a task's result moves with the tasks that share its module."""

import math

from mtpeft.catalog import Table
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import (
    GENERATIONS,
    METHOD_TITLES,
    backbone_title,
    generation_title,
    percent,
    published,
    standing_notes,
)
from mtpeft.reporting.multitask.pairs import METHODS
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, text
from mtpeft.statistics.published import TASKS, Published, backbones, groupings, spread


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per backbone, method and task: the value with each partner, with all four, and their
    range.
    """
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
        Column("task", "Task", numeric=False),
        *(Column(f"with_{task}", f"+ {known.get('tasks', task).abbreviation}") for task in TASKS),
        Column("all", "all four"),
        Column("range", "Range"),
        Column("chance", "Chance, 95 %"),
    ]
    groups = []
    for generation in GENERATIONS:
        rows = [
            _row(data, backbone_title(known, backbone), generation, backbone, method, task)
            for backbone in backbones(data, generation, "pair")
            for method in METHODS
            for task in TASKS
            if not math.isnan(spread(data, generation, backbone, method, task)[0])
        ]
        if rows:
            groups.append(Group(generation_title(generation), rows))
    notes = [
        "Range: largest minus smallest of the four groupings that hold the task. Chance: the range that four equal models "
        "would stay below in 95 % of cases by sampling of test examples alone (3.63 standard errors, Tukey's studentised "
        "range). Abbreviations: "
        + ", ".join(
            f"{known.get('tasks', t).abbreviation} {known.get('tasks', t).title}" for t in TASKS
        )
        + ".",
        *standing_notes(data, known),
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(
    data: Published, title: str, generation: str, backbone: str, method: str, task: str
) -> Row:
    values = groupings(data, generation, backbone, method, task)
    width, chance = spread(data, generation, backbone, method, task)
    return Row(
        {
            "backbone": text(title),
            "method": text(METHOD_TITLES[method]),
            "task": text(task),
            **{f"with_{other}": percent(values.get(other, math.nan)) for other in TASKS},
            "all": percent(values["all"]),
            "range": percent(width),
            "chance": percent(chance),
        },
        {"generation": generation, "backbone_id": backbone, "method_id": method},
    )

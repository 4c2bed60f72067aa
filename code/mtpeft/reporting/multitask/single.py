"""Table B2: one module for four tasks against one module for each task."""

import math

from mtpeft.catalog import Table
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import (
    GENERATIONS,
    METHOD_TITLES,
    backbone_title,
    generation_title,
    percent,
    points,
    published,
    standing_notes,
)
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, text
from mtpeft.statistics.published import METHODS, TASKS, Published, backbones, mean

_SHORT = {
    "clone-detection": "clone",
    "vulnerability-detection": "vuln.",
    "flaky-detection": "flaky",
    "code-search": "search",
}


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per backbone and method that has both; single, multi and their difference for each
    task.
    """
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("backbone", "Backbone", numeric=False),
        Column("method", "Method", numeric=False),
    ]
    for task in TASKS:
        columns += [
            Column(f"{task}_single", f"{_SHORT[task]} ST"),
            Column(f"{task}_multi", f"{_SHORT[task]} MT"),
            Column(f"{task}_change", "Δ"),
        ]
    columns.append(Column("mean_change", "mean Δ"))
    groups = []
    for generation in GENERATIONS:
        rows = [
            row
            for backbone in backbones(data, generation)
            for method in METHODS
            if (row := _row(data, generation, backbone, backbone_title(known, backbone), method))
            is not None
        ]
        groups.append(Group(generation_title(generation), rows))
    notes = [
        "ST: one model per task; MT: one model for all four. Δ in points, MT − ST.",
        *standing_notes(data, known),
        "The revision trained single-task models for ModernBERT only.",
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(data: Published, generation: str, backbone: str, title: str, method: str) -> Row | None:
    values, changes = {}, []
    for task in TASKS:
        single = data.score(generation, "single", backbone, method, task)
        multi = data.score(generation, "multi", backbone, method, task)
        changes.append(multi - single)
        values |= {
            f"{task}_single": percent(single),
            f"{task}_multi": percent(multi),
            f"{task}_change": points(multi - single),
        }
    if all(map(math.isnan, changes)):
        return None
    return Row(
        {
            "backbone": text(title),
            "method": text(METHOD_TITLES[method]),
            **values,
            "mean_change": points(mean(changes)),
        },
        {"generation": generation, "backbone_id": backbone, "method_id": method},
    )

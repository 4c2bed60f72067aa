"""Table B3: two tasks in one module, against each alone and against all four."""

import math
from itertools import combinations

from mtpeft.catalog import Catalog, Table
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
from mtpeft.statistics.published import TASKS, Published, backbones

METHODS = ("serial_adapter", "lora")


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per task of a pair; a group per generation, backbone and method."""
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("pair", "Pair", numeric=False),
        Column("task", "Task", numeric=False),
        Column("pair_value", "In the pair"),
        Column("from_single", "− alone"),
        Column("from_multi", "− all four"),
    ]
    groups = []
    for generation in GENERATIONS:
        for backbone in backbones(data, generation, "pair"):
            for method in METHODS:
                rows = [
                    row
                    for pair in combinations(TASKS, 2)
                    for task in pair
                    if (row := _row(data, known, generation, backbone, method, pair, task))
                    is not None
                ]
                if rows:
                    title = f"{generation_title(generation)}: {backbone_title(known, backbone)}, {METHOD_TITLES[method]}"
                    groups.append(Group(title, rows))
    notes = [
        "Differences in points; – where the generation has no such run.",
        *standing_notes(data, known),
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(
    data: Published,
    known: Catalog,
    generation: str,
    backbone: str,
    method: str,
    pair: tuple[str, ...],
    task: str,
) -> Row | None:
    value = data.score(generation, "pair", backbone, method, task, pair)
    if math.isnan(value):
        return None
    titles = {name: known.get("tasks", name).title for name in pair}
    return Row(
        {
            "pair": text(" + ".join(titles.values())),
            "task": text(titles[task]),
            "pair_value": percent(value),
            "from_single": points(value - data.score(generation, "single", backbone, method, task)),
            "from_multi": points(value - data.score(generation, "multi", backbone, method, task)),
        },
        {
            "generation": generation,
            "backbone": backbone,
            "method": method,
            "tasks": "+".join(pair),
            "task_id": task,
        },
    )

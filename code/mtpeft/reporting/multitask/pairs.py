"""Two tasks in one module, against each alone and against all."""

from itertools import combinations

from mtpeft.catalog import Catalog, Table
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
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, text


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per task of a pair; a group per edition, backbone and method."""
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("pair", "Pair", numeric=False),
        Column("task", "Task", numeric=False),
        Column("pair_value", "In the pair"),
        Column("from_single", "− alone"),
        Column("from_multi", "− all four"),
    ]
    groups = []
    for edition in data.editions:
        for backbone in data.figures.backbones(edition, "pair"):
            for method in data.numbers.pairs:
                rows = [
                    row
                    for pair in combinations(data.tasks, 2)
                    for task in pair
                    if (row := _row(data, known, edition, backbone, method, pair, task)) is not None
                ]
                if rows:
                    model = f"{backbone_title(known, backbone)}, {data.method_title(method)}"
                    groups.append(Group(f"{edition_title(edition)}: {model}", rows))
    notes = [
        "Differences in points; – where the generation has no such run.",
        *standing_notes(data, known),
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(
    data: Published,
    known: Catalog,
    edition: Edition,
    backbone: str,
    method: str,
    pair: tuple[str, ...],
    task: str,
) -> Row | None:
    place = {
        "setting": "pair",
        "backbone": backbone,
        "method": method,
        "tasks": "+".join(pair),
        "task": task,
    }
    found = data.contrasts.one(edition.id, "score", **place)
    if found is None:
        return None
    titles = {name: known.get("tasks", name).title for name in pair}
    single, multi = (
        data.contrasts.value(edition.id, "difference", **place, against=f"{other} {method}")
        for other in ("single", "multi")
    )
    return Row(
        {
            "pair": text(" + ".join(titles.values())),
            "task": text(titles[task]),
            "pair_value": percent(found.value),
            "from_single": points(single),
            "from_multi": points(multi),
        },
        {
            "generation": edition.id,
            "backbone": backbone,
            "method": method,
            "tasks": "+".join(pair),
            "task_id": task,
        },
    )

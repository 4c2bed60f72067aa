"""Prompted models, with the metric and examples that were really used, and what no model at all
scores.
"""

from mtpeft.catalog import Table
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import (
    Published,
    backbone_title,
    percent,
    published,
    standing_notes,
)
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text

_METRICS = {
    "acc": "accuracy",
    "f1": "F1 of the positive class",
    "macro_f1": "macro F1",
    "mrr": "MRR",
    "mrr_at_10": "MRR@10",
    "mrr_100_candidates": "MRR over 100 random candidates",
}
"""The metrics that are shown."""


def build(table: Table, inputs: Inputs) -> TableData:
    """One group per task: trivial baselines, fine-tuned reference, then every prompted model.

    Options: notes.
    """
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("model", "Model", numeric=False),
        Column("how", "How", numeric=False),
        Column("metric", "Metric", numeric=False),
        Column("examples", "Examples", numeric=False),
        Column("value", "Value"),
        Column("comparable", "Comparable with fine-tuning", numeric=False),
    ]
    groups = [
        Group(
            known.get("tasks", task).title,
            [
                *_baselines(data, task),
                *_reference(data, inputs, task),
                *_prompted(data, inputs, task),
            ],
        )
        for task in data.tasks
    ]
    notes = [
        "Comparable: same metric and same examples as the fine-tuned rows. "
        + " ".join(table.options.get("notes", [])),
        (
            "Macro F1 of always yes or always no is what a model that ignores its input scores under "
            "the script's metric."
        ),
        *standing_notes(data, known),
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(
    model: str, how: str, metric: str, examples: str, value: Value, comparable: str, **keys: str
) -> Row:
    return Row(
        {
            "model": text(model),
            "how": text(how),
            "metric": text(_METRICS[metric]),
            "examples": text(examples),
            "value": value,
            "comparable": text(comparable),
        },
        {"metric_id": metric, **keys},
    )


def _baselines(data: Published, task: str) -> list[Row]:
    metric = data.figures.metric(task)
    return [
        _row(
            c.method,
            "no model",
            c.metric,
            c.split,
            percent(c.value),
            "yes" if c.metric == metric else "no: another metric",
            generation="",
        )
        for c in data.contrasts.find("", "baseline", task=task)
    ]


def _reference(data: Published, inputs: Inputs, task: str) -> list[Row]:
    reference = data.numbers.prompted_against
    if reference is None:
        return []
    title = backbone_title(inputs.known, reference.backbone)
    method = data.method_title(reference.method).lower()
    return [
        _row(
            f"{title}, {method}, four tasks",
            f"fine-tuned, {edition.id}",
            data.figures.metric(task),
            "test",
            percent(
                data.contrasts.value(
                    edition.id,
                    "score",
                    setting="multi",
                    backbone=reference.backbone,
                    method=reference.method,
                    task=task,
                )
            ),
            "yes",
            generation=edition.id,
        )
        for edition in data.editions
    ]


def _prompted(data: Published, inputs: Inputs, task: str) -> list[Row]:
    found = [
        c
        for edition in data.editions
        for c in data.contrasts.find(edition.id, "prompted", task=task)
        if c.metric in _METRICS
    ]
    return [
        _row(
            backbone_title(inputs.known, c.backbone),
            f"{c.setting}, {c.edition}",
            c.metric,
            c.split,
            percent(c.value),
            c.rule.partition(": ")[2],
            generation=c.edition,
            run=c.run,
        )
        for c in found
    ]

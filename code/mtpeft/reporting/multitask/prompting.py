"""Table B4: prompted models, with the metric and examples that were really used, beside what no
model at all scores.
"""

from mtpeft.catalog import Table
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import backbone_title, percent, published, standing_notes
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text
from mtpeft.statistics.published import (
    METRIC,
    TASKS,
    Published,
    comparability,
    macro_f1_of_constant,
    trivial_baselines,
)

_SHOWN = ("acc", "f1", "macro_f1", "mrr", "mrr_at_10", "mrr_100_candidates")
_METRICS = {
    "acc": "accuracy",
    "f1": "F1 of the positive class",
    "macro_f1": "macro F1",
    "mrr": "MRR",
    "mrr_at_10": "MRR@10",
    "mrr_100_candidates": "MRR over 100 random candidates",
}


def build(table: Table, inputs: Inputs) -> TableData:
    """One group per task: trivial baselines, fine-tuned reference, then every prompted model."""
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
        for task in TASKS
    ]
    notes = [
        "Comparable: same metric and same examples as the fine-tuned rows. The study's script computes macro F1 and "
        "prints it as F1, takes flaky tests from the validation set and the first 30,000 clone pairs, and ranks only the "
        "ten nearest candidates; its parser calls everything without `no` or `not` a yes.",
        "Macro F1 of always yes or always no is what a model that ignores its input scores under the script's metric.",
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
    rows = [
        _row(name, "no model", METRIC[task], "test", percent(value), "yes", generation="")
        for name, value in trivial_baselines(data, task).items()
    ]
    share = data.sets[task, "test"].positive_share
    if share is not None:
        rows += [
            _row(
                name,
                "no model",
                "macro_f1",
                "test",
                percent(macro_f1_of_constant(p)),
                "no: another metric",
                generation="",
            )
            for name, p in (("always yes", share), ("always no", 1 - share))
        ]
    return rows


def _reference(data: Published, inputs: Inputs, task: str) -> list[Row]:
    title = backbone_title(inputs.known, "deepseek-coder-1.3b")
    return [
        _row(
            f"{title}, serial adapter, four tasks",
            f"fine-tuned, {generation}",
            METRIC[task],
            "test",
            percent(data.score(generation, "multi", "deepseek-coder-1.3b", "serial_adapter", task)),
            "yes",
            generation=generation,
        )
        for generation in ("G1", "G2")
    ]


def _prompted(data: Published, inputs: Inputs, task: str) -> list[Row]:
    found = [
        f
        for f in data.figures
        if f.task == task and f.metric in _SHOWN and data.runs[f.run].method == "none"
    ]
    return [
        _row(
            backbone_title(inputs.known, data.runs[f.run].backbone),
            f"{data.runs[f.run].setting}, {f.generation}",
            f.metric,
            f.split,
            percent(100 * f.value),
            comparability(f),
            generation=f.generation,
            run=f.run,
        )
        for f in found
    ]

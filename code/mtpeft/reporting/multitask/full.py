"""Table B1: one module shared by all tasks against full multi-task fine-tuning."""

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
    task_title,
    whole,
)
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text
from mtpeft.statistics.published import (
    METHODS,
    TASKS,
    Published,
    backbones,
    macro_error,
    mean,
    multi_run,
    standard_error,
    table_against_logs,
)


def build(table: Table, inputs: Inputs) -> TableData:
    """One group per generation and backbone, one row per method; differences are to full
    fine-tuning of the same group.
    """
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("method", "Method", numeric=False),
        *(Column(task, task_title(known, task)) for task in TASKS),
        Column("macro", "Mean"),
        Column("difference", "Mean − full"),
        Column("error", "± 2 SE"),
        Column("parameters", "Trained, heads apart"),
    ]
    groups = []
    for generation in GENERATIONS:
        for backbone in backbones(data, generation):
            rows = [
                row
                for method in METHODS
                if (row := _row(data, generation, backbone, method)) is not None
            ]
            groups.append(
                Group(f"{generation_title(generation)}: {backbone_title(known, backbone)}", rows)
            )
    agree, total = table_against_logs(data)
    notes = [
        *standing_notes(data, known),
        "± 2 SE: of the difference of two means, from sampling of test examples alone.",
        f"The revision's own typed table prints the test values of the epoch chosen on validation data in {agree} of "
        f"{total} multi-task rows; the other {total - agree} hold an epoch with a higher mean test score.",
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _row(data: Published, generation: str, backbone: str, method: str) -> Row | None:
    values = {task: data.score(generation, "multi", backbone, method, task) for task in TASKS}
    if all(math.isnan(v) for v in values.values()):
        return None
    full = {task: data.score(generation, "multi", backbone, "fft", task) for task in TASKS}
    difference = mean(values.values()) - mean(full.values())
    error = math.hypot(macro_error(data, values.items()), macro_error(data, full.items()))
    counts = {
        r.trainable_params
        for r in data.find_runs(generation, "multi", backbone, method, "log")
        if r.trainable_params
    }
    run = multi_run(data, backbone, method) if generation == "G2" else None
    cut = " (log cut off)" if run and not run.status.startswith("complete") else ""
    return Row(
        {
            "method": text(METHOD_TITLES[method] + cut),
            **{task: percent(v) for task, v in values.items()},
            "macro": percent(mean(values.values())),
            "difference": points(math.nan if method == "fft" else difference),
            "error": Value(None, "") if method == "fft" else percent(2 * error),
            "parameters": whole(counts.pop() if len(counts) == 1 else None),
        },
        {
            "generation": generation,
            "backbone": backbone,
            "method_id": method,
            **{f"se_{task}": f"{standard_error(data, task, v):.4f}" for task, v in values.items()},
        },
    )

"""Table B5: what training cost, as far as the logs tell: parameters, time and memory. There are no
FLOPs in them.
"""

import math

from mtpeft.catalog import Table
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import (
    METHOD_TITLES,
    backbone_title,
    percent,
    published,
    whole,
)
from mtpeft.reporting.tables.model import EMPTY, Column, Group, Row, TableData, Value, text
from mtpeft.statistics.published import METHODS, PublishedRun, backbones, multi_run, single_seconds


def build(table: Table, inputs: Inputs) -> TableData:
    """A group of multi-task runs per backbone (G2), then multi-task against the sum of four
    single-task runs.
    """
    data, known = published(inputs, table.study), inputs.known
    columns = [
        Column("method", "Method", numeric=False),
        Column("parameters", "Trained, heads apart"),
        Column("share", "of all, %"),
        Column("epochs", "Epochs"),
        Column("hours", "Hours"),
        Column("hours_epoch", "Hours/epoch"),
        Column("batch", "Batch"),
        Column("memory", "Peak GB"),
        Column("change", "Hours against"),
        Column("complete", "Log", numeric=False),
    ]
    groups = []
    for backbone in backbones(data, "G2"):
        rows = [
            _row(run, METHOD_TITLES[run.method], EMPTY)
            for method in METHODS
            if (run := multi_run(data, backbone, method)) is not None
        ]
        groups.append(Group(f"G2, four tasks: {backbone_title(known, backbone)}", rows))
    rows = []
    full = single_seconds(data, "G2", "modernbert-base", "fft") / 3600
    for method in METHODS:
        multi, single = (
            multi_run(data, "modernbert-base", method),
            single_seconds(data, "G2", "modernbert-base", method) / 3600,
        )
        if multi is None or math.isnan(single):
            continue
        hours = (multi.seconds or math.nan) / 3600
        rows.append(_plain(f"{METHOD_TITLES[method]}, sum of four single-task runs", single, EMPTY))
        rows.append(
            _plain(
                f"{METHOD_TITLES[method]}, four tasks, against that sum",
                hours,
                _relative(hours, single),
            )
        )
        if method != "fft":
            rows.append(
                _plain(
                    f"{METHOD_TITLES[method]}, four tasks, against four full single-task runs",
                    hours,
                    _relative(hours, full),
                )
            )
    groups.append(
        Group(
            f"G2, multi-task against single-task: {backbone_title(known, 'modernbert-base')}", rows
        )
    )
    notes = [
        "Generation G2 only: no log of a four-task run of the paper survives, and neither generation counts FLOPs or "
        "energy. "
        "Hours are the training epochs' wall time as logged, evaluation left out; runs stop early at different epochs, "
        "and logs of one backbone come from two software stacks, so hours compare runs, not methods.",
        "What a share of computation can mean: a training step multiplies every weight matrix three times (forward, "
        "gradient of the input, gradient of the weight), and frozen weights need only two of these. Over the same examples "
        "a PEFT run therefore saves about a third of the FLOPs of full fine-tuning (31.6 to 33.1 % for the methods here on "
        "DeepSeek-Coder-1.3B and Qwen2.5-Coder-1.5B, counted at 512 tokens), whatever the number of tasks; larger savings "
        "come from seeing fewer examples. `make flaky-cpu` measures it in training.",
        "Selection rule: none applies, every row is one log (weighting in proportion to losses). Trivial baselines: none, "
        "nothing is predicted. Sampling error: one run each, unknown.",
        "Heads are trained in every row and counted in none.",
    ]
    return TableData(table, columns, groups, notes, data.paths)


def _relative(hours: float, base: float) -> Value:
    value = (hours / base - 1) * 100
    return EMPTY if math.isnan(value) else Value(value, f"{value:+.0f} %".replace("-", "−"))


def _row(run: PublishedRun, title: str, change: Value) -> Row:
    hours = run.seconds / 3600 if run.seconds else math.nan
    share = (
        100 * run.trainable_params / run.total_params
        if run.trainable_params and run.total_params
        else math.nan
    )
    return Row(
        {
            "method": text(title),
            "parameters": whole(run.trainable_params),
            "share": percent(share),
            "epochs": whole(run.epochs),
            "hours": percent(hours),
            "hours_epoch": percent(hours / run.epochs if run.epochs else math.nan),
            "batch": whole(run.batch_size),
            "memory": percent(run.peak_memory_gb or math.nan),
            "change": change,
            "complete": text("to the end" if run.status.startswith("complete") else "cut off"),
        },
        {"generation": run.generation, "backbone": run.backbone, "run": run.id},
    )


def _plain(title: str, hours: float, change: Value) -> Row:
    return Row(
        {
            "method": text(title),
            "parameters": EMPTY,
            "share": EMPTY,
            "epochs": EMPTY,
            "hours": percent(hours),
            "hours_epoch": EMPTY,
            "batch": EMPTY,
            "memory": EMPTY,
            "change": change,
            "complete": EMPTY,
        },
        {"generation": "G2", "backbone": "modernbert-base"},
    )

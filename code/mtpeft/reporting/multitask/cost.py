"""What training cost, as far as the logs tell: parameters, time and memory."""

import math

from mtpeft.catalog import Table
from mtpeft.catalog.schema import Edition
from mtpeft.core.figures import PublishedRun
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import (
    Published,
    backbone_title,
    percent,
    published,
    whole,
)
from mtpeft.reporting.tables.model import EMPTY, Column, Group, Row, TableData, Value, text

_COLUMNS = (
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
)


def build(table: Table, inputs: Inputs) -> TableData:
    """A group of multi-task runs per backbone, then multi-task against the sum of the single-task
    runs, for every edition that has logs.

    Options: notes.
    """
    data = published(inputs, table.study)
    groups = []
    for edition in data.editions:
        if edition.basis == "log":
            groups += _groups(data, inputs, edition)
    return TableData(table, list(_COLUMNS), groups, table.options.get("notes", []), data.paths)


def _groups(data: Published, inputs: Inputs, edition: Edition) -> list[Group]:
    groups, compared = [], []
    for backbone in data.figures.backbones(edition):
        title = backbone_title(inputs.known, backbone)
        rows = [
            _run(data, run)
            for method in data.numbers.methods
            if (run := data.figures.shared_run(edition, backbone, method)) is not None
        ]
        groups.append(Group(f"{edition.id}, four tasks: {title}", rows))
        if rows := _against_single(data, edition, backbone):
            compared.append(Group(f"{edition.id}, multi-task against single-task: {title}", rows))
    return groups + compared


def _against_single(data: Published, edition: Edition, backbone: str) -> list[Row]:
    value, full = data.contrasts.value, data.numbers.full
    rows = []
    for method in data.numbers.methods:
        place = {"backbone": backbone, "method": method}
        hours = value(edition.id, "hours", **place, setting="multi")
        single = value(edition.id, "hours", **place, setting="single")
        if math.isnan(single) or data.figures.shared_run(edition, backbone, method) is None:
            continue
        title = data.method_title(method)
        keys = {"generation": edition.id, "backbone": backbone}
        rows.append(_hours(f"{title}, sum of four single-task runs", single, EMPTY, keys))
        bases = [(method, "four tasks, against that sum")]
        if method != full:
            bases.append((full, "four tasks, against four full single-task runs"))
        for base, what in bases:
            change = value(
                edition.id, "change of hours", **place, setting="multi", against=f"single {base}"
            )
            rows.append(_hours(f"{title}, {what}", hours, _change(change), keys))
    return rows


def _change(percent_: float) -> Value:
    if math.isnan(percent_):
        return EMPTY
    return Value(percent_, f"{percent_:+.0f} %".replace("-", "−"))


def _run(data: Published, run: PublishedRun) -> Row:
    hours, share, each = (
        data.contrasts.value(run.generation, quantity, run=run.id)
        for quantity in ("hours", "share of parameters", "hours per epoch")
    )
    return Row(
        {
            "method": text(data.method_title(run.method)),
            "parameters": whole(run.trainable_params),
            "share": percent(share),
            "epochs": whole(run.epochs),
            "hours": percent(hours),
            "hours_epoch": percent(each),
            "batch": whole(run.batch_size),
            "memory": percent(run.peak_memory_gb or math.nan),
            "change": EMPTY,
            "complete": text("to the end" if run.status.startswith("complete") else "cut off"),
        },
        {"generation": run.generation, "backbone": run.backbone, "run": run.id},
    )


def _hours(title: str, hours: float, change: Value, keys: dict[str, str]) -> Row:
    values = {column.key: EMPTY for column in _COLUMNS}
    return Row(values | {"method": text(title), "hours": percent(hours), "change": change}, keys)

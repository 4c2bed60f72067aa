"""Table 2: the metrics, by their exact variants, and the tools that yield them."""

from mtpeft.catalog import Metric, Table, Tool
from mtpeft.core.records import format_value
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.marks import MISSING
from mtpeft.reporting.tables.model import Column, Group, Row, TableData, Value, text
from mtpeft.reporting.tables.sources import catalog_files

_COLUMNS = [
    Column("title", "Metric", numeric=False),
    Column("id", "Exact variant", numeric=False),
    Column("better", "Better", numeric=False),
    Column("range", "Range", numeric=False),
    Column("evaluations", "Measured on", numeric=False),
]


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per metric, grouped by tool and version; tools without archived scores last."""
    names = inputs.known.evaluations()
    groups, notes = [], []
    for tool in sorted(inputs.known.of("tools", table.study), key=lambda tool: not tool.archive):
        measured = (
            ", ".join(names[e].title for e in dict.fromkeys(tool.archive.values())) or MISSING
        )
        rows = [
            Row(
                {
                    "title": text(metric.title),
                    "id": text(metric.id),
                    "better": text(metric.better),
                    "range": Value(_range(metric), _range(metric)),
                    "evaluations": text(_measured(inputs, tool, metric) or measured),
                },
                {"tool": tool.id, "version": tool.version},
            )
            for metric in tool.metrics
        ]
        heading = tool.title if tool.version in tool.title else f"{tool.title}, {tool.version}"
        groups.append(
            Group(heading if tool.archive else f"{heading} (beside the study's own tools)", rows)
        )
        if tool.about:
            notes.append(f"{tool.title}: {tool.about}")
    return TableData(
        table,
        _COLUMNS,
        groups,
        notes,
        catalog_files(
            inputs.known, "tools", (tool.id for tool in inputs.known.of("tools", table.study))
        ),
    )


def _measured(inputs: Inputs, tool: Tool, metric: Metric) -> str:
    """The evaluation sets whose archived table has the metric: SIDE, say, exists for Java only."""
    names = inputs.known.evaluations()
    return ", ".join(
        names[name].title
        for (owner, name), (metrics, _) in sorted(inputs.score_counts.items())
        if owner == tool.id and metric.id in metrics
    )


def _range(metric: Metric) -> str:
    if metric.low is None and metric.high is None:
        return MISSING
    low = format_value(metric.low) or "−∞"
    return f"{low} to {format_value(metric.high)}" if metric.high is not None else f"{low} or more"

"""Turning what a tool said about one item into score records."""

from collections.abc import Iterator, Mapping, Sequence

from mtpeft.core.records import Score
from mtpeft.scoring.interface import Item


def record(
    tool: str,
    version: str,
    item: Item,
    metric: str,
    value: float | None,
    status: str = "ok",
    detail: str = "",
) -> Score:
    """The record of one metric of one item.

    Args:
        tool: The tool.
        version: Its version.
        item: What was scored.
        metric: The metric.
        value: Its value; None where there is none.
        status: Why there is none, as a status; else `ok`.
        detail: The tool's own words.
    """
    return Score(
        item.run, item.task, item.instance_id, tool, version, metric, value, status, detail
    )


def measured(
    tool: str,
    version: str,
    item: Item,
    values: Mapping[str, float],
    details: Mapping[str, str] | None = None,
) -> Iterator[Score]:
    """One record per metric with its value.

    Args:
        tool: The tool.
        version: Its version.
        item: What was scored.
        values: The value of each metric.
        details: The tool's message lines by metric.
    """
    for metric, value in values.items():
        yield record(
            tool, version, item, metric, float(value), detail=(details or {}).get(metric, "")
        )


def unmeasured(
    tool: str, version: str, item: Item, metrics: Sequence[str], status: str, detail: str
) -> Iterator[Score]:
    """One record per metric without a value; the reason is given at the first.

    Args:
        tool: The tool.
        version: Its version.
        item: What could not be scored.
        metrics: The metrics.
        status: Why, as a status.
        detail: Why, in the tool's words.
    """
    for number, metric in enumerate(metrics):
        said = detail if number == 0 else ""
        yield record(tool, version, item, metric, None, status, said)

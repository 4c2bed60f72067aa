"""Down to single instances: where two runs part most, for the metrics that matter to a verdict."""

import pandas as pd

from mtpeft.catalog import Block, Comparison, Metric
from mtpeft.core.records import format_value
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import AS_PUBLISHED, CORRECTED, Inputs
from mtpeft.reporting.names import block_title, subject
from mtpeft.reporting.sections import Section
from mtpeft.reporting.tables.comparison import LEVEL
from mtpeft.statistics.printed import adjusted

SHOWN = 5
FLIPS = 60


def section(inputs: Inputs) -> Section:
    """Per comparison its first metric, and every metric whose conclusion differs between the two
    protocols.
    """
    comparisons = []
    for comparison in inputs.known.comparisons.values():
        parts = [part for block in comparison.blocks for part in _block(inputs, comparison, block)]
        if parts:
            comparisons.append(
                {
                    "comparison": comparison,
                    "title": f"{comparison.question}, {subject(comparison)}",
                    "parts": parts,
                }
            )
    return Section(
        "instances", "Instances", render("instances.html", comparisons=comparisons, shown=SHOWN)
    )


def _block(inputs: Inputs, comparison: Comparison, block: Block) -> list[dict[str, object]]:
    parts = []
    for position, name in enumerate(comparison.metrics):
        test = inputs.test(comparison.id, block.id, name, AS_PUBLISHED)
        corrected = inputs.test(comparison.id, block.id, name, CORRECTED)
        if test is None or corrected is None:
            continue
        changed = (adjusted(test, comparison.adjustment) < LEVEL) != (
            adjusted(corrected, comparison.adjustment) < LEVEL
        )
        if position and not changed:
            continue
        metric = inputs.known.metrics()[name][1]
        parts.append(
            _part(inputs, comparison, block, metric, test.task)
            | {
                "changed": changed,
                "dropped": corrected.n_dropped,
                "dropped_ids": corrected.dropped_ids,
            }
        )
    return parts


def _part(
    inputs: Inputs, comparison: Comparison, block: Block, metric: Metric, task: str
) -> dict[str, object]:
    a, b = (inputs.scores.vector(run, task, metric.id) for run in (block.a, block.b))
    pairs = a.merge(b, on="instance_id", suffixes=("_a", "_b"))
    pairs["difference"] = pairs["value_a"] - pairs["value_b"]
    known = pairs.dropna(subset=["difference"])
    ordered = known.assign(size=known["difference"].abs()).sort_values(
        ["size", "instance_id"], ascending=[False, True]
    )
    ordered = ordered[ordered["size"] > 0]
    flips = comparison.test == "mcnemar"
    return {
        "title": f"{block_title(block)}, {metric.title}",
        "side_a": comparison.side_a,
        "side_b": comparison.side_b,
        "larger_a": int((known["difference"] > 0).sum()),
        "equal": int((known["difference"] == 0).sum()),
        "larger_b": int((known["difference"] < 0).sum()),
        "pairs": len(known),
        "only_a": list(ordered[ordered["difference"] > 0]["instance_id"])[:FLIPS] if flips else [],
        "only_b": list(ordered[ordered["difference"] < 0]["instance_id"])[:FLIPS] if flips else [],
        "rows": [] if flips else _rows(ordered.head(SHOWN)),
    }


def _rows(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    return [
        (row.instance_id, _number(row.value_a), _number(row.value_b), f"{row.difference:+.4g}")
        for row in frame.itertuples(index=False)
    ]


def _number(value: float) -> str:
    return format_value(round(float(value), 4))

"""The numbers that figures draw, taken from the records."""

import math

from mtpeft.catalog import Comparison, Metric
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.names import BETTER


def scale(metric: Metric) -> float:
    """By how much a metric is multiplied when it is drawn: 100 where the study prints it in
    percent.
    """
    return 100.0 if metric.percent else 1.0


def unit(metric: Metric) -> str:
    """Title of a metric and whether it is in percent."""
    return f"{metric.title}, %" if metric.percent else metric.title


def directed(title: str, metric: Metric) -> str:
    """A title with the direction in which the metric gets better, where there is one."""
    return f"{title} {BETTER[metric.better]}".rstrip()


def printed_pass_rates(
    inputs: Inputs, comparison: Comparison, block: str
) -> tuple[float, float] | None:
    """pass@1 of sides A and B (in %) from the printed contingency counts of one block; None where
    they are not printed.

    The study's outputs print no means. For pass@1 they follow from the counts: (both + only A) /
    all for side A, and (both + only B) / all for side B.
    """
    counts = {}
    for name in ("both_pass", "a_only", "b_only", "both_fail"):
        cells = inputs.printed.get(
            (comparison.id, block, comparison.metrics[0], name, comparison.adjustment)
        )
        if not cells:
            return None
        counts[name] = int(cells[0].printed)
    total = sum(counts.values())
    if not total:
        return None
    return (
        100 * (counts["both_pass"] + counts["a_only"]) / total,
        100 * (counts["both_pass"] + counts["b_only"]) / total,
    )


def printed_number(
    inputs: Inputs, comparison: Comparison, block: str, metric: str, quantity: str
) -> float:
    """A printed number with the most digits available; NaN where none is printed.

    Args:
        inputs: What reporting reads.
        comparison: The comparison.
        block: Its block.
        metric: Its metric.
        quantity: What was printed, such as `cliffs_delta`.
    """
    cells = inputs.printed.get((comparison.id, block, metric, quantity, comparison.adjustment), [])
    numbers = [cell.printed for cell in cells if cell.printed not in ("NA", "NaN", "Inf", "-Inf")]
    return float(max(numbers, key=len)) if numbers else math.nan

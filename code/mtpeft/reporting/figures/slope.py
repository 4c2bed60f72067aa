"""Slope chart: side A on the left, side B on the right, one line per model size, one panel per
evaluation set.
"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from mtpeft.catalog import Figure
from mtpeft.reporting.figures import Drawing
from mtpeft.reporting.figures.style import (
    MUTED,
    PUBLISHED,
    WIDTH,
    look,
    pad_limits,
    published_handle,
    series,
)
from mtpeft.reporting.figures.values import directed, printed_pass_rates, scale, unit
from mtpeft.reporting.inputs import AS_PUBLISHED, Inputs
from mtpeft.reporting.names import block_title
from mtpeft.reporting.tables.comparison import LEVEL
from mtpeft.statistics.printed import adjusted


def draw(figure: Figure, inputs: Inputs) -> Drawing:
    """Side A against side B.

    Options: panels, a list of {comparison, evaluation, metric}.
    """
    panels: list[dict[str, Any]] = figure.options["panels"]
    height = (len(panels) + 1) // 2
    rows: list[list[object]] = []
    with look():
        canvas = Canvas(figsize=(WIDTH, 1.75 * height + 0.5), layout="constrained")
        grid = canvas.subplots(height, 2, squeeze=False)
        sizes: dict[str, None] = {}
        axes: Axes
        for panel, axes in zip(panels, grid.flat, strict=False):
            rows += _panel(axes, panel, inputs, sizes)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
        handles: list[Line2D] = [
            Line2D(
                [], [], color=series("size", i).colour, marker=series("size", i).marker, label=size
            )
            for i, size in enumerate(sizes)
        ]
        dashes = [
            Line2D([], [], color=MUTED, linestyle=line, label=label)
            for line, label in (("-", "significant"), ((0, (3, 2)), "not significant"))
        ]
        canvas.legend(
            handles=[*handles, *dashes, published_handle()],
            loc="outside upper center",
            ncols=max(3, len(handles)),
            columnspacing=1.0,
        )
    return Drawing(
        figure,
        [("", canvas)],
        ["Evaluation set", "Metric", "Size", "A", "Mean A", "B", "Mean B", "p adj."],
        rows,
        sorted([inputs.tests_path, *inputs.printed_files(figure.study)]),
    )


def _panel(
    axes: Axes, panel: dict[str, Any], inputs: Inputs, sizes: dict[str, None]
) -> list[list[object]]:
    comparison = inputs.known.get("comparisons", panel["comparison"])
    metric = inputs.known.metrics()[panel["metric"]][1]
    evaluation = inputs.known.evaluations()[panel["evaluation"]]
    rows: list[list[object]] = []
    drawn: list[float] = []
    for block in comparison.blocks:
        test = inputs.test(comparison.id, block.id, metric.id, AS_PUBLISHED)
        if (block.task or comparison.task) != evaluation.id or test is None:
            continue
        size = block_title(block).split()[-1]
        sizes.setdefault(size)
        look_of = series("size", list(sizes).index(size))
        ends = [test.mean_a * scale(metric), test.mean_b * scale(metric)]
        p = adjusted(test, comparison.adjustment)
        axes.plot(
            [0, 1],
            ends,
            color=look_of.colour,
            marker=look_of.marker,
            markersize=5,
            linestyle="-" if p < LEVEL else (0, (3, 2)),
            clip_on=False,
        )
        printed = (
            printed_pass_rates(inputs, comparison, block.id)
            if comparison.test == "mcnemar"
            else None
        )
        if printed:
            axes.plot([0, 1], printed, clip_on=False, **PUBLISHED)
        drawn += [*ends, *(printed or ())]
        rows.append(
            [
                evaluation.title,
                unit(metric),
                size,
                comparison.side_a,
                round(ends[0], 2),
                comparison.side_b,
                round(ends[1], 2),
                "NA" if p != p else f"{p:.4f}",
            ]
        )
    axes.set_title(f"{evaluation.title}\n", pad=2)
    axes.text(
        0, 1.04, directed(unit(metric), metric), transform=axes.transAxes, color=MUTED, fontsize=7.5
    )
    axes.set_xlim(-0.18, 1.18)
    axes.set_xticks([0, 1], [comparison.side_a, comparison.side_b])
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if drawn:
        pad_limits(axes, drawn)
    return rows

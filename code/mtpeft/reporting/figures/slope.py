"""Slope chart: side A on the left, side B on the right, one line per model size, one panel per
evaluation set.
"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mtpeft.catalog import Figure
from mtpeft.reporting.figures import Drawing
from mtpeft.reporting.figures.style import (
    MUTED,
    PUBLISHED,
    head,
    interval_handle,
    look,
    pad_limits,
    panels,
    published_handle,
    series,
    whisker,
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
    wanted: list[dict[str, Any]] = figure.options["panels"]
    rows: list[list[object]] = []
    with look():
        canvas, grid = panels(len(wanted))
        sizes: dict[str, None] = {}
        for panel, axes in zip(wanted, grid, strict=True):
            rows += _panel(axes, panel, inputs, sizes)
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
            handles=[*handles, *dashes, interval_handle(), published_handle()],
            loc="outside upper center",
            ncols=max(3, len(handles)),
            columnspacing=1.0,
        )
    return Drawing(
        figure,
        [("", canvas)],
        [
            "Evaluation set",
            "Metric",
            "Size",
            *("A", "Mean A", "A 95 % low", "A 95 % high"),
            *("B", "Mean B", "B 95 % low", "B 95 % high"),
            "p adj.",
        ],
        rows,
        sorted([inputs.tests_path, inputs.means_path, *inputs.printed_files(figure.study)]),
    )


def _panel(
    axes: Axes, panel: dict[str, Any], inputs: Inputs, sizes: dict[str, None]
) -> list[list[object]]:
    comparison = inputs.known.get("comparisons", panel["comparison"])
    metric = inputs.known.metrics()[panel["metric"]][1]
    evaluation = inputs.known.evaluations()[panel["evaluation"]]
    rows: list[list[object]] = []
    drawn: list[float] = []
    blocks = [b for b in comparison.blocks if (b.task or comparison.task) == evaluation.id]
    for block in blocks:
        test = inputs.test(comparison.id, block.id, metric.id, AS_PUBLISHED)
        if test is None:
            continue
        size = block_title(block).split()[-1]
        sizes.setdefault(size)
        look_of = series("size", list(sizes).index(size))
        ends = [test.mean_a * scale(metric), test.mean_b * scale(metric)]
        p = adjusted(test, comparison.adjustment)
        # Side by side, so that no interval covers another.
        shift = (len(rows) - (len(blocks) - 1) / 2) * 0.025
        intervals = [
            (m.low * scale(metric), m.high * scale(metric))
            for m in (inputs.means[run, evaluation.id, metric.id] for run in (block.a, block.b))
        ]
        for x, (low, high) in enumerate(intervals):
            whisker(axes, x + shift, low, high, look_of)
            drawn += [low, high]
        axes.plot(
            [shift, 1 + shift],
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
            axes.plot([shift, 1 + shift], printed, clip_on=False, **PUBLISHED)
        drawn += [*ends, *(printed or ())]
        rows.append(
            [
                evaluation.title,
                unit(metric),
                size,
                comparison.side_a,
                *(round(v, 2) for v in (ends[0], *intervals[0])),
                comparison.side_b,
                *(round(v, 2) for v in (ends[1], *intervals[1])),
                "NA" if p != p else f"{p:.4f}",
            ]
        )
    head(axes, evaluation.title, directed(unit(metric), metric))
    axes.set_xlim(-0.18, 1.18)
    axes.set_xticks([0, 1], [comparison.side_a, comparison.side_b])
    axes.tick_params(axis="x", length=0)
    if drawn:
        pad_limits(axes, drawn)
    return rows

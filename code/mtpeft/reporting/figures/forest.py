"""Forest plot: every effect size of a research question with its interval, and the printed value as
a tick.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from mtpeft.catalog import Block, Comparison, Figure
from mtpeft.core.records import Test
from mtpeft.reporting.figures import Drawing
from mtpeft.reporting.figures.style import BAND, GRID, INK, MUTED, WIDTH, Series, look, series
from mtpeft.reporting.figures.values import directed, printed_number
from mtpeft.reporting.inputs import AS_PUBLISHED, Inputs
from mtpeft.reporting.marks import MISSING, SIGNS
from mtpeft.reporting.names import block_title, subject
from mtpeft.reporting.summary import worst
from mtpeft.reporting.tables.comparison import LEVEL, number
from mtpeft.statistics.printed import adjusted

NEGLIGIBLE = 0.147
"""|d| below this is called negligible (Romano et al. 2006), as the study prints it."""
# Inches: per metric, per panel for title and axis, and for the two lines of the legend.
_ROW, _HEAD, _LEGEND = 0.27, 0.78, 0.68
_LEFT = 0.46
"""Share of the width that the names of the metrics take."""


@dataclass(frozen=True)
class Point:
    """One effect: recomputed where the archive allows it, printed where the study prints it.
    Numbers are NaN where absent.

    Attributes:
        label: What stands at the left of the row, in two lines where it is long.
        title: The same in one line, for the table of values.
        series: What decides its look.
        effect: The recomputed effect size.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        printed: The printed effect size.
        printed_low: Lower end of the printed interval.
        printed_high: Upper end of the printed interval.
        significant: Whether the adjusted p-value is below 0.05.
        differs: Whether the printed value differs from the recomputed one.
    """

    label: str
    title: str
    series: str
    effect: float
    low: float
    high: float
    printed: float
    printed_low: float
    printed_high: float
    significant: bool
    differs: bool


def draw(figure: Figure, inputs: Inputs) -> Drawing:
    """One part for each task, with a legend of its own. McNemar tests are drawn as odds ratios on a
    logarithmic axis.

    Options: comparisons.
    """
    comparisons = [inputs.known.get("comparisons", name) for name in figure.options["comparisons"]]
    panels = [(c, list(_points(inputs, c))) for c in comparisons]
    looks = _looks(p.series for _, points in panels for p in points)
    tasks = {c.id: inputs.known.task_of(c.task).title for c in comparisons}
    with look():
        parts = [
            (task, _canvas([(c, found) for c, found in panels if tasks[c.id] == task], looks))
            for task in dict.fromkeys(tasks.values())
        ]
    rows: list[list[object]] = [
        [
            subject(c),
            p.title,
            p.series,
            *(_text(v) for v in (p.effect, p.low, p.high, p.printed)),
            "yes" if p.significant else "no",
        ]
        for c, points in panels
        for p in points
    ]
    files = [
        inputs.tests_path,
        *inputs.printed_files(figure.study),
        *([inputs.verdicts_path] if inputs.verdicts else []),
    ]
    return Drawing(
        figure,
        parts,
        [
            "Comparison",
            "Metric",
            "Block",
            "Effect",
            "95 % low",
            "95 % high",
            "Printed",
            "Significant",
        ],
        rows,
        sorted(files),
    )


def _looks(names: Iterable[str]) -> dict[str, Series]:
    """A look for each series: that of a size (`3B`), else that of a set of tasks."""
    found = list(dict.fromkeys(names))
    sizes = [name for name in found if re.fullmatch(r"[\d.]+B", name)]
    others = [name for name in found if name not in sizes]
    return {name: series("size", i) for i, name in enumerate(sizes)} | {
        name: series("tasks", i) for i, name in enumerate(others)
    }


def _canvas(panels: list[tuple[Comparison, list[Point]]], looks: dict[str, Series]) -> Canvas:
    """The comparisons of one task below one another, the legend above and the scale wide enough for
    every interval.
    """
    names = [n for n in looks if any(p.series == n for _, points in panels for p in points)]
    limit = max(
        (
            abs(v)
            for c, points in panels
            if c.test == "wilcoxon"
            for p in points
            for v in (p.effect, p.low, p.high, p.printed, p.printed_low, p.printed_high)
            if not math.isnan(v)
        ),
        default=0.3,
    )
    heights = [_ROW * len({p.label for p in points}) + _HEAD for _, points in panels]
    total = sum(heights) + _LEGEND
    canvas = Canvas(figsize=(WIDTH, total))
    top = total - _LEGEND + 0.25
    for (comparison, points), height in zip(panels, heights, strict=True):
        bottom = top - height + 0.45
        axes = canvas.add_axes((_LEFT, bottom / total, 0.93 - _LEFT, (height - _HEAD) / total))
        _panel(axes, comparison, points, {name: looks[name] for name in names}, limit)
        top -= height
    handles = [
        Line2D(
            [],
            [],
            color=looks[n].colour,
            marker=looks[n].marker,
            label=n,
            linewidth=1,
            markersize=5,
        )
        for n in names
    ]
    signs = [
        Line2D([], [], color=INK, linestyle="none", marker="o", markersize=5, label="significant"),
        Line2D(
            [],
            [],
            color=INK,
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="white",
            label="not significant",
        ),
        Line2D([], [], color=INK, marker="|", markersize=8, linestyle="none", label="printed"),
        Line2D(
            [],
            [],
            color=INK,
            marker="$≠$",
            markersize=6,
            linestyle="none",
            label="print differs",
        ),
    ]
    shown = signs if any(p.differs for _, points in panels for p in points) else signs[:-1]
    for legend, place in ((handles, 1.0), (shown, 1 - 0.19 / total)):
        canvas.legend(
            handles=legend,
            loc="upper center",
            bbox_to_anchor=(0.5, place),
            ncols=len(legend),
            columnspacing=0.9,
            handletextpad=0.3,
            borderaxespad=0.1,
            fontsize=7,
        )
    return canvas


def _text(value: float) -> str:
    return MISSING if math.isnan(value) else number(value, 4).text


def _points(inputs: Inputs, comparison: Comparison) -> Iterator[Point]:
    for metric in comparison.metrics:
        for block in comparison.blocks:
            test = inputs.test(comparison.id, block.id, metric, AS_PUBLISHED)
            title = block_title(block)
            language, _, last = title.rpartition(" ")
            yield _point(
                inputs,
                comparison,
                block,
                metric,
                test,
                language or inputs.known.metrics()[metric][1].title,
                last,
            )


def _point(
    inputs: Inputs,
    comparison: Comparison,
    block: Block,
    metric: str,
    test: Test | None,
    label: str,
    name: str,
) -> Point:
    quantity = {"mcnemar": "odds_ratio", "wilcoxon": "cliffs_delta"}[comparison.test]
    effect = low = high = math.nan
    significant = False
    if test is not None:
        significant = adjusted(test, comparison.adjustment) < LEVEL
        effect = getattr(test, quantity)
        low, high = (getattr(test, f"{quantity}_{end}") for end in ("low", "high"))
    cells = inputs.printed.get(
        (comparison.id, block.id, metric, quantity, comparison.adjustment), []
    )
    verdict = worst(v for c in cells if (v := inputs.verdict_of.get(("cell", c.id))))
    printed, printed_low, printed_high = (
        printed_number(inputs, comparison, block.id, metric, q)
        for q in (quantity, "ci_low", "ci_high")
    )
    return Point(
        directed(_two_lines(label), inputs.known.metrics()[metric][1]),
        label,
        name,
        effect,
        low,
        high,
        printed,
        printed_low,
        printed_high,
        significant,
        verdict is not None and verdict.verdict == "differs",
    )


def _two_lines(label: str) -> str:
    """A long name with what stands in parentheses on a line of its own."""
    return label.replace(" (", "\n(") if len(label) > 22 else label


def _panel(
    axes: Axes,
    comparison: Comparison,
    points: list[Point],
    looks: dict[str, Series],
    limit: float,
) -> None:
    labels = list(dict.fromkeys(p.label for p in points))
    order = list(looks)
    step = 0.8 / len(order)
    ratio = comparison.test == "mcnemar"
    if not ratio:
        axes.axvspan(-NEGLIGIBLE, NEGLIGIBLE, color=BAND, linewidth=0, zorder=0)
    axes.axvline(1.0 if ratio else 0.0, color=MUTED, linewidth=0.7, zorder=1)
    for row in range(1, len(labels)):
        axes.axhline(row - 0.5, color=GRID, linewidth=0.5, zorder=1)
    for point in points:
        number = order.index(point.series)
        y = labels.index(point.label) + (number - (len(order) - 1) / 2) * step
        _mark(axes, point, y, looks[point.series])
        if point.differs:
            # Next to one another, since the rows of neighbouring series are closer than a sign is high.
            axes.annotate(
                SIGNS["differs"],
                (1.01 + 0.035 * number, y),
                xycoords=("axes fraction", "data"),
                fontsize=6.5,
                va="center",
                color=looks[point.series].colour,
                annotation_clip=False,
            )
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels, fontsize=7, linespacing=1.0)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    name = subject(comparison)
    axes.set_title(
        f"{name} (odds ratio)" if ratio else name, x=-_LEFT / (0.93 - _LEFT), fontsize=8.5
    )
    if ratio:
        axes.set_xscale("log", base=2)
        axes.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
        ends = [
            v for p in points for v in (p.low, p.high, p.printed) if not math.isnan(v) and v > 0
        ]
        axes.set_xlim(min([0.25, *ends]) / 1.1, max([4, *ends]) * 1.1)
        axes.minorticks_off()
    else:
        axes.set_xlim(-limit * 1.05, limit * 1.05)
        axes.locator_params(axis="x", nbins=5)
    for text, x, side in (
        (f"← {comparison.side_b} larger", 0, "left"),
        (f"{comparison.side_a} larger →", 1, "right"),
    ):
        axes.annotate(
            text,
            (x, 0),
            (0, -17),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=7,
            color=MUTED,
            va="top",
            ha=side,
        )


def _mark(axes: Axes, point: Point, y: float, look_of: Series) -> None:
    """One effect with its interval, filled where it is significant, and the printed value."""
    if not math.isnan(point.effect):
        axes.plot([point.low, point.high], [y, y], color=look_of.colour, linewidth=1, zorder=2)
        axes.plot(
            [point.effect],
            [y],
            marker=look_of.marker,
            markersize=4,
            color=look_of.colour,
            zorder=3,
            markerfacecolor=look_of.colour if point.significant else "white",
            markeredgewidth=0.9,
        )
    elif not math.isnan(point.printed_low):
        axes.plot(
            [point.printed_low, point.printed_high],
            [y, y],
            color=look_of.colour,
            linewidth=0.9,
            linestyle=(0, (1, 1.2)),
            zorder=2,
        )
    axes.plot(
        [point.printed], [y], marker="|", markersize=5.5, markeredgewidth=0.9, color=INK, zorder=4
    )

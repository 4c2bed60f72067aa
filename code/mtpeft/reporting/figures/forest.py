"""Forest plot: every effect size of a research question with its interval, the printed value as a
tick beside it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from mtpeft.catalog import Block, Comparison, Figure
from mtpeft.core.records import Test
from mtpeft.reporting.figures import Drawing
from mtpeft.reporting.figures.style import BAND, GRID, INK, MUTED, SERIES, WIDTH, look
from mtpeft.reporting.figures.values import printed_number
from mtpeft.reporting.inputs import AS_PUBLISHED, Inputs
from mtpeft.reporting.marks import MISSING, SIGNS
from mtpeft.reporting.summary import worst
from mtpeft.reporting.tables.comparison import LEVEL, block_title, number, subject
from mtpeft.statistics.printed import adjusted

NEGLIGIBLE = 0.147
"""|d| below this is called negligible (Romano et al. 2006), as the study prints it."""
_ROW = 0.25  # inches per metric
_HEAD = 0.7  # inches per panel for title and axis
_Z = 1.959964


@dataclass(frozen=True)
class Point:
    """One effect: recomputed where the archive allows it, printed where the study prints it. NaN
    where absent.
    """

    label: str
    series: str
    effect: float
    low: float
    high: float
    printed: float
    printed_low: float
    printed_high: float
    significant: bool
    differs: bool


def odds_ratio_interval(a_only: float, b_only: float) -> tuple[float, float]:
    """Wald 95 % interval of the odds ratio (a+0.5)/(b+0.5) on the log scale (Agresti, Categorical
    Data Analysis, 11.1).
    """
    centre = math.log((a_only + 0.5) / (b_only + 0.5))
    half = _Z * math.sqrt(1 / (a_only + 0.5) + 1 / (b_only + 0.5))
    return math.exp(centre - half), math.exp(centre + half)


def draw(figure: Figure, inputs: Inputs) -> Drawing:
    """options: `comparisons`. McNemar tests are drawn as odds ratios on a logarithmic axis."""
    comparisons = [inputs.known.get("comparisons", name) for name in figure.options["comparisons"]]
    panels = [(c, list(_points(inputs, c))) for c in comparisons]
    series = list(dict.fromkeys(p.series for _, points in panels for p in points))
    lengths = [len({p.label for p in points}) for _, points in panels]
    limit = max(
        (
            abs(v)
            for c, points in panels
            if c.test == "wilcoxon"
            for p in points
            for v in (p.low, p.high, p.printed_low, p.printed_high)
            if not math.isnan(v)
        ),
        default=0.3,
    )
    heights = [_ROW * n + _HEAD for n in lengths]
    with look():
        total = sum(heights) + 0.5
        canvas = Canvas(figsize=(WIDTH, total))
        top = total - 0.3
        for (comparison, points), height in zip(panels, heights, strict=True):
            bottom = top - height + 0.42
            axes = canvas.add_axes((0.39, bottom / total, 0.585, (height - _HEAD) / total))
            _panel(axes, comparison, points, series, limit)
            top -= height
        handles = [
            Line2D([], [], color=s.colour, marker=s.marker, label=name, linewidth=1, markersize=4.5)
            for s, name in zip(SERIES, series, strict=False)
        ]
        handles.append(
            Line2D(
                [], [], color=INK, marker="|", markersize=8, linestyle="none", label="as printed"
            )
        )
        canvas.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, 1), ncols=len(handles)
        )
    rows: list[list[object]] = [
        [
            subject(c),
            p.label,
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
        canvas,
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
    series: str,
) -> Point:
    quantity = {"mcnemar": "odds_ratio", "wilcoxon": "cliffs_delta"}[comparison.test]
    effect = low = high = math.nan
    significant = False
    if test is not None:
        significant = adjusted(test, comparison.adjustment) < LEVEL
        effect = getattr(test, quantity)
        if quantity == "odds_ratio":
            low, high = odds_ratio_interval(test.a_only, test.b_only)
        else:
            low, high = test.cliffs_delta_low, test.cliffs_delta_high
    cells = inputs.printed.get(
        (comparison.id, block.id, metric, quantity, comparison.adjustment), []
    )
    verdict = worst(v for c in cells if (v := inputs.verdict_of.get(("cell", c.id))))
    printed = [
        printed_number(inputs, comparison, block.id, metric, q)
        for q in (quantity, "ci_low", "ci_high")
    ]
    return Point(
        label,
        series,
        effect,
        low,
        high,
        *printed,
        significant,
        verdict is not None and verdict.verdict == "differs",
    )


def _panel(
    axes: Axes, comparison: Comparison, points: list[Point], series: list[str], limit: float
) -> None:
    labels = list(dict.fromkeys(p.label for p in points))
    step = 0.8 / len(series)
    ratio = comparison.test == "mcnemar"
    middle = 1.0 if ratio else 0.0
    if not ratio:
        axes.axvspan(-NEGLIGIBLE, NEGLIGIBLE, color=BAND, linewidth=0, zorder=0)
    axes.axvline(middle, color=MUTED, linewidth=0.7, zorder=1)
    for row in range(1, len(labels)):
        axes.axhline(row - 0.5, color=GRID, linewidth=0.5, zorder=1)
    for point in points:
        y = labels.index(point.label) + (series.index(point.series) - (len(series) - 1) / 2) * step
        look_of = SERIES[series.index(point.series)]
        if not math.isnan(point.effect):
            axes.plot([point.low, point.high], [y, y], color=look_of.colour, linewidth=1, zorder=2)
            axes.plot(
                [point.effect],
                [y],
                marker=look_of.marker,
                markersize=3.8,
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
            [point.printed],
            [y],
            marker="|",
            markersize=5.5,
            markeredgewidth=0.9,
            color=INK,
            zorder=4,
        )
        if point.differs:
            axes.annotate(
                SIGNS["differs"],
                (1.01, y),
                xycoords=("axes fraction", "data"),
                fontsize=7,
                va="center",
                color=INK,
                annotation_clip=False,
            )
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    name = subject(comparison)
    axes.set_title(f"{name}  (odds ratio)" if ratio else name, x=-0.66, fontsize=8.5)
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
    axes.annotate(
        f"← {comparison.side_b} larger",
        (0, 0),
        (0, -18),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=6.5,
        color=MUTED,
        va="top",
    )
    axes.annotate(
        f"{comparison.side_a} larger →",
        (1, 0),
        (0, -18),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=6.5,
        color=MUTED,
        va="top",
        ha="right",
    )

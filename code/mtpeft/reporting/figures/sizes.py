"""Quality against model size: one line per training regime, one panel per evaluation set."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from mtpeft.catalog import Figure, Run
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
from mtpeft.reporting.inputs import Inputs


def draw(figure: Figure, inputs: Inputs) -> Drawing:
    """Quality against model size.

    Options: panels, a list of {evaluation, metric, printed: comparisons whose counts give printed
    points}.
    """
    panels: list[dict[str, Any]] = figure.options["panels"]
    height = (len(panels) + 1) // 2
    rows: list[list[object]] = []
    files = set(inputs.printed_files(figure.study))
    with look():
        canvas = Canvas(figsize=(WIDTH, 1.75 * height + 0.5), layout="constrained")
        grid = canvas.subplots(height, 2, squeeze=False)
        regimes: dict[str, None] = {}
        axes: Axes
        for panel, axes in zip(panels, grid.flat, strict=False):
            rows += _panel(axes, panel, figure.study, inputs, regimes)
            tool = inputs.scores.tool_of(panel["evaluation"], panel["metric"])
            files.add(inputs.score_file(tool, panel["evaluation"]))
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
        handles = [
            Line2D([], [], color=s.colour, marker=s.marker, label=regime)
            for s, regime in ((series("regime", i), regime) for i, regime in enumerate(regimes))
        ]
        canvas.legend(
            handles=[*handles, published_handle()],
            loc="outside upper center",
            ncols=min(len(handles) + 1, 2),
        )
    return Drawing(
        figure,
        [("", canvas)],
        ["Evaluation set", "Metric", "Regime", "Size", "Mean", "n"],
        rows,
        sorted(files),
    )


def _regime_title(run: Run) -> str:
    return f"{run.regime.upper()}-{'FFT' if run.method == 'fft' else 'QLoRA' if run.method == 'qlora' else run.method}"


def _panel(
    axes: Axes, panel: dict[str, Any], study: str, inputs: Inputs, regimes: dict[str, None]
) -> list[list[object]]:
    known = inputs.known
    evaluation, metric = (
        known.evaluations()[panel["evaluation"]],
        known.metrics()[panel["metric"]][1],
    )
    backbones = list(known.of("backbones", study))
    most = max(len(run.tasks) for run in known.of("runs", study))
    rows: list[list[object]] = []
    drawn: list[float] = []
    points: dict[str, list[tuple[int, float]]] = {}
    place: dict[str, int] = {}
    for run in sorted(
        known.of("runs", study), key=lambda r: (r.regime != "st", r.method == "fft", r.id)
    ):
        if len(run.tasks) not in (1, most) or not inputs.scores.has(
            run.id, evaluation.id, metric.id
        ):
            continue
        values = inputs.scores.vector(run.id, evaluation.id, metric.id)["value"].dropna()
        position = [b.id for b in backbones].index(run.backbone)
        mean = float(values.mean()) * scale(metric)
        points.setdefault(_regime_title(run), []).append((position, mean))
        place[run.id] = position
        rows.append(
            [
                evaluation.title,
                unit(metric),
                _regime_title(run),
                backbones[position].label,
                round(mean, 2),
                len(values),
            ]
        )
        drawn.append(mean)
    for regime, found in points.items():
        regimes.setdefault(regime)
        look_of = series("regime", list(regimes).index(regime))
        axes.plot(
            *zip(*sorted(found), strict=True),
            color=look_of.colour,
            marker=look_of.marker,
            markersize=5,
            clip_on=False,
        )
    drawn += _printed(axes, panel, inputs, evaluation.id, place)
    axes.set_title(f"{evaluation.title}\n", pad=2)
    axes.text(
        0, 1.04, directed(unit(metric), metric), transform=axes.transAxes, color=MUTED, fontsize=7.5
    )
    axes.set_xticks(range(len(backbones)), [b.label for b in backbones])
    axes.set_xlim(-0.25, len(backbones) - 0.75)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if drawn:
        pad_limits(axes, drawn)
    return rows


def _printed(
    axes: Axes, panel: dict[str, Any], inputs: Inputs, evaluation: str, place: dict[str, int]
) -> list[float]:
    drawn: list[float] = []
    for name in panel.get("printed", []):
        comparison = inputs.known.get("comparisons", name)
        for block in comparison.blocks:
            rates = printed_pass_rates(inputs, comparison, block.id)
            if (
                rates
                and (block.task or comparison.task) == evaluation
                and block.a in place
                and block.b in place
            ):
                axes.plot([place[block.a], place[block.b]], rates, clip_on=False, **PUBLISHED)
                drawn += rates
    return drawn

"""Quality against model size: one line per training regime, one panel per evaluation set."""

from operator import itemgetter
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mtpeft.catalog import Figure, Run
from mtpeft.core.records import Mean
from mtpeft.reporting.figures import Drawing
from mtpeft.reporting.figures.style import (
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
from mtpeft.reporting.inputs import Inputs


def draw(figure: Figure, inputs: Inputs) -> Drawing:
    """Quality against model size.

    Options: panels, a list of {evaluation, metric, printed: comparisons whose counts give printed
    points}.
    """
    wanted: list[dict[str, Any]] = figure.options["panels"]
    rows: list[list[object]] = []
    with look():
        canvas, grid = panels(len(wanted))
        regimes: dict[str, None] = {}
        for panel, axes in zip(wanted, grid, strict=True):
            rows += _panel(axes, panel, figure.study, inputs, regimes)
        handles = [
            Line2D([], [], color=s.colour, marker=s.marker, label=regime)
            for s, regime in ((series("regime", i), regime) for i, regime in enumerate(regimes))
        ]
        canvas.legend(
            handles=[*handles, interval_handle(), published_handle()],
            loc="outside upper center",
            ncols=2,
        )
    return Drawing(
        figure,
        [("", canvas)],
        ["Evaluation set", "Metric", "Regime", "Size", "Mean", "95 % low", "95 % high", "n"],
        rows,
        sorted([inputs.means_path, *inputs.printed_files(figure.study)]),
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
    points: dict[str, list[tuple[int, Mean]]] = {}
    place: dict[str, float] = {}
    for run in sorted(
        known.of("runs", study), key=lambda r: (r.regime != "st", r.method == "fft", r.id)
    ):
        found = inputs.means.get((run.id, evaluation.id, metric.id))
        if len(run.tasks) not in (1, most) or found is None:
            continue
        position = [b.id for b in backbones].index(run.backbone)
        points.setdefault(_regime_title(run), []).append((position, found))
        rows.append(
            [
                evaluation.title,
                unit(metric),
                _regime_title(run),
                backbones[position].label,
                *(round(v * scale(metric), 2) for v in (found.mean, found.low, found.high)),
                found.n,
            ]
        )
    for number, (regime, means) in enumerate(points.items()):
        regimes.setdefault(regime)
        look_of = series("regime", list(regimes).index(regime))
        # Side by side, so that no interval covers another.
        shift = (number - (len(points) - 1) / 2) * 0.09
        line = [(p + shift, m.mean * scale(metric)) for p, m in sorted(means, key=itemgetter(0))]
        for position, m in means:
            place[m.run] = position + shift
            ends = (m.low * scale(metric), m.high * scale(metric))
            whisker(axes, position + shift, *ends, look_of)
            drawn += ends
        axes.plot(
            *zip(*line, strict=True),
            color=look_of.colour,
            marker=look_of.marker,
            markersize=5,
            clip_on=False,
        )
    drawn += _printed(axes, panel, inputs, evaluation.id, place)
    head(axes, evaluation.title, directed(unit(metric), metric))
    axes.set_xticks(range(len(backbones)), [b.label for b in backbones])
    axes.set_xlim(-0.25, len(backbones) - 0.75)
    if drawn:
        pad_limits(axes, drawn)
    return rows


def _printed(
    axes: Axes, panel: dict[str, Any], inputs: Inputs, evaluation: str, place: dict[str, float]
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

"""The look that all figures share, and their bytes.

Colours are Okabe and Ito's, which stay apart under the common colour-vision deficiencies; each
comes with a marker shape and a line style of its own, so that no meaning rests on colour.
"""

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

INK, MUTED, GRID, BAND = "#1c1f23", "#5b626b", "#d8dce1", "#eef0f2"
WIDTH = 4.0
"""Inches. Narrow, so that the text stays legible on a phone."""


@dataclass(frozen=True)
class Series:
    """The look of one series."""

    colour: str
    marker: str


MEANINGS = {
    "size": [
        Series("#0072B2", "o"),
        Series("#C44E00", "s"),
        Series("#00785A", "^"),
        Series("#7A5C00", "v"),
    ],
    "regime": [
        Series("#8F4B77", "P"),
        Series("#333A99", "X"),
        Series("#5F6B00", "*"),
        Series("#8A1C1C", "p"),
    ],
    "tasks": [
        Series("#5B626B", "<"),
        Series("#A0522D", ">"),
        Series("#2F6F73", "h"),
        Series("#6A3B80", "d"),
    ],
}
"""A look of its own for each meaning: no colour or marker stands for a size here and for a regime
there.
"""


def series(meaning: str, number: int) -> Series:
    """The look of the `number`-th member of a meaning; further ones repeat."""
    looks = MEANINGS[meaning]
    return looks[number % len(looks)]


PUBLISHED: dict[str, Any] = {
    "marker": "D",
    "markersize": 8,
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "markeredgewidth": 0.9,
    "linestyle": "none",
}


def look() -> AbstractContextManager[None]:
    """The settings under which every figure is drawn."""
    return mpl.rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 8,
            "axes.titlesize": 8.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 8,
            "axes.edgecolor": MUTED,
            "axes.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "grid.color": GRID,
            "grid.linewidth": 0.5,
            "legend.frameon": False,
            "legend.fontsize": 8,
            "lines.linewidth": 1.4,
            "svg.fonttype": "path",
            "figure.dpi": 100,
            "savefig.facecolor": "white",
            "figure.facecolor": "white",
        }
    )


def published_handle() -> Line2D:
    """Legend entry of the published points."""
    return Line2D([], [], label="as printed", **PUBLISHED)


def panels(count: int) -> tuple[Canvas, list[Axes]]:
    """A canvas with `count` panels in two columns, room for a legend above them."""
    height = (count + 1) // 2
    canvas = Canvas(figsize=(WIDTH, 1.75 * height + 0.7), layout="constrained")
    grid: list[Axes] = canvas.subplots(height, 2, squeeze=False).ravel().tolist()
    for axes in grid[count:]:
        axes.set_axis_off()
    return canvas, grid[:count]


def head(axes: Axes, title: str, below: str) -> None:
    """The title of a panel with a line below it, and the grid of its values."""
    axes.set_title(f"{title}\n", pad=2)
    axes.text(0, 1.04, below, transform=axes.transAxes, color=MUTED, fontsize=7.5)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def whisker(axes: Axes, x: float, low: float, high: float, look_of: Series) -> None:
    """An interval as a thin vertical bar."""
    axes.plot([x, x], [low, high], color=look_of.colour, linewidth=0.8, alpha=0.7, clip_on=False)


def interval_handle() -> Line2D:
    """Legend entry of the intervals."""
    label = "95 % interval"
    return Line2D([], [], color=MUTED, marker="|", markersize=9, linestyle="none", label=label)


def pad_limits(axes: Axes, values: list[float], share: float = 0.18) -> None:
    """Leave air above and below the values, so that markers and labels stay inside.

    Args:
        axes: The panel.
        values: What is drawn in it.
        share: The air at either end as a share of the values' range.
    """
    low, high = min(values), max(values)
    pad = (high - low) * share or abs(high) * 0.1 or 1
    axes.set_ylim(low - pad, high + pad)


def svg_bytes(canvas: Canvas, salt: str) -> bytes:
    """The figure as SVG without date, its ids derived from `salt`."""
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
        buffer = io.BytesIO()
        FigureCanvasSVG(canvas).print_svg(buffer, metadata={"Date": None, "Creator": "mtpeft"})
    # The layout stands: to work it out again for the other format takes a tenth of the time.
    canvas.set_layout_engine("none")
    return buffer.getvalue()


def png_bytes(canvas: Canvas) -> bytes:
    """The figure as PNG at 200 dots per inch, without date or software version."""
    buffer = io.BytesIO()
    canvas.set_dpi(200)
    FigureCanvasAgg(canvas).print_png(buffer, metadata={"Software": None})
    canvas.set_dpi(100)
    return buffer.getvalue()

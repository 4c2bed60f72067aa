"""`mtpeft compare`: the table on the terminal, CSV files, and a page with every pair of values."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_result
from mtpeft.core.records import csv_text, records_text
from mtpeft.reporting.html import anchor, render, style
from mtpeft.reporting.marks import MISSING, p_text
from mtpeft.statistics.own_runs import Contrast, Side, parted_ids, values_of

SHOWN = 50
"""Pairs of values that the page lists for a contrast, those with the largest difference; pairs.csv
has all."""
NARROW = 100


def write(
    sides: Sequence[Side],
    contrasts: Sequence[Contrast],
    folder: Path,
    inputs: Sequence[Path],
    how: str,
) -> Path:
    """Write `contrasts.csv`, `pairs.csv` and `index.html` below a folder.

    Args:
        sides: The runs that were compared.
        contrasts: What `statistics.own_runs.compare` found between them.
        folder: Where the files go.
        inputs: The files that were read, for the provenance record.
        how: The rules that were applied, one sentence.

    Returns:
        The path of the page.
    """
    by_label = {side.label: side for side in sides}
    frames = [
        values_of(by_label[c.run_a], by_label[c.run_b], c.evaluation, c.metric) for c in contrasts
    ]
    write_result(folder / "contrasts.csv", records_text(contrasts, Contrast), list(inputs))
    columns = [
        "evaluation",
        "metric",
        "run_a",
        "run_b",
        "instance_id",
        "value_a",
        "value_b",
        "difference",
    ]
    rows = [
        [c.evaluation, c.metric, c.run_a, c.run_b, *row]
        for c, frame in zip(contrasts, frames, strict=True)
        for row in frame.itertuples(index=False, name=None)
    ]
    write_atomic(folder / "pairs.csv", csv_text(columns, rows))
    parts = [
        {
            "contrast": contrast,
            "title": title(contrast),
            "anchor": anchor(f"{number}-{title(contrast)}"),
            "cells": cells(contrast),
            "pairs": list(
                frame.reindex(frame["difference"].abs().sort_values(ascending=False).index)
                .query("difference != 0")
                .head(SHOWN)
                .itertuples(index=False, name=None)
            ),
            "dropped": parted_ids(contrast.dropped_ids),
        }
        for number, (contrast, frame) in enumerate(zip(contrasts, frames, strict=True), start=1)
    ]
    page = folder / "index.html"
    write_atomic(
        page,
        render(
            "own_runs.html",
            style=style(),
            parts=parts,
            head=HEAD,
            labels=[side.label for side in sides],
            how=how,
            shown=SHOWN,
        ),
    )
    return page


HEAD = (
    "metric",
    "A",
    "B",
    "n",
    "dropped",
    "mean A",
    "mean B",
    "B − A",
    "detectable",
    "p",
    "adjusted p",
    "effect",
)


def title(contrast: Contrast) -> str:
    """What a contrast is called on the page."""
    where = f"{contrast.evaluation}, " if contrast.evaluation else ""
    return f"{where}{contrast.metric}: {contrast.run_b} against {contrast.run_a}"


def cells(c: Contrast) -> list[str]:
    """The cells of a contrast's row, in the order of `HEAD`."""
    return [
        f"{c.evaluation}: {c.metric}" if c.evaluation else c.metric,
        c.run_a,
        c.run_b,
        str(c.n),
        str(c.n_dropped),
        number(c.mean_a),
        number(c.mean_b),
        number(c.difference, "+") + interval(c.low, c.high),
        number(c.detectable),
        p_text(c.p, MISSING),
        p_text(c.p_adjusted, MISSING),
        "–"
        if math.isnan(c.effect)
        else f"{c.effect_name} {number(c.effect)}" + interval(c.effect_low, c.effect_high),
    ]


def number(value: float, sign: str = "") -> str:
    """Four significant digits; a dash for what is not there."""
    return "–" if math.isnan(value) else f"{value:{sign}.4g}"


def interval(low: float, high: float) -> str:
    """An interval in brackets, empty where it cannot be estimated."""
    return "" if math.isnan(low) else f" [{low:.3g}, {high:.3g}]"


def show(contrasts: Sequence[Contrast], how: str, console: Console | None = None) -> None:
    """Print the contrasts: a table where the terminal is wide enough, else one block each.

    Args:
        contrasts: What is printed, in this order.
        how: The rules that were applied, one sentence.
        console: Where to; default: standard output.
    """
    console = console or Console(highlight=False)
    if console.width >= NARROW:
        grid = Table(box=None, pad_edge=False, header_style="bold")
        for name in HEAD:
            grid.add_column(name, justify="left" if name in ("metric", "A", "B") else "right")
        for contrast in contrasts:
            grid.add_row(*cells(contrast))
        console.print(grid)
    else:
        for contrast in contrasts:
            console.print(title(contrast), style="bold", markup=False)
            for name, text in list(zip(HEAD, cells(contrast), strict=True))[3:]:
                console.print(f"  {name:12}{text}", markup=False)
    for contrast in contrasts:
        if contrast.note:
            console.print(f"  {title(contrast)}: {contrast.note}", style="dim", markup=False)
        if contrast.dropped_ids:
            ids = parted_ids(contrast.dropped_ids)
            few = ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")
            console.print(
                f"  {title(contrast)}: {len(ids)} in no pair: {few}", style="dim", markup=False
            )
    console.print(f"  {how}", style="dim", markup=False)

"""Test values of runs that were trained several times: what seeds alone move.

A difference is taken seed by seed: two runs of one seed see the same examples in the same order.
"""

import math
from collections.abc import Iterator, Sequence

from mtpeft.core.figures import SeedFigure, SeedInterval
from mtpeft.statistics import r_session

Cell = tuple[str, str, str, str, str, str]
"""setting, backbone, method, tasks, task, metric"""


def error_of_mean(figures: Sequence[SeedFigure], task: str) -> float:
    """One standard error of a mean over seeds, in points: the deviation around the runs' own means,
    pooled over all runs of a task, over the root of the number of seeds. NaN where no run has two.
    """
    mine = [f for f in figures if f.task == task]
    runs = {run: number for number, run in enumerate(dict.fromkeys(f.run for f in mine), start=1)}
    if len(mine) <= len(runs):
        return math.nan
    groups = [float(runs[f.run]) for f in mine]
    pooled = float(r_session.call("pooled_deviation", [f.value for f in mine], groups)[0])
    return pooled / math.sqrt(len(mine) / len(runs))


def intervals(figures: Sequence[SeedFigure], full: str) -> list[SeedInterval]:
    """Every value over its seeds, and its difference from the same task alone and from full
    fine-tuning of the same tasks.

    Args:
        figures: By seed.
        full: The method that trains every weight.
    """
    cells: dict[Cell, dict[int, float]] = {}
    for f in figures:
        cell = (f.setting, f.backbone, f.method, f.tasks, f.task, f.metric)
        cells.setdefault(cell, {})[f.seed] = f.value
    return [one for cell in cells for one in _of_cell(cell, cells, full)]


def _of_cell(cell: Cell, cells: dict[Cell, dict[int, float]], full: str) -> Iterator[SeedInterval]:
    setting, backbone, method, tasks, task, metric = cell
    mine = cells[cell]
    yield _interval("score", cell, "", list(mine.values()))
    others = {
        f"{setting} {full}": (setting, backbone, full, tasks, task, metric),
        f"single {method}": ("single", backbone, method, task, task, metric),
    }
    for against, place in others.items():
        other = cells.get(place, {})
        if place != cell and (shared := [s for s in mine if s in other]):
            values = [mine[s] - other[s] for s in shared]
            yield _interval("difference", cell, against, values)


def _interval(quantity: str, cell: Cell, against: str, values: list[float]) -> SeedInterval:
    found = r_session.call("mean_over_seeds", values)
    return SeedInterval(quantity, *cell, against, len(values), *map(float, found))

"""How well several judges, or several runs of one judge, agree on the same outputs."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.statistics import r_session
from mtpeft.statistics.own_runs import parted, read_place

Measure = Literal["nominal", "ordinal", "interval"]
RESAMPLES = 1000


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha of one metric.

    Attributes:
        evaluation: The evaluation set, empty where the files name none.
        measure: What a difference of two values is: `nominal` (equal or not), `ordinal` (ranks), or
            `interval`.
        judges: How many score this metric.
        units: Outputs that two or more judges scored; `n_single` those of one judge only.
        values: Scores of those units.
        alpha: 1 - observed / expected disagreement; `low` and `high` its bootstrap interval over
            units.
        note: Why a figure is missing.
    """

    evaluation: str
    metric: str
    measure: str
    judges: int
    units: int
    n_single: int
    values: int
    alpha: float
    low: float
    high: float
    note: str


def agreements(
    places: Sequence[str],
    metrics: Sequence[str] = (),
    measure: str = "ordinal",
    id_column: str = "",
    level: float = 0.95,
) -> list[Agreement]:
    """Alpha of every metric that two or more judges score.

    Args:
        places: One for each judge, as `own_runs.read_sides` reads them. Where a place holds several
            runs, an output is a run and an instance of it.
        metrics: Only these; all by default.
        measure: As in `Agreement`.
        id_column: The column of ids in a plain CSV.
        level: Of the intervals.

    Raises:
        BadInput: As `own_runs.read_sides`.
        UnknownName: A measure or metric that there is not.
        MtpeftError: Fewer than two judges, or no metric that two of them score.
    """
    if measure not in get_args(Measure):
        raise UnknownName("measure", measure, get_args(Measure))
    if not 0.5 <= level < 1:
        raise MtpeftError(f"level {level}", "a level of intervals from 0.5 to below 1, as 0.95")
    scores: dict[tuple[str, str], list[dict[tuple[str, str], float]]] = {}
    for place in places:
        _, path = parted(place)
        sides = read_place(path, "", id_column)
        mine: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
        for side in sides:
            run = side.label if len(sides) > 1 else ""
            for key, values in side.values.items():
                mine.setdefault(key, {}).update({(run, i): v for i, v in values.items()})
        for key, found in mine.items():
            scores.setdefault(key, []).append(found)
    there = {metric for _, metric in scores}
    for metric in metrics:
        if metric not in there:
            raise UnknownName("metric of these judges", metric, there)
    shared = {
        key: judges
        for key, judges in scores.items()
        if len(judges) > 1 and (not metrics or key[1] in metrics)
    }
    if not shared:
        raise MtpeftError(
            f"{len(places)} places, and no metric that two of them score: {', '.join(sorted(there))}",
            "two or more judges with a column of the same name",
            "mtpeft compare agreement first.csv second.csv",
        )
    return [_agreement(key, judges, measure, level) for key, judges in shared.items()]


def _agreement(
    key: tuple[str, str],
    judges: Sequence[dict[tuple[str, str], float]],
    measure: str,
    level: float,
) -> Agreement:
    units = {unit: n for n, unit in enumerate(dict.fromkeys(u for j in judges for u in j))}
    pairs = [(value, units[unit]) for judge in judges for unit, value in judge.items()]
    alpha, low, high, used, values = r_session.call(
        "agreement",
        *zip(*pairs, strict=True),
        measure=measure,
        resamples=RESAMPLES,
        seed=zlib.crc32("/".join(key).encode()) & 0x7FFFFFFF,
        level=level,
    )
    note = ""
    if not used:
        note = "no output has two scores"
    elif math.isnan(alpha):
        note = "all scores are equal, so that chance would agree as well"
    elif math.isnan(low):
        note = "too few outputs or scores that differ for an interval"
    return Agreement(
        evaluation=key[0],
        metric=key[1],
        measure=measure,
        judges=len(judges),
        units=int(used),
        n_single=len(units) - int(used),
        values=int(values),
        alpha=float(alpha),
        low=float(low),
        high=float(high),
        note=note,
    )


def line(found: Agreement, level: float) -> str:
    """One agreement in words."""
    where = f"{found.evaluation}, {found.metric}" if found.evaluation else found.metric
    interval = (
        "" if math.isnan(found.low) else f" [{found.low:.3f}, {found.high:.3f}] ({level:.0%})"
    )
    alpha = "–" if math.isnan(found.alpha) else f"{found.alpha:.3f}"
    said = (
        f"{where}: alpha {alpha}{interval}, {found.measure}; {found.judges} judges, "
        f"{found.units} outputs, {found.values} scores"
    )
    if found.n_single:
        said += f"; {found.n_single} with one score left out"
    return said + (f"; {found.note}" if found.note else "")

"""The means that figures draw, with their bootstrap intervals."""

import zlib

from mtpeft.catalog import Catalog
from mtpeft.core.records import Mean, ScoreSet
from mtpeft.statistics import r_session

RESAMPLES = 1000


def drawn_means(scores: ScoreSet, known: Catalog) -> list[Mean]:
    """The mean of every run, evaluation set and metric that a figure of the catalog draws."""
    places = {
        (run.id, panel["evaluation"], panel["metric"]): None
        for figure in known.figures.values()
        for panel in figure.options.get("panels", [])
        for run in known.of("runs", figure.study)
        if scores.has(run.id, panel["evaluation"], panel["metric"])
    }
    return [_mean(*place, scores) for place in places]


def _mean(run: str, task: str, metric: str, scores: ScoreSet) -> Mean:
    values = scores.vector(run, task, metric)["value"].dropna()
    seed = zlib.crc32(f"{run}/{task}/{metric}".encode()) & 0x7FFFFFFF
    mean, low, high = r_session.call("bootstrap_mean", values, resamples=RESAMPLES, seed=seed)
    return Mean(run, task, metric, len(values), mean, low, high)

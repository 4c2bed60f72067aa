"""The archived scores themselves: what a reader should know before testing anything with them.

Every check is generic: it knows metrics by their catalog entry (range, grid, what a tool's
unparseable output looks like), not by study. Findings are sorted by severity: `error` (a value that
cannot be), `serious` (changes what a mean says), `note`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from mtpeft.catalog import Catalog, Metric, Tool
from mtpeft.core.parallel import in_order
from mtpeft.core.records import ScoreSet
from mtpeft.statistics.pairing import unparseable

SPIKE = 0.02  # share of instances at one exact interior value of a continuous metric that cannot be chance
SERIOUS = 0.05  # share of unparseable outputs above which a mean says little about code quality
ROUNDING = 1e-6  # single-precision libraries overshoot 1 by this much
ACCIDENT = 1e-6  # expected number of equal stretches of rows below which chance is no explanation
RARE = 20  # rows with the same values, above which they do not tell stretches apart
SEVERITIES = ("error", "serious", "note")


@dataclass(frozen=True)
class Finding:
    """What a check found in one table.

    Attributes:
        check: What was checked.
        severity: `error`, `serious` or `note`.
        evaluation: The evaluation set.
        tool: The tool that made the table.
        metric: The column; empty where the finding concerns the rows.
        run: Empty where the finding concerns all runs of the table.
        instances: How many instances it concerns.
        detail: The values that show it.
    """

    check: str
    severity: str
    evaluation: str
    tool: str
    metric: str
    run: str
    instances: int
    detail: str


def audit_scores(scores: ScoreSet, known: Catalog) -> list[Finding]:
    """Every finding, sorted by severity, check and place."""
    metrics = known.metrics()

    def of_table(key: tuple[str, str]) -> list[Finding]:
        frame, task = scores.tables[key], key[1]
        tool = known.get("tools", key[0])
        runs = {str(run): part for run, part in frame.groupby("run", sort=True)}
        found = [
            *_ids(runs, task, tool),
            *_repeated(runs, task, tool),
            *_unparseable(scores, runs, task, tool),
        ]
        for name in frame.columns[4:]:
            metric = metrics[name][1]
            found += _range(frame, task, tool, metric)
            for check in (_constant, _twins, _spikes):
                found += check(runs, task, tool, metric)
        return found

    found = [f for part in in_order(of_table, sorted(scores.tables)) for f in part]
    found += _between_tools(scores)
    return sorted(
        found,
        key=lambda f: (
            SEVERITIES.index(f.severity),
            f.check,
            f.evaluation,
            f.tool,
            f.metric,
            f.run,
        ),
    )


_Runs = dict[str, pd.DataFrame]
"""The rows of a table by run."""


def _ids(runs: _Runs, task: str, tool: Tool) -> Iterator[Finding]:
    orders = {run: list(part["instance_id"]) for run, part in runs.items()}
    everything = set().union(*orders.values())
    for run, ids in orders.items():
        missing = sorted(everything - set(ids))
        if missing:
            yield Finding(
                "instances missing",
                "serious",
                task,
                tool.id,
                "",
                run,
                len(missing),
                " ".join(missing),
            )
    reference_run, reference = max(orders.items(), key=lambda item: len(item[1]))
    for run, ids in orders.items():
        off = sum(a != b for a, b in zip(ids, reference, strict=False))
        if off:
            yield Finding(
                "misaligned rows",
                "serious",
                task,
                tool.id,
                "",
                run,
                off,
                f"{off} rows hold another instance than the same row of {reference_run}; "
                "pairing by position compares different problems",
            )


def _repeated(runs: _Runs, task: str, tool: Tool) -> Iterator[Finding]:
    """Stretches of a run's rows that stand a second time, value for value, over other instances.

    A stretch counts where chance would hardly repeat it: the share of rows that are equal to each
    of its different rows, multiplied, times the places where it could stand, is below `ACCIDENT`.
    """
    for run, part in runs.items():
        metrics = list(part.columns[4:])
        codes = part.round(9).groupby(metrics, sort=False, dropna=False).ngroup().to_numpy()
        n = len(codes)
        counts = np.bincount(codes)
        rarity = np.log(n / counts)
        needed = np.log(n * n / ACCIDENT)
        numbers = part["row"].to_numpy()
        # Where a stretch can stand again, rows that few others equal say, and most of the evidence.
        rare = np.flatnonzero(counts[codes] <= RARE)
        rare = rare[np.argsort(codes[rare], kind="stable")]
        weights = np.zeros(n)  # by the distance of the two stretches
        for apart in range(1, RARE):
            one, other = rare[:-apart], rare[apart:]
            pairs = codes[one] == codes[other]
            weights += np.bincount((other - one)[pairs], rarity[codes[one[pairs]]], n)
        for lag in np.flatnonzero(weights > needed / 2):
            equal = np.concatenate([[0], codes[:-lag] == codes[lag:], [0]]).astype("int8")
            edges = np.flatnonzero(np.diff(equal))
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                length = min(end - start, lag)
                if rarity[np.unique(codes[start : start + length])].sum() < needed:
                    continue
                yield Finding(
                    "rows repeated",
                    "serious",
                    task,
                    tool.id,
                    "",
                    run,
                    int(end - start),
                    f"rows {numbers[start + lag]} to {numbers[end + lag - 1]} hold the values of "
                    f"rows {numbers[start]} to {numbers[end - 1]}, which are other instances",
                )


def _unparseable(scores: ScoreSet, runs: _Runs, task: str, tool: Tool) -> Iterator[Finding]:
    columns = scores.tables[tool.id, task].columns
    shown = [
        m
        for m in tool.metrics
        if m.id in columns and (not tool.unparseable_metrics or m.id in tool.unparseable_metrics)
    ]
    if not tool.unparseable_when or not shown:
        return
    for run, part in runs.items():
        lost = unparseable(scores, tool, shown[0], run, task)
        if lost:
            share = len(lost) / len(part)
            rule = ", ".join(f"{k} = {v:g}" for k, v in tool.unparseable_when.items())
            yield Finding(
                "unparseable output scored as if clean",
                "serious" if share > SERIOUS else "note",
                task,
                tool.id,
                "",
                run,
                len(lost),
                f"{len(lost)} of {len(part)} outputs ({share:.1%}) could not be read ({rule}) "
                "but count in the means as if measured",
            )


def _range(frame: pd.DataFrame, task: str, tool: Tool, metric: Metric) -> Iterator[Finding]:
    values = frame[metric.id].to_numpy()
    outside = (values < metric.low - ROUNDING if metric.low is not None else False) | (
        values > metric.high + ROUNDING if metric.high is not None else False
    )
    for hit, what in (
        (outside, "value out of range"),
        (_off_grid(values, metric), "value off its grid"),
    ):
        if np.any(hit):
            row = frame[hit].iloc[0]
            yield Finding(
                what,
                "error",
                task,
                tool.id,
                metric.id,
                "",
                int(np.sum(hit)),
                f"first: {row['run']} {row['instance_id']} = {row[metric.id]:g}; expected "
                f"{metric.low} to {metric.high}"
                + (f" in steps of {metric.grid:g}" if metric.grid else ""),
            )


def _off_grid(values: np.ndarray, metric: Metric) -> np.ndarray:
    if not metric.grid:
        return np.zeros(len(values), dtype=bool)
    steps = values / metric.grid
    off: np.ndarray = np.abs(steps - np.round(steps)) > 1e-6
    return off


def _constant(runs: _Runs, task: str, tool: Tool, metric: Metric) -> Iterator[Finding]:
    flat = {
        run: float(part[metric.id].iloc[0])
        for run, part in runs.items()
        if len(part) > 1 and part[metric.id].min() == part[metric.id].max()
    }
    if len(flat) == len(runs) and len(set(flat.values())) == 1:
        yield Finding(
            "constant column",
            "serious",
            task,
            tool.id,
            metric.id,
            "",
            sum(map(len, runs.values())),
            f"{next(iter(flat.values())):g} for every instance of every run: it measures nothing here",
        )
        return
    for run, value in flat.items():
        yield Finding(
            "constant column",
            "note",
            task,
            tool.id,
            metric.id,
            run,
            len(runs[run]),
            f"{value:g} for every instance",
        )


def _twins(runs: _Runs, task: str, tool: Tool, metric: Metric) -> Iterator[Finding]:
    """Two runs with the same column, where the column varies enough that this is no accident."""
    values = {run: np.sort(part[metric.id].to_numpy()) for run, part in runs.items()}
    for first, second in combinations(values, 2):
        if np.array_equal(values[first], values[second], equal_nan=True):
            a, b = (runs[run].set_index("instance_id")[metric.id] for run in (first, second))
            if a.nunique() > 5 and a.equals(b.reindex(a.index)):
                yield Finding(
                    "same column in two runs",
                    "serious",
                    task,
                    tool.id,
                    metric.id,
                    first,
                    len(a),
                    f"equal to {second}",
                )


def _spikes(runs: _Runs, task: str, tool: Tool, metric: Metric) -> Iterator[Finding]:
    """One exact value inside the range of a continuous metric that many instances share: an
    artefact, not a measurement.
    """
    values = np.concatenate([part[metric.id] for part in runs.values()])
    if metric.grid or metric.high is None or (values == np.round(values)).mean() > 0.9:
        return
    for run, part in runs.items():
        interior = part.loc[
            (part[metric.id] > metric.low) & (part[metric.id] < metric.high), metric.id
        ].round(12)
        if interior.empty:
            continue
        counts = interior.value_counts()
        value, count = counts.index[0], int(counts.iloc[0])
        if count >= max(SPIKE * len(part), 6):
            yield Finding(
                "spike at one exact value",
                "serious" if count > SERIOUS * len(part) else "note",
                task,
                tool.id,
                metric.id,
                run,
                count,
                f"{count} of {len(part)} instances score exactly {value:.9g}",
            )


def _between_tools(scores: ScoreSet) -> Iterator[Finding]:
    """Tables of one evaluation set must cover the same instances."""
    by_task: dict[str, dict[str, set[str]]] = {}
    for (tool, task), frame in scores.tables.items():
        by_task.setdefault(task, {})[tool] = set(frame["instance_id"])
    for task, tools in sorted(by_task.items()):
        everything = set.union(*tools.values())
        for tool, ids in sorted(tools.items()):
            missing = sorted(everything - ids)
            if missing:
                yield Finding(
                    "instances missing in a tool",
                    "serious",
                    task,
                    tool,
                    "",
                    "",
                    len(missing),
                    " ".join(missing[:20]),
                )

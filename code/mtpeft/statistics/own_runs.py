"""Paired statistics over anyone's results: score tables of two or more runs, paired by instance id.

The rules are those of the corrected protocol: pairs by id, an instance without a value on either
side is dropped and named, McNemar's test where a metric is 0 or 1, else the Wilcoxon signed-rank
test, adjusted over every test of the call; by clusters where instances belong together.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.core.files import cannot, no_file
from mtpeft.core.records import SCORE_KEYS, ScoreSet, read_scores
from mtpeft.core.text import one_line
from mtpeft.statistics import r_session
from mtpeft.statistics.clusters import clusters_of, numbered, read_clusters
from mtpeft.statistics.spreadsheets import read_spreadsheet

Adjustment = Literal["holm", "bh", "none"]
POWER = 0.8
"""The chance to find a difference that is called detectable."""
LEAST_SHARE = 0.95
"""A test that rests on a smaller share of the instances carries a warning."""


@dataclass(frozen=True)
class Side:
    """The values of one run.

    Attributes:
        label: What the run is called in tables.
        values: (evaluation set, metric) → instance id → value. A single file has one
            evaluation set, named by an empty text.
        lost: (evaluation set, metric) → instance ids without a value.
        clusters: Instance id → its cluster, where `--cluster` names a column of the table.
    """

    label: str
    values: Mapping[tuple[str, str], Mapping[str, float]]
    lost: Mapping[tuple[str, str], frozenset[str]]
    clusters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contrast:
    """One paired test of run B against run A; every difference and effect is B minus A.

    Attributes:
        evaluation: The evaluation set, empty where the file names none.
        test: `wilcoxon` or `mcnemar`.
        n: Pairs that the test rests on.
        n_dropped: Instances of either side that are in no pair.
        clusters: Groups that the pairs belong to; 0 where each pair counts as a draw of its own.
        difference: Mean of B minus mean of A, over the pairs; `low` and `high` its interval.
        detectable: The smallest mean difference that a test of these pairs finds with 80 % power at
            the level of the intervals, before any adjustment.
        p_adjusted: `p` adjusted over all tests of the call that have a p-value.
        effect: The matched-pairs rank-biserial correlation, or for McNemar's test the odds ratio of
            the discordant pairs (only B : only A, 0.5 added to both counts); `effect_low` and
            `effect_high` its interval.
        changed: Pairs with unequal values (to 12 digits of the largest).
        dropped_ids: The ids that are in no pair, with blanks between; one that has a blank or a
            sign of the shell's in it is quoted as for a shell (`parted_ids`).
        note: Why a figure is missing, and a warning where few of the instances are in a pair.
    """

    evaluation: str
    metric: str
    run_a: str
    run_b: str
    test: str
    n: int
    n_dropped: int
    clusters: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    detectable: float
    p: float
    p_adjusted: float
    effect_name: str
    effect: float
    effect_low: float
    effect_high: float
    changed: int
    dropped_ids: str
    note: str


def parted_ids(text: str) -> list[str]:
    """The ids of a contrast's `dropped_ids`."""
    return shlex.split(text)


def parted(place: str) -> tuple[str, Path]:
    """(name, path) of `NAME=PATH`; the name is empty where the text is a path alone."""
    name, equals, rest = place.partition("=")
    named = equals and not Path(place).exists()
    return (one_line(name), Path(rest)) if named else ("", Path(place))


def read_sides(
    places: Sequence[str],
    metrics: Sequence[str] = (),
    id_column: str = "",
    cluster: str = "",
    only: Path | None = None,
) -> list[Side]:
    """The runs in files and folders.

    Args:
        places: Each a folder that `mtpeft score` wrote, a score table, or any CSV with a column of
            ids and columns of numbers; `NAME=PATH` names its run.
        metrics: The metrics to keep; all by default.
        id_column: The column of ids in a plain CSV; by default the first of `spreadsheets.ID_COLUMNS`.
        cluster: A column of each plain CSV, or a CSV, that names the cluster of each instance.
        only: A CSV of ids; the other instances are left out.

    Raises:
        BadInput: A file that is no table or lacks the column of clusters, an id twice, a value that
            is not finite.
        UnknownName: A metric that no file has.
        MtpeftError: Fewer than two runs, or two of one name.
    """
    sides: list[Side] = []
    for place in places:
        label, path = parted(place)
        sides += read_place(path, label, id_column, "" if Path(cluster).is_file() else cluster)
    if only is not None:
        wanted = _ids_in(only, id_column)
        sides = [_restricted(side, wanted, only) for side in sides]
    if Path(cluster).is_file():
        table = read_clusters(Path(cluster), id_column)
        sides = [replace(side, clusters=table) for side in sides]
    for side in sides[1:]:
        for name, of in side.clusters.items():
            if sides[0].clusters.get(name, of) != of:
                raise MtpeftError(
                    f"{name} is in {sides[0].clusters[name]} ({sides[0].label}) and {of} "
                    f"({side.label})",
                    "one cluster an id in all files",
                    "mtpeft compare A.csv B.csv --cluster FILE",
                )
    labels = [side.label for side in sides]
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise MtpeftError(
            f"more than one run is called {', '.join(repeated)}",
            "a name for each",
            "mtpeft compare FIRST=a.csv SECOND=b.csv",
        )
    if len(sides) < 2:
        raise MtpeftError(
            f"{len(sides)} run in {', '.join(places) or 'nothing'}",
            "two or more runs to compare",
            "mtpeft compare A.csv B.csv",
        )
    if metrics:
        there = {metric for side in sides for _, metric in side.values}
        for metric in metrics:
            if metric not in there:
                raise UnknownName("metric of these runs", metric, there)
        sides = [
            replace(
                side,
                values={k: v for k, v in side.values.items() if k[1] in metrics},
                lost={k: v for k, v in side.lost.items() if k[1] in metrics},
            )
            for side in sides
        ]
    return sides


def read_place(path: Path, label: str, id_column: str, cluster: str = "") -> list[Side]:
    """The runs of one place, as `read_sides` takes it.

    Args:
        path: The place.
        label: What the run is called, where the place does not say.
        id_column: The column of ids in a plain CSV; empty: the first of `spreadsheets.ID_COLUMNS`.
        cluster: A column of a plain CSV that says which instances belong together.

    Raises:
        BadInput: A file is no table, an id comes twice, or a value is not finite.
    """
    if cluster and (path.is_dir() or (path.is_file() and _is_score_table(path))):
        raise BadInput(
            path,
            f"no column {cluster} in score tables, and no file of that name",
            "a CSV with a column of ids and a column `cluster`",
            "mtpeft compare A B --cluster clusters.csv",
        )
    if path.is_dir():
        scores = ScoreSet.load(path, fix="mtpeft score file PREDICTIONS --out FOLDER")
        return _sides([(task, frame) for (_, task), frame in scores.tables.items()], label)
    if not path.is_file():
        raise no_file(path, "a CSV or a folder that `mtpeft score` wrote", "mtpeft score FILE")
    if _is_score_table(path):
        return _sides([("", read_scores(path))], label)  # a file may have any name
    return [_spreadsheet(path, label or one_line(path.stem), id_column, cluster)]


def _is_score_table(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.readline().decode("utf-8", errors="replace").strip("\ufeff\r\n")
    except OSError as error:
        raise cannot("read", path, error) from error
    return head.split(",")[:4] == SCORE_KEYS


def _sides(tables: Sequence[tuple[str, pd.DataFrame]], label: str) -> list[Side]:
    runs = list(dict.fromkeys(run for _, frame in tables for run in frame["run"].unique()))
    sides = []
    for run in runs:
        values: dict[tuple[str, str], dict[str, float]] = {}
        lost: dict[tuple[str, str], frozenset[str]] = {}
        for evaluation, frame in tables:
            rows = frame[frame["run"] == run]
            for metric in frame.columns[len(SCORE_KEYS) :]:
                there = rows[metric].notna()
                if there.any():
                    values[evaluation, metric] = dict(
                        zip(rows["instance_id"][there], rows[metric][there], strict=True)
                    )
                    lost[evaluation, metric] = frozenset(rows["instance_id"][~there])
        name = run if not label else label if len(runs) == 1 else f"{label}/{run}"
        sides.append(Side(name, values, lost))
    return sides


def _ids_in(path: Path, id_column: str) -> frozenset[str]:
    frame, column = read_spreadsheet(path, "a column of ids", id_column)
    return frozenset(frame[column])


def _restricted(side: Side, wanted: frozenset[str], path: Path) -> Side:
    """A run with the wanted instances alone."""
    values = {
        key: {name: value for name, value in of.items() if name in wanted}
        for key, of in side.values.items()
    }
    if not any(values.values()):
        raise BadInput(
            path,
            f"none of its {len(wanted)} ids has a value in {side.label}",
            f"ids as in {side.label}, here {_ids(side)}",
            "mtpeft compare A.csv B.csv --only clean.csv",
        )
    lost = {key: names & wanted for key, names in side.lost.items()}
    return replace(side, values=values, lost=lost)


def _spreadsheet(path: Path, label: str, id_column: str, cluster: str) -> Side:
    """A table of anyone's: one row an instance, one column with its id, numbers in others."""
    frame, column = read_spreadsheet(path, "a column of ids, numbers in others", id_column)
    if cluster and cluster not in frame.columns:
        raise BadInput(
            path,
            f"columns {', '.join(map(str, frame.columns[:8]))}, none called {cluster}",
            "a column with the cluster of each instance, or the name of a CSV that has it",
            "mtpeft compare A.csv B.csv --cluster COLUMN",
            line=1,
        )
    ids = frame[column]
    for problem, found in (
        (ids.str.strip() == "", "a row without an id"),
        (ids.duplicated(), "an id that was there before"),
    ):
        if problem.any():
            row = int(problem.to_numpy().argmax())
            raise BadInput(
                path,
                f"{found}: {ids.iloc[row]!r}",
                f"one id a row in column {column}",
                line=int(ids.index[row]),
            )
    values: dict[tuple[str, str], dict[str, float]] = {}
    lost: dict[tuple[str, str], frozenset[str]] = {}
    for name in frame.columns:
        if name in (column, cluster):
            continue
        text = frame[name].str.strip()
        missing = text.str.lower().isin(("", "na", "nan", "none", "null"))
        numbers = pd.to_numeric(text.where(~missing), errors="coerce")
        words = numbers.isna() & ~missing
        if words.any() and text[words].str.fullmatch(r"[-+]?\d+,\d+").all():
            line = int(words.idxmax())
            raise BadInput(path, f"{name} is {text[line]}", "a decimal point", line=line)
        if words.any() or missing.all():
            continue  # a column of words
        if np.isinf(numbers.to_numpy()).any():
            row = int(np.isinf(numbers.to_numpy()).argmax())
            raise BadInput(
                path,
                f"{name} is {text.iloc[row]}",
                "a finite number, or nothing",
                line=int(ids.index[row]),
            )
        values["", str(name)] = dict(zip(ids[~missing], numbers[~missing], strict=True))
        lost["", str(name)] = frozenset(ids[missing])
    if not values:
        raise BadInput(path, "no column of numbers", "a metric for each instance", line=1)
    return Side(label, values, lost, clusters_of(path, ids, frame[cluster]) if cluster else {})


def files_of(places: Sequence[str]) -> list[Path]:
    """The files behind what `read_sides` reads, for a provenance record."""
    found: list[Path] = []
    for place in places:
        _, path = parted(place)
        found += sorted(path.glob("scores/*/*.csv")) if path.is_dir() else [path]
    return found


_ADJUSTED = {"holm": "Holm", "bh": "Benjamini–Hochberg", "none": "not adjusted"}


def rule(
    contrasts: Sequence[Contrast], adjustment: str, level: float, only: Path | None = None
) -> str:
    """One sentence that says how the contrasts were made, and over which instances."""
    tests = {
        "mcnemar": "McNemar (exact below 25 discordant pairs)",
        "wilcoxon": "Wilcoxon signed-rank (exact below 25 differences)",
    }
    used = " or ".join(tests[name] for name in sorted({c.test for c in contrasts}))
    m = sum(not math.isnan(c.p) for c in contrasts)
    if any(c.clusters for c in contrasts):
        tests = {
            "mcnemar": "McNemar by clusters",
            "wilcoxon": "Wilcoxon signed-rank by clusters (Rosner, Glynn and Lee)",
        }
        used = " or ".join(tests[name] for name in sorted({c.test for c in contrasts}))
        used += ", exact below 25 clusters"
    over = "" if adjustment == "none" else f" over {m} test{'' if m == 1 else 's'}"
    if any(c.test == "mcnemar" for c in contrasts):
        used += ", its odds ratio with 0.5 added to both counts of discordant pairs"
    return (
        f"Pairs by instance id{f', of those in {only.name} alone' if only else ''}; {used}, two-sided; p {_ADJUSTED[adjustment]}{over}; "
        f"{level:.0%} intervals; differences and effects are B minus A; detectable: the mean "
        f"difference that is found with {POWER:.0%} power at {1 - level:.2g}, unadjusted."
    )


def compare(
    sides: Sequence[Side],
    adjustment: str = "holm",
    level: float = 0.95,
    every_pair: bool = False,
) -> list[Contrast]:
    """Test each run against the first one, or every pair of runs, on every metric that both have.

    Args:
        sides: The runs; the first is the baseline.
        adjustment: Over all tests of the call: `holm`, `bh` (false discovery rate), or `none`.
        level: Of the intervals.
        every_pair: Each pair of runs instead of each against the first.

    Returns:
        One contrast for each (evaluation set, metric, pair), in the order of the files.

    Raises:
        MtpeftError: The runs share no metric, or no instance.
    """
    if adjustment not in get_args(Adjustment):
        raise UnknownName("adjustment", adjustment, get_args(Adjustment))
    if not 0.5 <= level < 1:
        raise MtpeftError(f"level {level}", "a level of intervals from 0.5 to below 1, as 0.95")
    pairs = [
        (a, b) for i, a in enumerate(sides) for b in sides[i + 1 :] if every_pair or a is sides[0]
    ]
    found = []
    for a, b in pairs:
        shared = [key for key in a.values if key in b.values]
        made = [_contrast(a, b, evaluation, metric, level) for evaluation, metric in shared]
        if made and not any(contrast.n for contrast in made):
            raise MtpeftError(
                f"{a.label} and {b.label} share no instance",
                f"equal ids on both sides; here {_ids(a)} against {_ids(b)}",
                "mtpeft compare A.csv B.csv --id COLUMN",
            )
        found += made
    if not found:
        raise MtpeftError(
            "the runs share no metric: " + "; ".join(f"{s.label} has {_keys(s)}" for s in sides),
            "columns of the same name on both sides",
            "mtpeft compare A.csv B.csv, with equal names of columns",
        )
    if adjustment == "none":
        return [replace(contrast, p_adjusted=contrast.p) for contrast in found]
    adjusted = r_session.call("adjust_family", [contrast.p for contrast in found]).reshape(2, -1)
    column = adjusted[0 if adjustment == "holm" else 1]
    return [replace(c, p_adjusted=float(p)) for c, p in zip(found, column, strict=True)]


def _keys(side: Side) -> str:
    return ", ".join(dict.fromkeys(metric for _, metric in side.values))


def _ids(side: Side) -> str:
    first = next(iter(side.values.values()))
    return ", ".join(list(first)[:3])


def values_of(a: Side, b: Side, evaluation: str, metric: str) -> pd.DataFrame:
    """The paired values of one contrast: columns `instance_id`, `value_a`, `value_b`,
    `difference` (B - A).
    """
    x, y = a.values[evaluation, metric], b.values[evaluation, metric]
    ids = [name for name in x if name in y]
    frame = pd.DataFrame(
        {"instance_id": ids, "value_a": [x[i] for i in ids], "value_b": [y[i] for i in ids]}
    )
    y, x = frame["value_b"].to_numpy(float), frame["value_a"].to_numpy(float)
    frame["difference"] = r_session.call("distinct_differences", y, x)
    return frame


def _contrast(a: Side, b: Side, evaluation: str, metric: str, level: float) -> Contrast:
    frame = values_of(a, b, evaluation, metric)
    x, y = frame["value_a"].to_numpy(dtype="float64"), frame["value_b"].to_numpy(dtype="float64")
    difference = frame["difference"].to_numpy()
    every = {
        name
        for side in (a, b)
        for name in (*side.values[evaluation, metric], *side.lost[evaluation, metric])
    }
    dropped = sorted(every - set(frame["instance_id"]))
    binary = len(x) > 0 and bool(np.isin(np.concatenate([x, y]), (0.0, 1.0)).all())
    result = Contrast(
        evaluation=evaluation,
        metric=metric,
        run_a=a.label,
        run_b=b.label,
        test="mcnemar" if binary else "wilcoxon",
        n=len(x),
        n_dropped=len(dropped),
        clusters=0,
        mean_a=float(x.mean()) if len(x) else math.nan,
        mean_b=float(y.mean()) if len(x) else math.nan,
        difference=float(difference.mean()) if len(x) else math.nan,
        low=math.nan,
        high=math.nan,
        detectable=math.nan,
        p=math.nan,
        p_adjusted=math.nan,
        effect_name="odds ratio" if binary else "rank-biserial",
        effect=math.nan,
        effect_low=math.nan,
        effect_high=math.nan,
        changed=int((difference != 0).sum()),
        dropped_ids=shlex.join(dropped),
        note="" if len(x) else "no instance has a value on both sides",
    )
    if not len(x):
        return result
    groups = [numbered(a.clusters, frame["instance_id"])] if a.clusters else []
    if binary and not groups:
        low, high = r_session.call("paired_proportions_interval", x, y, level=level)
    else:
        low, high = r_session.call("mean_interval", difference, *groups, level=level)
    detectable = r_session.call(
        "detectable_difference", difference, *groups, level=level, power=POWER
    )
    kind, effects = (
        ("discordance", ("discordant_odds", x, y))
        if binary
        else ("signed_rank", ("rank_biserial", y, x))
    )
    p = r_session.call(kind, y, x, *groups)[1]
    effect, effect_low, effect_high = r_session.call(*effects, *groups, level=level)
    notes = []
    if not result.changed:
        notes.append("no two values differ")
    elif math.isnan(effect_low):
        notes.append("too few differences for an interval of the effect")
    if math.isnan(detectable[0]) and (groups or not binary):  # no spread, no interval
        low = high = math.nan
        if result.changed:
            notes.append("all differences are equal, so that their mean has no interval")
    if result.n < LEAST_SHARE * len(every):
        notes.append(f"rests on {result.n / len(every):.0%} of {len(every)} instances")
    return replace(
        result,
        clusters=len(set(groups[0])) if groups else 0,
        low=float(low),
        high=float(high),
        detectable=float(detectable[0]),
        p=float(p),
        effect=float(effect),
        effect_low=float(effect_low),
        effect_high=float(effect_high),
        note="; ".join(notes),
    )

"""Tier T3: two sets of predictions of the same run, made from one adapter on two machines, say.

Equal strings are the best answer, and then nothing else is asked. Where some differ, each metric is
judged twice. Its *values* must be there: an instance that has one on one side only was lost, and
whether an instance has a value is itself a paired 0/1 metric with a verdict of its own. Its *mean*
must be equivalent: `within tolerance` only where the whole 95 % interval of the paired mean
difference lies inside the margin that the catalog states for the metric. Values that are all equal
are no exception: a few pairs leave open that others flip. `differs` needs evidence,
too: a difference beyond the margin whose interval leaves out 0, at a level that holds for all
metrics of a run together (Bonferroni). Anything between is `not run`: too few pairs to tell. The
instances that flipped are listed, whatever the verdict.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtpeft.catalog import Margin, catalog
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.names import safe_name
from mtpeft.core.provenance import write_result
from mtpeft.core.records import (
    VERDICTS,
    Prediction,
    ScoreSet,
    Verdict,
    csv_text,
    read_predictions,
    records_text,
)
from mtpeft.core.text import counted
from mtpeft.statistics import r_session

LEVEL = 0.95
LEAST_SHARE = 0.95  # of a metric that the catalog does not know
RULE = "identical strings, else the 95 % interval of the mean paired difference inside the margin"
FLIPPED = ["run", "evaluation", "instance_id", "metric", "reference", "new"]
UNSCORED = ("infrastructure", "cannot run here")
NAMED = 10  # ids that a reason lists
Flip = tuple[str, str, str, str, float | str, float | str]
Side = tuple[Mapping[str, float], Mapping[str, str]]
"""Values by instance, and the status of the instances without one."""
READABLE_MARGIN = Margin(
    "stated here: 2 points, below half of the share that a mean may lose (5 points)", size=0.02
)


@dataclass(frozen=True)
class Equivalence:
    """What a paired mean difference (new minus reference) says.

    Attributes:
        verdict: `within tolerance`, `differs` or `not run`.
        reason: The figures that it rests on: mean difference, interval, margin, pairs, flips.
    """

    verdict: str
    reason: str


def margin_of(metric: str) -> tuple[Margin | None, float]:
    """The margin that the catalog states for a metric, and the least share of instances.

    Returns:
        The margin, None where the catalog states none; and the share, from 0 to 1 (`least_share` of
        a metric).
    """
    known = catalog().metrics()
    if metric not in known:
        return None, LEAST_SHARE
    tool, entry = known[metric]
    return entry.margin or tool.margin, entry.least_share


def interval(a: np.ndarray, b: np.ndarray, level: float) -> tuple[float, float]:
    """The interval of the mean of b - a: for values of 0 and 1 that of paired proportions (Bonett
    and Price 2012, see stats/intervals.R), else Student's.

    Args:
        a: The reference's values, shape [pairs].
        b: The new side's values, shape [pairs].
        level: Of the interval, such as 0.95.

    Returns:
        Its two ends; (-inf, inf) below two pairs.
    """
    if not np.isin(np.concatenate([a, b]), (0, 1)).all():
        low, high = r_session.call("mean_interval", b - a, level=level)
    else:
        low, high = r_session.call("paired_proportions_interval", a, b, level=level)
    return (-math.inf, math.inf) if math.isnan(low) else (float(low), float(high))


def equivalence(
    a: np.ndarray, b: np.ndarray, margin: Margin | None, together: int = 1
) -> Equivalence:
    """Judge paired values of reference and new side.

    Args:
        a: The reference's values, shape [pairs].
        b: The new side's values, shape [pairs].
        margin: What the catalog states for the metric; without one no difference is within
            tolerance.
        together: How many means are judged with this one; `differs` is said at a level that holds
            for all of them (Bonferroni).
    """
    change, n = float(np.mean(b - a)), len(a)
    flips = int((a != b).sum())
    low, high = interval(a, b, LEVEL)
    room = (
        math.nan
        if margin is None
        else margin.size
        if margin.size is not None
        else abs(float(np.mean(a))) * (margin.share or 0)
    )
    stated = (
        "no margin is stated"
        if margin is None
        else f"margin {room:.4g}"
        + (f" ({margin.share:.0%} of the reference's mean)" if margin.size is None else "")
    )
    said = f"mean difference {change:+.4g} [{low:+.4g}, {high:+.4g}], {stated}; {n} pairs, {flips} flipped ({flips / n:.1%})"
    if not flips and margin is not None and not _is_rate(a, margin):
        return _none_flipped(a, margin)
    if -room <= low and high <= room:
        return Equivalence("within tolerance", said)
    wide_low, wide_high = interval(a, b, 1 - (1 - LEVEL) / max(1, together))
    if (wide_low > 0 or wide_high < 0) and not abs(change) <= room:
        return Equivalence(
            "differs",
            f"beyond the margin, and 0 lies outside the interval: {said}" if margin else said,
        )
    if margin is None:
        return Equivalence("not run", f"no margin is stated for it in the catalog: {said}")
    return Equivalence(
        "not run",
        f"too few pairs to tell{_needed(n, change, (high - low) / 2, room, flips)}: {said}",
    )


def _is_rate(a: np.ndarray, margin: Margin) -> bool:
    return margin.size is not None and bool(np.isin(a, (0, 1)).all())


def _none_flipped(a: np.ndarray, margin: Margin) -> Equivalence:
    """Values of which none flipped have an interval without width, which proves nothing.

    How many may flip all the same, no value of n leaves open below 1 − 0.05^(1/n) (the exact bound
    of Clopper and Pearson). Were each of them to move by as much as the metric varies (or, for a
    margin in shares, by its mean), the mean must stay inside the margin.
    """
    n = len(a)
    most = 1 - (1 - LEVEL) ** (1 / n)
    scale = 1.0 if margin.size is None else float(np.std(a, ddof=1)) if n > 1 else math.inf
    room = (margin.share if margin.size is None else margin.size) or 0.0
    said = f"every value is equal: {n} pairs, 0 flipped (0.0%), at most {most:.1%} flip"
    if most * scale <= room:
        return Equivalence("within tolerance", said)
    wanted = room / scale if math.isfinite(scale) else 0.0
    needed = (
        f" (about {math.ceil(math.log(1 - LEVEL) / math.log1p(-wanted))} would)" if wanted else ""
    )
    return Equivalence("not run", f"too few pairs to tell{needed}: {said}")


def _needed(n: int, change: float, half: float, room: float, flips: int) -> str:
    """With how many pairs the interval would lie inside the margin, or leave out 0, if the spread
    stays as it is.

    Args:
        n: Pairs there are.
        change: Their mean difference.
        half: Half the width of the interval, which shrinks with the root of n.
        room: The margin, in the metric's unit.
        flips: Pairs whose values differ.
    """
    wanted = room - abs(change) if abs(change) < room else abs(change)
    if not math.isfinite(half) or wanted <= 0:
        return ""
    # Without a flip the interval narrows as 1/n, else as 1/sqrt(n).
    return f" (about {math.ceil(n * (half / wanted) ** (2 if flips else 1))} would)"


def compare(
    reference: Sequence[Prediction],
    new: Sequence[Prediction],
    reference_scores: ScoreSet | None = None,
    new_scores: ScoreSet | None = None,
    command: str = "",
) -> tuple[list[Verdict], list[Flip]]:
    """Verdicts and flipped instances of every run and evaluation set of either side.

    Strings are compared as the models wrote them. A flip is an instance with another string (metric
    `string`), another value of a metric, or a value on one side only.

    Args:
        reference: The predictions that are compared with.
        new: The predictions that are judged.
        reference_scores: Scores of the reference's outputs; without scores, strings that differ
            leave the verdict open (`not run`).
        new_scores: Scores of the new outputs.
        command: The command that makes these verdicts again.
    """
    verdicts: list[Verdict] = []
    flips: list[Flip] = []
    sides: list[dict[tuple[str, str], dict[str, Prediction]]] = [
        {(p.run, p.task): {} for p in side} for side in (reference, new)
    ]
    for side, records in zip(sides, (reference, new), strict=True):
        for p in records:
            side[p.run, p.task][p.instance_id] = p
    for run, task in dict.fromkeys([*sides[0], *sides[1]]):
        old, now = (side.get((run, task), {}) for side in sides)
        common = [i for i in old if i in now]
        other = [i for i in common if old[i].raw_output != now[i].raw_output]
        asked = sum(old[i].prompt_sha256 != now[i].prompt_sha256 for i in common)
        lost, added = [i for i in old if i not in now], [i for i in now if i not in old]
        said = (
            f"{len(common) - len(other)} of {len(common)} strings identical"
            + (
                f"; {counted(len(lost) + len(added), 'instance')} on one side only"
                if lost or added
                else ""
            )
            + (f" ({named_ids('lost', lost)})" if lost else "")
            + (f"; {asked} prompts differ" if asked else "")
        )
        flips += [(run, task, i, "string", "", "") for i in other]
        name = f"{run} {task}"
        if not common:
            verdicts.append(
                _verdict(
                    f"{name} strings",
                    "",
                    "not run",
                    "no instance on both sides"
                    if old and now
                    else f"only the {'reference' if old else 'new'} file has this run and task",
                    command,
                    rests_on=f"0 of {len(old)} and {len(now)} instances",
                )
            )
            continue
        if not other and not lost and not added:
            verdicts.append(
                _verdict(f"{name} strings", "100 %", "exact", said, command, rests_on=said)
            )
            continue
        made, changed = _by_metric(
            run,
            task,
            list(dict.fromkeys([*old, *now])),
            reference_scores,
            new_scores,
            said,
            command,
        )
        few = f"{len(common)} of the reference's {len(old)} instances are here, below {LEAST_SHARE:.0%}; "
        few = few if len(common) < LEAST_SHARE * len(old) else ""
        if few or not made:
            verdicts.append(
                _verdict(
                    f"{name} strings",
                    f"{1 - len(other) / len(common):.1%}",
                    "not run",
                    f"{few}{said}{'' if made else '; score both sides'}",
                    command,
                    rests_on=said,
                )
            )
        verdicts += made
        flips += changed
    return verdicts, flips


def _by_metric(
    run: str,
    task: str,
    ids: Sequence[str],
    old: ScoreSet | None,
    new: ScoreSet | None,
    said: str,
    command: str,
) -> tuple[list[Verdict], list[Flip]]:
    """Verdicts on every metric that either side has, over the instances that either side answered.

    Args:
        run: The run.
        task: The evaluation set.
        ids: The instances.
        old: Scores of the reference's outputs.
        new: Scores of the new outputs.
        said: What the comparison of the strings found, for the reason.
        command: The command that makes these verdicts again.
    """
    verdicts: list[Verdict] = []
    flips: list[Flip] = []
    if old is None or new is None:
        return [], []
    metrics = sorted(
        {
            m
            for side in (old, new)
            for (_, t), frame in side.tables.items()
            if t == task
            for m in frame.columns[4:]
        }
    )
    for metric in metrics:
        there = [side.has(run, task, metric) for side in (old, new)]
        name = f"{run} {task} {metric}"
        if not any(there):
            continue
        if not all(there):
            side = "reference" if there[0] else "new"
            verdicts.append(
                _verdict(
                    name, "", "not run", f"only the {side} side has scores of it; {said}", command
                )
            )
            continue
        a, b = _values(old, run, task, metric), _values(new, run, task, metric)
        wanted = [i for i in ids if i in a[0] or i in b[0]]
        pairs = [i for i in wanted if i in a[0] and i in b[0]]
        margin, least = margin_of(metric)
        reasons = Counter(
            [
                side[1].get(i, "no record")
                for side, i in ((side, i) for i in ids for side in (a, b) if i not in side[0])
            ]
        )
        rest = f"{len(pairs)} of {len(ids)} instances with a value on both sides" + (
            f" ({', '.join(f'{n} {why}' for why, n in sorted(reasons.items()))})" if reasons else ""
        )
        if any(not side[0] and set(side[1].values()) == {"cannot run here"} for side in (a, b)):
            why = f"{rest}; {said}"
            verdicts.append(_verdict(name, "", "cannot run here", why, command, rests_on=rest))
            continue
        verdicts += _readable(name, ids, a, b, len(metrics), said, command)
        shown = [
            tuple(side[0].get(i, side[1].get(i, "no record")) for side in (a, b)) for i in wanted
        ]
        flips += [
            (run, task, i, metric, old_value, new_value)
            for i, (old_value, new_value) in zip(wanted, shown, strict=True)
            if old_value != new_value
        ]
        if not pairs:
            verdicts.append(
                _verdict(
                    name,
                    "",
                    "not run",
                    f"no instance has a value on both sides; {rest}; {said}",
                    command,
                    rests_on=rest,
                )
            )
            continue
        x, y = (np.array([side[0][i] for i in pairs]) for side in (a, b))
        if len(pairs) < least * len(wanted):
            gone = [i for i in wanted if i not in a[0] or i not in b[0]]
            found = Equivalence(
                "not run",
                f"{len(pairs)} of {len(wanted)} instances that have a value on one side have it on "
                f"both, below {least:.0%} ({named_ids('without a pair', gone)})",
            )
        else:
            found = equivalence(x, y, margin, len(metrics))
        why = f"; margin: {margin.reason}" if margin and margin.reason else ""
        verdicts.append(
            _verdict(
                name,
                f"{np.mean(y):.4g}",
                found.verdict,
                f"{found.reason}; {rest}; {said}{why}",
                command,
                f"{np.mean(x):.4g}",
                rest,
            )
        )
    return verdicts, flips


def _readable(
    name: str, ids: Sequence[str], a: Side, b: Side, together: int, said: str, command: str
) -> list[Verdict]:
    """The verdict on whether the instances have a value, where not all have one on both sides.

    A tool that failed or could not run says nothing of the output: where that befell too many, the
    question is open.
    """
    unknown = [i for i in ids if any(side[1].get(i) in UNSCORED for side in (a, b))]
    x, y = (np.array([float(i in side[0]) for i in ids]) for side in (a, b))
    if (x.all() and y.all()) or (not x.any() and not y.any()):
        return []
    if len(unknown) > (1 - LEAST_SHARE) * len(ids):
        why = f"the tool failed or could not run on {len(unknown)} of {len(ids)}"
        found = Equivalence("not run", f"{why} ({named_ids('without a result', unknown)})")
    else:
        found = equivalence(x, y, READABLE_MARGIN, together)
    gained = [i for i in ids if i in b[0] and i not in a[0]]
    gone = [i for i in ids if i in a[0] and i not in b[0]]
    named = "; ".join(
        [named_ids(word, which) for word, which in (("lost", gone), ("only here", gained)) if which]
    )
    return [
        _verdict(
            f"{name} has a value",
            f"{np.mean(y):.1%}",
            found.verdict,
            "; ".join(filter(None, [found.reason, named, said])),
            command,
            f"{np.mean(x):.1%}",
            f"{len(ids)} instances that either side answered",
        )
    ]


def _values(scores: ScoreSet, run: str, task: str, metric: str) -> Side:
    column = scores.column(run, task, metric)
    rows = list(zip(column.ids, column.status, column.value, strict=True))
    return {str(i): float(v) for i, s, v in rows if s == "ok" and v == v}, {
        str(i): str(s) for i, s, v in rows if s != "ok" or v != v
    }


def named_ids(word: str, ids: Sequence[str]) -> str:
    """The word, and after it the ids to which it applies: the first few of them."""
    return f"{word}: {' '.join(ids[:NAMED])}{' …' if len(ids) > NAMED else ''}"


def _verdict(
    name: str,
    found: str,
    verdict: str,
    reason: str,
    command: str,
    archived: str = "",
    rests_on: str = "",
) -> Verdict:
    return Verdict(
        id=name,
        tier="T3",
        kind="answers",
        published="",
        archived=archived,
        regenerated=found,
        tolerance=RULE,
        tolerance_source="the margin that the catalog states for the metric",
        verdict=verdict,
        reason=reason,
        command=command,
        rests_on=rests_on,
    )


def read(path: Path) -> list[Prediction]:
    """The predictions of a file.

    Raises:
        BadInput: A record cannot be used; the error names its line.
    """
    records = []
    for record in read_predictions(path):
        if isinstance(record, BadInput):
            raise record
        records.append(record)
    return records


def run(
    reference: Path, new: Path, reference_scores: Path | None, new_scores: Path | None, name: str
) -> int:
    """Compare two files; write `verification/answers/NAME.csv` and `NAME.flipped.csv` below the
    regenerated results.

    Args:
        reference: The predictions that are compared with.
        new: The predictions that are judged.
        reference_scores: A folder with `scores/TOOL/EVALUATION.csv` for the reference's outputs.
        new_scores: The same for the new outputs; both are given, or neither.
        name: Of the files that are written.

    Returns:
        The exit code: 1 where a metric differs, 2 where something could not be judged, else 0.

    Raises:
        MtpeftError: Scores of one side only are given.
        BadInput: A record cannot be used.
    """
    if (reference_scores is None) != (new_scores is None):
        raise MtpeftError(
            "scores of one side only",
            "both, or none",
            "--reference-scores FOLDER --new-scores FOLDER",
        )
    safe_name(name, "--name")
    folders = [folder for folder in (reference_scores, new_scores) if folder is not None]
    old, now = (
        ScoreSet.load(folder, fix="mtpeft score file PREDICTIONS --out FOLDER")
        if folder is not None
        else None
        for folder in (reference_scores, new_scores)
    )
    command = f"mtpeft compare-predictions {reference} {new}"
    verdicts, flips = compare(read(reference), read(new), old, now, command)
    path = paths.REGENERATED / "verification" / "answers" / f"{name}.csv"
    write_atomic(path.with_suffix(".flipped.csv"), csv_text(FLIPPED, flips))
    inputs = [
        reference,
        new,
        *(p for folder in folders for p in sorted((folder / "scores").glob("*/*.csv"))),
    ]
    write_result(path, records_text(verdicts, Verdict), inputs)
    for v in verdicts:
        figures = " -> ".join(filter(None, [v.archived, v.regenerated]))
        print(f"{v.verdict:17} {v.id}: {figures + '; ' if figures else ''}{v.reason}")
    flipped = sorted({f[2] for f in flips})
    if flipped:
        print(
            f"T3: {counted(len(flipped), 'instance')} flipped ({', '.join(flipped[:10])}{', …' if len(flipped) > 10 else ''}): "
            f"{paths.shown(path.with_suffix('.flipped.csv'))}"
        )
    counts = Counter(v.verdict for v in verdicts)
    print(
        f"T3: {', '.join(f'{counts[n]} {n}' for n in VERDICTS if counts[n])} -> {paths.shown(path)}"
    )
    if any(v.unexplained for v in verdicts):
        return 1
    return 2 if counts["not run"] or not verdicts else 0

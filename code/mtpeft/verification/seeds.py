"""Tier T4: runs trained again from base models, with several seeds, against what the archive holds
and the study claims.

One archived run is one draw from the runs that this configuration can give, so it is held against
the prediction interval of one further draw, mean ± t s √(1 + 1/n) over n seeds (Hahn and Meeker,
*Statistical Intervals*, 1991, section 4.7; it takes the seeds' values for normal). All metrics of a
run that are judged under one protocol share one level of 95 %: that of their largest t value, given
how the metrics vary together over the instances. So a perfect reproduction `differs` anywhere in a
run in one case of twenty, and the expected number of single misses stands in each verdict.

One seed has no spread, hence no interval. Few seeds have an interval that hardly anything can
leave: where it would not find a shift of `SHIFT` standard deviations with probability `POWER`, a
value inside says nothing and the verdict is `not run`. `power` says before training what how many
seeds would find. Every verdict states the smallest shift that
its interval could have found. A claim has a direction too: both must hold.

Instances: a mean is of those that have a value in the archive and in every seed; where too many of
the archive's are lost (`least_share` in the catalog) it is `not run`. Whether an instance has a
value is judged as a rate of its own. Two protocols, never mixed: *corrected*, in which an output
that the tool could not read has no value on either side, and *as published*, in which it has the
values that the study's scripts write for it, on both sides. The second is a verdict of its own
where it differs.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtpeft.catalog import Catalog, Claim, Metric, Tool, catalog
from mtpeft.core.records import ScoreSet, Verdict
from mtpeft.core.text import counted
from mtpeft.statistics import r_session
from mtpeft.statistics.pairing import unparseable
from mtpeft.verification.answers import margin_of, named_ids

Trained = Mapping[str, Mapping[int, ScoreSet]]
"""run → seed → scores of its answers"""
MEAN, CLAIM = "trained", "trained claim"  # kinds of verdict
ONE_SEED = "unknown: one seed has no interval"
RULE, SOURCE = (
    "95 % prediction interval over the seeds, at one level for all metrics of a run",
    "the spread of the seeds",
)
LEVEL = 0.95
SHIFT, POWER = 10.0, 0.8  # three seeds reach it for one metric, two do not
LEAST_COMMON = 10  # instances that two metrics share, below which nothing is said of correlation
PROTOCOLS = ("corrected", "as published")


def prediction_interval(
    values: Sequence[float], level: float = LEVEL
) -> tuple[float, float] | None:
    """Where one further value lies with probability `level`, given these; None for fewer than two
    values.

    mean ± t s √(1 + 1/n), Hahn and Meeker, *Statistical Intervals*, 1991, section 4.7.
    """
    if len(values) < 2:
        return None
    low, high = r_session.call("prediction_interval", values, level=level)
    return float(low), float(high)


def power(
    known: Catalog, seeds: Sequence[int] = (2, 3, 5, 10), runs: Sequence[str] = ()
) -> list[str]:
    """What a number of seeds would find, before any is trained: one line for each study with tests.

    Args:
        known: The catalog.
        seeds: Numbers of seeds.
        runs: Only the studies of these runs; none: every study.
    """
    lines = []
    asked = {known.get("runs", name).study for name in runs} or set(known.studies)
    for study in (name for name in known.studies if name in asked):
        metrics = {
            (block.task or c.task, metric)
            for c in known.of("comparisons", study)
            for block in c.blocks
            for metric in c.metrics
        }
        if not metrics:
            continue
        each = bonferroni(len(metrics)).each
        shifts = [
            float(r_session.call("prediction_shift", [float(n)], level=each, power=POWER)[0])
            for n in seeds
        ]
        said = ", ".join(f"{n} seeds {shift:.3g}" for n, shift in zip(seeds, shifts, strict=True))
        lines.append(
            f"{study}, T4: the shift in standard deviations between seeds that is found in {POWER:.0%} of "
            f"cases, {counted(len(metrics), 'metric')} together: {said}; verdicts need one of {SHIFT:g} or less"
        )
    return lines


def judge_means(archived: ScoreSet, trained: Trained, command: str) -> list[Verdict]:
    """Verdicts on every run, evaluation set and metric that the archive holds and a seed was scored
    on.

    Means are over the instances that have a value in the archive and in every seed, so that all are
    of the same instances.

    Args:
        archived: The archived scores.
        trained: The scores of each run by seed.
        command: The command that makes these verdicts again.
    """
    verdicts: list[Verdict] = []
    for run, seeds in sorted(trained.items()):
        scored = {place for scores in seeds.values() for place in _columns(scores, run)}
        places = sorted(
            place for place in _columns(archived, run) if place[0] in {task for task, _ in scored}
        )
        for task, metric in places:
            if (task, metric) not in scored:
                verdicts.append(
                    unjudged(
                        f"{run} {task} {metric}",
                        "not run",
                        "archived, but not scored here",
                        command,
                    )
                )
        judged = [
            _Place(archived, run, task, metric, seeds)
            for task, metric in places
            if (task, metric) in scored
        ]
        for protocol in PROTOCOLS:
            mine = [
                place for place in judged if protocol == "corrected" or place.protocols_differ()
            ]
            found = [one for place in mine for one in place.measured(protocol, command)]
            levels = _levels([one for one in found if isinstance(one, _Measured)])
            verdicts += [
                one.judge(levels[len(one.new)], command) if isinstance(one, _Measured) else one
                for one in found
            ]
    return verdicts


@dataclass(frozen=True)
class Level:
    """How sure each of several intervals is, so that all hold together.

    Attributes:
        each: Level of one interval.
        together: How many share the level.
    """

    each: float = LEVEL
    together: int = 1

    def __str__(self) -> str:
        chance = (1 - self.each) * self.together
        return f"{self.together} verdicts together, {chance:.2g} misses expected by chance"


ONE = Level()


def bonferroni(together: int) -> Level:
    """The level of each of `together` intervals that holds whatever their correlation."""
    return Level(1 - (1 - LEVEL) / max(1, together), max(1, together))


def _levels(measured: Sequence["_Measured"]) -> dict[int, Level]:
    """The level of each mean of a run, by the number of seeds: the one at which all its intervals
    hold together, given how its metrics vary together over the instances.
    """
    table = pd.DataFrame({k: pd.Series(one.old) for k, one in enumerate(measured)})
    correlation = table.corr(min_periods=LEAST_COMMON).fillna(0).to_numpy(copy=True)
    np.fill_diagonal(correlation, 1)
    return {
        n: Level(
            float(r_session.call("joint_level", correlation.ravel(), n=n, level=LEVEL)[0]),
            len(measured),
        )
        for n in {len(one.new) for one in measured}
    }


@dataclass(frozen=True)
class _Measured:
    """A mean of one run in the archive and in every seed, over the same instances.

    Attributes:
        name: Of the verdict.
        old: Archived values by (evaluation set, instance).
        new: Values of each seed, likewise.
        about: How many instances there are, and what was left out.
    """

    name: str
    old: Mapping[tuple[str, str], float]
    new: Mapping[int, Mapping[tuple[str, str], float]]
    about: str

    def judge(self, level: Level, command: str) -> Verdict:
        """The verdict on the mean, at the level that all means of the run share."""
        means = {seed: float(np.mean(list(side.values()))) for seed, side in self.new.items()}
        changes = [
            float(np.mean([side[i] for side in self.new.values()])) - v for i, v in self.old.items()
        ]
        return against_seeds(
            self.name,
            MEAN,
            float(np.mean(list(self.old.values()))),
            means,
            True,
            self.about,
            command,
            level,
            changes,
        )


class _Place:
    """One metric of one run on one evaluation set, in the archive and in every seed that was scored
    on it.
    """

    def __init__(
        self, archived: ScoreSet, run: str, task: str, metric: str, seeds: Mapping[int, ScoreSet]
    ) -> None:
        self.run, self.task, self.metric = run, task, metric
        self.archived = archived
        self.seeds = {
            seed: scores for seed, scores in sorted(seeds.items()) if scores.has(run, task, metric)
        }
        self.unscored = sorted(seeds.keys() - self.seeds.keys())

    def values(self, scores: ScoreSet, protocol: str) -> dict[str, float]:
        """The values of the instances that have one under a protocol."""
        return (_values if protocol == "corrected" else _published_values)(
            scores, self.run, self.task, self.metric
        )

    def protocols_differ(self) -> bool:
        """Whether any side has other values as published than corrected."""
        return any(
            self.values(s, "corrected") != self.values(s, "as published")
            for s in (self.archived, *self.seeds.values())
        )

    def measured(self, protocol: str, command: str) -> list["_Measured | Verdict"]:
        """What is to be judged: the mean and, where an instance has no value, the share that has
        one; a verdict where nothing can be.

        Args:
            protocol: `corrected` or `as published`.
            command: The command that makes these verdicts again.
        """
        name = f"{self.run} {self.task} {self.metric}" + (
            " (as published)" if protocol == "as published" else ""
        )
        old = self.values(self.archived, protocol)
        new = {seed: self.values(scores, protocol) for seed, scores in self.seeds.items()}
        statuses = {
            seed: dict(zip(map(str, column.ids), column.status, strict=True))
            for seed, column in (
                (seed, scores.column(self.run, self.task, self.metric))
                for seed, scores in self.seeds.items()
            )
        }
        if any(not new[s] and set(statuses[s].values()) == {"cannot run here"} for s in new):
            return [
                unjudged(
                    name, "cannot run here", "the metric has no value on this machine", command
                )
            ]
        every = [str(i) for i in self.archived.column(self.run, self.task, self.metric).ids]
        result: list[_Measured | Verdict] = []
        if protocol == "corrected" and any(
            len(side.keys() & set(every)) < len(every) for side in (old, *new.values())
        ):
            result.append(
                self._of(
                    f"{name} has a value",
                    {i: float(i in old) for i in every},
                    {seed: {i: float(i in side) for i in every} for seed, side in new.items()},
                    f"{len(every)} instances of the archive",
                )
            )
        common = sorted(set(old).intersection(*new.values()))
        lost = sorted(set(old) - set(common))
        reasons = Counter(
            next(
                f"{statuses[seed].get(i, 'no record').replace('ok', 'unparseable')} in seed {seed}"
                for seed in new
                if i not in new[seed]
            )
            for i in lost
        )
        about = f"{len(common)} instances with a value everywhere, of {len(old)}"
        if reasons:
            about += f" ({', '.join(f'{n} {why}' for why, n in sorted(reasons.items()))})"
        if self.unscored:
            about += f"; not scored on it: seed {', '.join(map(str, self.unscored))}"
        least = margin_of(self.metric)[1]
        if not common:
            why = f"no instance has a value both in the archive and here; {about}"
            return [*result, unjudged(name, "not run", why, command, about)]
        if len(common) < least * len(old):
            why = f"{about}: below {least:.0%} ({named_ids('lost', lost)})"
            return [*result, unjudged(name, "not run", why, command, about)]
        if protocol == "corrected" and self.protocols_differ():
            about += "; outputs that the tool could not read have no value"
        result.append(
            self._of(
                name,
                {i: old[i] for i in common},
                {s: {i: v[i] for i in common} for s, v in new.items()},
                about,
            )
        )
        return result

    def _of(
        self,
        name: str,
        old: Mapping[str, float],
        new: Mapping[int, Mapping[str, float]],
        about: str,
    ) -> _Measured:
        return _Measured(
            name,
            {(self.task, i): v for i, v in old.items()},
            {seed: {(self.task, i): v for i, v in side.items()} for seed, side in new.items()},
            about,
        )


def judge_claims(known: Catalog, trained: Trained, command: str) -> list[Verdict]:
    """One verdict per claim that states a change, where a seed has the scores of all its runs.

    Changes are in percent of side A's mean, within one seed; the direction is that of their mean.
    Claims about significance have no direction and no seed: T1 judges them.

    Args:
        known: The catalog.
        trained: The scores of each run by seed.
        command: The command that makes these verdicts again.
    """
    found = {}
    for claim in known.claims.values():
        if claim.kind not in CHANGES:
            continue
        changes = {
            seed: value
            for seed in sorted({s for seeds in trained.values() for s in seeds})
            if not math.isnan(value := CHANGES[claim.kind](claim, known, trained, seed))
        }
        if changes:
            found[claim.id] = float(claim.options["percent"]), changes
    return [
        against_seeds(
            name,
            CLAIM,
            published,
            changes,
            float(np.mean(list(changes.values()))) * published > 0,
            "change in percent",
            command,
            bonferroni(len(found)),
        )
        for name, (published, changes) in found.items()
    ]


def relative_change(claim: Claim, known: Catalog, trained: Trained, seed: int) -> float:
    """The change that the claim states, in one seed; NaN where scores are missing."""
    o = claim.options
    return _change(known, trained, seed, o["comparison"], o["block"], o["metric"])


def largest_change(claim: Claim, known: Catalog, trained: Trained, seed: int) -> float:
    """The largest of the changes that the claim is about, in one seed; NaN where scores of any are
    missing.
    """
    o = claim.options
    return max(
        (
            _change(known, trained, seed, c, b.id, m)
            for c in o["comparisons"]
            for b in known.comparisons[c].blocks
            for m in o["metrics"]
            if b.id in o["blocks"] and m in known.comparisons[c].metrics
        ),
        key=lambda v: (v != v, v),
    )


CHANGES: dict[str, Callable[[Claim, Catalog, Trained, int], float]] = {
    "relative_change": relative_change,
    "largest_change": largest_change,
}


def _change(
    known: Catalog, trained: Trained, seed: int, comparison: str, block: str, metric: str
) -> float:
    place = known.comparisons[comparison]
    sides = next(b for b in place.blocks if b.id == block)
    task, found = sides.task or place.task, []
    for run in (sides.a, sides.b):
        scores = trained.get(run, {}).get(seed)
        if scores is None or not scores.has(run, task, metric):
            return math.nan
        found.append(_values(scores, run, task, metric))
    common = found[0].keys() & found[1].keys()
    a, b = (float(np.mean([side[i] for i in sorted(common)])) if common else 0.0 for side in found)
    return (b - a) / a * 100 if a else math.nan


def _columns(scores: ScoreSet, run: str) -> set[tuple[str, str]]:
    return {
        (task, metric)
        for (_, task), frame in scores.tables.items()
        for metric in frame.columns[4:]
        if scores.has(run, task, metric)
    }


def _values(scores: ScoreSet, run: str, task: str, metric: str) -> dict[str, float]:
    """The values of a metric under the corrected protocol: an output that the tool could not read
    has none.
    """
    column = scores.column(run, task, metric)
    tool, entry = _entry(scores, task, metric)
    out = unparseable(scores, tool, entry, run, task) if tool and entry else set()
    return {
        str(i): float(v)
        for i, s, v in zip(column.ids, column.status, column.value, strict=True)
        if s == "ok" and v == v and i not in out
    }


def _published_values(scores: ScoreSet, run: str, task: str, metric: str) -> dict[str, float]:
    """The values of a metric as the study's scripts would write them: an unparseable output has the
    tool's values for that.
    """
    column = scores.column(run, task, metric)
    tool, _ = _entry(scores, task, metric)
    written = tool.unparseable_when.get(metric, 0.0) if tool and tool.unparseable_when else math.nan
    found = {
        str(i): float(written if s in ("unparseable", "empty") else v)
        for i, s, v in zip(column.ids, column.status, column.value, strict=True)
    }
    return {i: v for i, v in found.items() if v == v}


def _entry(scores: ScoreSet, task: str, metric: str) -> tuple[Tool | None, Metric | None]:
    """The catalog's tool and metric of a column: the tool whose table it stands in, where that has
    the metric.
    """
    known = catalog()
    tool = known.tools.get(scores.tool_of(task, metric))
    entry = next((m for m in tool.metrics if m.id == metric), None) if tool else None
    return (tool, entry) if entry else known.metrics().get(metric, (None, None))


def unjudged(name: str, verdict: str, reason: str, command: str, about: str = "") -> Verdict:
    """A verdict where there is nothing to hold against the seeds.

    Args:
        name: The id of the verdict.
        verdict: `not run` or `cannot run here`.
        reason: Why.
        command: The command that makes this verdict again.
        about: What it would rest on.
    """
    return Verdict(
        name,
        "T4",
        MEAN,
        "",
        "",
        "",
        RULE,
        SOURCE,
        verdict,
        reason,
        command=command,
        rests_on=about,
    )


def against_seeds(
    name: str,
    kind: str,
    target: float,
    by_seed: Mapping[int, float],
    direction: bool,
    about: str,
    command: str,
    shared: Level = ONE,
    by_instance: Sequence[float] = (),
) -> Verdict:
    """Hold `target` against the seeds' interval.

    Args:
        name: The id of the verdict.
        kind: Whether `target` is an archived mean or a claimed change.
        target: What must lie inside.
        by_seed: The value of each seed.
        direction: Whether the claim's direction holds; true where it has none.
        about: What the values are of, for the reason.
        command: The command that makes this verdict again.
        shared: The level of the interval, and how many share it.
        by_instance: The seeds' mean minus the archive's value for every instance, where these are
            known; they decide where equal seeds have no spread.
    """
    level = shared.each
    found, mean = list(by_seed.values()), float(np.mean(list(by_seed.values())))
    interval = prediction_interval(found, level)
    seeds = f"seed{'s' if len(by_seed) > 1 else ''} {', '.join(map(str, by_seed))}; {about}"
    wrong = "the claim's direction does not hold"
    if interval is None:
        verdict, why = "not run", [ONE_SEED, *([] if direction else [wrong]), "train further seeds"]
    else:
        slack = 1e-9 * abs(
            target
        )  # equal seeds have an interval without width, and sums are rounded
        inside = interval[0] - slack <= target <= interval[1] + slack
        half = (interval[1] - interval[0]) / 2
        power = float(
            r_session.call("prediction_power", [float(len(found))], level=level, shift=SHIFT)[0]
        )
        seen = f"a shift of {half:.3g} or more leaves the interval ({shared})"
        if half <= slack and not inside:
            apart = not by_instance or _apart(by_instance, level)
            verdict = "differs" if apart else "not run"
            why = [
                "outside the interval"
                if apart
                else "the seeds have no spread to judge by: train further seeds",
                *([] if direction else [wrong]),
            ]
        elif not inside or not direction:
            verdict, why = (
                "differs",
                [
                    *([] if inside else ["outside the interval"]),
                    *([] if direction else [wrong]),
                    seen,
                ],
            )
        elif half > slack and power < POWER:
            verdict, why = (
                "not run",
                [
                    (
                        f"{len(found)} seeds find a shift of {SHIFT:g} standard deviations in {power:.0%} of cases, "
                        f"below {POWER:.0%}: train further seeds"
                    ),
                    seen,
                ],
            )
        else:
            verdict, why = (
                "within tolerance",
                [seen] if half > slack else ["every seed has the archived value"],
            )
    text = f"{mean:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else "")
    return Verdict(
        id=name,
        tier="T4",
        kind=kind,
        published=f"{target:.4g}" if kind == CLAIM else "",
        archived=f"{target:.4g}" if kind == MEAN else "",
        regenerated=text,
        tolerance=RULE,
        tolerance_source=SOURCE,
        verdict=verdict,
        reason="; ".join([*why, seeds]),
        command=command,
        rests_on=seeds,
    )


def _apart(changes: Sequence[float], level: float) -> bool:
    """Whether the instances alone tell the seeds' mean from the archive's."""
    low, high = r_session.call("mean_interval", changes, level=level)
    return bool(low > 0 or high < 0)

"""Tier T4: runs trained again from base models, with several seeds, against what the archive holds
and the study claims.

One archived run is one draw from the runs that this configuration can give, so it is held against
the prediction interval of one further draw, mean ± t(0.975, n - 1) s √(1 + 1/n) over n seeds (Hahn
and Meeker, *Statistical Intervals*, 1991, section 4.7; it takes the seeds' values for normal). One
seed has no spread, hence no interval: the verdict is then `not run`, never a guess. A claim has a
direction too: both must hold.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mtpeft.catalog import Catalog, Claim, catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.provenance import write_result
from mtpeft.core.records import VERDICTS, ScoreSet, Verdict, records_text

Trained = Mapping[str, Mapping[int, ScoreSet]]
"""run → seed → scores of its answers"""
MEAN, CLAIM = "trained", "trained claim"  # kinds of verdict
ONE_SEED = "unknown: one seed has no interval"
RULE, SOURCE = "95 % prediction interval over the seeds", "the spread of the seeds"


def t_quantile(p: float, freedom: int) -> float:
    """Quantile of Student's t for p in (0.5, 1), by bisection on its distribution function
    (Abramowitz and Stegun, 26.7.3-4).
    """

    def inside(t: float) -> float:
        """P(|T| < t)."""
        angle = math.atan(t / math.sqrt(freedom))
        odd, total, term = freedom % 2, 0.0, math.cos(angle) if freedom % 2 else 1.0
        for k in range(1 if odd else 0, freedom - 1, 2):
            total += term
            term *= math.cos(angle) ** 2 * (k + 1) / (k + 2)
        return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total

    low, high = 0.0, 1.0
    while inside(high) < 2 * p - 1:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < 2 * p - 1 else (low, middle)
    return high


def prediction_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Where one further value lies with probability `level`, given these; None for fewer than two."""
    n = len(values)
    if n < 2:
        return None
    half = t_quantile((1 + level) / 2, n - 1) * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n)
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def judge_means(archived: ScoreSet, trained: Trained, command: str) -> list[Verdict]:
    """One verdict per run, evaluation set and metric that both the archive and a seed have.

    Means are over the instances that have a value in the archive and in every seed, so that all are
    of the same instances.
    """
    verdicts = []
    for run, seeds in sorted(trained.items()):
        for task, metric in sorted(
            {place for scores in seeds.values() for place in _columns(scores, run)}
        ):
            if (task, metric) not in _columns(archived, run):
                continue
            sides = {
                seed: _values(s, run, task, metric)
                for seed, s in sorted(seeds.items())
                if s.has(run, task, metric)
            }
            old = _values(archived, run, task, metric)
            common = sorted(set(old).intersection(*sides.values()))
            if not common:
                verdicts.append(
                    Verdict(
                        f"{run} {task} {metric}",
                        "T4",
                        MEAN,
                        "",
                        "",
                        "",
                        RULE,
                        SOURCE,
                        "not run",
                        "no instance has a value both in the archive and here",
                        command=command,
                    )
                )
                continue
            means = {seed: float(np.mean([v[i] for i in common])) for seed, v in sides.items()}
            verdicts.append(
                _verdict(
                    f"{run} {task} {metric}",
                    MEAN,
                    float(np.mean([old[i] for i in common])),
                    means,
                    True,
                    f"{len(common)} instances with a value everywhere, of {len(old)}",
                    command,
                )
            )
    return verdicts


def judge_claims(known: Catalog, trained: Trained, command: str) -> list[Verdict]:
    """One verdict per claim that states a change, where a seed has the scores of all its runs.

    Changes are in percent of side A's mean, within one seed; the direction is that of their mean.
    Claims about significance have no direction and no seed: T1 judges them.
    """
    verdicts = []
    for claim in known.study("claims", "a"):
        if claim.kind not in CHANGES:
            continue
        changes = {
            seed: value
            for seed in sorted({s for seeds in trained.values() for s in seeds})
            if not math.isnan(value := CHANGES[claim.kind](claim, known, trained, seed))
        }
        if changes:
            published = float(claim.options["percent"])
            holds = float(np.mean(list(changes.values()))) * published > 0
            verdicts.append(
                _verdict(claim.id, CLAIM, published, changes, holds, "change in percent", command)
            )
    return verdicts


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
    column = scores.column(run, task, metric)
    return {
        str(i): float(v)
        for i, s, v in zip(column.ids, column.status, column.value, strict=True)
        if s == "ok" and v == v
    }


def _verdict(
    name: str,
    kind: str,
    target: float,
    by_seed: Mapping[int, float],
    direction: bool,
    about: str,
    command: str,
) -> Verdict:
    interval, mean = (
        prediction_interval(list(by_seed.values())),
        float(np.mean(list(by_seed.values()))),
    )
    seeds = f"seed{'s' if len(by_seed) > 1 else ''} {', '.join(map(str, by_seed))}; {about}"
    wrong = "the claim's direction does not hold"
    if interval is None:
        verdict, why = "not run", [ONE_SEED, *([] if direction else [wrong]), "train further seeds"]
    else:
        slack = 1e-9 * abs(
            target
        )  # equal seeds have an interval without width, and sums are rounded
        inside = interval[0] - slack <= target <= interval[1] + slack
        verdict = "within tolerance" if inside and direction else "differs"
        why = [*([] if inside else ["outside the interval"]), *([] if direction else [wrong])]
    found = f"{mean:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else "")
    return Verdict(
        id=name,
        tier="T4",
        kind=kind,
        published=f"{target:.4g}" if kind == CLAIM else "",
        archived=f"{target:.4g}" if kind == MEAN else "",
        regenerated=found,
        tolerance=RULE,
        tolerance_source=SOURCE,
        verdict=verdict,
        reason="; ".join([*why, seeds]),
        command=command,
    )


def run(training: str, inference: str) -> int:
    """Judge every run of study A that was trained and scored here →
    results/regenerated/verification/seeds.csv.

    training, inference: the profiles whose folders are read. Returns 1 where a difference has no
    cause, else 0; raises `MtpeftError` where nothing was scored.
    """
    known, trained, inputs = catalog(), {}, []
    for entry in known.study("runs", "a"):
        for folder in sorted(paths.seed_folder(training, entry.id, 0).parent.glob("seed-*")):
            if tables := sorted((folder / inference / "scores").glob("*/*.csv")):
                trained.setdefault(entry.id, {})[int(folder.name.removeprefix("seed-"))] = (
                    ScoreSet.load(folder / inference)
                )
                inputs += tables
    if not trained:
        raise MtpeftError(
            f"no scores of trained runs under {paths.shown(paths.REGENERATED / 'training' / training)}",
            f"RUN/seed-N/{inference}/scores",
            "make train-RUN infer-RUN score-RUN",
        )
    command = f"mtpeft verify-seeds --training {training} --inference {inference}"
    verdicts = judge_claims(known, trained, command) + judge_means(
        ScoreSet.load(paths.ARCHIVED), trained, command
    )
    path = paths.REGENERATED / "verification" / "seeds.csv"
    write_result(
        path, records_text(verdicts, Verdict), inputs, training=training, inference=inference
    )
    for v in verdicts:
        if v.kind == CLAIM or v.verdict != "within tolerance":
            figures = (
                f"{v.published or v.archived}, here {v.regenerated}; " if v.regenerated else ""
            )
            print(f"{v.verdict:17} {v.id}: {figures}{v.reason}")
    counts = Counter(v.verdict for v in verdicts)
    print(
        f"T4: {', '.join(f'{counts[name]} {name}' for name in VERDICTS if counts[name])} -> {paths.shown(path)}"
    )
    return 1 if any(v.unexplained for v in verdicts) else 0

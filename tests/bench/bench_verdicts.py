"""How often the rules of T3 and T4 err, by simulation; its table stands in docs/verdict-rules.md.

    python tests/bench/bench_verdicts.py [--rounds 500]

T3: two sides of one adapter. A perfect reproduction flips a few outcomes both ways and must hardly
ever be called `differs`; a loss of 5 points of pass@1 at 184 instances must never be called `within
tolerance`. T4: archived scores of one run, all its metrics with their correlation; pseudo-seeds and
the archived run are resampled instances, that is, draws of the same thing. Some metric of a perfect
reproduction should be called `differs` in no more than one run of ten.
"""

import argparse
from collections import Counter
from collections.abc import Iterator

import numpy as np
from mtpeft.catalog import catalog
from mtpeft.catalog.places import score_roots
from mtpeft.core.records import VERDICTS, ScoreSet
from mtpeft.verification.answers import LEVEL, equivalence, interval, margin_of
from mtpeft.verification.seeds import _levels, _Measured, _values

RUN, TASK = "qwen2.5-coder-3b/mt-qlora", "generation-java"
TOGETHER = 17
Row = tuple[str, Counter[str], float]
"""What is simulated, the verdicts, and how often the interval holds the truth."""


def flips(
    n: int, up: float, down: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of two sides of which shares `up` and `down` of all instances flip."""
    a = (rng.random(n) < 0.4).astype(float)
    draw = rng.random(n)
    gone, won = (a == 1) & (draw < down / 0.4), (a == 0) & (draw < up / 0.6)
    return a, np.where(won, 1.0, np.where(gone, 0.0, a))


def answers(rounds: int, rng: np.random.Generator, lines: np.ndarray) -> Iterator[Row]:
    """T3, rates and counts: verdicts, and coverage of the 95 % interval."""
    rates, counts = margin_of("pass@1")[0], margin_of("lizard_loc")[0]
    for name, n, up, down in (
        ("pass@1, nothing flips", 184, 0.0, 0.0),
        ("pass@1, perfect: 1 % flip each way", 184, 0.01, 0.01),
        ("pass@1, perfect: 2 % flip each way", 184, 0.02, 0.02),
        ("pass@1, 5 points lost: 5 % down", 184, 0.0, 0.05),
        ("pass@1, 5 points lost: 6 % down, 1 % up", 184, 0.01, 0.06),
        ("pass@1, 5 points lost: 6 % down, 1 % up", 30, 0.01, 0.06),
        ("pass@1, 5 points lost: 6 % down, 1 % up", 10, 0.01, 0.06),
        ("pass@1, 5 points lost: 6 % down, 1 % up", 1000, 0.01, 0.06),
        ("pass@1, perfect: 1 % flip each way", 1000, 0.01, 0.01),
    ):
        found: Counter[str] = Counter()
        held = 0
        for _ in range(rounds):
            a, b = flips(n, up, down, rng)
            found[equivalence(a, b, rates, TOGETHER).verdict] += 1
            low, high = interval(a, b, LEVEL)
            held += low <= up - down <= high
        yield f"{name}, {n} pairs", found, held / rounds
    for name, n, factor in (
        ("lines of code, perfect: a tenth redrawn", 184, 1.0),
        ("lines of code, perfect: a tenth redrawn", 1000, 1.0),
        ("lines of code, a fifth longer", 184, 1.2),
        ("lines of code, a fifth longer", 10, 1.2),
    ):
        found, held = Counter(), 0
        for _ in range(rounds):
            a = rng.choice(lines, n)
            b = np.where(rng.random(n) < 0.1, rng.choice(lines, n), a) * factor
            found[equivalence(a, b, counts, TOGETHER).verdict] += 1
            low, high = interval(a, b, LEVEL)
            held += low <= float(lines.mean()) * (factor - 1) <= high
        yield f"{name}, {n} pairs", found, held / rounds


def whole_run(
    rounds: int, rng: np.random.Generator, values: np.ndarray, names: list[str]
) -> Iterator[Row]:
    """T3, all metrics of a run: a share of the answers is drawn anew, with all their metrics."""
    for share in (0.02, 0.1, 0.3):
        found: Counter[str] = Counter()
        for _ in range(rounds):
            a = values[rng.integers(0, len(values), len(values))]
            again = values[rng.integers(0, len(values), len(values))]
            b = np.where((rng.random(len(values)) < share)[:, None], again, a)
            words = [
                equivalence(a[:, k], b[:, k], margin_of(name)[0], len(names)).verdict
                for k, name in enumerate(names)
            ]
            found[next((w for w in ("differs", "not run") if w in words), "within tolerance")] += 1
        name = f"perfect, {share:.0%} of the answers redrawn, {len(values)} pairs, {len(names)} metrics"
        yield f"{name}: the run", found, float("nan")


def matrix(scores: ScoreSet) -> tuple[np.ndarray, list[str]]:
    """Values of every metric of the run on one evaluation set, shape [instances, metrics]."""
    names = sorted(
        m
        for (_, task), frame in scores.tables.items()
        if task == TASK
        for m in frame.columns[4:]
        if scores.has(RUN, TASK, m)
    )
    sides = [_values(scores, RUN, TASK, m) for m in names]
    common = sorted(set(sides[0]).intersection(*sides))
    return np.array([[side[i] for side in sides] for i in common]), names


def judged(
    values: np.ndarray, number: int, shift: float, rng: np.random.Generator
) -> tuple[list[str], bool]:
    """Verdicts on all metrics of one run, and whether every interval holds the archived mean.

    Args:
        values: Of the archived run, shape [instances, metrics].
        number: Seeds.
        shift: Of the archived mean of the first metric, in standard deviations between seeds.
        rng: Draws instances.
    """
    drawn = [values[rng.integers(0, len(values), len(values))] for _ in range(number + 1)]
    drawn[0] = drawn[0].copy()
    drawn[0][:, 0] += shift * values[:, 0].std() / np.sqrt(len(values))
    measured = [
        _Measured(
            str(k),
            {(TASK, str(i)): v for i, v in enumerate(drawn[0][:, k])},
            {
                s: {(TASK, str(i)): v for i, v in enumerate(side[:, k])}
                for s, side in enumerate(drawn[1:])
            },
            "",
        )
        for k in range(values.shape[1])
    ]
    level = _levels(measured)[number]
    words = [one.judge(level, "").verdict for one in measured]
    return words, "differs" not in words


def seeds(rounds: int, rng: np.random.Generator, values: np.ndarray) -> Iterator[Row]:
    """T4: the verdict of a run is `differs` where that of any metric is."""
    number = values.shape[1]
    for count in (2, 3, 5, 10):
        found: Counter[str] = Counter()
        held = 0
        for _ in range(rounds):
            words, all_held = judged(values, count, 0.0, rng)
            held += all_held
            found[next((w for w in ("differs", "not run") if w in words), "within tolerance")] += 1
        yield f"perfect, {count} seeds, {number} metrics: the run", found, held / rounds
    for count, shift in ((3, 10.0), (5, 10.0), (10, 5.0)):
        found = Counter(judged(values, count, shift, rng)[0][0] for _ in range(rounds))
        name = f"one metric {shift:g} standard deviations off, {count} seeds: that metric"
        yield name, found, float("nan")


def main() -> None:
    """Print the rates as a Markdown table; fail where a rule errs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=500)
    rounds, rng = parser.parse_args().rounds, np.random.default_rng(0)
    scores = ScoreSet.load(*score_roots(catalog()))
    values, names = matrix(scores)
    lines = np.array(list(_values(scores, RUN, TASK, "lizard_loc").values()))
    shown = [v for v in VERDICTS if v in ("within tolerance", "differs", "not run")]
    print("| tier | simulated | " + " | ".join(shown) + " | interval holds the truth |")
    print("|---|---|" + "---|" * (len(shown) + 1))
    for tier, rows in (
        ("T3", answers(rounds, rng, lines)),
        ("T3", whole_run(rounds, np.random.default_rng(1), values, names)),
        ("T4", seeds(rounds, rng, values)),
    ):
        for name, found, held in rows:
            shares = [f"{found[v] / rounds:.1%}" for v in shown]
            covered = "–" if held != held else f"{held:.1%}"
            print(f"| {tier} | {name} | {' | '.join(shares)} | {covered} |", flush=True)
            if "5 points lost" in name and "184 pairs" in name:
                assert not found["within tolerance"], name
            if "perfect" in name:
                assert found["differs"] <= 0.1 * rounds, name


if __name__ == "__main__":
    main()

"""How often the rules of T3 and T4 err, by simulation.

    python tests/bench/bench_verdicts.py [--rounds 500]

T3: two sides of one adapter on 184 instances. A perfect reproduction flips a few outcomes both ways
and must hardly ever be called `differs`; a loss of 5 points of pass@1 must never be called
`within tolerance`. T4: archived scores of one run, all its local metrics with their correlation;
pseudo-seeds and the archived run are resampled instances, that is, draws of the same thing. No
metric of a perfect reproduction should be called `differs` in more than one run of ten.
"""

import argparse
import json
from collections import Counter

import numpy as np
from mtpeft.catalog import catalog
from mtpeft.catalog.places import score_roots
from mtpeft.core.records import ScoreSet
from mtpeft.verification.answers import equivalence, margin_of
from mtpeft.verification.seeds import MEAN, _values, _verdict

RUN = "qwen2.5-coder-3b/mt-qlora"
PAIRS, METRICS = 184, 47
NO_CLAIM = True


def answers(rounds: int, rng: np.random.Generator, up: float, down: float) -> Counter[str]:
    """Verdicts on pass@1 where shares `up` and `down` of the instances flip."""
    margin, _ = margin_of("pass@1")
    found: Counter[str] = Counter()
    for _ in range(rounds):
        a = (rng.random(PAIRS) < 0.4).astype(float)
        flip = rng.random(PAIRS)
        b = np.where(
            (a == 0) & (flip < up / 0.6), 1.0, np.where((a == 1) & (flip < down / 0.4), 0.0, a)
        )
        found[equivalence(a, b, margin, METRICS).verdict] += 1
    return found


def matrix(scores: ScoreSet) -> tuple[np.ndarray, list[str]]:
    """Values of every local metric of the run on one evaluation set, shape [instances, metrics]."""
    task = "generation-java"
    names = sorted(
        m
        for (_, t), frame in scores.tables.items()
        if t == task
        for m in frame.columns[4:]
        if scores.has(RUN, task, m)
    )
    sides = [_values(scores, RUN, task, m) for m in names]
    common = sorted(set(sides[0]).intersection(*sides))
    return np.array([[side[i] for side in sides] for i in common]), names


def seeds(rounds: int, rng: np.random.Generator, number: int, values: np.ndarray) -> float:
    """Share of perfect reproductions in which some metric is called `differs`."""
    wrong = 0
    for _ in range(rounds):
        drawn = [values[rng.integers(0, len(values), len(values))] for _ in range(number + 1)]
        archived, others = drawn[0], drawn[1:]
        for k in range(values.shape[1]):
            means = {n: float(side[:, k].mean()) for n, side in enumerate(others)}
            changes = list(np.mean([side[:, k] for side in others], axis=0) - archived[:, k])
            target = float(archived[:, k].mean())
            made = _verdict("m", MEAN, target, means, NO_CLAIM, "", "", values.shape[1], changes)
            if made.verdict == "differs":
                wrong += 1
                break
    return wrong / rounds


def main() -> None:
    """Print the rates as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=500)
    rounds, rng = parser.parse_args().rounds, np.random.default_rng(0)
    values, names = matrix(ScoreSet.load(*score_roots(catalog())))
    said = {
        "T3, no flip": dict(answers(rounds, rng, 0, 0)),
        "T3, perfect, 2 % flip each way": dict(answers(rounds, rng, 0.02, 0.02)),
        "T3, 5 points lost (6 % down, 1 % up)": dict(answers(rounds, rng, 0.01, 0.06)),
        "T3, 5 points lost (5 % down)": dict(answers(rounds, rng, 0, 0.05)),
        **{
            f"T4, perfect, {number} seeds, {len(names)} metrics: some `differs`": seeds(
                rounds, rng, number, values
            )
            for number in (2, 3, 5)
        },
    }
    print(json.dumps(said, indent=1))
    assert not said["T3, 5 points lost (6 % down, 1 % up)"].get("within tolerance")
    assert said["T3, perfect, 2 % flip each way"].get("differs", 0) <= 0.1 * rounds
    assert all(rate <= 0.1 for name, rate in said.items() if name.startswith("T4"))


if __name__ == "__main__":
    main()

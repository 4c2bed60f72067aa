"""How the intervals and tests of `stats/` cover: the table of docs/guide/uncertainty.md, simulated.

    python tests/bench/bench_intervals.py [--draws 1000] [--write]

For each design (a distribution of paired differences, with or without clusters) samples are drawn
with a fixed seed; an interval covers where it holds the value of the population, which one large
sample gives. Intervals that are not estimable are counted apart. `--write` puts the table between
the marks of the page. Needs R; a few minutes on one core.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mtpeft.core.files import write_atomic
from mtpeft.statistics.r_session import call

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "uncertainty.md"
MARKS = "<!-- simulated -->\n", "<!-- end -->"
POPULATION = 400_000
Draw = Callable[[np.random.Generator, int], np.ndarray]


def normal(shift: float, zeros: float = 0.0) -> Draw:
    """Normal differences with a shift in standard deviations; a share of pairs is unchanged."""
    return lambda g, n: g.normal(shift, 1, n) * (g.random(n) >= zeros)


def judge(g: np.random.Generator, n: int) -> np.ndarray:
    """Differences of means of five scores: a grid of 0.2, many ties."""
    return np.round(g.normal(0.15, 0.4, n) / 0.2) * 0.2


def passes(g: np.random.Generator, n: int) -> np.ndarray:
    """Differences of pass and fail: 15 % only B, 8 % only A."""
    return g.choice([1.0, -1.0, 0.0], n, p=[0.15, 0.08, 0.77])


def skewed(g: np.random.Generator, n: int) -> np.ndarray:
    """Log-normal differences about their mean, moved by half a unit."""
    return np.exp(g.normal(0, 1, n)) - np.exp(0.5) + 0.5


PAIRED: dict[str, Draw] = {
    "no effect": normal(0),
    "normal, 0.3 SD": normal(0.3),
    "normal, 1 SD": normal(1),
    "normal, 1.5 SD": normal(1.5),
    "0.3 SD, 70 % unchanged": normal(0.3, 0.7),
    "1 SD, 70 % unchanged": normal(1, 0.7),
    "skewed": skewed,
    "judge, grid of 0.2": judge,
}


def correlation(difference: np.ndarray) -> float:
    """The rank-biserial correlation of a population."""
    moved = difference[difference != 0]
    _, place, counts = np.unique(
        np.round(np.abs(moved), 9), return_inverse=True, return_counts=True
    )
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((np.sign(moved) * ranks).sum() / ranks.sum())


def covered(interval: np.ndarray, truth: float) -> float:
    """1 or 0; NaN where the interval is not estimable."""
    low, high = interval
    return np.nan if np.isnan(low) else float(low <= truth <= high)


def percent(hits: list[float]) -> str:
    """Coverage where estimable, and in brackets how often it is not."""
    there = [h for h in hits if h == h]
    lost = 1 - len(there) / len(hits)
    shown = f"{100 * np.mean(there):.1f}" if len(there) >= 50 else "–"
    return shown + (f" ({100 * lost:.0f} n. e.)" if lost >= 0.005 else "")


def paired_rows(draws: int) -> Iterator[list[str]]:
    """Coverage of the intervals of r and of the mean, without clusters."""
    for name, draw in PAIRED.items():
        population = draw(np.random.default_rng(1), POPULATION)
        truth, mean = correlation(population), float(population.mean())
        generator = np.random.default_rng(2)
        cells = []
        for n in (10, 20, 40, 100, 184):
            r, m = [], []
            for _ in range(draws):
                d = draw(generator, n)
                r.append(covered(call("rank_biserial", d, np.zeros(n))[1:], truth))
                m.append(covered(call("mean_interval", d), mean))
            cells.append(f"{percent(r)} / {percent(m)}")
        yield [name, *cells]


def clustered(g: np.random.Generator, clusters: int, binary: bool) -> tuple[np.ndarray, np.ndarray]:
    """Differences in clusters of 3 to 15 whose correlation is 0.3, and the clusters."""
    sizes = g.integers(3, 16, clusters)
    of = np.repeat(np.arange(clusters), sizes).astype(float)
    latent = np.repeat(g.normal(0, np.sqrt(0.3), clusters), sizes) + g.normal(
        0, np.sqrt(0.7), len(of)
    )
    if binary:
        return np.where(latent > 1.04, 1.0, np.where(latent < -1.04, -1.0, 0.0)), of
    return latent, of


def cluster_rows(draws: int) -> Iterator[list[str]]:
    """Without an effect: coverage of intervals, and how often a test rejects at 5 %."""
    for title, binary in (("scores", False), ("passes", True)):
        for clusters in (10, 20, 40):
            generator = np.random.default_rng(3)
            found: dict[str, list[float]] = {}
            for _ in range(draws):
                d, of = clustered(generator, clusters, binary)
                zero = np.zeros(len(d))
                sides = ((d > 0) + 0.0, (d < 0) + 0.0) if binary else (d, zero)
                test = "discordance" if binary else "signed_rank"
                for key, groups in (("plain", []), ("clusters", [of])):
                    p = call(test, *sides, *groups)[1]
                    mean = covered(call("mean_interval", d, *groups), 0)
                    effect = (
                        covered(call("discordant_odds", *sides, *groups)[1:], 1)
                        if binary
                        else covered(call("rank_biserial", *sides, *groups)[1:], 0)
                    )
                    for name, value in (("p", float(p < 0.05)), ("m", mean), ("e", effect)):
                        found.setdefault(f"{key} {name}", []).append(value)
            yield [
                f"{title}, {clusters} clusters",
                *(
                    " → ".join(percent(found[f"{key} {name}"]) for key in ("plain", "clusters"))
                    for name in "pme"
                ),
            ]


def power_rows(draws: int) -> Iterator[list[str]]:
    """How often a test finds the difference that was called detectable."""
    for name in ("scores, normal", "passes, 23 % changed"):
        cells = []
        for n in (20, 50, 184):
            generator = np.random.default_rng(4)
            draw = passes if name.startswith("passes") else normal(0)
            estimated = [
                call("detectable_difference", draw(generator, n))[0] for _ in range(draws // 2)
            ]
            shift = float(np.nanmean(estimated))
            hits = []
            for _ in range(draws):
                if draw is passes:
                    up = min(0.23, (0.23 + shift) / 2)
                    d = generator.choice([1.0, -1.0, 0.0], n, p=[up, 0.23 - up, 0.77])
                    p = call("discordance", (d > 0) + 0.0, (d < 0) + 0.0)[1]
                else:
                    p = call("signed_rank", draw(generator, n) + shift, np.zeros(n))[1]
                hits.append(float(p < 0.05))
            unit = f"{100 * shift:.0f} points" if draw is passes else f"{shift:.2f} SD"
            cells.append(f"{unit}: {100 * np.mean(hits):.0f}")
        yield [name, *cells]


def grid(head: list[str], rows: Iterator[list[str]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], file=sys.stderr)
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    sizes = [f"n = {n}" for n in (10, 20, 40, 100, 184)]
    lines = [
        (
            "Coverage in % of the 95 % intervals of the rank-biserial correlation / of the mean "
            f"difference, {asked.draws:,} samples a cell (n. e.: not estimable, in % of the samples; "
            "coverage is of the others):"
        ),
        "",
        *grid(["differences", *sizes], paired_rows(asked.draws)),
        (
            "No effect, correlation 0.3 within clusters of 3 to 15, in %, without → with clusters "
            f"({asked.draws:,} samples):"
        ),
        "",
        *grid(
            ["design", "test rejects at 5 %", "interval of the mean", "interval of the effect"],
            cluster_rows(asked.draws),
        ),
        (
            "The difference that is called detectable (mean over samples), and how often the test finds "
            f"it, in % ({asked.draws:,} samples):"
        ),
        "",
        *grid(["differences", "n = 20", "n = 50", "n = 184"], power_rows(asked.draws)),
    ]
    text = "\n".join(lines)
    print(text)
    if asked.write:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(MARKS[0])
        write_atomic(
            PAGE, before + MARKS[0] + "\n" + text + "\n" + MARKS[1] + rest.partition(MARKS[1])[2]
        )


if __name__ == "__main__":
    main()

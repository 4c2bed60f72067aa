"""Printed values whose per-instance inputs are not archived: what can still be checked without
them.

Each check is a necessary condition between values printed next to each other, or between them and
what is archived. Passing all of them does not reproduce a value; failing one shows that something
is wrong.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mtpeft.catalog import Block, Catalog, Comparison
from mtpeft.core.records import PublishedCell, ScoreSet
from mtpeft.statistics import r_session
from mtpeft.statistics.printed import magnitude, resolution, same, significant, style_of

TWIN = "interval also printed elsewhere"
OVERLAP = "overlap of passes above chance"
BOUNDS = "adjusted p between raw p and the size of the family times raw p, and in its order"
COARSE = 0.25  # half the distance of printable values, in counts of pairs, above which a count cannot be told


@dataclass(frozen=True)
class Check:
    """The outcome of one check at one place.

    Attributes:
        comparison: The comparison to which the printed values belong.
        block: Its block.
        metric: The metric of the place.
        check: What was checked, in words.
        result: `consistent`, `inconsistent` or `conspicuous`.
        detail: The values compared, with file and line where they are printed.
    """

    comparison: str
    block: str
    metric: str
    check: str
    result: str
    detail: str


def check_printed(
    comparison: Comparison, cells: list[PublishedCell], scores: ScoreSet, known: Catalog
) -> Iterator[Check]:
    """All checks of one comparison, place by place.

    Args:
        comparison: The comparison.
        cells: All printed values, those of other comparisons too: an interval may stand elsewhere.
        scores: The archived scores, for the counts that they bound.
        known: The catalog, for the sizes of the evaluation sets.
    """
    at: dict[tuple[str, str], dict[str, list[PublishedCell]]] = {}
    for cell in cells:
        if cell.metric and cell.comparison == comparison.id:
            at.setdefault((cell.block, cell.metric), {}).setdefault(cell.quantity, []).append(cell)
    elsewhere = _intervals(cells)
    named = {b.task or comparison.task for b in comparison.blocks}
    tasks = [*known.of("tasks", comparison.study), *(known.task_of(name) for name in named)]
    sizes = {e.id: e.instances for t in tasks for e in t.evaluations}
    for block in comparison.blocks:
        for metric in comparison.metrics:
            printed = at.get((block.id, metric), {})
            task = block.task or comparison.task
            checks = {
                "mcnemar": _of_counts(printed, block, scores),
                "wilcoxon": _of_effects(printed, task, sizes),
                "summary": _of_sums(printed),
            }[comparison.test]
            twins = _twins(comparison.id, block.id, metric, printed, elsewhere)
            for name, result, detail in (*_of_renderings(printed), *checks, *twins):
                yield Check(comparison.id, block.id, metric, name, result, detail)


_Outcome = tuple[str, str, str]
_Printed = dict[str, list[PublishedCell]]


def _outcome(name: str, ok: bool, detail: str) -> _Outcome:
    return name, "consistent" if ok else "inconsistent", detail


def _number(cell: PublishedCell) -> float:
    return math.nan if cell.printed in ("NA", "NaN") else float(cell.printed)


def _most_precise(cells: list[PublishedCell]) -> PublishedCell:
    return max(cells, key=lambda c: (style_of(c) == "seven", len(c.printed)))


def _of_renderings(printed: _Printed) -> Iterator[_Outcome]:
    """Two renderings of one result must agree: console and table, and values that no correction
    touches.
    """
    for quantity, cells in printed.items():
        if quantity in ("significant", "magnitude"):
            continue
        groups = [
            [c for c in cells if c.adjustment == a]
            for a in dict.fromkeys(c.adjustment for c in cells)
        ]
        for group in groups if quantity == "p_adjusted" else [cells]:
            best = _most_precise(group)
            wrong = [c for c in group if not same(_number(best), c.printed, style_of(c))]
            if len(group) > 1:
                yield _outcome(
                    f"{quantity} agrees between renderings",
                    not wrong,
                    ", ".join(f"{c.source}:{c.line} {c.printed}" for c in (best, *wrong)),
                )


def _intervals(cells: list[PublishedCell]) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Where each printed interval stands: (low, high) -> places (comparison and block, metric)."""
    lows = {(c.source, c.line): c for c in cells if c.quantity == "ci_low"}
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for cell in cells:
        if cell.quantity == "ci_high" and cell.printed not in ("NaN", "NA"):
            low = lows[cell.source, cell.line].printed
            found.setdefault((low, cell.printed), set()).add(
                (f"{cell.comparison} ({cell.block})", cell.metric)
            )
    return found


def _twins(
    comparison: str,
    block: str,
    metric: str,
    printed: _Printed,
    elsewhere: dict[tuple[str, str], set[tuple[str, str]]],
) -> Iterator[_Outcome]:
    """An interval with eight digits that stands again under another comparison or block was
    computed from the same scores.
    """
    if not {"ci_low", "ci_high"} <= printed.keys() or printed["ci_low"][0].printed in ("NaN", "NA"):
        return
    key = (printed["ci_low"][0].printed, printed["ci_high"][0].printed)
    # Few distinct intervals exist for metrics that hardly vary; then equality is no surprise.
    same_metric = sorted(
        place
        for place, name in elsewhere[key]
        if name == metric and place != f"{comparison} ({block})"
    )
    many = sum(name != metric for _, name in elsewhere[key])
    if same_metric and not many and float(key[0]) != -float(key[1]):
        yield TWIN, "conspicuous", f"[{key[0]}, {key[1]}] also in {', '.join(same_metric)}"


def _of_effects(printed: _Printed, task: str, sizes: dict[str, int]) -> Iterator[_Outcome]:
    if "cliffs_delta" not in printed:
        return
    best = _most_precise(printed["cliffs_delta"])
    delta = _number(best)
    for cell in printed.get("magnitude", []):
        yield _outcome(
            "magnitude fits delta",
            cell.printed == magnitude(delta),
            f"{cell.printed}, delta {best.printed}",
        )
    low, high = (
        _number(printed[q][0]) if q in printed else math.nan for q in ("ci_low", "ci_high")
    )
    if not math.isnan(low):
        yield _outcome(
            "interval holds delta",
            low <= delta <= high or low == high,
            f"{low:g} <= {delta:g} <= {high:g}",
        )
    step = resolution(best.printed, style_of(best))
    # With too few digits every number is close to a whole one, and the check could not fail.
    if not math.isnan(delta) and step * sizes[task] ** 2 < COARSE:

        def whole(n: int) -> bool:
            steps = delta * n * n
            return abs(steps - round(steps)) <= step * n * n * 1.001 + 1e-9

        others = sorted(
            name
            for name, n in sizes.items()
            if n != sizes[task] and step * n * n < COARSE and whole(n)
        )
        yield _outcome(
            "delta is a multiple of 1/n²",
            whole(sizes[task]),
            f"{best.printed} x {sizes[task]}² = {delta * sizes[task] ** 2:.4f}"
            + (
                f"; a whole number for {', '.join(others)}"
                if others and not whole(sizes[task])
                else ""
            ),
        )
    for cell in printed.get("significant", []):
        p = [c for c in printed.get("p_adjusted", []) if c.source == cell.source]
        if not p:
            continue
        yield _outcome(
            "yes/no fits adjusted p",
            same(significant(_number(p[0])), cell.printed),
            f"{cell.printed}, p {p[0].printed}",
        )


def _of_sums(printed: _Printed) -> Iterator[_Outcome]:
    """A printed share must be that of the sum and the number printed next to it."""
    if all(q in printed for q in ("sum_a", "n_pairs", "rate_a")):
        total, number, rate = (printed[q][0] for q in ("sum_a", "n_pairs", "rate_a"))
        share = 100 * _number(total) / _number(number)
        yield _outcome(
            "rate fits sum and number",
            same(share, rate.printed, style_of(rate)),
            f"printed {rate.printed}, {total.printed} of {number.printed} give {share:.4f}",
        )


def _of_counts(printed: _Printed, block: Block, scores: ScoreSet) -> Iterator[_Outcome]:
    def one(quantity: str) -> float:
        return _number(printed[quantity][0]) if quantity in printed else math.nan

    both, only_a, only_b, neither = (one(q) for q in ("both_pass", "a_only", "b_only", "both_fail"))
    if math.isnan(only_a + only_b):
        return
    if math.isnan(only_a) or math.isnan(only_b):
        return
    a, b = [1.0] * int(only_a) + [0.0] * int(only_b), [0.0] * int(only_a) + [1.0] * int(only_b)
    _, p, *_, odds = r_session.call("discordance", a, b, published=True)
    for quantity, value in (("p", p), ("odds_ratio", odds)):
        for cell in printed.get(quantity, []):
            yield _outcome(
                f"{quantity} fits the counts",
                same(value, cell.printed),
                f"printed {cell.printed}, counts give {value:.6f}",
            )
    if math.isnan(both):
        return
    for run, passes, side in ((block.a, both + only_a, "A"), (block.b, both + only_b, "B")):
        if scores.has(run, block.task, "pass@1"):
            archived = scores.column(run, block.task, "pass@1").value.sum()
            yield _outcome(
                f"passes of side {side} fit the archive",
                abs(archived - passes) < 0.5,
                f"counts give {passes:g}, archive has {archived:g} for {run}",
            )
    n = both + only_a + only_b + neither
    chance = (both + only_a) * (both + only_b) / n
    smaller = min(both + only_a, both + only_b)
    # Two runs of one backbone solve mostly the same problems; an overlap near chance means that
    # rows do not belong together.
    share = (both - chance) / (smaller - chance) if smaller > chance else 1.0
    yield (
        OVERLAP,
        "consistent" if share >= 1 / 3 else "conspicuous",
        f"{both:g} common passes of {both + only_a:g} and {both + only_b:g}; {chance:.1f} by chance alone",
    )

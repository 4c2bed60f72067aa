"""Comparisons of the catalog → test records.

As published and corrected differ in four choices, each made in one place: how pairs are formed
(`pairing.pair`), whether Cliff's delta carries the quirk of the published interval and the binary
noise of the values, how the tests decide ties, zeros and small samples (`signed_rank` and
`discordance` in stats/pairs.R), and whether pairs of one cluster count as draws of their own.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import assert_never

import numpy as np

from mtpeft.catalog import Block, Catalog, Comparison
from mtpeft.catalog.schema import Exactness
from mtpeft.core.parallel import in_order
from mtpeft.core.progress import Progress
from mtpeft.core.records import Column, ScoreSet, Test
from mtpeft.statistics import r_session
from mtpeft.statistics.clusters import numbered, read_clusters
from mtpeft.statistics.pairing import Pairs, pair

PROTOCOLS = ("as-published", "corrected")
NAN = math.nan


def run_comparison(
    scores: ScoreSet, comparison: Comparison, known: Catalog, protocol: str
) -> list[Test]:
    """Every test of a comparison under one protocol, adjusted within the study's families.

    A side without scores gives a record with n 0 and a note. A family with such a member cannot be
    adjusted as the study did; its adjusted values stay missing and say so.

    Args:
        scores: The scores of all runs.
        comparison: The comparison.
        known: The catalog.
        protocol: `as-published` or `corrected`.
    """
    tests = [
        _test(scores, comparison, block, metric, known, protocol)
        for block in comparison.blocks
        for metric in comparison.metrics
    ]
    result: list[Test] = []
    for family in dict.fromkeys(t.family for t in tests):
        result += _adjust([t for t in tests if t.family == family])
    return result


def run_all(
    scores: ScoreSet,
    comparisons: Iterable[Comparison],
    known: Catalog,
) -> list[Test]:
    """Both protocols of every comparison, in catalog order."""
    comparisons = list(comparisons)
    result: list[Test] = []
    r_session.start()
    done = in_order(partial(_both_protocols, scores, known), comparisons)
    with Progress("statistics", len(comparisons)) as progress:
        for comparison, tests in zip(comparisons, done, strict=True):
            result += tests
            progress.step(comparison.id)
    return result


def _both_protocols(scores: ScoreSet, known: Catalog, comparison: Comparison) -> list[Test]:
    return [t for p in PROTOCOLS for t in run_comparison(scores, comparison, known, p)]


def _test(
    scores: ScoreSet,
    comparison: Comparison,
    block: Block,
    metric_id: str,
    known: Catalog,
    protocol: str,
) -> Test:
    tool, metric = known.metrics()[metric_id]
    task = block.task or comparison.task
    empty = Test(
        comparison=comparison.id,
        block=block.id,
        task=task,
        run_a=block.a,
        run_b=block.b,
        metric=metric_id,
        protocol=protocol,
        test=comparison.test,
        pairing="id" if protocol == "corrected" else comparison.pairing,
        n_a=0,
        n_b=0,
        n_pairs=0,
        n_dropped=0,
        dropped_ids="",
        mean_a=NAN,
        mean_b=NAN,
        statistic=NAN,
        p=NAN,
        family=_family(comparison, block),
        m=0,
        p_holm=NAN,
        p_bh=NAN,
        cliffs_delta=NAN,
        cliffs_delta_low=NAN,
        cliffs_delta_high=NAN,
        rank_biserial=NAN,
        rank_biserial_low=NAN,
        rank_biserial_high=NAN,
        both_pass=NAN,
        a_only=NAN,
        b_only=NAN,
        both_fail=NAN,
        odds_ratio=NAN,
    )
    sides = [block.a, block.b] if block.b else [block.a]
    absent = [run for run in sides if not scores.has(run, task, metric_id)]
    if absent:
        return replace(empty, note="no archived scores of " + " and ".join(absent))
    if comparison.test == "summary":
        return summarized(empty, scores.column(block.a, task, metric_id))
    pairs = pair(
        scores,
        tool,
        metric,
        task,
        block.a,
        block.b,
        protocol,
        comparison.pairing,
        comparison.missing,
    )
    filled = replace(
        empty,
        n_a=pairs.n_a,
        n_b=pairs.n_b,
        n_pairs=len(pairs.a),
        n_dropped=len(pairs.dropped),
        dropped_ids=" ".join(pairs.dropped),
    )
    if not len(pairs.a):
        return replace(filled, note="no pairs")
    filled = replace(filled, mean_a=float(pairs.a.mean()), mean_b=float(pairs.b.mean()))
    groups: list[np.ndarray] = []
    if comparison.cluster and protocol == "corrected" and pairs.ids is not None:
        table = known.studies[comparison.study].folder / comparison.cluster
        groups = [numbered(read_clusters(table), pairs.ids)]
        filled = replace(filled, pairing=f"id, in {len(set(groups[0]))} clusters")
    match comparison.test:
        case "mcnemar":
            if other := _neither(pairs):
                values = ", ".join(map(str, other[:5]))
                raise known.bad(
                    "comparisons",
                    comparison.id,
                    "mcnemar",
                    f"McNemar's test on {metric_id} of {block.a} and {block.b} meets {values}",
                    "0 or 1 for each pair (a mean over several samples is neither)",
                    "name `test: wilcoxon` there",
                )
            return _discordance(filled, pairs, protocol, groups)
        case "wilcoxon":
            return _signed_rank(filled, pairs, protocol, comparison.exactness, groups)
        case other:
            assert_never(other)


def _neither(pairs: Pairs) -> list[float]:
    """The values that are neither 0 nor 1."""
    return sorted({float(v) for side in (pairs.a, pairs.b) for v in side} - {0.0, 1.0})


def summarized(test: Test, side: Column) -> Test:
    """A record without a test: how many values side A has, and their mean."""
    values = side.value[~np.isnan(side.value)]
    dropped = side.ids[np.isnan(side.value)]
    return replace(
        test,
        n_a=len(side.ids),
        n_pairs=len(values),
        n_dropped=len(dropped),
        dropped_ids=" ".join(dropped),
        mean_a=float(values.mean()) if len(values) else NAN,
    )


def _family(comparison: Comparison, block: Block) -> str:
    """The name of the set of tests that a test is adjusted with."""
    match comparison.family:
        case "block":
            return f"{comparison.id}/{block.id}"
        case "comparison":
            return comparison.id
        case other:
            assert_never(other)


def _signed_rank(
    test: Test, pairs: Pairs, protocol: str, exactness: Exactness, groups: list[np.ndarray]
) -> Test:
    """The test filled in; `groups` holds the clusters of the pairs, or is empty."""
    statistic, p = r_session.call(
        "signed_rank",
        pairs.a,
        pairs.b,
        *groups,
        published=protocol == "as-published",
        exactness=exactness,
    )
    delta, low, high = r_session.call(
        "cliffs_delta", *pairs.sides, quirk=protocol == "as-published"
    )
    test = replace(
        test,
        statistic=statistic,
        p=p,
        cliffs_delta=delta,
        cliffs_delta_low=low,
        cliffs_delta_high=high,
    )
    if protocol == "corrected":
        r, r_low, r_high = r_session.call("rank_biserial", pairs.a, pairs.b, *groups)
        test = replace(test, rank_biserial=r, rank_biserial_low=r_low, rank_biserial_high=r_high)
    return test


def _discordance(test: Test, pairs: Pairs, protocol: str, groups: list[np.ndarray]) -> Test:
    """The test filled in; `groups` as in `_signed_rank`."""
    statistic, p, both, a_only, b_only, neither, odds = r_session.call(
        "discordance", pairs.a, pairs.b, *groups, published=protocol == "as-published"
    )
    # The ratio of its second side to its first.
    _, low, high = r_session.call("discordant_odds", pairs.b, pairs.a, *groups)
    return replace(
        test,
        statistic=statistic,
        p=p,
        both_pass=both,
        a_only=a_only,
        b_only=b_only,
        both_fail=neither,
        odds_ratio=odds,
        odds_ratio_low=low,
        odds_ratio_high=high,
    )


def _adjust(family: list[Test]) -> list[Test]:
    absent = [t for t in family if t.note.startswith("no archived scores")]
    if absent:
        note = f"family incomplete: {len(absent)} of {len(family)} tests have no archived scores"
        return [t if t in absent else replace(t, note=note) for t in family]
    adjusted = r_session.call("adjust_family", [t.p for t in family]).reshape(2, -1)
    m = sum(not math.isnan(t.p) for t in family)
    return [
        replace(t, m=m, p_holm=holm, p_bh=bh) for t, holm, bh in zip(family, *adjusted, strict=True)
    ]

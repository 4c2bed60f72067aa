"""Tables 4 to 18: paired comparisons, the recomputed values as published together with the printed
ones.

The main columns follow the study's own choices (protocol `as-published`); the columns behind them
repeat the test under the corrected protocol: pairs by instance id, unparseable outputs left out, a
matched-pairs effect size.
"""

import math
from dataclasses import replace

from mtpeft.catalog import Block, Comparison, Metric, Table
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.paths import CATALOG
from mtpeft.core.records import PublishedCell, Test, Verdict
from mtpeft.reporting.inputs import AS_PUBLISHED, CORRECTED, Inputs
from mtpeft.reporting.marks import CHANGED, MISSING, p_text
from mtpeft.reporting.names import block_title, subject
from mtpeft.reporting.summary import conclusion_turns, worst
from mtpeft.reporting.tables.model import EMPTY, Column, Group, Row, TableData, Value
from mtpeft.statistics.printed import adjusted

LEVEL = 0.05
_ADJUSTMENTS = {"bh": "Benjamini–Hochberg", "holm": "Holm"}


def build(table: Table, inputs: Inputs) -> TableData:
    """One row per block and metric of each comparison.

    Options: metrics or without, lists of metric ids that choose among a comparison's metrics.

    Raises:
        BadInput: The table names no comparison.
        UnknownName: It has an option or a metric that is not known.
    """
    comparisons = [inputs.known.get("comparisons", name) for name in table.comparisons]
    if not comparisons:
        raise BadInput(
            CATALOG / "tables", f"{table.id} names no comparison", "comparisons: [<id>, …]"
        )
    chosen = _chosen(table, comparisons)
    tests = {c.test for c in comparisons}
    columns = _columns(comparisons, tests)
    groups = []
    for comparison in comparisons:
        if comparison.test == "mcnemar":
            rows = [
                _row(inputs, comparison, block, metric, columns, label=block_title(block))
                for block in comparison.blocks
                for metric in chosen[comparison.id]
            ]
            groups.append(Group(subject(comparison), rows))
        else:
            groups += [
                Group(
                    f"{subject(comparison)}, {block_title(block)}",
                    [
                        _row(inputs, comparison, block, metric, columns)
                        for metric in chosen[comparison.id]
                    ],
                )
                for block in comparison.blocks
            ]
    files = [*inputs.printed_files(table.study), inputs.tests_path]
    notes = _notes(comparisons, tests)
    if inputs.verdicts:
        files.append(inputs.verdicts_path)
    else:
        notes.append("Verdicts: not run (`make verify`)")
    return TableData(table, columns, groups, notes, sorted(files))


def _chosen(table: Table, comparisons: list[Comparison]) -> dict[str, list[str]]:
    """The metrics to show of each comparison."""
    if unknown := table.options.keys() - {"metrics", "without"}:
        raise UnknownName(f"option of {table.id}", min(unknown), ("metrics", "without"))
    tested = {m for c in comparisons for m in c.metrics}
    wanted, without = table.options.get("metrics"), table.options.get("without", [])
    for name in [*(wanted or []), *without]:
        if name not in tested:
            raise UnknownName(f"metric of {table.id}", name, tested)
    return {
        c.id: [m for m in c.metrics if m not in without and (wanted is None or m in wanted)]
        for c in comparisons
    }


def _columns(comparisons: list[Comparison], tests: set[str]) -> list[Column]:
    sides = {(c.side_a, c.side_b) for c in comparisons}
    a, b = next(iter(sides)) if len(sides) == 1 else ("A", "B")
    effect = {frozenset({"wilcoxon"}): "Cliff's d", frozenset({"mcnemar"}): "Odds ratio"}.get(
        frozenset(tests), "d or OR"
    )
    columns = [
        Column("metric", "Metric", numeric=False),
        Column("mean_a", a, about=f"mean of {a}"),
        Column("mean_b", b, about=f"mean of {b}"),
        Column("relative_difference", "Δ %", about=f"({b} − {a}) / {a}"),
        Column("p", "p", compared="mcnemar" in tests),
        Column("p_adjusted", "p adj.", compared=True, about="adjusted as in the study"),
        Column(
            "significant",
            "Sig.",
            numeric=False,
            compared="wilcoxon" in tests,
            about="adjusted p below 0.05",
        ),
        Column("effect", effect, compared=True),
        Column("n", "n", about="pairs"),
    ]
    if "mcnemar" in tests:
        columns[8:8] = [
            Column(
                "a_only", f"Only {a}", compared=True, about=f"instances that pass with {a} only"
            ),
            Column(
                "b_only", f"Only {b}", compared=True, about=f"instances that pass with {b} only"
            ),
        ]
    columns.append(
        Column(
            "corrected_p_adjusted",
            "corr. p adj.",
            corrected=True,
            about="adjusted p, corrected protocol",
        )
    )
    if "wilcoxon" in tests:
        columns.append(
            Column(
                "corrected_rank_biserial",
                "corr. r [95 % CI]",
                corrected=True,
                about="matched-pairs rank-biserial correlation with its interval",
            )
        )
    columns.append(
        Column(
            "corrected_n",
            "corr. n",
            corrected=True,
            about="pairs by instance id; their share of the instances where it is low",
        )
    )
    return columns


def _row(
    inputs: Inputs,
    comparison: Comparison,
    block: Block,
    metric_id: str,
    columns: list[Column],
    label: str = "",
) -> Row:
    metric = inputs.known.metrics()[metric_id][1]
    test = inputs.test(comparison.id, block.id, metric_id, AS_PUBLISHED)
    corrected = inputs.test(comparison.id, block.id, metric_id, CORRECTED)
    values = {
        "metric": Value(metric.title, label or metric.title),
        **_means(metric, test),
        **_statistics(inputs, comparison, block, metric_id, test),
        **_corrected(inputs, comparison, test, corrected),
    }
    keys = {
        "comparison": comparison.id,
        "block": block.id,
        "metric_id": metric_id,
        "run_a": block.a,
        "run_b": block.b,
    }
    return Row({c.key: values.get(c.key, EMPTY) for c in columns}, keys)


def _means(metric: Metric, test: Test | None) -> dict[str, Value]:
    if test is None:
        return {}
    scale = 100.0 if metric.percent else 1.0
    difference = relative_difference(test.mean_a, test.mean_b)
    return {
        "mean_a": number(test.mean_a, 2, scale),
        "mean_b": number(test.mean_b, 2, scale),
        "relative_difference": Value(
            difference, MISSING if math.isnan(difference) else f"{difference:+.1f}"
        ),
        "n": Value(test.n_pairs, f"{test.n_pairs:,}"),
    }


def relative_difference(a: float, b: float) -> float:
    """The change from A to B in percent of A; NaN where A is 0 or either is missing."""
    return math.nan if a == 0 else (b - a) / a * 100


def p_value(p: float) -> Value:
    """A p-value with four decimals; one that is smaller than they show is said to be so."""
    return Value(p, p_text(p))


def number(value: float, decimals: int, scale: float = 1.0) -> Value:
    """A number rounded for print, full precision kept; a negative zero loses its sign."""
    if math.isnan(value):
        return Value(value, "NA")
    rounded = f"{value * scale:.{decimals}f}"
    return Value(value, rounded.removeprefix("-") if float(rounded) == 0 else rounded)


def _adjusted(test: Test, adjustment: str) -> Value:
    """The adjusted p-value: NA where the test itself has no p; missing where it has one but its
    family cannot be adjusted.
    """
    p = adjusted(test, adjustment)
    return EMPTY if math.isnan(p) and not math.isnan(test.p) else p_value(p)


def _significant(p: Value) -> Value:
    if p is EMPTY:
        return EMPTY
    word = "NA" if math.isnan(p.raw) else "Yes" if p.raw < LEVEL else "No"
    return Value(word, word)


def _statistics(
    inputs: Inputs, comparison: Comparison, block: Block, metric: str, test: Test | None
) -> dict[str, Value]:
    quantities = {
        "p": "p",
        "p_adjusted": "p_adjusted",
        "significant": "significant",
        "effect": "cliffs_delta",
    }
    if comparison.test == "mcnemar":
        quantities |= {"effect": "odds_ratio", "a_only": "a_only", "b_only": "b_only"}
    recomputed: dict[str, Value] = {}
    if test is not None:
        p = _adjusted(test, comparison.adjustment)
        recomputed = {"p": p_value(test.p), "p_adjusted": p, "significant": _significant(p)}
        if comparison.test == "mcnemar":
            recomputed |= {
                "effect": number(test.odds_ratio, 4),
                "a_only": number(test.a_only, 0),
                "b_only": number(test.b_only, 0),
            }
        else:
            recomputed["effect"] = number(test.cliffs_delta, 4)
    result = {}
    for key, quantity in quantities.items():
        cells = inputs.printed.get(
            (comparison.id, block.id, metric, quantity, comparison.adjustment), []
        )
        found, verdict = _printed(inputs, cells)
        value = recomputed.get(key, EMPTY)
        if found or value is not EMPTY:
            result[key] = Value(value.raw, value.text, found, verdict)
    return result


def _printed(inputs: Inputs, cells: list[PublishedCell]) -> tuple[str, Verdict | None]:
    """The printed value to show: that of the rendering whose verdict needs most attention, else the
    first.
    """
    verdicts = [v for cell in cells if (v := inputs.verdict_of.get(("cell", cell.id)))]
    verdict = worst(verdicts)
    if verdict is None:
        return (cells[0].printed if cells else ""), None
    return next(c.printed for c in cells if c.id == verdict.id), verdict


def _corrected(
    inputs: Inputs, comparison: Comparison, test: Test | None, corrected: Test | None
) -> dict[str, Value]:
    if corrected is None:
        return {}
    p = _adjusted(corrected, comparison.adjustment)
    changed = conclusion_turns(test, corrected, comparison.adjustment)
    effect, low, high = (
        number(v, 2)
        for v in (
            corrected.rank_biserial,
            corrected.rank_biserial_low,
            corrected.rank_biserial_high,
        )
    )
    interval = "" if math.isnan(corrected.rank_biserial_low) else f" [{low.text}, {high.text}]"
    return {
        "corrected_p_adjusted": replace(p, mark=CHANGED if changed else ""),
        "corrected_rank_biserial": Value(effect.raw, effect.text + interval),
        "corrected_n": Value(
            corrected.n_pairs,
            f"{corrected.n_pairs:,}"
            + (f" ({corrected.share_left:.0%})" if inputs.rests_on_few(corrected) else ""),
        ),
    }


def _notes(comparisons: list[Comparison], tests: set[str]) -> list[str]:
    notes = []
    for family, adjustment in dict.fromkeys((c.family, c.adjustment) for c in comparisons):
        among = (
            "within each block of rows, over every metric of the study's script"
            if family == "block"
            else "over all rows of the test"
        )
        notes.append(f"p adj.: {_ADJUSTMENTS[adjustment]}, {among}")
    if "wilcoxon" in tests:
        notes.append(
            "p: paired Wilcoxon signed-rank test, two-sided, normal approximation without continuity correction; "
            "Cliff's d is unpaired, as published"
        )
    if "mcnemar" in tests:
        notes.append(
            "pass@1: McNemar's test with continuity correction; odds ratio (A only + 0.5) / (B only + 0.5)"
        )
    notes.append(
        "Means, p and effect as the study computes them. The last columns are the corrected protocol: pairs by "
        "instance id, unparseable outputs left out; r is the matched-pairs rank-biserial correlation; "
        "a corr. n with a share in brackets rests on fewer of the instances than the catalog asks for"
    )
    return notes

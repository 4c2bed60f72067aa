"""T2: archived outputs scored again, against the archived per-instance scores, down to single
outputs.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any

import pandas as pd

from mtpeft.core.records import Test, read_records
from mtpeft.reporting.drilldown import Place, instances
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.marks import p_text
from mtpeft.reporting.names import block_title
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import count
from mtpeft.statistics.printed import significant, turned

COUNTS = {
    "instances": "instances",
    "equal": "equal",
    "within_tolerance": "within tolerance",
    "different": "different",
    "cannot_run_here": "cannot run here",
    "no_output": "no output",
    "not_archived": "no archived score",
    "unparseable": "unparseable",
    "empty": "empty",
    "infrastructure": "tool failed",
}
# Further counts are shown where they are not zero everywhere.
ALWAYS = ("instances", "equal", "within_tolerance", "different", "cannot_run_here", "no_output")
SIGNED = {
    "equal": "exact",
    "within_tolerance": "within tolerance",
    "different": "differs",
    "cannot_run_here": "cannot run here",
    "no_output": "not reproducible",
    "not_archived": "not run",
}
LINE_COLUMNS = (
    "tool",
    "version",
    "answers_to",
    "evaluation",
    "run",
    *COUNTS,
    "tolerance",
    "reason",
)
DIFFERENCE_COLUMNS = ("tool", "evaluation", "run", "instance_id", "metric", "reason")
DEFECT_COLUMNS = ("evaluation", "run", "instance_id", "defect")
DEFECT_COUNTS = (
    "outputs",
    "repaired",
    "unread_as_archived",
    "unread_repaired",
    "unread_repaired_with_class",
)
CONCLUSION_COLUMNS = (
    "comparison",
    "block",
    "metric",
    "difference_archived",
    "difference_repaired",
    "difference_repaired_with_class",
    "sign_changes",
)
# Enough to look into every kind of difference, and little enough to send the page by mail.
DIFFERENT, DAMAGED = 200, 24


def section(inputs: Inputs) -> Section:
    """Counts over all runs, then per tool and run; values recovered; then a bounded choice of
    single outputs.
    """
    lines = inputs.frame("rescore/summary.csv", LINE_COLUMNS)
    if lines is None:
        return Section("rescored", "Scores (T2)", render("rescored.html", ran=False), "not run")
    lines = lines.assign(**{name: lines[name].astype("int64") for name in COUNTS})
    compared = lines[lines["answers_to"] != ""]
    problems = inputs.frame("rescore/problems.csv", ("file", "line", "problem"))
    groups, defects = (
        _differences(inputs),
        inputs.frame("audit/outputs/defects.csv", DEFECT_COLUMNS),
    )
    different = {key: _spread(places) for key, places in groups.items()}
    shown = _together(different, DIFFERENT)
    damaged = _together(_damaged(defects, groups), DAMAGED)
    looked_at = instances(inputs, {*chain(*shown.values(), *damaged.values())})
    tools = {tool.id: tool.title for tool in inputs.known.tools.values()}
    totals = {name: int(compared[name].sum()) for name in COUNTS}
    return Section(
        "rescored",
        "Scores (T2)",
        render(
            "rescored.html",
            names=inputs.names,
            ran=True,
            totals=totals,
            counts=_columns(lines),
            signed=SIGNED,
            overall=_overall(inputs, lines),
            tools=[_tool(inputs, name, part) for name, part in lines.groupby("tool", sort=False)],
            titles=tools,
            recovered=_recovered(inputs),
            different=[
                _group(tools, inputs, key, different[key], places, looked_at)
                for key, places in shown.items()
            ],
            damaged={name: [looked_at[p] for p in places] for name, places in damaged.items()},
            audit=_audit(inputs),
            problems=[] if problems is None else problems.to_dict("records"),
            texts=any(i.output is not None for i in looked_at.values()),
        ),
        f"{totals['equal']:,} equal",
    )


# ---------------------------------------------------------------- counts


def _overall(inputs: Inputs, lines: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """By tool one row per evaluation set, over all runs."""
    result: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (tool, evaluation), row in (
        lines.groupby(["tool", "evaluation"], sort=False)[list(COUNTS)].sum().iterrows()
    ):
        result[inputs.known.get("tools", tool).title].append(
            _row(row, evaluation=_evaluation(inputs, evaluation))
        )
    return result


def _row(counts: pd.Series, **names: str) -> dict[str, Any]:
    return {**names, **{name: int(counts[name]) for name in COUNTS}, "share": _share(counts)}


def _columns(part: pd.DataFrame) -> dict[str, str]:
    return {name: title for name, title in COUNTS.items() if name in ALWAYS or part[name].any()}


def _share(counts: pd.Series) -> str:
    """Equal or within tolerance, of those compared, in per cent; rounded down, so that 100 means
    all.
    """
    agree = int(counts["equal"] + counts["within_tolerance"])
    compared = agree + int(counts["different"])
    return f"{1000 * agree // compared / 10:g} %" if compared else ""


def _tool(inputs: Inputs, name: str, part: pd.DataFrame) -> dict[str, Any]:
    tool = inputs.known.get("tools", name)
    sums = {column: int(part[column].sum()) for column in COUNTS}
    rows = [
        _row(
            line,
            evaluation=_evaluation(inputs, line["evaluation"]),
            run=line["run"],
            reason=line["reason"],
        )
        for _, line in part.iterrows()
    ]
    tolerance = next((t for t in part["tolerance"] if t not in ("", "0")), "")
    return {
        "title": tool.title,
        "version": next((v for v in part["version"] if v), ""),
        "tolerance": tolerance,
        "rows": rows,
        "columns": _columns(part),
        "verdicts": {verdict: sums[column] for column, verdict in SIGNED.items() if sums[column]},
    }


def _evaluation(inputs: Inputs, name: str) -> str:
    known = inputs.known.evaluations()
    return known[name].title if name in known else name


def _recovered(inputs: Inputs) -> list[dict[str, Any]]:
    """Published values whose scores were not archived, from rescored outputs, per comparison."""
    cells = {cell.id: cell for cell in inputs.cells}
    metrics = inputs.known.metrics()
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for verdict in inputs.verdicts_of_kind("recovered"):
        cell = cells.get(verdict.id)
        comparison = inputs.known.comparisons.get(cell.comparison) if cell else None
        block = (
            next((block_title(b) for b in comparison.blocks if b.id == cell.block), cell.block)
            if comparison and cell
            else ""
        )
        parts[f"{comparison.question}: {comparison.title}" if comparison else "other"].append(
            {
                "verdict": verdict,
                "block": block,
                "quantity": cell.quantity.replace("_", " ") if cell else "",
                "metric": metrics[cell.metric][1].title
                if cell and cell.metric in metrics
                else verdict.id,
            }
        )
    return [
        {
            "title": title,
            "rows": rows,
            "verdicts": {name: n for name, n in count(row["verdict"] for row in rows).items() if n},
        }
        for title, rows in parts.items()
    ]


def _audit(inputs: Inputs) -> dict[str, Any] | None:
    """Damage over all runs and what repairing it does to the published comparisons, or None where
    the audit has not run.
    """
    summary = inputs.frame(
        "audit/outputs/summary.csv", ("evaluation", "defect", "title", *DEFECT_COUNTS)
    )
    conclusions = inputs.frame("audit/outputs/conclusions.csv", CONCLUSION_COLUMNS)
    if summary is None or conclusions is None:
        return None
    numbers = summary.assign(**{name: summary[name].astype("int64") for name in DEFECT_COUNTS})
    sums = numbers.groupby(["evaluation", "defect", "title"], sort=False)[list(DEFECT_COUNTS)].sum()
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (evaluation, defect, title), counts in sums.iterrows():
        if defect != "none":
            rows[_evaluation(inputs, evaluation)].append(
                {"title": title, **{n: int(counts[n]) for n in DEFECT_COUNTS}}
            )
    metrics = inputs.known.metrics()
    changed = [
        {
            **row,
            "metric": metrics[row["metric"]][1].title
            if row["metric"] in metrics
            else row["metric"],
            **{
                name: _number(row[name])
                for name in CONCLUSION_COLUMNS
                if name.startswith("difference")
            },
        }
        for row in conclusions[conclusions["sign_changes"] == "yes"].to_dict("records")
    ]
    return {"rows": rows, "changed": changed, "conclusions": len(conclusions), **_turned(inputs)}


def _turned(inputs: Inputs) -> dict[str, Any]:
    """Tests whose yes/no changes when damaged outputs are repaired: the number of tests, and a row
    for each that changes.
    """
    path = inputs.regenerated / "statistics" / "repaired.csv"
    if not path.is_file():
        return {"tests": 0, "turned": []}
    inputs.used.add(path)
    number, places = turned(read_records(path, Test), inputs.known.adjustments())
    metrics = inputs.known.metrics()
    return {
        "tests": number,
        "turned": [
            {
                "comparison": comparison,
                "block": block,
                "metric": metrics[metric][1].title,
                "readings": [f"{significant(p)}, {p_text(p)}" for p in values],
            }
            for (comparison, block, metric), values in places.items()
        ],
    }


def _number(value: str) -> str:
    return f"{float(value):+.4g}" if value else ""


# ---------------------------------------------------------------- which outputs to show

Kind = tuple[str, str, str]
"""(tool, evaluation set, reason)"""


def _differences(inputs: Inputs) -> dict[Kind, list[Place]]:
    """The outputs with a differing value, by the kind of the difference: the cause found row by
    row, else the stated reason.
    """
    frame = inputs.frame("rescore/differences.csv", DIFFERENCE_COLUMNS)
    searched = inputs.frame("rescore/codebleu-explained.csv", ("run", "instance_id", "cause"))
    causes = (
        {}
        if searched is None
        else {("codebleu", r.run, r.instance_id): r.cause for r in searched.itertuples(index=False)}
    )
    groups: dict[Kind, dict[Place, None]] = defaultdict(dict)
    for row in [] if frame is None else frame.itertuples(index=False):
        reason = causes.get((row.tool, row.run, row.instance_id), row.reason)
        groups[row.tool, row.evaluation, reason][row.evaluation, row.run, row.instance_id] = None
    return {kind: list(places) for kind, places in groups.items()}


def _damaged(
    defects: pd.DataFrame | None, groups: dict[Kind, list[Place]]
) -> dict[str, list[Place]]:
    """The outputs in which the audit found something, by what it found, without those that differ
    anyway.
    """
    result: dict[str, list[Place]] = defaultdict(list)
    differing = {*chain(*groups.values())}
    for row in [] if defects is None else defects.itertuples(index=False):
        place = (row.evaluation, row.run, row.instance_id)
        if place not in differing:
            result[row.defect].append(place)
    return {name: _spread(places) for name, places in sorted(result.items())}


def _spread(places: Iterable[Place]) -> list[Place]:
    """The same places in such an order that any beginning holds all runs in equal parts."""
    runs: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        runs[place[1]].append(place)
    return _alternating([runs[name] for name in sorted(runs)])


def _alternating(lists: Sequence[Sequence[Any]]) -> list[Any]:
    return [item for layer in zip_longest(*lists) for item in layer if item is not None]


def _together(groups: dict[Any, list[Place]], limit: int) -> dict[Any, list[Place]]:
    """At most `limit` places over all groups, the small groups whole, each place once."""
    taken = dict.fromkeys(
        p for _, p in _alternating([[(key, p) for p in places] for key, places in groups.items()])
    )
    chosen = set(list(taken)[:limit])
    result = {}
    for key, places in groups.items():
        result[key] = [p for p in places if p in chosen]
        chosen -= set(places)
    return {key: places for key, places in result.items() if places}


def _group(
    tools: dict[str, str],
    inputs: Inputs,
    key: Kind,
    places: list[Place],
    shown: list[Place],
    looked_at: dict[Place, Any],
) -> dict[str, Any]:
    tool, evaluation, reason = key
    return {
        "tool": tools.get(tool, tool),
        "evaluation": _evaluation(inputs, evaluation),
        "reason": reason,
        "all": len(places),
        "instances": [looked_at[place] for place in shown],
    }

"""Audit of the archived outputs: what is damaged, and what repairing the mechanical damage does to
the study's numbers.

Three readings of every output are scored: as archived; repaired (`output_defects.repair`); and
repaired with constructors wrapped in a class of their own name (the study wraps every output in a
class that never has the constructor's name, so that a call of `super` or `this` cannot be read).
Written below results/regenerated/audit/outputs:

- defects.csv: every output with a defect: which, and the piece of text that shows it.
- summary.csv: outputs per run and defect, and how many of them a tool could not read.
- unparseable.csv: unparseable outputs per tool and run.
- duplicates.csv: equal outputs of two runs on the same instances.
- repairs.csv: per run and metric the means under the three readings, and the outputs changed.
- conclusions.csv: per published comparison the difference of means under the three readings, and
  whether its sign changes.
- inputs.csv: inputs of summarization that hold the docstring that is to be written.
- READING/scores/…: score tables (as published) of the two repaired readings, for the statistics.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text, read_scores, records_text, score_path, write_scores
from mtpeft.scoring import engine, rescore
from mtpeft.scoring.interface import Item
from mtpeft.scoring.leaks import Leak, leaks
from mtpeft.scoring.output_defects import DEFECTS, constructor_name, defects_of, repair
from mtpeft.scoring.predictions import archived_path, read_archived
from mtpeft.scoring.predictions import sets as archived_sets

REPAIRED, WITH_CLASS = "repaired", "repaired-with-class"
# The tools whose archived scores rest on the damaged text, in the order of the tables.
TOOLS = ("lizard", "pmd", "sonar-metrics", "codebleu")


def folder() -> Path:
    """The folder below which the audit is written."""
    return paths.REGENERATED / "audit" / "outputs"


def run() -> dict[str, int]:
    """Examine and repair every archived output, and write all tables.

    Needs the tables of `rescore` for what the tools say about the outputs as archived.

    Returns:
        The number of outputs per defect.

    Raises:
        Unavailable: The tables of `rescore` are not there.
    """
    found: Counter[str] = Counter()
    defects, summary, unparseable, duplicates, repairs, conclusions = [], [], [], [], [], []
    for evaluation in archived_sets():
        items = read_archived(evaluation).items
        shown = [defects_of(item.output, item.language) for item in items]
        found.update(name for row in shown for name in row)
        repaired = repaired_items(items)
        named = with_constructor_classes(repaired)
        readings = {REPAIRED: repaired, WITH_CLASS: named}
        unread = _unread(evaluation)
        defects += [
            [item.run, evaluation, item.instance_id, name, evidence, after.output != item.output]
            for item, row, after in zip(items, shown, repaired, strict=True)
            for name, evidence in row.items()
        ]
        summary += _summary(evaluation, items, shown, repaired, named, unread)
        unparseable += _unparseable(evaluation)
        duplicates += duplicated(items)
        scored = {
            name: _score(evaluation, name, items, reading)
            for name, reading in readings.items()
            if any(a != b for a, b in zip(items, reading, strict=True))
        }
        repairs += _repairs(evaluation, items, readings, scored)
        conclusions += _conclusions(evaluation, scored)
    published = {path.stem for path in paths.ARCHIVED.glob("*/scores/*/*.csv")}
    try:
        write_atomic(folder() / "inputs.csv", records_text(leaks(published), Leak))
    except MtpeftError as error:
        print(f"inputs of summarization were not counted: {error.found} (make data)")
    sources = [archived_path(e) for e in archived_sets()]
    for name, columns, rows in (
        (
            "defects",
            ["run", "evaluation", "instance_id", "defect", "evidence", "repaired"],
            defects,
        ),
        (
            "summary",
            [
                "evaluation",
                "run",
                "defect",
                "title",
                "outputs",
                "repaired",
                "unread_as_archived",
                "unread_repaired",
                "unread_repaired_with_class",
            ],
            summary,
        ),
        (
            "unparseable",
            ["evaluation", "run", "tool", "outputs", "unparseable", "empty", "infrastructure"],
            unparseable,
        ),
        (
            "duplicates",
            ["evaluation", "run_a", "run_b", "instances", "equal_outputs", "share"],
            duplicates,
        ),
        (
            "repairs",
            [
                "evaluation",
                "run",
                "tool",
                "metric",
                "outputs",
                "changed_text",
                "changed_class",
                "mean_archived",
                "mean_repaired",
                "mean_repaired_with_class",
            ],
            repairs,
        ),
        (
            "conclusions",
            [
                "comparison",
                "block",
                "metric",
                "run_a",
                "run_b",
                "difference_archived",
                "difference_repaired",
                "difference_repaired_with_class",
                "sign_changes",
            ],
            conclusions,
        ),
    ):
        path = folder() / f"{name}.csv"
        write_atomic(path, csv_text(columns, rows))
        write_provenance(path, sources)
    return dict(sorted(found.items()))


def repaired_items(items: Sequence[Item]) -> list[Item]:
    """The items with every repair that applies.

    The head of a method comes from the instance's own prompt.
    """
    from mtpeft.corpora.load import evaluation as instances

    signatures: dict[str, dict[str, str]] = {}
    result = []
    for item in items:
        if item.task not in signatures:
            signatures[item.task] = {
                e.id: e.inputs.get("signature", "") for e in instances(item.task)
            }
        text, _ = repair(
            item.output, item.language, signatures[item.task].get(item.instance_id, "")
        )
        result.append(replace(item, output=text))
    return result


def with_constructor_classes(items: Sequence[Item]) -> list[Item]:
    """The items, those that are a constructor to be wrapped in a class of its name (see
    `wrapping.file_of`).
    """
    result = []
    for item in items:
        name = constructor_name(item.output) if item.language == "java" else None
        result.append(replace(item, unit=name) if name else item)
    return result


def duplicated(items: Sequence[Item]) -> list[list[Any]]:
    """Equal non-blank outputs of every two runs on the same instances, most alike first."""
    texts: dict[str, dict[str, str]] = {}
    for item in items:
        texts.setdefault(item.run, {})[item.instance_id] = " ".join(item.output.split())
    rows: list[list[Any]] = []
    for a, b in combinations(sorted(texts), 2):
        both = texts[a].keys() & texts[b].keys()
        equal = sum(bool(texts[a][i]) and texts[a][i] == texts[b][i] for i in both)
        rows.append([items[0].task, a, b, len(both), equal, equal / len(both) if both else None])
    return sorted(rows, key=lambda r: (-r[4], r[1], r[2]))


def _strict_tool(evaluation: str) -> str:
    return "sonar-metrics" if catalog().evaluations()[evaluation].language == "java" else "pylint"


def _unread(evaluation: str) -> set[tuple[str, str]]:
    """(run, instance) of the outputs that the strictest parser at hand could not read as archived."""
    path = score_path(paths.REGENERATED, _strict_tool(evaluation), evaluation)
    if not path.is_file():
        raise Unavailable(
            f"{paths.shown(path)} is not there", "the tables of rescore", "make rescore"
        )
    table = read_scores(path)
    return set(
        table.loc[table["status"] != "ok", ["run", "instance_id"]].itertuples(
            index=False, name=None
        )
    )


def _still_unread(
    evaluation: str, before: Sequence[Item], after: Sequence[Item], unread: set[tuple[str, str]]
) -> set[tuple[str, str]]:
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    outcomes = engine.score(_strict_tool(evaluation), [b for _, b in changed])
    now = {
        (a.run, a.instance_id): o.status != "ok"
        for (a, _), o in zip(changed, outcomes, strict=True)
    }
    return {
        (i.run, i.instance_id)
        for i in before
        if now.get((i.run, i.instance_id), (i.run, i.instance_id) in unread)
    }


def _summary(
    evaluation: str,
    items: Sequence[Item],
    shown: Sequence[dict[str, str]],
    repaired: Sequence[Item],
    named: Sequence[Item],
    unread: set[tuple[str, str]],
) -> list[list[object]]:
    titles = {d.id: d.title for d in DEFECTS}
    after = _still_unread(evaluation, items, repaired, unread)
    after_class = _still_unread(evaluation, items, named, unread)
    groups: dict[tuple[str, str], list[int]] = {}
    for number, (item, row) in enumerate(zip(items, shown, strict=True)):
        for name in row or {"none": ""}:
            groups.setdefault((item.run, name), []).append(number)
        if named[number].unit != repaired[number].unit:
            groups.setdefault((item.run, "constructor"), []).append(number)
    rows = []
    for (run_id, name), numbers in sorted(groups.items()):
        keys = [(items[n].run, items[n].instance_id) for n in numbers]
        title = titles.get(
            name,
            "a constructor, wrapped in a class of another name"
            if name == "constructor"
            else "no defect",
        )
        rows.append(
            [
                evaluation,
                run_id,
                name,
                title,
                len(numbers),
                sum(repaired[n] != items[n] for n in numbers),
                *(sum(k in s for k in keys) for s in (unread, after, after_class)),
            ]
        )
    return rows


def _unparseable(evaluation: str) -> list[list[object]]:
    rows = []
    for path in sorted((paths.REGENERATED / "scores").glob(f"*/{evaluation}.csv")):
        table = read_scores(path)
        for run_id, part in table.groupby("run", sort=True):
            states = part["status"].value_counts()
            rows.append(
                [
                    evaluation,
                    run_id,
                    path.parent.name,
                    len(part),
                    *(int(states.get(s, 0)) for s in ("unparseable", "empty", "infrastructure")),
                ]
            )
    return rows


def _score(
    evaluation: str, reading: str, before: Sequence[Item], after: Sequence[Item]
) -> dict[str, pd.DataFrame]:
    """Score the repaired items with every tool; outputs that no repair touched keep their archived
    reading.

    Args:
        evaluation: The evaluation set.
        reading: The reading's name, which is the folder of its tables.
        before: The items as archived.
        after: The same items, repaired.

    Returns:
        The tables (as published) by tool.
    """
    kind = catalog().evaluations()[evaluation]
    tables = {}
    for tool in TOOLS:
        try:
            scorer = engine.load(tool)
            if not engine.applies(catalog().tools[tool], scorer, kind):
                continue
            items = rescore.prepared(tool, kind, list(after))
            outcomes = engine.score(
                tool, items, batch=rescore.SPREADS_ITS_OWN_WORK.get(tool, 0), seconds=1800
            )
        except Unavailable as error:
            print(f"mtpeft: {tool} left out of the audit: {error}")
            continue
        table = engine.table(before, outcomes, scorer.metrics)
        answers = rescore.RESCORED[tool] or tool
        tables[tool] = rescore.as_published(table, catalog().tools[answers])
        write_scores(folder() / reading, tool, evaluation, tables[tool])
    return tables


def _archived(evaluation: str, tool: str) -> pd.DataFrame:
    return read_scores(score_path(rescore.as_published_root(), tool, evaluation))


def _repairs(
    evaluation: str,
    items: Sequence[Item],
    readings: dict[str, list[Item]],
    scored: dict[str, dict[str, pd.DataFrame]],
) -> list[list[object]]:
    rows = []
    changed = {
        name: Counter(a.run for a, b in zip(items, reading, strict=True) if a != b)
        for name, reading in readings.items()
    }
    for tool in TOOLS:
        if not any(tool in tables for tables in scored.values()):
            continue
        archived = _archived(evaluation, tool)
        for run_id, part in archived.groupby("run", sort=True):
            for metric in archived.columns[4:]:
                means = [
                    _mean(scored.get(name, {}).get(tool), run_id, metric, part)
                    for name in (REPAIRED, WITH_CLASS)
                ]
                rows.append(
                    [
                        evaluation,
                        run_id,
                        tool,
                        metric,
                        len(part),
                        changed[REPAIRED][run_id],
                        changed[WITH_CLASS][run_id],
                        float(part[metric].mean()),
                        *means,
                    ]
                )
    return rows


def _mean(table: pd.DataFrame | None, run_id: str, metric: str, otherwise: pd.DataFrame) -> float:
    part = otherwise if table is None else table[table["run"] == run_id]
    return float(part[metric].astype(float).mean())


def _conclusions(evaluation: str, scored: dict[str, dict[str, pd.DataFrame]]) -> list[list[object]]:
    """Differences of means (run A minus run B) of every published comparison that rests on these
    outputs.

    Args:
        evaluation: The evaluation set.
        scored: The repaired tables by reading and tool.
    """
    rows: list[list[object]] = []
    for comparison in catalog().comparisons.values():
        for block in comparison.blocks:
            if (block.task or comparison.task) != evaluation:
                continue
            for metric in comparison.metrics:
                tool = next(
                    (
                        t
                        for t in TOOLS
                        if any(metric in s[t].columns for s in scored.values() if t in s)
                    ),
                    None,
                )
                if tool is None:
                    continue
                archived = _archived(evaluation, tool)
                gaps = []
                for table in (
                    archived,
                    *(scored.get(name, {}).get(tool, archived) for name in (REPAIRED, WITH_CLASS)),
                ):
                    a, b = (
                        table.loc[table["run"] == r, metric].astype(float).mean()
                        for r in (block.a, block.b)
                    )
                    gaps.append(float(a - b))
                signs = {(g > 0) - (g < 0) for g in gaps}
                rows.append(
                    [
                        comparison.id,
                        block.id,
                        metric,
                        block.a,
                        block.b,
                        *gaps,
                        "yes" if len(signs) > 1 else "no",
                    ]
                )
    return rows

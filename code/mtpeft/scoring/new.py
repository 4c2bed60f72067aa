"""Scoring the predictions of new runs with every tool that applies."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError, Unavailable, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import csv_text, write_scores
from mtpeft.corpora.examples import Example
from mtpeft.corpora.load import evaluation as instances
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.predictions import known_ids, read_new
from mtpeft.scoring.rescore import RESCORED, SPREADS_ITS_OWN_WORK

# What needs no service; a tool that does not apply to an evaluation set is passed over.
LOCAL = (*RESCORED, "roslyn", "roslyn-corrected", "text-metrics", "classes", "ranks")


def run(
    predictions: Path, tools: Sequence[str] = (), out: Path | None = None, corpus: str = ""
) -> int:
    """Score a file of prediction records; tables below OUT/scores, bad lines in OUT/problems.csv.

    tools: default: all that need no service; corpus: where the instances come from (as in
    `corpora.load`); it says which ids may occur and gives the references. Default: the study of
    each evaluation set.

    Returns 2 where lines could not be used, else 0. Raises `UnknownName` for a tool that cannot
    score new predictions, `BadInput` where there is no such file.
    """
    place = out or paths.REGENERATED / "scored" / predictions.stem
    for name in tools:
        if name not in catalog().tools:
            raise UnknownName("tool", name, catalog().tools)
    evaluations = catalog().evaluations()
    examples = cache(partial(_instances, corpus=corpus))
    got = read_new(predictions, (lambda name: examples(name).keys()) if corpus else known_ids)
    for run in sorted({i.run for i in [*got.items, *got.rejected]} & catalog().runs.keys()):
        catalog().usable_run(run)
    for problem in got.problems:
        print(f"mtpeft: {problem.found}", file=sys.stderr)
    write_atomic(
        place / "problems.csv",
        csv_text(
            ["file", "line", "problem"],
            [[str(p.path), p.line or "", p.found] for p in got.problems],
        ),
    )
    for tool in tools or LOCAL:
        try:
            scorer = engine.load(tool)
            version = scorer.version()
        except Unavailable as error:
            print(f"mtpeft: {tool} cannot run here: {error.found}", file=sys.stderr)
            continue
        for evaluation in sorted({i.task for i in [*got.items, *got.rejected]}):
            if not scorer.accepts(evaluations[evaluation]):
                continue
            items = [_completed(i, examples(evaluation)) for i in got.items if i.task == evaluation]
            rejected = {i: why for i, why in got.rejected.items() if i.task == evaluation}
            outcomes = engine.score(
                tool, items, batch=SPREADS_ITS_OWN_WORK.get(tool, 0), seconds=1800
            )
            outcomes += [
                engine.failure(scorer.metrics, why, "unparseable") for why in rejected.values()
            ]
            path = write_scores(
                place, tool, evaluation, engine.table([*items, *rejected], outcomes, scorer.metrics)
            )
            write_provenance(path, [predictions], tool=tool, tool_version=version)
            print(f"mtpeft: {paths.shown(path)}: {len(outcomes)} instances")
    return 2 if got.problems else 0


def _instances(evaluation: str, corpus: str) -> dict[str, Example]:
    try:
        return {example.id: example for example in instances(evaluation, corpus)}
    except MtpeftError as error:
        # Only metrics with a reference need the corpus; they then say so for each instance.
        print(f"mtpeft: without references of {evaluation}: {error.found}", file=sys.stderr)
        return {}


def _completed(item: Item, known: dict[str, Example]) -> Item:
    """The item with the reference answer and the shown code of its instance, where the corpus has
    them.
    """
    example = known.get(item.instance_id)
    return (
        replace(item, reference=example.target, source=example.inputs.get("code", ""))
        if example
        else item
    )

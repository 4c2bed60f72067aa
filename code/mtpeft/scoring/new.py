"""Scoring the predictions of new runs with every tool that applies.

What a tool cannot do costs the other tools nothing: one that is missing on this machine is the
status `cannot run here` of its rows, one that breaks is `infrastructure`, and the rest goes on.
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace as changed
from functools import cache, partial
from pathlib import Path

import pandas as pd

from mtpeft.catalog import Evaluation, Tool, catalog
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError, Unavailable, UnknownName
from mtpeft.core.files import write_atomic
from mtpeft.core.locks import held
from mtpeft.core.provenance import sha256
from mtpeft.core.records import csv_text, read_frame, score_path
from mtpeft.core.text import counted, one_line
from mtpeft.corpora.examples import Example
from mtpeft.corpora.load import evaluation as instances
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item, Scorer
from mtpeft.scoring.merge import add_runs, keep_messages
from mtpeft.scoring.predictions import Predictions, known_ids, read_new, sample_of
from mtpeft.scoring.rescore import SPREADS_ITS_OWN_WORK
from mtpeft.tasks.generation import asked

_PROBLEMS = ["file", "line", "problem"]


def run(
    predictions: Path,
    tools: Sequence[str] = (),
    out: Path | None = None,
    corpus: str = "",
    *,
    replace: bool = False,
) -> int:
    """Score a file of prediction records; tables below OUT/scores, bad lines in OUT/problems.csv.

    Args:
        predictions: The file.
        tools: Default: every tool of the catalog that reads such outputs and needs no service.
        out: Default: a folder named after the file. Other runs that it holds stay there.
        corpus: Where the instances come from (as in `corpora.load`); it says which ids may occur
            and gives the references. Default: the study of each evaluation set.
        replace: Also replace scores of the same runs that came from another file.

    Returns:
        The exit code: 2 where lines could not be used, nothing was scored, or the file changed
        meanwhile, else 0.

    Raises:
        UnknownName: A tool is not in the catalog.
        BadInput: There is no such file, or it holds no record.
        OtherScores: The folder holds scores of the same run from another file.
    """
    place = out or place_of(predictions)
    for name in tools:
        if name not in catalog().tools:
            raise UnknownName("tool", name, catalog().tools)
    examples = cache(partial(_instances, corpus=corpus))
    # What a writer adds meanwhile is scored by the next call.
    digest = sha256(predictions) if predictions.is_file() else ""
    got = read_new(predictions, (lambda name: examples(name).keys()) if corpus else known_ids)
    if not (got.items or got.rejected or got.problems):
        raise BadInput(
            predictions, "no prediction in it", "one JSON object a line", "mtpeft infer --help"
        )
    for problem in got.problems:
        print(f"mtpeft: {problem.found}", file=sys.stderr)
    _note_problems(place / "problems.csv", predictions, got)
    evaluations = catalog().evaluations()
    present = [evaluations[e] for e in sorted({i.task for i in [*got.items, *got.rejected]})]
    if not present:
        print(f"mtpeft: nothing in {paths.shown(predictions)} was scored", file=sys.stderr)
        return 2
    values, absent, unread = 0, list[str](), list[str]()
    for name in tools or catalog().tools:
        tool, scorer, reason = catalog().tools[name], None, ""
        try:
            scorer = engine.load(name)
            # A version may cost seconds (a model is looked for): only what reads the file is asked.
            if not tools and (
                getattr(scorer, "service", False) or not _read(tool, scorer, present)
            ):
                continue
            version = scorer.version()
        except Unavailable as error:
            if not tools and scorer is None and not _read(tool, scorer, present):
                continue
            version, reason = "", error.found
        except Exception as error:  # whatever is wrong with one tool must not cost the others
            version, reason = "", f"{type(error).__name__}: {error}"
        mine = _read(tool, scorer, present)
        if tools and not mine:
            # What the catalog says that it reads may be there; then the tool itself narrows that.
            near = [e.id for e in present if engine.applies(tool, None, e)]
            unread.append(
                f"{name} scores nothing of {', '.join(near)}"
                if near
                else f"{name} reads {', '.join(tool.reads)} {' '.join(tool.languages)}".strip()
                + "; the file holds none of that"
            )
        for evaluation in mine:
            if scorer is None or reason:
                values += _absent(place, tool, evaluation, got, reason, digest)
                continue
            values += _score(
                place, tool, scorer, version, evaluation, got, examples, digest, replace
            )
        if reason and mine:
            absent.append(f"{name}: {reason}")
    for line in absent:
        print(f"mtpeft: cannot run here: {line}", file=sys.stderr)
    for line in unread:
        print(f"mtpeft: not applied: {line}", file=sys.stderr)
    if not values:
        print(f"mtpeft: nothing in {paths.shown(predictions)} was scored", file=sys.stderr)
    moved = not predictions.is_file() or sha256(predictions) != digest
    if moved:
        print(
            f"mtpeft: {paths.shown(predictions)} changed while it was scored: these are the scores of what "
            f"it held before\n  to fix:   mtpeft score file {predictions}, once nothing writes it",
            file=sys.stderr,
        )
    return 2 if got.problems or not values or moved else 0


def place_of(predictions: Path) -> Path:
    """The folder for the scores of a file."""
    return paths.REGENERATED / "scored" / Path(predictions.name.removesuffix(".gz")).stem


def _read(tool: Tool, scorer: Scorer | None, present: Sequence[Evaluation]) -> list[Evaluation]:
    """The evaluation sets that a tool reads; the scorer may narrow what the catalog says."""
    return [e for e in present if engine.applies(tool, scorer, e)]


def _score(
    place: Path,
    tool: Tool,
    scorer: Scorer,
    version: str,
    evaluation: Evaluation,
    got: Predictions,
    examples: Callable[[str], Mapping[str, Example]],
    digest: str,
    replace: bool,
) -> int:
    """Score one evaluation set with one tool and write its table.

    Args:
        place: Below which score tables lie.
        tool: The tool.
        scorer: The tool's scorer.
        version: The tool's version.
        evaluation: The evaluation set.
        got: The items of the file.
        examples: The instances of an evaluation set by id.
        digest: SHA-256 of the file as it was read.
        replace: As in `run`.

    Returns:
        The number of values.
    """
    items = [i for i in got.items if i.task == evaluation.id]
    if getattr(scorer, "uses_references", True):
        items = [_completed(i, examples(evaluation.id)) for i in items]
    try:
        outcomes = engine.score(
            tool.id, items, batch=SPREADS_ITS_OWN_WORK.get(tool.id, 0), seconds=1800
        )
    except Unavailable as error:
        print(f"mtpeft: cannot run here: {tool.id}: {error.found}", file=sys.stderr)
        return _absent(place, tool, evaluation, got, error.found, digest)
    except MtpeftError:
        raise
    except Exception as error:  # a fault of one tool, outside any single output
        reason = f"{type(error).__name__}: {error}"[:300]
        print(f"mtpeft: {tool.id} failed: {reason}", file=sys.stderr)
        outcomes = [engine.failure(scorer.metrics, reason)] * len(items)
    rejected = {i: why for i, why in got.rejected.items() if i.task == evaluation.id}
    outcomes += [
        _refused(scorer, item, examples, status, reason)
        for item, (status, reason) in rejected.items()
    ]
    table = engine.table([*items, *rejected], outcomes, scorer.metrics, got.rows)
    path = add_runs(
        place,
        tool.id,
        evaluation.id,
        table,
        source=got.path,
        version=version,
        digest=digest,
        replace=replace,
    )
    if getattr(scorer, "keeps_messages", False):
        told = [
            (item.run, item.instance_id, one_line(o.detail))
            for item, o in zip([*items, *rejected], outcomes, strict=True)
        ]
        keep_messages(place, tool.id, evaluation.id, told)
    return _say(path, table)


def _refused(
    scorer: Scorer,
    item: Item,
    examples: Callable[[str], Mapping[str, Example]],
    status: str,
    reason: str,
) -> engine.Outcome:
    """The outcome of an output that no tool was given."""
    fails = getattr(scorer, "fails_unreadable", None)
    if status == "unparseable" and fails and fails(_completed(item, examples(item.task))):
        return engine.Outcome(dict.fromkeys(scorer.metrics, (0.0, "ok", f"failed: {reason}")))
    return engine.failure(scorer.metrics, reason, status)


def _absent(
    place: Path,
    tool: Tool,
    evaluation: Evaluation,
    got: Predictions,
    reason: str,
    digest: str,
) -> int:
    """Write rows without values for a tool that this machine lacks. Scores that are there stay."""
    metrics = [m.id for m in tool.metrics]
    items = [i for i in [*got.items, *got.rejected] if i.task == evaluation.id]
    if score_path(place, tool.id, evaluation.id).is_file():
        return 0
    outcomes = [engine.failure(metrics, reason, "cannot run here")] * len(items)
    table = engine.table(items, outcomes, metrics, got.rows)
    add_runs(place, tool.id, evaluation.id, table, source=got.path, version="", digest=digest)
    return 0


def _say(path: Path, table: pd.DataFrame) -> int:
    """Print the mean of every metric by run, with the number of values behind it."""
    print(f"mtpeft: {paths.shown(path)}: {counted(len(table), 'instance')}")
    total = 0
    for run_id, part in table.groupby("run", sort=True):
        lost = Counter(s.partition(";")[0] for s in part["status"] if s != "ok")
        rest = "".join(f", {n} {status}" for status, n in sorted(lost.items()))
        for metric in table.columns[4:]:
            values = pd.to_numeric(part[metric]).dropna()
            total += len(values)
            mean = f"{values.mean():.4f}" if len(values) else "–"
            print(f"  {run_id}  {metric}  mean {mean}  n {len(values)} of {len(part)}{rest}")
    return total


def _note_problems(path: Path, predictions: Path, got: Predictions) -> None:
    """Write the unusable lines of this file among those of the files that were scored before."""
    with held(path):
        old = (
            read_frame(path, _PROBLEMS).itertuples(index=False, name=None) if path.is_file() else ()
        )
        kept = [list(row) for row in old if row[0] != str(predictions)]
        mine = [[str(p.path), p.line or "", p.found] for p in got.problems]
        write_atomic(path, csv_text(_PROBLEMS, [*kept, *mine]))


def _instances(evaluation: str, corpus: str) -> dict[str, Example]:
    try:
        return {example.id: example for example in instances(evaluation, corpus)}
    except MtpeftError as error:
        if corpus:
            raise
        # Only metrics with a reference need the corpus; they then say so for each instance.
        print(f"mtpeft: without references of {evaluation}: {error.found}", file=sys.stderr)
        return {}


def _completed(item: Item, known: Mapping[str, Example]) -> Item:
    """The item with the reference answer and the shown code of its instance, where the corpus has
    them.
    """
    example = known.get(item.instance_id) or known.get(sample_of(item.instance_id)[0])
    if example is None:
        return item
    return changed(
        item,
        reference=example.target,
        source=example.inputs.get("code", ""),
        tests=tuple(example.tests),
        prompt=example.inputs.get("prompt", ""),
        asked=asked(example) or (example.id if example.id.isidentifier() else ""),
    )

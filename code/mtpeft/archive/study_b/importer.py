"""The study's public logs, notebook and LaTeX table → tidy canonical tables.

`facts.toml` holds what no file prints: how many examples of a split are positive.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from mtpeft.archive.sources import Source, check_pins, upstream_root
from mtpeft.archive.study_b.collect import Collected, collect, figure_key
from mtpeft.archive.study_b.counterparts import counterparts, printed_cells
from mtpeft.archive.study_b.early import EarlyLog
from mtpeft.archive.study_b.reading import upstream_bytes
from mtpeft.archive.study_b.upstream import MULTITASK, SINGLE, files_of
from mtpeft.core.checksums import write_sums
from mtpeft.core.errors import BadInput
from mtpeft.core.figures import (
    Counterpart,
    EvaluationSet,
    LossWeight,
    PrintedCell,
    PublishedFigure,
    PublishedRun,
)
from mtpeft.core.paths import PUBLISHED, shown
from mtpeft.core.records import write_records

FACTS = Path(__file__).with_name("facts.toml")
FOLDER = "multitask-peft"
COLLAPSED = 0.99
"""A run collapsed where one task's learnable weight ended above this."""
_Places = dict[tuple[str, str, int], tuple[str, int]]
"""(file, line) by split, task and number of examples."""


def import_figures(
    repin: bool = False,
    upstream: tuple[Path, Path] | None = None,
    published: Path = PUBLISHED,
    allow_loss: bool = False,
    pinned: Path | None = None,
) -> None:
    """Write `<published>/multitask-peft/*.csv` and the checksums of `published`.

    The same files give the same bytes. Nothing is written unless every file was read and checked.

    Args:
        repin: Accept changed and new upstream files and write their checksums anew.
        upstream: Checkouts of the study's and of the sibling study's repository (default: mirror,
            else network).
        published: Folder of the published tables.
        allow_loss: With `repin`, accept that files or records are gone, too.
        pinned: List of the pinned upstream files (default: the shipped one).

    Raises:
        BadInput: What is unknown, repeated, contradictory or changed, with file and line.
    """
    multitask, single = upstream or (upstream_root(MULTITASK), upstream_root(SINGLE))
    roots = {MULTITASK.repository: multitask, SINGLE.repository: single}
    found = collect(multitask, single)
    figures = sorted(found.figures, key=figure_key)
    _refuse_repeated(figures)
    cells = printed_cells(found)
    files = _sources(found, multitask, single)
    pinned = pinned or PUBLISHED / FOLDER / "sources.csv"
    check_pins(roots, files, pinned, repin, allow_loss)
    sets, weights = _sets(found), _weights(found)
    folder = published / FOLDER
    write_records(
        folder / "runs.csv", [found.runs[name] for name in sorted(found.runs)], PublishedRun
    )
    write_records(folder / "figures.csv", figures, PublishedFigure)
    write_records(folder / "printed.csv", cells, PrintedCell)
    write_records(folder / "counterparts.csv", counterparts(found, cells), Counterpart)
    write_records(folder / "sets.csv", sets, EvaluationSet)
    write_records(folder / "weights.csv", weights, LossWeight)
    write_records(folder / "sources.csv", files, Source)
    write_sums(published)
    print(
        f"archive: {len(files)} logs and typed tables -> {len(figures)} figures of "
        f"{len(found.runs)} runs, {len(cells)} typed cells in {shown(folder)}"
    )


def _refuse_repeated(figures: list[PublishedFigure]) -> None:
    for one, other in zip(figures, figures[1:], strict=False):
        if figure_key(one) == figure_key(other):
            raise BadInput(
                other.file,
                f"{other.metric} of {other.task} occurs twice in {other.run}",
                "each number once",
                "restore the upstream checkout",
                line=other.line,
            )


def _sources(found: Collected, multitask: Path, single: Path) -> list[Source]:
    """Every file that was looked at; records counts its figures or typed numbers."""
    typed: dict[str, int] = {}
    for cell in found.typed:
        typed[cell.file] = typed.get(cell.file, 0) + 1
    result = []
    for upstream, root in ((SINGLE, single), (MULTITASK, multitask)):
        for file in files_of(upstream, root):
            content = upstream_bytes(root / file)
            records = typed.get(file) or found.records.get((upstream.repository, file), 0)
            result.append(
                Source(
                    upstream.repository,
                    upstream.commit,
                    file,
                    hashlib.sha256(content).hexdigest(),
                    len(content),
                    records,
                )
            )
    return result


# ---------------------------------------------------------------- sets


def _sets(found: Collected) -> list[EvaluationSet]:
    """Sizes of the splits; a size said to be logged is looked up, and its line is named."""
    data = tomllib.loads(FACTS.read_text(encoding="utf-8"))
    places = _printed_sizes(found)
    return [_set(entry, places) for entry in data["set"]]


def _set(entry: dict[str, Any], places: _Places) -> EvaluationSet:
    task, split, examples = str(entry["task"]), str(entry["split"]), int(entry["examples"])
    positives = entry.get("positives")
    share = positives / examples if positives is not None else entry.get("positive_share")
    place = places.get((split, task, examples))
    if entry["basis"] == "log" and place is None:
        raise BadInput(
            FACTS,
            f"no log prints that {task} has {examples} examples ({split})",
            "a size that some log prints, or basis derived",
            f"correct {shown(FACTS)}",
        )
    file, line = place or ("", None)
    upstream = MULTITASK if place else None
    return EvaluationSet(
        task=task,
        split=split,
        examples=examples,
        positives=positives,
        positive_share=share,
        basis=str(entry["basis"]),
        repository=upstream.repository if upstream else "",
        commit=upstream.commit if upstream else "",
        file=file,
        line=line,
    )


def _printed_sizes(found: Collected) -> _Places:
    """Where each split size is printed first, logs in the order of their names."""
    places: _Places = {}
    for name, log in sorted(found.revision.items()):
        for split, sizes in (("train", log.train_sizes), ("test", log.test_sizes)):
            for task, printed in sizes.items():
                key = (split, task, int(printed.values["examples"]))
                places.setdefault(key, (found.runs[name].file, printed.line))
    for name, early in sorted(found.early.items()):
        if found.runs[name].repository == MULTITASK.repository:
            for key, line in early.sizes.items():
                places.setdefault(key, (found.runs[name].file, line))
    return places


# ---------------------------------------------------------------- learnable loss weights


def _weights(found: Collected) -> list[LossWeight]:
    """The learnable softmax weights of the paper's pair logs, after the first and last epoch."""
    result = []
    for name, log in sorted(found.early.items()):
        if log.weights:
            result += _weights_of(found.runs[name], log)
    return result


def _weights_of(run: PublishedRun, log: EarlyLog) -> list[LossWeight]:
    (first_line, first), (last_line, last) = log.weights[0], log.weights[-1]
    if len(log.weights) != len(log.valid) or {len(first), len(last)} != {len(log.tasks)}:
        raise BadInput(
            log.path,
            f"{len(log.weights)} lines of {len(first)} task weights",
            f"one of {len(log.tasks)} for each of the {len(log.valid)} epochs",
            "restore the upstream checkout",
            line=last_line,
        )
    collapsed = "yes" if max(last) > COLLAPSED else "no"
    return [
        LossWeight(
            run=run.id,
            task=task,
            first=start,
            last=end,
            collapsed=collapsed,
            repository=run.repository,
            commit=run.commit,
            file=run.file,
            first_line=first_line,
            last_line=last_line,
        )
        for task, start, end in zip(log.tasks, first, last, strict=True)
    ]

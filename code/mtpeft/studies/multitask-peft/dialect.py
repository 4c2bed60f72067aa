"""How the public files of the study are read: logs, a notebook and a LaTeX table.

The other modules of the folder read one format each (`revision`, `early`, `prompted`, `typed`),
translate names (`names`), count what is trained (`parameters`), choose the figures (`collect`) and
hold typed cells against logs (`counterparts`). `sets.toml` holds what no file prints: how many
examples of a split are positive.
"""

import tomllib
from pathlib import Path
from typing import Any

from mtpeft.core.errors import BadInput
from mtpeft.core.figures import EvaluationSet, Figures, LossWeight, PublishedRun
from mtpeft.core.paths import shown

from .collect import Collected, collect
from .counterparts import counterparts, printed_cells
from .early import EarlyLog
from .upstream import MULTITASK, SINGLE, files_of

UPSTREAM = (MULTITASK, SINGLE)
SETS = Path(__file__).with_name("sets.toml")
COLLAPSED = 0.99
"""A run collapsed where one task's learnable weight ended above this."""
_Places = dict[tuple[str, str, int], tuple[str, int]]
"""(file, line) by split, task and number of examples."""


def read_figures(roots: dict[str, Path]) -> Figures:
    """Every figure of the study, each with repository, commit, file and line.

    Args:
        roots: Checkout of each repository of `UPSTREAM`.

    Raises:
        BadInput: What is unknown, repeated or contradictory, with file and line.
    """
    found = collect(roots[MULTITASK.repository], roots[SINGLE.repository])
    cells = printed_cells(found)
    return Figures(
        runs=list(found.runs.values()),
        figures=found.figures,
        printed=cells,
        counterparts=counterparts(found, cells),
        sets=_sets(found),
        weights=_weights(found),
        files=_files(found, roots),
    )


def _files(found: Collected, roots: dict[str, Path]) -> dict[tuple[str, str], int]:
    """Every file that was looked at, with the number of its figures or typed numbers."""
    typed: dict[str, int] = {}
    for cell in found.typed:
        typed[cell.file] = typed.get(cell.file, 0) + 1
    return {
        (upstream.repository, file): typed.get(file)
        or found.records.get((upstream.repository, file), 0)
        for upstream in UPSTREAM
        for file in files_of(upstream, roots[upstream.repository])
    }


# ---------------------------------------------------------------- sets


def _sets(found: Collected) -> list[EvaluationSet]:
    """Sizes of the splits; a size said to be logged is looked up, and its line is named."""
    data = tomllib.loads(SETS.read_text(encoding="utf-8"))
    places = _printed_sizes(found)
    return [_set(entry, places) for entry in data["set"]]


def _set(entry: dict[str, Any], places: _Places) -> EvaluationSet:
    task, split, examples = str(entry["task"]), str(entry["split"]), int(entry["examples"])
    positives = entry.get("positives")
    share = positives / examples if positives is not None else entry.get("positive_share")
    place = places.get((split, task, examples))
    if entry["basis"] == "log" and place is None:
        raise BadInput(
            SETS,
            f"no log prints that {task} has {examples} examples ({split})",
            "a size that some log prints, or basis derived",
            f"correct {shown(SETS)}",
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

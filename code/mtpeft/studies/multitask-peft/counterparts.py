"""Which logged numbers each typed cell can be held against.

A typed cell is matched to the logs of its generation by what they are: setting, backbone, method,
tasks and, where there are several, the loss weighting that the generation's table uses. Every rule
that could have chosen the number from such a log yields one record, so that a verdict can say which
of them the cell equals, if any. Numbers keep all the digits of the log: the study cut, not rounded.
"""

from collections.abc import Iterator
from dataclasses import fields, replace

from mtpeft.core.figures import Counterpart, PrintedCell, PublishedRun, TableCell

from .collect import METRIC, Collected, copies
from .early import EarlyLog
from .reading import Block
from .revision import RevisionLog
from .typed import COLUMNS, LATEX, TypedCell
from .upstream import MULTITASK

_TABLE = {"pair": "pairs", "multi": "paper", "single": "paper"}
_WEIGHTINGS = ("normalized", "learnable-softmax", "")
"""Loss weightings of the two tables; the revision's logs hold others, which it does not print."""


def printed_cells(found: Collected) -> list[PrintedCell]:
    """The cells of the paper's table, then of the revision's, then of the paper's task pairs."""
    copied = copies(found.typed)
    cells = [_printed(c, (c.file, c.line) in copied) for c in found.typed if c.setting in _TABLE]
    order = {"paper": 0, "revision": 1, "pairs": 2}
    return sorted(cells, key=lambda c: order[c.table])


def _printed(cell: TypedCell, copied: bool) -> PrintedCell:
    revision = cell.file == LATEX
    tasks = {"multi": "+".join(COLUMNS[1:]), "single": "each", "pair": "+".join(cell.tasks)}
    return PrintedCell(
        document=cell.file,
        table="revision" if revision else _TABLE[cell.setting],
        generation="G2" if revision and not copied else "G1",
        setting=cell.setting,
        backbone=cell.backbone,
        method=cell.method,
        tasks=tasks[cell.setting],
        column=cell.column,
        printed=cell.value,
        repository=MULTITASK.repository,
        commit=MULTITASK.commit,
        file=cell.file,
        cell=cell.cell,
        line=cell.line,
    )


def counterparts(found: Collected, cells: list[PrintedCell]) -> list[Counterpart]:
    """At least one record per cell, in the order of the cells.

    Args:
        found: Everything that the public files hold.
        cells: The typed cells, of `printed_cells`.
    """
    result: list[Counterpart] = []
    for cell in cells:
        records = list(_of_cell(found, cell))
        result += records or [_record(cell, "no log")]
    return result


def _record(cell: PrintedCell, rule: str) -> Counterpart:
    """A record that names the cell; without a log it names nothing else."""
    return Counterpart(
        **{f.name: getattr(cell, f.name) for f in fields(TableCell)},
        rule=rule,
        run="",
        epoch=None,
        logged=None,
        repository="",
        commit="",
        file="",
        line=None,
    )


def _of_cell(found: Collected, cell: PrintedCell) -> Iterator[Counterpart]:
    if cell.column == "trainable_percent":
        yield from _shares(found, cell)
        return
    tasks = {cell.column} if cell.setting == "single" else set(cell.tasks.split("+"))
    for run in found.runs.values():
        same = (run.setting, run.backbone, run.method) == (cell.setting, cell.backbone, cell.method)
        if not same or run.basis != "log" or run.generation != cell.generation:
            continue
        if set(run.tasks.split("+")) != tasks or run.weighting not in _WEIGHTINGS:
            continue
        log = found.revision.get(run.id) or found.early.get(run.id)
        if log is not None:
            yield from _of_log(cell, run, log)


def _of_log(
    cell: PrintedCell, run: PublishedRun, log: RevisionLog | EarlyLog
) -> Iterator[Counterpart]:
    """Test at the best validation, of the last weights, and best test, where they are printed."""
    blocks: dict[str, list[Block]]
    if isinstance(log, RevisionLog):
        final = [log.final] if log.final is not None else []
        blocks = {"best_valid_combined": log.tests[-1:], "last_epoch": final}
        tests = log.tests
    else:
        best = "best_valid_combined" if len(log.tasks) > 1 else "best_valid"
        blocks = {best: log.best[-1:], "last_epoch": log.last[-1:]}
        tests = log.best
    whole = [b for b in tests if all(METRIC[t] in _values(b, t) for t in log.tasks)]
    blocks["best_test"] = [max(whole, key=_mean)] if whole else []
    for rule, chosen in blocks.items():
        for block in chosen:
            metric = METRIC[cell.column]
            if metric not in _values(block, cell.column):
                continue
            printed = block.tasks[cell.column]
            yield replace(
                _record(cell, rule),
                run=run.id,
                epoch=float(block.epoch),
                logged=100 * printed.values[metric],
                repository=run.repository,
                commit=run.commit,
                file=run.file,
                line=printed.at(metric),
            )


def _values(block: Block, task: str) -> dict[str, float]:
    return block.tasks[task].values if task in block.tasks else {}


def _mean(block: Block) -> float:
    """Mean of a test's scores by the metrics of the study's tables."""
    return sum(p.values[METRIC[t]] for t, p in block.tasks.items()) / len(block.tasks)


def _shares(found: Collected, cell: PrintedCell) -> Iterator[Counterpart]:
    """Share of trainable parameters by any log of the generation with the backbone and method.

    The share depends on neither tasks nor weighting. Of logs that count alike the first is named.
    Full fine-tuning trains everything, which needs no log.
    """
    if cell.method == "fft":
        yield replace(_record(cell, "definition"), logged=100.0)
        return
    seen: set[tuple[float, float]] = set()
    for name in sorted(found.runs):
        run = found.runs[name]
        same = (run.generation, run.backbone, run.method) == (
            cell.generation,
            cell.backbone,
            cell.method,
        )
        if not same or run.basis != "log" or not run.trainable_params or not run.total_params:
            continue
        counted = (run.trainable_params, run.total_params)
        if counted in seen:
            continue
        seen.add(counted)
        backbone = run.total_params - run.trainable_params
        shares = {"parameters": run.total_params, "parameters_of_backbone": backbone}
        for rule, whole in shares.items():
            yield replace(
                _record(cell, rule),
                run=run.id,
                logged=100 * run.trainable_params / whole,
                repository=run.repository,
                commit=run.commit,
                file=run.params_file or run.file,
                line=run.params_line,
            )

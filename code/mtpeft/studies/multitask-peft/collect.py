"""The study's public files → runs and figures, by the rules that chose them.

Which number of a log is which figure:

* revision: `best_valid_combined` is the last test printed at a new best mean validation score, with
  the validation of that epoch; `last_epoch` the final test; `best_per_task` the highest validation
  of a task alone.
* the paper's pairs: `best_valid_combined` is the last test at a new best, `last_epoch` the final
  one.
* single tasks: `best_valid` is the last test at a new best (the paper's code), or the test at the
  first epoch with the highest validation as printed (the sibling study); `best_per_task` the first
  highest validation. The two rules differ where epochs print the same validation: once in each.
* typed tables: `reported`. Prompted models: `single_run`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.figures import PublishedFigure, PublishedRun
from mtpeft.core.upstream import Upstream, upstream_bytes

from . import names
from .early import EarlyLog, read_early_log
from .parameters import NONE, Count, Counts, Logged
from .prompted import read_prompted_log
from .reading import Block, Printed, highest
from .revision import RevisionLog, read_revision_log
from .typed import LATEX, NOTEBOOK, TypedCell, read_latex, read_notebook
from .upstream import MULTITASK, SINGLE, logs_of

METRIC = {
    "clone-detection": "f1",
    "vulnerability-detection": "acc",
    "flaky-detection": "f1",
    "code-search": "mrr",
}
"""The metric that the study's tables print for a task."""
_SELECTED_BY = {**METRIC, "flaky-detection": "acc"}
"""The metric by which the single-task programs chose their epoch."""
_ALL_TASKS = ("vulnerability-detection", "clone-detection", "code-search", "flaky-detection")
_STACK = {
    "httpcore": "httpcore (huggingface_hub>=1, transformers 5.x env)",
    "urllib3": "urllib3 (older hub/transformers env)",
    "": "",
}


@dataclass
class Collected:
    """Everything that the public files hold, before it is written.

    Attributes:
        runs: The runs by id.
        figures: The figures of all runs.
        typed: The numbers that the study typed by hand.
        revision: The logs of the revision by run id, for what is derived from them later.
        early: The logs of the paper's own code and of the sibling study by run id, likewise.
        records: How many figures each file gave, by (repository, file).
    """

    runs: dict[str, PublishedRun] = field(default_factory=dict)
    figures: list[PublishedFigure] = field(default_factory=list)
    typed: list[TypedCell] = field(default_factory=list)
    revision: dict[str, RevisionLog] = field(default_factory=dict)
    early: dict[str, EarlyLog] = field(default_factory=dict)
    records: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, run: PublishedRun, figures: list[PublishedFigure]) -> None:
        """Take up one run with its figures."""
        if run.id in self.runs:
            raise BadInput(
                run.file,
                f"run {run.id} occurs twice",
                "each run once",
                "restore the upstream files",
            )
        self.runs[run.id] = run
        self.figures += figures
        key = (run.repository, run.file)
        self.records[key] = self.records.get(key, 0) + len(figures)


def collect(multitask: Path, single: Path) -> Collected:
    """Read every public file that holds figures.

    Args:
        multitask: Checkout of the study's repository.
        single: Checkout of the repository of the sibling single-task study.

    Raises:
        BadInput: A file is missing, or holds what no rule expects, with file and line.
    """
    found = Collected()
    _training_logs(found, MULTITASK, multitask)
    _training_logs(found, SINGLE, single)
    _prompting_logs(found, multitask)
    _typed_tables(found, multitask)
    return found


# ---------------------------------------------------------------- training logs


def _training_logs(found: Collected, upstream: Upstream, root: Path) -> None:
    revision: dict[str, RevisionLog] = {}
    early: dict[str, EarlyLog] = {}
    logged: dict[str, Logged] = {}
    for file in logs_of(upstream, root):
        path = root / file
        content = upstream_bytes(path)
        try:
            if file.startswith("logs/"):
                revision[file] = read_revision_log(path, content)
                logged[file] = _of_revision(file, revision[file])
            else:
                early[file] = read_early_log(path, content)
                logged[file] = _of_early(upstream, file, early[file])
        except UnknownName as error:
            raise BadInput(
                path, str(error), "a name that is known", "restore the upstream checkout"
            ) from error
    counts = Counts(logged.values())
    for file, log in revision.items():
        run = _revision_run(upstream, file, log, logged[file], counts.of(logged[file]))
        found.add(run, list(_revision_figures(run, log)))
        found.revision[run.id] = log
    for file, old in early.items():
        full = upstream is SINGLE and logged[file].method == "fft"
        count = NONE if full else counts.of(logged[file])
        early_run = _early_run(upstream, file, old, logged[file], count)
        found.add(early_run, list(_early_figures(early_run, old)))
        found.early[early_run.id] = old


def _of_revision(file: str, log: RevisionLog) -> Logged:
    backbone, method = names.backbone(log.settings["Model"]), names.peft(log.settings["PEFT"])
    return Logged(log.path, file, False, backbone, method, log.parameters)


def _of_early(upstream: Upstream, file: str, log: EarlyLog) -> Logged:
    """What an early log prints; its method by the file's name, unless the printed module tree shows
    LoRA under another name.
    """
    stem = Path(file).stem
    backbone = names.backbone_of_log(stem) if upstream is SINGLE else names.backbone(log.model)
    method = names.method_of_log(stem)
    if method in ("serial_adapter", "parallel_adapter") and "rank" in log.sites:
        method = "lora"
    return Logged(log.path, file, True, backbone, method, log.parameters)


def _status(log: RevisionLog) -> str:
    if log.final is None:
        return "incomplete (log stops before the final test)"
    if log.stopped is None:
        return "complete"
    return f"complete; early stop at epoch {log.stopped} of {log.settings['Epochs']}"


def _revision_run(
    upstream: Upstream, file: str, log: RevisionLog, logged: Logged, count: Count
) -> PublishedRun:
    several = len(log.tasks) > 1
    weighting = names.weighting(log.settings["Loss weighting"]) if several else ""
    sampler = "sequential" if log.temperature is None else f"temperature-{log.temperature:g}"
    return PublishedRun(
        id=f"G2/{file}",
        generation="G2",
        basis="log",
        source=file,
        setting={1: "single", 2: "pair"}.get(len(log.tasks), "multi"),
        backbone=logged.backbone,
        method=logged.method,
        variant="",
        # The log itself names the option only; its file name tells the sign error of that commit.
        weighting="famo-sign-error" if "famo_broken" in file else weighting,
        sampler=sampler,
        tasks="+".join(log.tasks),
        epochs=float(log.summaries),
        batch_size=float(log.settings["Batch size"]),
        trainable_params=count.trainable,
        total_params=count.total,
        params_basis=count.basis,
        seconds=round(sum(log.seconds), 1) if log.seconds else None,
        peak_memory_gb=max(log.peaks, default=None),
        stack=_STACK["httpcore" if log.clients["httpcore"] else "urllib3" if log.clients else ""],
        status=_status(log),
        repository=upstream.repository,
        commit=upstream.commit,
        file=file,
        params_file=count.file,
        params_line=count.line,
    )


def _revision_figures(run: PublishedRun, log: RevisionLog) -> Iterator[PublishedFigure]:
    if log.tests:
        best = log.tests[-1]
        yield from _block(run, best, "test", "best_valid_combined")
        yield from _block(run, log.valid_at(best.epoch), "valid", "best_valid_combined")
    if log.final is not None:
        yield from _block(run, log.final, "test", "last_epoch")
    for task in log.tasks:
        metric = METRIC[task]
        top = highest(log.path, log.valid, task, metric)
        yield _figure(run, task, top.tasks[task], "valid", "best_per_task", metric, top.epoch)


def _early_run(
    upstream: Upstream, file: str, log: EarlyLog, logged: Logged, count: Count
) -> PublishedRun:
    generation = "AD" if upstream is SINGLE else "G1"
    several = len(log.tasks) > 1
    done = len(log.valid)
    whole = done == log.epochs
    return PublishedRun(
        id=f"{generation}/{file}",
        generation=generation,
        basis="log",
        source=file,
        setting="pair" if several else "single",
        backbone=logged.backbone,
        method=logged.method,
        variant=_variant(upstream, Path(file).stem, log, logged.method),
        weighting="learnable-softmax" if several else "",
        sampler="round-robin" if several else "random",
        tasks="+".join(log.tasks),
        epochs=float(done),
        batch_size=float(log.batch_size),
        trainable_params=count.trainable,
        total_params=count.total,
        params_basis=count.basis,
        seconds=None,
        peak_memory_gb=None,
        stack="",
        status="complete" if whole else f"log has {done} of {log.epochs} epochs",
        repository=upstream.repository,
        commit=upstream.commit,
        file=file,
        params_file=count.file,
        params_line=count.line,
    )


def _variant(upstream: Upstream, stem: str, log: EarlyLog, method: str) -> str:
    """What distinguishes a run from others of its method: sizes in the sibling study, odd names."""
    named = names.method_of_log(stem)
    if named != method:
        return f"filed as {named}; its parameters are LoRA's of rank {log.sites['rank']}"
    if stem.startswith("transfer_full_defect"):
        return "transfer from vulnerability full FT"
    if upstream is not SINGLE or method == "fft":
        return ""
    return {
        "serial_adapter": f"d={log.sites.get('bottleneck')}",
        "lora": f"r={log.sites.get('rank')},q/v",
        "prefix": f"{log.sites.get('prefix')} tokens, reparam",
    }[method]


def _early_figures(run: PublishedRun, log: EarlyLog) -> Iterator[PublishedFigure]:
    if len(log.tasks) > 1:
        for blocks, selection in ((log.best, "best_valid_combined"), (log.last, "last_epoch")):
            if blocks:
                yield from _block(run, blocks[-1], "test", selection)
        return
    task = log.tasks[0]
    metric = _SELECTED_BY[task]
    top = highest(log.path, log.valid, task, metric)
    yield _figure(run, task, top.tasks[task], "valid", "best_per_task", metric, top.epoch)
    best = log.best[-1:]
    if run.generation == "AD":
        best = [b for b in log.best if b.epoch == top.epoch]
    for block in best:
        yield from _block(run, block, "test", "best_valid")
    if log.last:
        yield from _block(run, log.last[-1], "test", "last_epoch")


def _block(
    run: PublishedRun, block: Block, split: str, selection: str
) -> Iterator[PublishedFigure]:
    for task, printed in block.tasks.items():
        for metric in printed.values:
            yield _figure(run, task, printed, split, selection, metric, block.epoch)


def _figure(
    run: PublishedRun,
    task: str,
    printed: Printed,
    split: str,
    selection: str,
    metric: str,
    epoch: float | None,
) -> PublishedFigure:
    return PublishedFigure(
        generation=run.generation,
        basis=run.basis,
        run=run.id,
        task=task,
        split=split,
        selection=selection,
        metric=metric,
        value=round(printed.values[metric], 4),
        epoch=None if epoch is None else float(epoch),
        repository=run.repository,
        commit=run.commit,
        file=run.file,
        cell=None,
        line=printed.at(metric),
    )


# ---------------------------------------------------------------- prompting

_PROMPTED = {
    "logs/FewShot_results_codeLlama_34B.log": "few-shot",
    "logs/gpt_eval_zero.log": "zero-shot",
}
_FULL_TEST = {"vulnerability-detection": 2732}
_FLAKY_FILE_IS_VALID = ("flaky-detection",)
"""The prompting programs read the validation file of flaky tests by default."""


def _prompting_logs(found: Collected, root: Path) -> None:
    for file, setting in _PROMPTED.items():
        log = read_prompted_log(root / file, upstream_bytes(root / file))
        for row in log.rows:
            split = "valid" if row.task in _FLAKY_FILE_IS_VALID else "test"
            if row.samples != _FULL_TEST.get(row.task):
                split += f"-sample-{row.samples}"
            backbone = names.backbone(row.model)
            run = _run(
                generation="G2",
                basis="log",
                source=file,
                setting=setting,
                backbone=backbone,
                tasks=(row.task,),
                status="complete",
                seconds=log.seconds,
            )
            pool = "mrr" if row.candidates is None else f"mrr_{row.candidates}_candidates"
            values = {pool if m == "mrr" else m: v for m, v in row.values.items()}
            printed = Printed(values, row.line)
            found.add(
                run,
                [_figure(run, row.task, printed, split, "single_run", m, None) for m in values],
            )


# ---------------------------------------------------------------- typed tables


def _run(
    generation: str,
    basis: str,
    source: str,
    setting: str,
    backbone: str,
    tasks: tuple[str, ...],
    status: str,
    method: str = "none",
    weighting: str = "",
    sampler: str = "",
    params_basis: str = "",
    seconds: float | None = None,
) -> PublishedRun:
    """A run of a file that holds several: its id tells setting, backbone, method and tasks."""
    joined = "+".join(tasks)
    return PublishedRun(
        id=f"{generation}/{source.replace(' ', '-')}/{setting}/{backbone}/{method}/{joined}",
        generation=generation,
        basis=basis,
        source=source,
        setting=setting,
        backbone=backbone,
        method=method,
        variant="",
        weighting=weighting,
        sampler=sampler,
        tasks=joined,
        epochs=None,
        batch_size=None,
        trainable_params=None,
        total_params=None,
        params_basis=params_basis,
        seconds=seconds,
        peak_memory_gb=None,
        stack="",
        status=status,
        repository=MULTITASK.repository,
        commit=MULTITASK.commit,
        file=source.partition(" cell ")[0],
        params_file="",
        params_line=None,
    )


def _typed_tables(found: Collected, root: Path) -> None:
    notebook, latex = root / NOTEBOOK, root / LATEX
    found.typed += read_notebook(notebook, upstream_bytes(notebook))
    found.typed += read_latex(latex, upstream_bytes(latex))
    copied = copies(found.typed)
    shares = {(c.file, c.line): c.value for c in found.typed if c.column == "trainable_percent"}
    runs: dict[str, tuple[PublishedRun, list[PublishedFigure]]] = {}
    for cell in found.typed:
        if cell.column == "trainable_percent" or (cell.file, cell.line) in copied:
            continue
        run = _typed_run(cell, shares.get((cell.file, cell.line)))
        runs.setdefault(run.id, (run, []))[1].append(_typed_figure(run, cell))
    for run, figures_of_run in runs.values():
        found.add(run, figures_of_run)


def copies(typed: list[TypedCell]) -> set[tuple[str, int]]:
    """Rows (file, line) of the revision's table that repeat a single-task row of the notebook."""
    rows: dict[tuple[str, int], dict[str, float]] = {}
    keys: dict[tuple[str, int], tuple[str, str, str]] = {}
    for c in typed:
        if c.setting == "single":
            rows.setdefault((c.file, c.line), {})[c.column] = c.value
            keys[c.file, c.line] = (c.setting, c.backbone, c.method)
    paper = {keys[place]: values for place, values in rows.items() if place[0] == NOTEBOOK}
    return {
        place
        for place, values in rows.items()
        if place[0] == LATEX and paper.get(keys[place]) == values
    }


def _typed_run(cell: TypedCell, share: float | None) -> PublishedRun:
    revision = cell.file == LATEX
    several = cell.setting in ("multi", "pair")
    return _run(
        generation="G2" if revision else "G1",
        basis="reported",
        source=cell.file if cell.cell is None else f"{cell.file} cell {cell.cell}",
        setting=cell.setting,
        backbone=cell.backbone,
        method=cell.method,
        tasks=_ALL_TASKS if cell.setting == "multi" else cell.tasks,
        weighting=("normalized" if revision else "learnable-softmax") if several else "",
        sampler=_typed_sampler(cell, revision),
        params_basis="" if share is None else f"reported {share}%",
        status="reported figure; logs exist" if revision else "reported figure, no log",
    )


def _typed_sampler(cell: TypedCell, revision: bool) -> str:
    """How the generation's programs draw batches."""
    if cell.setting in ("multi", "pair"):
        return "temperature-0.3" if revision else "round-robin"
    return "random" if cell.setting == "single" and not revision else ""


def _typed_figure(run: PublishedRun, cell: TypedCell) -> PublishedFigure:
    """A typed number as a proportion; prompting printed macro F1 and ten-candidate MRR."""
    prompted = cell.setting == "zero-shot"
    metric = METRIC[cell.column]
    if prompted:
        metric = {"f1": "macro_f1", "mrr": "mrr_at_10"}.get(metric, metric)
    split = "valid" if prompted and cell.column in _FLAKY_FILE_IS_VALID else "test"
    return PublishedFigure(
        generation=run.generation,
        basis=run.basis,
        run=run.id,
        task=cell.column,
        split=split,
        selection="reported",
        metric=metric,
        value=round(cell.value / 100, 4),
        epoch=None,
        repository=run.repository,
        commit=run.commit,
        file=run.file,
        cell=cell.cell,
        line=cell.line,
    )

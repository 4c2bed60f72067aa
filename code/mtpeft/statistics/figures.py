"""The published figures of a study: which of several numbers a cell of its tables is.

A study may exist in editions that share names and differ in code. A figure never crosses from one
into another: every reader names the edition it wants. Within one, a run has several figures for the
same cell (validation, test at the best epoch, test at the last one, a typed table); the edition's
`selection` says which of them counts, its `basis` whether it is logged, typed (`reported`) or
calculated (`derived`). Tasks, methods, backbones and editions are the study's (`numbers` in its
study.yaml), in the order in which its tables have them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mtpeft.catalog.places import published
from mtpeft.catalog.schema import Edition, Numbers, Study
from mtpeft.core.errors import BadInput
from mtpeft.core.figures import (
    Counterpart,
    EvaluationSet,
    LossWeight,
    PrintedCell,
    PublishedFigure,
    PublishedRun,
    SeedFigure,
)
from mtpeft.core.records import read_records

FILES = ("figures", "runs", "printed", "sets", "weights")


@dataclass(frozen=True)
class FigureSet:
    """Everything that a study printed or logged, below one folder, read once.

    Attributes:
        study: The study.
        folder: Where the tables lie.
        files: Those that belong to it.
    """

    study: Study
    folder: Path
    files: tuple[str, ...] = field(default=FILES)

    @classmethod
    def of(cls, study: Study, shipped: Path | None = None) -> "FigureSet":
        """The figures of a study where they lie.

        Args:
            study: The study.
            shipped: The folder of figures, in place of results/published.
        """
        return cls(study, published(study, shipped))

    @cached_property
    def numbers(self) -> Numbers:
        """How the study's numbers are read.

        Raises:
            BadInput: Its file does not say.
        """
        if self.study.numbers is None:
            raise BadInput(
                self.study.folder / "study.yaml",
                f"figures of {self.study.id}, and nothing that says how they are read",
                "numbers: tasks, methods, backbones",
                f"mtpeft study check {self.study.id}",
            )
        return self.study.numbers

    @property
    def editions(self) -> list[Edition]:
        """The editions whose figures are read: those that say how they are chosen."""
        return [e for e in self.study.editions if e.selection]

    @property
    def tasks(self) -> list[str]:
        """Ids of the tasks, in the order of the tables."""
        return [task.id for task in self.numbers.tasks]

    def metric(self, task: str) -> str:
        """The metric that the study prints for a task."""
        return next(t.metric for t in self.numbers.tasks if t.id == task)

    @property
    def paths(self) -> list[Path]:
        """The files that are read."""
        return [self.folder / f"{name}.csv" for name in self.files]

    @cached_property
    def runs(self) -> dict[str, PublishedRun]:
        """Runs by id."""
        return {r.id: r for r in read_records(self.folder / "runs.csv", PublishedRun)}

    @cached_property
    def figures(self) -> list[PublishedFigure]:
        """Every figure, in file order."""
        return read_records(self.folder / "figures.csv", PublishedFigure)

    @cached_property
    def printed(self) -> list[PrintedCell]:
        """Every cell of the typed tables."""
        return read_records(self.folder / "printed.csv", PrintedCell)

    @cached_property
    def counterparts(self) -> list[Counterpart]:
        """What the logs hold for every cell of the typed tables, at least one record a cell.

        `counterparts.csv` is not among `paths`: no table of figures is made from it.
        """
        return read_records(self.counterparts_path, Counterpart)

    @property
    def counterparts_path(self) -> Path:
        """Where they are; a study without logs has none."""
        return self.folder / "counterparts.csv"

    @cached_property
    def sets(self) -> dict[tuple[str, str], EvaluationSet]:
        """Split sizes by (task, split)."""
        return {(s.task, s.split): s for s in read_records(self.folder / "sets.csv", EvaluationSet)}

    @cached_property
    def weights(self) -> list[LossWeight]:
        """Learnable loss weights."""
        return read_records(self.folder / "weights.csv", LossWeight)

    @cached_property
    def seeds(self) -> list[SeedFigure]:
        """Test values by seed, of a study whose runs were trained here; published runs have one."""
        path = self.folder / "seeds.csv"
        return read_records(path, SeedFigure) if path.is_file() else []

    @cached_property
    def _test_figures(self) -> dict[tuple[str, str, str, str], float]:
        return {
            (f.run, f.task, f.metric, f.selection): f.value
            for f in self.figures
            if f.split == "test"
        }

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str, str, str, str], list[PublishedRun]]:
        found: dict[tuple[str, str, str, str, str], list[PublishedRun]] = {}
        for r in self.runs.values():
            if not r.variant:
                key = (r.generation, r.setting, r.backbone, r.method, r.basis)
                found.setdefault(key, []).append(r)
        return found

    def find_runs(
        self,
        edition: str,
        setting: str,
        backbone: str,
        method: str,
        basis: str,
        tasks: Iterable[str] = (),
    ) -> list[PublishedRun]:
        """Runs of one edition by what they are.

        Args:
            edition: Its id.
            setting: `multi`, `pair` or `single`.
            backbone: Id of the model.
            method: How it was tuned.
            basis: `log` or `reported`.
            tasks: Where given, the run's own, in any order.
        """
        wanted = frozenset(tasks)
        return [
            r
            for r in self._by_kind.get((edition, setting, backbone, method, basis), [])
            if not wanted or frozenset(r.tasks.split("+")) == wanted
        ]

    def score(
        self,
        edition: Edition,
        setting: str,
        backbone: str,
        method: str,
        task: str,
        tasks: Iterable[str] = (),
    ) -> float:
        """The one test value of a cell in percent under the edition's rule, NaN where it has none.

        Args:
            edition: Of the figures.
            backbone: Its id.
            method: Its id.
            setting: Single task, pair or all tasks.
            task: The task that is measured.
            tasks: Of the run (single: `task` alone; default: all).
        """
        wanted = (task,) if setting == "single" else tuple(tasks) or tuple(self.tasks)
        found = [
            100
            * self._test_figures.get((run.id, task, self.metric(task), edition.selection), math.nan)
            for run in self.find_runs(edition.id, setting, backbone, method, edition.basis, wanted)
            if run.weighting in edition.weightings
        ]
        found = [v for v in found if not math.isnan(v)]
        return found[0] if len(found) == 1 else math.nan

    def backbones(self, edition: Edition, setting: str = "multi") -> list[str]:
        """Backbones that have a run of this kind, in the order of the study's tables."""
        found = {
            r.backbone
            for r in self.runs.values()
            if r.generation == edition.id and r.setting == setting and r.basis == edition.basis
        }
        return [b for b in self.numbers.backbones if b in found]

    def shared_run(self, edition: Edition, backbone: str, method: str) -> PublishedRun | None:
        """The log of the run on all tasks under the edition's weighting, where there is exactly
        one.
        """
        found = [
            r
            for r in self.find_runs(edition.id, "multi", backbone, method, "log")
            if r.weighting in edition.weightings
        ]
        return found[0] if len(found) == 1 else None

    def comparability(self, figure: PublishedFigure) -> str:
        """`yes`, or why a prompted model's figure cannot be compared with a fine-tuned one.

        A sample of the test set under the same metric can: its own, larger sampling error counts.
        """
        reasons = []
        if figure.metric != self.metric(figure.task):
            reasons.append("another metric")
        if figure.split.startswith("valid"):
            reasons.append("validation examples")
        return "yes" if not reasons else "no: " + ", ".join(reasons)

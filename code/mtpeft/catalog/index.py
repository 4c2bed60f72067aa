"""Everything that exists, by kind and id."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mtpeft.catalog.nodes import file_of, line, line_of
from mtpeft.catalog.schema import (
    Backbone,
    Claim,
    Comparison,
    Corpus,
    Evaluation,
    Figure,
    Method,
    Metric,
    Run,
    Study,
    Table,
    Task,
    Tool,
)
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName


@dataclass
class Catalog:
    """Everything that exists, by kind and id, in file-name order."""

    studies: dict[str, Study] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    backbones: dict[str, Backbone] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    tools: dict[str, Tool] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    sources: dict[tuple[str, str], yaml.MappingNode] = field(default_factory=dict, repr=False)
    """The YAML node of each item, by kind and id."""

    def get(self, kind: str, name: str) -> Any:
        """One item.

        Raises:
            UnknownName: There is none of that id; the error lists the nearest ones.
        """
        known = getattr(self, kind)
        if name not in known:
            raise UnknownName(
                {"studies": "study"}.get(kind, kind.removesuffix("s")),
                name,
                known,
                f"mtpeft list {kind}",
            )
        return known[name]

    def usable_run(self, name: str) -> Run:
        """A run that may be trained, asked and scored.

        Raises:
            UnknownName: There is no such run.
            MtpeftError: It is withdrawn.
        """
        run: Run = self.get("runs", name)
        if run.withdrawn:
            raise MtpeftError(
                f"run {name} is withdrawn: {run.withdrawn}",
                "a run that is not withdrawn",
                "mtpeft list runs",
            )
        return run

    def file_of(self, kind: str, name: str) -> Path:
        """The file that an item stands in."""
        self.get(kind, name)
        return file_of(self.sources[kind, name])

    def bad(
        self, kind: str, name: str, word: str, found: str, expected: str = "", fix: str = ""
    ) -> BadInput:
        """An error about one word of an item, with the file and the line of that word (else the
        item's line).

        Args:
            kind: The kind of the item.
            name: The id of the item.
            word: The word.
            found: What it says.
            expected: What it may say.
            fix: The command that helps.
        """
        node = self.sources[kind, name]
        return BadInput(file_of(node), found, expected, fix, line=line_of(node, word) or line(node))

    def evaluations(self) -> dict[str, Evaluation]:
        """Every evaluation set of every task, by id."""
        return {e.id: e for task in self.tasks.values() for e in task.evaluations}

    def task_of(self, evaluation: str) -> Task:
        """The task of an evaluation set.

        Raises:
            UnknownName: There is no such evaluation set; the error lists the nearest ones.
        """
        for task in self.tasks.values():
            if any(e.id == evaluation for e in task.evaluations):
                return task
        raise UnknownName("evaluation set", evaluation, self.evaluations())

    def adjustments(self) -> dict[str, str]:
        """The correction of p-values that the study uses, by comparison."""
        return {c.id: c.adjustment for c in self.comparisons.values()}

    def output_of(self, evaluation: str) -> str:
        """What an answer of an evaluation set is: `code`, `text`, `label` or `ranking`."""
        task = self.task_of(evaluation)
        return next(e.output for e in task.evaluations if e.id == evaluation) or task.output

    def metrics(self) -> dict[str, tuple[Tool, Metric]]:
        """Every metric with its tool, by metric id."""
        return {m.id: (tool, m) for tool in self.tools.values() for m in tool.metrics}

    def of(self, kind: str, study: str) -> list[Any]:
        """The items of one kind that a study has or uses, in its order.

        Args:
            kind: `runs`, `comparisons`, `tables`, `figures` or `claims`: those in its folder.
                `tasks`, `tools`, `methods` or `backbones`: those that it names, else those that
                its runs and comparisons use.
            study: Id of the study. Raises `UnknownName` for another one.
        """
        of: Study = self.get("studies", study)
        if kind in ("tasks", "tools", "methods", "backbones"):
            return [self.get(kind, name) for name in getattr(of, kind) or self._used(kind, study)]
        return [item for item in getattr(self, kind).values() if item.study == study]

    def _used(self, kind: str, study: str) -> list[str]:
        runs, comparisons = self.of("runs", study), self.of("comparisons", study)
        if kind == "tools":
            metrics = self.metrics()
            names = [metrics[m][0].id for c in comparisons for m in c.metrics]
        elif kind == "tasks":
            sets = [b.task or c.task for c in comparisons for b in c.blocks]
            names = [t for r in runs for t in r.tasks] + [self.task_of(s).id for s in sets]
        else:
            names = [getattr(r, kind.removesuffix("s")) for r in runs]
        return [name for name in getattr(self, kind) if name in names]

    def study_of_task(self, task: str) -> Study | None:
        """The first study that names a task, or none."""
        return next((s for s in self.studies.values() if task in s.tasks), None)

    def corpora(self) -> dict[str, Corpus]:
        """Every corpus that a study declares, by the name that `--corpus` takes."""
        return {c.id: c for study in self.studies.values() for c in study.corpora}

    def corpus_of(self, run: Run) -> str:
        """The corpus that a run is trained on and asked from where none is named; empty: none."""
        study = self.studies.get(run.study)
        if study is None or not study.corpora:
            study = next(filter(None, map(self.study_of_task, run.tasks)), None)
        return study.corpora[0].id if study and study.corpora else ""

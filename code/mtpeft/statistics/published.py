"""Figures that study B printed or logged: their records and how one is chosen among several.

The study exists in generations that share names and differ in code: `G1` (the paper), `G2` (the
revision) and `AD` (a sibling study of single tasks). A figure never crosses from one into another:
every reader names the generation it wants. Within one, a run has several figures for the same cell
(validation, test at the best epoch, test at the last one, a typed table); `selection` says which
rule chose it, `basis` whether it was logged, typed (`reported`) or calculated (`derived`).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mtpeft.core.figures import (
    Counterpart,
    EvaluationSet,
    LossWeight,
    PrintedCell,
    PublishedFigure,
    PublishedRun,
)
from mtpeft.core.paths import PUBLISHED
from mtpeft.core.records import read_records

FOLDER = PUBLISHED / "multitask-peft"
GENERATIONS = ("G1", "G2", "AD")
BASES = ("reported", "log", "derived")
TASKS = ("clone-detection", "vulnerability-detection", "flaky-detection", "code-search")
METRIC = {
    "clone-detection": "f1",
    "vulnerability-detection": "acc",
    "flaky-detection": "f1",
    "code-search": "mrr",
}
"""The metric that both generations print for a task; all are proportions and higher is better."""


@dataclass(frozen=True)
class Published:
    """Everything of study B below one folder, read once."""

    folder: Path = FOLDER
    files: tuple[str, ...] = field(default=("figures", "runs", "printed", "sets", "weights"))

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
        """What the logs hold beside every cell of the typed tables, at least one record a cell.

        `counterparts.csv` is not among `paths`: no table of figures is made from it.
        """
        return read_records(self.folder / "counterparts.csv", Counterpart)

    @cached_property
    def sets(self) -> dict[tuple[str, str], EvaluationSet]:
        """Split sizes by (task, split)."""
        return {(s.task, s.split): s for s in read_records(self.folder / "sets.csv", EvaluationSet)}

    @cached_property
    def weights(self) -> list[LossWeight]:
        """Learnable loss weights."""
        return read_records(self.folder / "weights.csv", LossWeight)

    @cached_property
    def _test_figures(self) -> dict[tuple[str, str, str, str], float]:
        return {
            (f.run, f.task, f.metric, f.selection): f.value
            for f in self.figures
            if f.split == "test"
        }

    def find_runs(
        self,
        generation: str,
        setting: str,
        backbone: str,
        method: str,
        basis: str,
        tasks: Iterable[str] = (),
    ) -> list[PublishedRun]:
        """Runs of one generation by what they are; `tasks`, where given, must be the run's own, in
        any order.
        """
        wanted = frozenset(tasks)
        return [
            r
            for r in self.runs.values()
            if (r.generation, r.setting, r.backbone, r.method, r.basis)
            == (generation, setting, backbone, method, basis)
            and not r.variant
            and (not wanted or frozenset(r.tasks.split("+")) == wanted)
        ]

    def value(self, run: PublishedRun, task: str, selection: str) -> float:
        """The test value of the task's metric, in percent; NaN where the run has none under this
        selection.
        """
        return 100 * self._test_figures.get((run.id, task, METRIC[task], selection), math.nan)

    def score(
        self,
        generation: str,
        setting: str,
        backbone: str,
        method: str,
        task: str,
        tasks: Iterable[str] = TASKS,
    ) -> float:
        """The one test value of a cell in percent under the generation's rule (`rule_of`), NaN
        where it has none.

        setting: `multi`, `pair` or `single`; tasks: of the run (single: `task` alone).
        """
        rule = rule_of(generation)
        wanted = (task,) if setting == "single" else tuple(tasks)
        found = [
            self.value(run, task, rule.selection)
            for run in self.find_runs(generation, setting, backbone, method, rule.basis, wanted)
            if run.weighting in rule.weightings
        ]
        found = [v for v in found if not math.isnan(v)]
        return found[0] if len(found) == 1 else math.nan


@dataclass(frozen=True)
class Rule:
    """How one generation's figures are chosen. weightings: those that the generation's tables use."""

    generation: str
    title: str
    basis: str
    selection: str
    weightings: tuple[str, ...]
    text: str


_RULES = {
    "G1": Rule(
        "G1",
        "the paper",
        "reported",
        "reported",
        ("learnable-softmax", ""),
        "G1: the number typed in the study's notebook (no four-task log of this generation exists; how its epoch was "
        "chosen is not recorded, and the surviving pair logs show both test at the best validation epoch and test "
        "at the last epoch among the typed numbers)",
    ),
    "G2": Rule(
        "G2",
        "the revision",
        "log",
        "best_valid_combined",
        ("normalized", ""),
        "G2: test value logged at the epoch with the best mean validation score (last checkpoint saved as best), "
        "loss weights in proportion to the previous epoch's losses, one task drawn per step at temperature 0.3",
    ),
}


def rule_of(generation: str) -> Rule:
    """The rule for a generation that has multi-task figures."""
    return _RULES[generation]


# ---------------------------------------------------------------- what a figure is worth


def always_positive_f1(share: float) -> float:
    """Binary F1, in percent, of calling everything positive: 2p / (1 + p) for a share p of
    positives.
    """
    return 100 * 2 * share / (1 + share)


def macro_f1_of_constant(share: float) -> float:
    """Macro F1, in percent, of predicting one class that makes up `share` of the examples (the
    other class scores 0).
    """
    return 100 * share / (1 + share)


def trivial_baselines(published: Published, task: str) -> dict[str, float]:
    """What no training at all scores on the task's test set, in percent, by name of the baseline.

    Search: the expected MRR of a random ranking of n candidates, H(n) / n.
    """
    entry = published.sets[task, "test"]
    if task == "code-search":
        harmonic = math.log(entry.examples) + 0.5772156649015329 + 1 / (2 * entry.examples)
        return {"random ranking": 100 * harmonic / entry.examples}
    share = entry.positive_share or 0.0
    if METRIC[task] == "acc":
        return {
            "always yes": 100 * share,
            "always no": 100 * (1 - share),
            "majority": 100 * max(share, 1 - share),
        }
    return {"always yes": always_positive_f1(share), "always no": 0.0, "majority": 0.0}


SEARCH_SD = 0.40
"""Standard deviation assumed for a reciprocal rank (its range is 0 to 1; at an MRR of 0.3 it lies
near 0.4).
"""


def standard_error(published: Published, task: str, percent: float) -> float:
    """Sampling error of a test value, in points (one standard error, over examples; the seed's
    share is not known).

    Accuracy: binomial. F1: delta method for P fixed positives, binomial true and Poisson false
    positives, taken where precision = recall = F: sqrt(F (1 - F) (4 - 3 F + F^2) / (4 P)). MRR:
    SEARCH_SD / sqrt(n).
    """
    entry = published.sets[task, "test"]
    value = percent / 100
    if math.isnan(value):
        return math.nan
    if METRIC[task] == "mrr":
        return 100 * SEARCH_SD / math.sqrt(entry.examples)
    if METRIC[task] == "acc":
        return 100 * math.sqrt(value * (1 - value) / entry.examples)
    positives = entry.positives or entry.examples * (entry.positive_share or 0)
    return 100 * math.sqrt(value * (1 - value) * (4 - 3 * value + value * value) / (4 * positives))


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean, NaN where any value is."""
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan


def macro(published: Published, generation: str, setting: str, backbone: str, method: str) -> float:
    """Mean of the four tasks' test values in percent, NaN where one is missing."""
    return mean(published.score(generation, setting, backbone, method, task) for task in TASKS)


def macro_error(published: Published, values: Iterable[tuple[str, float]]) -> float:
    """One standard error of a mean over tasks, in points: tasks are independent samples."""
    errors = [standard_error(published, task, value) for task, value in values]
    return math.sqrt(math.fsum(e * e for e in errors)) / len(errors)


def backbones(published: Published, generation: str, setting: str = "multi") -> list[str]:
    """Backbones that have a figure of this kind, in the order of the study's table."""
    rule = rule_of(generation)
    found = {
        r.backbone
        for r in published.runs.values()
        if r.generation == generation and r.setting == setting and r.basis == rule.basis
    }
    return [b for b in BACKBONES if b in found]


BACKBONES = (
    "unixcoder-base",
    "modernbert-base",
    "codet5p-770m",
    "deepseek-coder-1.3b",
    "qwen2.5-coder-1.5b-base",
)
METHODS = ("fft", "serial_adapter", "parallel_adapter", "lora", "mlora", "prefix")
PEFT = ("serial_adapter", "parallel_adapter", "lora")
"""The methods that both generations have on every backbone."""

STUDENTISED_RANGE = 3.63
"""Upper 5 % point of the studentised range of four values with known variance (Tukey)."""


def groupings(
    published: Published, generation: str, backbone: str, method: str, task: str
) -> dict[str, float]:
    """The task's test value in percent with each partner, and under `all` with all four tasks."""
    values = {
        other: published.score(generation, "pair", backbone, method, task, (task, other))
        for other in TASKS
        if other != task
    }
    return {**values, "all": published.score(generation, "multi", backbone, method, task)}


def spread(
    published: Published, generation: str, backbone: str, method: str, task: str
) -> tuple[float, float]:
    """(range over the task's four groupings, range that chance explains in 95 %), in points; NaN
    where one is missing.
    """
    values = list(groupings(published, generation, backbone, method, task).values())
    if any(map(math.isnan, values)):
        return math.nan, math.nan
    return max(values) - min(values), STUDENTISED_RANGE * standard_error(
        published, task, mean(values)
    )


def comparability(figure: PublishedFigure) -> str:
    """`yes`, or why a prompted model's figure cannot stand beside a fine-tuned one.

    A sample of the test set under the same metric can: its own, larger sampling error counts.
    """
    reasons = []
    if figure.metric != METRIC[figure.task]:
        reasons.append("another metric")
    if figure.split.startswith("valid"):
        reasons.append("validation examples")
    return "yes" if not reasons else "no: " + ", ".join(reasons)


def single_seconds(published: Published, generation: str, backbone: str, method: str) -> float:
    """Training seconds of the four single-task runs together, NaN where one has no log."""
    total = 0.0
    for task in TASKS:
        found = published.find_runs(generation, "single", backbone, method, "log", (task,))
        if len(found) != 1 or found[0].seconds is None:
            return math.nan
        total += found[0].seconds
    return total


def multi_run(published: Published, backbone: str, method: str) -> PublishedRun | None:
    """The four-task log of G2 under the generation's weighting, where there is exactly one."""
    found = [
        r
        for r in published.find_runs("G2", "multi", backbone, method, "log")
        if r.weighting in _RULES["G2"].weightings
    ]
    return found[0] if len(found) == 1 else None


def table_against_logs(published: Published) -> tuple[int, int]:
    """(rows of the revision's typed multi-task table that equal the log at the best validation
    epoch, all rows).
    """
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for cell in published.printed:
        if (cell.table, cell.setting) == ("revision", "multi") and cell.column in TASKS:
            rows.setdefault((cell.backbone, cell.method), {})[cell.column] = cell.printed
    agree = sum(
        all(
            abs(published.score("G2", "multi", backbone, method, task) - value) < 0.005 + 1e-9
            for task, value in printed.items()
        )
        for (backbone, method), printed in rows.items()
    )
    return agree, len(rows)

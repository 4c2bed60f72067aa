"""Published figures → contrasts: values and differences of values, each with its uncertainty.

Everything that claims, tables and the report say about published figures is in these records; they
calculate nothing themselves. All statistics are in stats/contrasts.R. Sampling errors are over test
examples alone, since what seeds contribute is known of no published run; of runs that were trained
here under several seeds the error of a value holds their spread, too (`over_seeds`).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

from mtpeft.catalog.schema import Edition, Numbers
from mtpeft.core.figures import Contrast, PublishedFigure
from mtpeft.statistics import over_seeds, r_session
from mtpeft.statistics.figures import FigureSet

NAN = math.nan
_ERROR = {
    "acc": "binomial",
    "f1": "delta method at precision = recall = F1",
    "mrr": "assumed standard deviation of a reciprocal rank over the root of the queries",
}


def _r(function: str, *vectors: Sequence[float], **scalars: float) -> float:
    if any(map(math.isnan, vectors[0])):
        return NAN
    return float(r_session.call(function, *vectors, **scalars)[0])


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean, NaN where any value is."""
    found = list(values)
    return math.fsum(found) / len(found) if found else NAN


class _Maker:
    """The contrasts of one study."""

    def __init__(self, data: FigureSet) -> None:
        self.data, self.numbers, self.tasks = data, data.numbers, data.tasks
        self.between_seeds = {
            task: over_seeds.error_of_mean(data.seeds, task) for task in self.tasks
        }
        self.empty = Contrast(
            study=data.study.id,
            edition="",
            quantity="",
            setting="",
            backbone="",
            method="",
            tasks="",
            task="",
            metric="",
            split="",
            run="",
            against="",
            value=NAN,
            error=NAN,
            n=None,
            unit="%",
            rule="",
        )

    # ------------------------------------------------------------ errors

    def error(self, task: str, percent: float) -> float:
        """One standard error of a test value of a task's metric, in points: chance among the test
        examples, and where it is known that among seeds.
        """
        sampling, between = self.sampling_error(task, percent), self.between_seeds[task]
        if math.isnan(between):
            return sampling
        return _r("error_of_difference", [sampling, between])

    def sampling_error(self, task: str, percent: float) -> float:
        """Chance among test examples alone, in points."""
        if math.isnan(percent):
            return NAN
        entry, value = self.data.sets[task, "test"], percent / 100
        metric = self.data.metric(task)
        if metric == "acc":
            return 100 * _r("error_of_accuracy", [value], n=entry.examples)
        if metric == "f1":
            positives = entry.positives or entry.examples * (entry.positive_share or 0)
            return 100 * _r("error_of_f1", [value], positives=positives)
        return 100 * _r("error_of_mean", [self.numbers.rank_deviation], n=entry.examples)

    def average_error(self, values: Iterable[tuple[str, float]]) -> float:
        """One standard error of a mean over tasks, in points: tasks are independent samples."""
        return _r("error_of_average", [self.error(task, value) for task, value in values])

    # ------------------------------------------------------------ values and differences

    def every(self) -> Iterator[Contrast]:
        """All contrasts, edition by edition."""
        yield from self.baselines()
        for edition in self.data.editions:
            for backbone, method in product(self.numbers.backbones, self.numbers.methods):
                yield from self.shared(edition, backbone, method)
                yield from self.pairs(edition, backbone, method)
                yield from self.cost(edition, backbone, method)
            yield from self.typed(edition)
            yield from self.prompted(edition)

    def shared(self, edition: Edition, backbone: str, method: str) -> Iterator[Contrast]:
        """Values with all tasks in one module and with one task each, and their differences."""
        multi, single, full = (
            {task: self.data.score(edition, setting, backbone, how, task) for task in self.tasks}
            for setting, how in (
                ("multi", method),
                ("single", method),
                ("multi", self.numbers.full),
            )
        )
        here = replace(self.empty, edition=edition.id, backbone=backbone, method=method)
        for setting, values in (("multi", multi), ("single", single)):
            for task, value in values.items():
                tasks = "+".join(self.tasks) if setting == "multi" else task
                yield self.score(replace(here, setting=setting, tasks=tasks), task, value)
            yield self.average(replace(here, setting=setting), values)
        here = replace(here, setting="multi", tasks="+".join(self.tasks))
        for against, other in (
            (f"multi {self.numbers.full}", full),
            (f"single {method}", single),
        ):
            mine = replace(here, quantity="difference", against=against, unit="points")
            for task in self.tasks:
                yield self.difference(mine, task, multi[task], other[task])
            yield replace(
                mine,
                value=mean(multi.values()) - mean(other.values())
                if other is full
                else mean(multi[task] - other[task] for task in self.tasks),
                error=_r(
                    "error_of_difference",
                    [self.average_error(values.items()) for values in (multi, other)],
                ),
                rule="difference of the means over the tasks; tasks are independent samples",
            )

    def score(self, here: Contrast, task: str, value: float) -> Contrast:
        """The value of one task with its error."""
        metric = self.data.metric(task)
        return replace(
            here,
            quantity="score",
            task=task,
            metric=metric,
            split="test",
            value=value,
            error=self.error(task, value),
            n=self.data.sets[task, "test"].examples,
            rule=_ERROR[metric],
        )

    def average(self, here: Contrast, values: dict[str, float]) -> Contrast:
        """The mean over the tasks with its error."""
        return replace(
            here,
            quantity="mean",
            tasks="+".join(self.tasks),
            split="test",
            value=mean(values.values()),
            error=self.average_error(values.items()),
            rule="mean over the tasks, which are independent samples",
        )

    def difference(self, here: Contrast, task: str, mine: float, other: float) -> Contrast:
        """Mine minus other on one task."""
        return replace(
            here,
            task=task,
            metric=self.data.metric(task),
            split="test",
            value=mine - other,
            error=_r("error_of_difference", [self.error(task, mine), self.error(task, other)]),
            n=self.data.sets[task, "test"].examples,
            rule="difference of two independent values",
        )

    # ------------------------------------------------------------ groupings of tasks

    def pairs(self, edition: Edition, backbone: str, method: str) -> Iterator[Contrast]:
        """Values with two tasks in one module, against one task and all, and their range."""
        score = self.data.score
        here = replace(self.empty, edition=edition.id, backbone=backbone, method=method)
        for pair in combinations(self.tasks, 2):
            mine = replace(here, setting="pair", tasks="+".join(pair))
            changes, errors = [], []
            for task in pair:
                value = score(edition, "pair", backbone, method, task, pair)
                alone = score(edition, "single", backbone, method, task)
                yield self.score(mine, task, value)
                for against, other in (
                    ("single", alone),
                    ("multi", score(edition, "multi", backbone, method, task)),
                ):
                    yield self.difference(
                        replace(
                            mine,
                            quantity="difference",
                            against=f"{against} {method}",
                            unit="points",
                        ),
                        task,
                        value,
                        other,
                    )
                changes.append(value - alone)
                errors += [self.error(task, value), self.error(task, alone)]
            yield replace(
                mine,
                quantity="imbalance",
                against=f"single {method}",
                unit="points",
                value=changes[0] - changes[1],
                error=_r("error_of_difference", errors),
                rule="change of the first task minus change of the second",
            )
        for task in self.tasks:
            values = [
                score(edition, "pair", backbone, method, task, (task, other))
                for other in self.tasks
                if other != task
            ]
            values.append(score(edition, "multi", backbone, method, task))
            mine = replace(here, setting="pair", task=task, metric=self.data.metric(task))
            if any(map(math.isnan, values)):
                continue
            error = self.error(task, mean(values))
            yield replace(
                mine,
                quantity="range",
                value=max(values) - min(values),
                error=error,
                unit="points",
                rule=f"largest minus smallest of {len(values)} groupings; error: of one of them",
            )
            yield replace(
                mine,
                quantity="range by chance",
                value=_r("range_by_chance", [len(values)]) * error,
                unit="points",
                rule="Tukey's studentised range, 95 %",
            )

    # ------------------------------------------------------------ baselines, prompting

    def baselines(self) -> Iterator[Contrast]:
        """What no training at all scores, and how far chance moves a typical value."""
        for task in self.numbers.tasks:
            entry = self.data.sets[task.id, "test"]
            here = replace(
                self.empty,
                quantity="baseline",
                task=task.id,
                metric=task.metric,
                split="test",
                n=entry.examples,
                error=0.0,
            )
            share = entry.positive_share or 0.0
            found: dict[str, tuple[float, str]] = {}
            if task.metric == "mrr":
                value = 100 * _r("random_reciprocal_rank", [entry.examples])
                found["random ranking"] = (value, "expected reciprocal rank, harmonic number / n")
            elif task.metric == "acc":
                found["always yes"] = (100 * share, "share of positives")
                found["always no"] = (100 * (1 - share), "share of negatives")
                found["majority"] = (100 * max(share, 1 - share), "share of the larger class")
            else:
                found["always yes"] = (100 * 2 * share / (1 + share), "2p / (1 + p)")
                found["always no"] = (0.0, "no true positive")
                found["majority"] = (0.0, "the larger class is the negative one")
            for name, (value, rule) in found.items():
                yield replace(here, method=name, value=value, rule=rule)
            if entry.positive_share is not None:
                for name, p in (("always yes", share), ("always no", 1 - share)):
                    yield replace(
                        here,
                        method=name,
                        metric="macro_f1",
                        value=100 * p / (1 + p),
                        rule="p / (1 + p): the other class scores 0",
                    )
            yield replace(
                here,
                quantity="typical error",
                value=self.error(task.id, task.typical),
                error=NAN,
                unit="points",
                rule=f"{_ERROR[task.metric]}, at a value of {task.typical:g}",
            )

    def prompted(self, edition: Edition) -> Iterator[Contrast]:
        """Values of prompted models, and tuned minus prompted where both can be compared."""
        reference = self.numbers.prompted_against
        for figure in self.data.figures:
            run = self.data.runs[figure.run]
            if figure.generation != edition.id or run.method != "none":
                continue
            value = 100 * figure.value
            comparable = self.data.comparability(figure)
            here = replace(
                self.empty,
                edition=edition.id,
                quantity="prompted",
                setting=run.setting,
                backbone=run.backbone,
                method="none",
                tasks=figure.task,
                task=figure.task,
                metric=figure.metric,
                split=figure.split,
                run=figure.run,
                value=value,
                error=self._prompted_error(figure) if comparable == "yes" else NAN,
                rule=f"comparable with fine-tuning: {comparable}",
            )
            yield here
            if reference is None or comparable != "yes":
                continue
            tuned = self.data.score(
                edition, "multi", reference.backbone, reference.method, figure.task
            )
            yield replace(
                here,
                quantity="difference",
                against=f"multi {reference.backbone} {reference.method}",
                value=tuned - value,
                error=_r("error_of_difference", [self.error(figure.task, tuned), here.error]),
                unit="points",
                rule="fine-tuned minus prompted",
            )

    def _prompted_error(self, figure: PublishedFigure) -> float:
        """Of a sample of the test set the error is that of the sample."""
        error = self.error(figure.task, 100 * figure.value)
        sample = "".join(c for c in figure.split if c.isdigit())
        examples = self.data.sets[figure.task, "test"].examples
        return error * math.sqrt(examples / int(sample)) if sample else error

    # ------------------------------------------------------------ cost

    def cost(self, edition: Edition, backbone: str, method: str) -> Iterator[Contrast]:
        """Trained parameters and hours of logged runs, and what sharing changes about them."""
        here = replace(
            self.empty,
            edition=edition.id,
            backbone=backbone,
            method=method,
            setting="multi",
            tasks="+".join(self.tasks),
        )
        counts = {
            r.trainable_params
            for r in self.data.find_runs(edition.id, "multi", backbone, method, "log")
            if r.trainable_params
        }
        if len(counts) == 1:
            yield replace(
                here,
                quantity="parameters",
                value=counts.pop() or NAN,
                unit="parameters",
                rule="trained, heads apart, as every log of the cell counts them",
            )
        yield self._ratio(edition, here)
        if edition.basis != "log":
            return
        run = self.data.shared_run(edition, backbone, method)
        hours = (run.seconds or NAN) / 3600 if run else NAN
        alone = self._hours_alone(edition, backbone, method)
        unit = replace(here, unit="hours", rule=self.numbers.time)
        if run:
            mine = replace(unit, run=run.id)
            yield replace(mine, quantity="hours", value=hours)
            if run.epochs:
                yield replace(mine, quantity="hours per epoch", value=hours / run.epochs)
            if run.trainable_params and run.total_params:
                yield replace(
                    mine,
                    quantity="share of parameters",
                    value=100 * run.trainable_params / run.total_params,
                    unit="%",
                    rule="trained parameters, heads apart, of all",
                )
        yield replace(
            unit, quantity="hours", setting="single", value=alone, rule="sum of one run a task"
        )
        for base in dict.fromkeys((method, self.numbers.full)):
            other = self._hours_alone(edition, backbone, base)
            yield replace(
                here,
                quantity="change of hours",
                against=f"single {base}",
                value=(hours / other - 1) * 100,
                rule="hours of the shared module over those of one run a task, minus one",
            )

    def _hours_alone(self, edition: Edition, backbone: str, method: str) -> float:
        total = 0.0
        for task in self.tasks:
            found = self.data.find_runs(edition.id, "single", backbone, method, "log", (task,))
            if len(found) != 1 or found[0].seconds is None:
                return NAN
            total += found[0].seconds
        return total / 3600

    def _ratio(self, edition: Edition, here: Contrast) -> Contrast:
        """Trained parameters of one module a task over those of the shared one."""
        mine = replace(here, quantity="ratio of parameters", against="single", unit="ratio")
        if edition.basis == "log":
            shared = self.data.shared_run(edition, here.backbone, here.method)
            alone = [
                r.trainable_params
                for task in self.tasks
                for r in self.data.find_runs(
                    edition.id, "single", here.backbone, here.method, "log", (task,)
                )
            ]
            known = shared and shared.trainable_params and len(alone) == len(self.tasks)
            return replace(
                mine,
                value=sum(a or 0 for a in alone) / (shared.trainable_params or NAN)
                if shared and known and all(alone)
                else NAN,
                rule="from logged counts",
            )
        typed: dict[str, float] = {}
        for c in self.data.printed:
            place = (c.table, c.column, c.backbone, c.method)
            if place == (edition.table, "trainable_percent", here.backbone, here.method):
                typed[c.setting] = c.printed
        value = (
            typed["single"] * len(self.tasks) / typed["multi"]
            if {"single", "multi"} <= typed.keys()
            else NAN
        )
        return replace(mine, value=value, rule="from typed percentages")

    # ------------------------------------------------------------ typed tables

    def typed(self, edition: Edition) -> Iterator[Contrast]:
        """How far the rows of the edition's typed table lie from its logs: the largest distance."""
        if edition.basis != "log":
            return
        rows: dict[tuple[str, str], dict[str, float]] = {}
        for cell in self.data.printed:
            if (cell.table, cell.setting) == (edition.table, "multi") and cell.column in self.tasks:
                rows.setdefault((cell.backbone, cell.method), {})[cell.column] = cell.printed
        for (backbone, method), printed in rows.items():
            distances = [
                abs(self.data.score(edition, "multi", backbone, method, task) - value)
                for task, value in printed.items()
            ]
            known = not any(map(math.isnan, distances))
            yield replace(
                self.empty,
                edition=edition.id,
                quantity="typed against logged",
                setting="multi",
                backbone=backbone,
                method=method,
                tasks="+".join(self.tasks),
                value=max(distances) if known else math.inf,
                unit="points",
                rule=f"largest distance of {len(printed)} typed values from the log at "
                f"{edition.selection}; infinite where the log has none",
            )


def of_figures(data: FigureSet) -> list[Contrast]:
    """Every contrast of these figures that has a value."""
    return [c for c in _Maker(data).every() if not math.isnan(c.value)]


class Contrasts:
    """Contrasts of one study, by what they are."""

    def __init__(self, records: Iterable[Contrast], study: str) -> None:
        self.records = [c for c in records if c.study == study]
        # One index for each set of names that is asked for: by edition, quantity and their values.
        self._indexes: dict[tuple[str, ...], dict[tuple[str, ...], list[Contrast]]] = {}

    def find(self, edition: str, quantity: str, **wanted: str) -> list[Contrast]:
        """Those whose attributes have these values, in the order of the file."""
        names = ("edition", "quantity", *wanted)
        if names not in self._indexes:
            index = self._indexes[names] = {}
            for contrast in self.records:
                index.setdefault(tuple(getattr(contrast, n) for n in names), []).append(contrast)
        return list(self._indexes[names].get((edition, quantity, *wanted.values()), []))

    def one(self, edition: str, quantity: str, **wanted: str) -> Contrast | None:
        """The one with these values, or none."""
        found = self.find(edition, quantity, **wanted)
        return found[0] if len(found) == 1 else None

    def value(self, edition: str, quantity: str, **wanted: str) -> float:
        """The value of the one with these values, NaN where there is none."""
        found = self.one(edition, quantity, **wanted)
        return found.value if found else NAN


@dataclass(frozen=True)
class StudyFigures:
    """The figures of one study, and what the statistics stage made of them."""

    figures: FigureSet
    contrasts: Contrasts

    @property
    def numbers(self) -> Numbers:
        """How the figures are read."""
        return self.figures.numbers

    @property
    def editions(self) -> list[Edition]:
        """The editions whose figures are read."""
        return self.figures.editions

    @property
    def tasks(self) -> list[str]:
        """Ids of the tasks, in the order of the tables."""
        return self.figures.tasks

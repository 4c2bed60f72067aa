"""What the tables of published figures share: titles, cells in percent, and the notes that each of
them must carry.

The tables calculate nothing: every value is a figure or a contrast of the statistics stage.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from mtpeft.catalog import Catalog
from mtpeft.catalog.schema import Edition
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.tables.model import EMPTY, Value
from mtpeft.statistics.contrasts import Contrasts, StudyFigures
from mtpeft.statistics.figures import FigureSet

METRIC_TITLES = {"f1": "F1", "acc": "accuracy", "mrr": "MRR"}


@dataclass(frozen=True)
class Published(StudyFigures):
    """The figures of one study, and what its tables say of them."""

    contrasts_path: Path

    @property
    def paths(self) -> list[Path]:
        """The files that tables are made from."""
        return [*self.figures.paths, self.contrasts_path]

    def method_title(self, method: str) -> str:
        """Title of a method, its name where the study gives none."""
        return self.numbers.methods.get(method, method)


def published(inputs: Inputs, study: str) -> Published:
    """The figures and contrasts of a study; the files count as used.

    Args:
        inputs: What the report is made from.
        study: Id of the study.
    """
    figures = FigureSet.of(inputs.known.studies[study], inputs.published)
    result = Published(figures, Contrasts(inputs.contrasts, study), inputs.contrasts_path)
    inputs.used |= set(result.paths)
    return result


def percent(value: float) -> Value:
    """A value in percent with two decimals, as the study prints."""
    return EMPTY if math.isnan(value) else Value(value, f"{value:.2f}")


def points(value: float) -> Value:
    """A difference in points, signed."""
    return EMPTY if math.isnan(value) else Value(value, f"{value:+.2f}".replace("-", "−"))


def whole(value: float | None) -> Value:
    """A count with separators."""
    return EMPTY if value is None or math.isnan(value) else Value(value, f"{value:,.0f}")


def task_title(known: Catalog, data: Published, task: str) -> str:
    """Title of a task with its metric."""
    return f"{known.get('tasks', task).title} ({METRIC_TITLES[data.figures.metric(task)]})"


def backbone_title(known: Catalog, backbone: str) -> str:
    """Title of a backbone, its id where the catalog has none (prompted models)."""
    found = known.backbones.get(backbone)
    return found.title if found else backbone


def edition_title(edition: Edition) -> str:
    """For example `G1, the paper`."""
    return f"{edition.id}, {edition.label or edition.title}"


def standing_notes(data: Published, known: Catalog) -> list[str]:
    """Which number was taken, what no training scores, and how far chance alone moves a number."""
    titles = {task: known.get("tasks", task).title for task in data.tasks}
    trivial = "; ".join(
        f"{titles[task]}: "
        + ", ".join(
            f"{c.method} {c.value:.2f}"
            for c in data.contrasts.find(
                "", "baseline", task=task, metric=data.figures.metric(task)
            )
        )
        for task in data.tasks
    )
    errors = ", ".join(
        f"{titles[task]} {data.contrasts.value('', 'typical error', task=task):.2f}"
        for task in data.tasks
    )
    chosen = ". ".join(edition.chosen for edition in data.editions)
    return [
        f"Generations are never mixed. {chosen}.",
        f"Trivial baselines on the same test sets, in percent: {trivial}.",
        f"Sampling error of one test value (one standard error, in points): {errors}. "
        + data.numbers.seeds.strip(),
    ]

"""What the tables of study B share: titles, cells in percent, and the notes that each of them must
carry.
"""

import math

from mtpeft.catalog import Catalog, places
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.marks import MISSING
from mtpeft.reporting.tables.model import EMPTY, Value
from mtpeft.statistics.published import (
    METRIC,
    TASKS,
    Published,
    rule_of,
    standard_error,
    trivial_baselines,
)

GENERATIONS = ("G1", "G2")
METHOD_TITLES = {
    "fft": "Full fine-tuning",
    "serial_adapter": "Serial adapter",
    "parallel_adapter": "Parallel adapter",
    "lora": "LoRA",
    "mlora": "MTL-LoRA",
    "prefix": "Prefix tuning",
    "none": "prompting",
}
METRIC_TITLES = {"f1": "F1", "acc": "accuracy", "mrr": "MRR"}
ONE_SEED = (
    "One seed (42) everywhere: the spread between seeds is unknown and comes on top of the sampling error, so a "
    "difference below about two standard errors says nothing."
)


def published(inputs: Inputs, study: str) -> Published:
    """The figures of a study below the inputs' published folder; the files count as used.

    Args:
        inputs: What the report is made from.
        study: Id of the study.
    """
    result = Published(places.published(inputs.known.studies[study], inputs.published))
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


def task_title(known: Catalog, task: str) -> str:
    """Title of a task with its metric."""
    return f"{known.get('tasks', task).title} ({METRIC_TITLES[METRIC[task]]})"


def backbone_title(known: Catalog, backbone: str) -> str:
    """Title of a backbone, its id where the catalog has none (prompted models)."""
    found = known.backbones.get(backbone)
    return found.title if found else backbone


def generation_title(generation: str) -> str:
    """For example `G1, the paper`."""
    return f"{generation}, {rule_of(generation).title}"


def standing_notes(
    data: Published, known: Catalog, generations: tuple[str, ...] = GENERATIONS
) -> list[str]:
    """Which number was taken, what no training scores, and how far chance alone moves a number."""
    trivial = "; ".join(
        f"{known.get('tasks', task).title}: "
        + ", ".join(f"{name} {value:.2f}" for name, value in trivial_baselines(data, task).items())
        for task in TASKS
    )
    errors = ", ".join(
        f"{known.get('tasks', task).title} {standard_error(data, task, value):.2f}"
        for task, value in zip(TASKS, (93.0, 61.0, 69.0, 32.0), strict=True)
    )
    return [
        "Generations are never mixed. " + ". ".join(rule_of(g).text for g in generations) + ".",
        f"Trivial baselines on the same test sets, in percent: {trivial}.",
        f"Sampling error of one test value (one standard error, in points): {errors}. {ONE_SEED}",
    ]


def missing_text(value: str) -> str:
    """Words, or the sign for nothing."""
    return value or MISSING

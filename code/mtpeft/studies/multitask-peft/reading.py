"""What the readers of logs share: numbered lines of an upstream file, and the values that a line
printed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.core.errors import BadInput

TASKS = {
    "vul_detection": "vulnerability-detection",
    "clone_detection": "clone-detection",
    "flakiness_detect": "flaky-detection",
    "code_search": "code-search",
}
"""Catalog id of a task by the name that the training programs print."""


@dataclass(frozen=True)
class Printed:
    """Values that one line, or a few adjacent ones, printed together.

    Attributes:
        values: The values by metric.
        line: Of the uncompressed file, from 1.
        lines: Another line, for metrics that stand elsewhere.
    """

    values: dict[str, float]
    line: int
    lines: dict[str, int] = field(default_factory=dict)

    def at(self, metric: str) -> int:
        """Line that printed a metric."""
        return self.lines.get(metric, self.line)


_NOTHING = Printed({}, 0)


@dataclass(frozen=True)
class Block:
    """One evaluation: the epoch that had ended (from 1) and what was printed for each task."""

    epoch: int
    tasks: dict[str, Printed]


def highest(path: Path, blocks: list[Block], task: str, metric: str) -> Block:
    """The first evaluation with the highest value of a task's metric; what lacks it is passed over.

    Raises:
        BadInput: No evaluation has it.
    """
    known = [b for b in blocks if metric in b.tasks.get(task, _NOTHING).values]
    if not known:
        raise BadInput(
            path,
            f"no validation of {task} by {metric}",
            "a log that reaches its first evaluation",
            "restore the upstream checkout",
        )
    return max(known, key=lambda b: b.tasks[task].values[metric])


def numbered(content: bytes) -> Iterator[tuple[int, str]]:
    """Every line with its number, from 1. Only LF ends a line; progress bars keep their CR."""
    for number, raw in enumerate(content.split(b"\n"), start=1):
        yield number, raw.decode("utf-8", errors="replace")


def number(text: str, path: Path, line: int) -> float:
    """A number as a log prints it.

    Raises:
        BadInput: The text is anything else; the error names file and line.
    """
    try:
        return float(text.replace(",", ""))
    except ValueError as error:
        raise BadInput(
            path, f"{text!r}", "a number", "restore the upstream checkout", line=line
        ) from error

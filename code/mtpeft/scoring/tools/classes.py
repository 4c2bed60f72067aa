"""Whether the class that a model gave is the right one, example by example: what McNemar's test
needs of yes/no tasks.
"""

from collections.abc import Iterator, Sequence

from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item

METRICS = ("class_correct",)


class Classes:
    """1 where the answer is the reference, 0 where it is the other class. No answer is `empty`, any
    other text `unparseable`.
    """

    tool = "classes"
    metrics = METRICS
    batch = 10_000

    def version(self) -> str:
        """As `Scorer.version`."""
        return "1"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        for item in items:
            if item.output not in ("0", "1"):
                status = "unparseable" if item.output else "empty"
                yield from unmeasured(
                    self.tool, self.version(), item, METRICS, status, f"answer {item.output[:60]!r}"
                )
            elif item.reference not in ("0", "1"):
                yield from unmeasured(
                    self.tool,
                    self.version(),
                    item,
                    METRICS,
                    "infrastructure",
                    "the right class is not known",
                )
            else:
                yield from measured(
                    self.tool,
                    self.version(),
                    item,
                    {METRICS[0]: float(item.output == item.reference)},
                )


def scorer() -> Classes:
    """The scorer of catalog/tools/classes.yaml."""
    return Classes()

"""Reciprocal rank of the right code, query by query. Its mean is the MRR."""

from collections.abc import Iterator, Sequence

from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.tasks.classification import CUT

METRICS = ("reciprocal_rank_1000",)


class Ranks:
    """1 / rank, 0 for a rank beyond 1,000, as the study counts, and for rank 0: not among the
    candidates that were ranked.

    An answer that is no rank is `empty` or `unparseable`.
    """

    tool = "ranks"
    metrics = METRICS
    batch = 10_000
    uses_references = False

    def version(self) -> str:
        """As `Scorer.version`."""
        return "1"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        for item in items:
            if not item.output.isdecimal():
                status = "unparseable" if item.output else "empty"
                yield from unmeasured(
                    self.tool, self.version(), item, METRICS, status, f"answer {item.output[:60]!r}"
                )
            else:
                rank = int(item.output)
                yield from measured(
                    self.tool,
                    self.version(),
                    item,
                    {METRICS[0]: 1 / rank if 1 <= rank <= CUT else 0.0},
                )


def scorer() -> Ranks:
    """The scorer of catalog/tools/ranks.yaml."""
    return Ranks()

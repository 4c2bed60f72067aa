"""How many comments, annotations and pragmas of an output tell an analyser to look away."""

from collections.abc import Iterator, Sequence

from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.switches import count

VERSION = "2"
"""Of what counts as a switch."""


class Switches:
    """The number of switches as a `Scorer`."""

    tool = "switches"
    metrics = ("analyser_switches",)
    batch = 1000
    uses_references = False

    def version(self) -> str:
        """As `Scorer.version`."""
        return VERSION

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        for item in items:
            number = count(item.output, item.language)
            yield from measured(self.tool, VERSION, item, {self.metrics[0]: number})


def scorer() -> Switches:
    """The scorer of catalog/tools/switches.yaml."""
    return Switches()

"""Loudness: capitals per letter of the word that was asked, and the number of exclamation marks."""

from collections.abc import Iterator, Sequence

from mtpeft.catalog import Evaluation
from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item


class Loudness:
    """An output without letters is no answer and has no loudness."""

    tool = "loudness"
    metrics = ("loudness_capitals", "loudness_marks")
    batch = 4
    workers = 2

    def version(self) -> str:
        return "1"

    def accepts(self, evaluation: Evaluation) -> bool:
        return evaluation.language == "english"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        for item in items:
            if not any(c.isalpha() for c in item.output):
                status = "unparseable" if item.output.strip() else "empty"
                yield from unmeasured(
                    self.tool, self.version(), item, self.metrics, status, "no letter"
                )
                continue
            yield from measured(
                self.tool,
                self.version(),
                item,
                {
                    "loudness_capitals": sum(c.isupper() for c in item.output)
                    / len(item.instance_id),
                    "loudness_marks": item.output.count("!"),
                },
            )


def scorer() -> Loudness:
    """What the engine asks for."""
    return Loudness()

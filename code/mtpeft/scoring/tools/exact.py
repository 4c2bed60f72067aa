"""Whether an output is the reference, white space aside."""

import re
from collections.abc import Iterator, Sequence

from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item

_TOKEN = re.compile(r"\w+|[^\w\s]")


class ExactMatch:
    """1 where output and reference are equal, else 0, as a `Scorer`."""

    tool = "exact-match"
    metrics = ("exact_match",)
    batch = 1000
    measures_blank = True

    def version(self) -> str:
        """As `Scorer.version`."""
        return "1"

    def fails_unreadable(self, item: Item) -> bool:
        """As `Scorer`: what is no text is not the reference."""
        return bool(item.reference)

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        for item in items:
            if not item.reference:
                yield from unmeasured(
                    self.tool, "1", item, self.metrics, "cannot run here", "no reference is known"
                )
                continue
            same = spelled(item.output, item.language) == spelled(item.reference, item.language)
            yield from measured(self.tool, "1", item, {self.metrics[0]: float(same)})


def spelled(text: str, language: str) -> list[str]:
    """The words and signs of a text; in Python the ends and the indentation of its lines, too."""
    if language != "python":
        return _TOKEN.findall(text)
    lines = [line for line in text.split("\n") if line.strip()]
    return [part for line in lines for part in ("\n", _indentation(line), *_TOKEN.findall(line))]


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def scorer() -> ExactMatch:
    """The scorer of the tool's entry in the catalog."""
    return ExactMatch()

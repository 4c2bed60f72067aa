"""SonarCloud's lines of code, cyclomatic and cognitive complexity without the service.

SonarCloud's issue counts (reliability, maintainability, security hotspots) need its rules and are
not computed here.
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

from mtpeft.core.records import Score
from mtpeft.scoring.emit import measured, unmeasured
from mtpeft.scoring.interface import Item
from mtpeft.scoring.sonar import java, python
from mtpeft.scoring.trees import Unreadable
from mtpeft.scoring.wrapping import wrap

METRICS = ("sonar_loc", "sonar_cyclomatic", "sonar_cognitive")
_READERS = {"java": java.measure, "python": python.measure}
_PARSERS = ("tree-sitter", "tree-sitter-java", "tree-sitter-python")


class SonarMetricsScorer:
    """Sonar-compatible size and complexity as a `Scorer`."""

    tool = "sonar-metrics"
    metrics = METRICS
    workers = 64
    uses_references = False
    finds_faults = True

    def version(self) -> str:
        """The version of the rules, and the parsers."""
        return f"9 ({', '.join(f'{name} {version(name)}' for name in _PARSERS)})"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """As `Scorer.score`."""
        told = self.version()
        for item in items:
            text = wrap(item)
            # An archived blank stands in a class of its study's, which has lines.
            if not (text if item.archived else item.output).strip():
                yield from unmeasured(self.tool, told, item, METRICS, "empty", "an empty output")
                continue
            try:
                found = _READERS[item.language](text)
            except Unreadable as error:
                yield from unmeasured(self.tool, told, item, METRICS, "unparseable", error.found)
            else:
                yield from measured(self.tool, told, item, dict(zip(METRICS, found, strict=True)))


def scorer() -> SonarMetricsScorer:
    """Sonar-compatible metrics."""
    return SonarMetricsScorer()

"""The judge as a scorer: content adequacy, conciseness and fluency of a summary, as the mean or the
mode of the runs.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Score
from mtpeft.scoring.emit import record
from mtpeft.scoring.interface import Item
from mtpeft.scoring.judge.criteria import CRITERIA, mean, mode
from mtpeft.scoring.judge.ledger import Ledger
from mtpeft.scoring.judge.panel import judge
from mtpeft.scoring.judge.settings import Settings, from_environment

RUNS = 5


def ledger_path(settings: Settings) -> Path:
    """Where the answers of one judge are kept."""
    name = hashlib.sha256(settings.identity.encode()).hexdigest()[:16]
    return paths.CACHE / "judge" / f"{name}.jsonl"


class Judge:
    """An LLM judge asked five times per summary.

    Args:
        tool: The catalog's name for it.
        suffix: What the metrics' names end with, before the number of runs.
        aggregate: One value of the ratings.
        settings: The judge; default: what the environment names, read when first needed.
        failures: Questions that another reader of the same answers has asked in vain, and where
            this one notes its own.
    """

    # All items at once: the judge spreads its requests itself, and waits as long as the server asks
    # it to.
    batch = 100_000
    seconds = 7 * 86_400
    service = True

    def __init__(
        self,
        tool: str,
        suffix: str,
        aggregate: Callable[[Sequence[int]], float],
        settings: Settings | None = None,
        failures: dict[str, str] | None = None,
    ) -> None:
        self.tool, self._aggregate, self._given = tool, aggregate, settings
        self._failures = failures
        self._metric = {criterion: f"judge_{criterion}_{suffix}{RUNS}" for criterion in CRITERIA}
        self.metrics = tuple(self._metric.values())

    def _settings(self) -> Settings:
        settings = self._given or from_environment()
        if settings.runs != RUNS:
            raise MtpeftError(
                f"a judge of {settings.runs} runs", f"{RUNS}, as the metrics' names say"
            )
        return settings

    def version(self) -> str:
        """The judge, its parameters and its prompt.

        Raises:
            Unavailable: The environment names none.
        """
        settings = self._settings()
        return f"{settings.identity}, {settings.prompt.origin} prompt {settings.prompt.sha256[:12]}"

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Three records per item; item.source is the summarized code."""
        settings, version = self._settings(), self.version()
        with Ledger(ledger_path(settings), settings.budget) as ledger:
            judged = judge(items, settings, ledger, failures=self._failures)
        for item, result in zip(items, judged, strict=True):
            for criterion, metric in self._metric.items():
                value = (
                    self._aggregate([r[criterion] for r in result.ratings])
                    if result.status == "ok"
                    else None
                )
                said = value, result.status, result.detail
                yield record(self.tool, version, item, metric, *said)


AGGREGATES: dict[str, Callable[[Sequence[int]], float]] = {"mean": mean, "mode": mode}


def scorer(
    tool: str = "llm-judge", aggregate: str = "mean", failures: dict[str, str] | None = None
) -> Judge:
    """The judge under one aggregation; the same answers serve all, none is asked for twice.

    Args:
        tool: The catalog's name for it.
        aggregate: `mean` of five ratings, as published, or their `mode`, the study's first choice.
        failures: As in `Judge`.
    """
    return Judge(tool, aggregate, AGGREGATES[aggregate], failures=failures)

"""What every metric and analyser looks like from outside: items in, score records out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtpeft.catalog import Evaluation
from mtpeft.core.records import Score


@dataclass(frozen=True)
class Item:
    """One output to be scored. `output` is the cleaned answer; reference and source are empty where
    unknown.
    """

    run: str
    task: str
    instance_id: str
    language: str
    output: str
    reference: str = ""
    source: str = ""


class Scorer(Protocol):
    """A metric or analyser. A module named in catalog/tools/*.yaml offers one through `scorer()`.

    `score` yields one record per item and metric, in any order. An output that the tool cannot read
    is a status (`unparseable`, `empty`), never a zero and never an exception; `infrastructure` is
    the tool's own failure.
    """

    tool: str
    metrics: tuple[str, ...]

    def version(self) -> str:
        """The tool's version. Raises `Unavailable` where the tool or its weights are not on this
        machine.
        """
        ...

    def accepts(self, evaluation: Evaluation) -> bool:
        """Whether the tool applies to this evaluation set."""
        ...

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Score a batch."""
        ...

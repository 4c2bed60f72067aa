"""What every metric and analyser looks like from outside: items in, score records out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtpeft.core.records import Score


@dataclass(frozen=True)
class Item:
    """One output to be scored.

    Attributes:
        run: That wrote it.
        task: The evaluation set.
        instance_id: The instance.
        language: Of the output.
        output: The cleaned answer.
        reference: The right answer; empty where unknown.
        source: The code that was shown; empty where unknown.
        unit: What the class or module is called in the file that analysers read, where that is not
            the house's own name; chosen by the program, never a field of a record.
        frame: Only for an output of a study's own archive, which tools are shown exactly as the
            study showed it to them: the text before and after it in the study's file, `{unit}`
            standing for the unit.
        tests: What is true of a right answer; empty where the corpus does not say.
        prompt: What an output with tests continues, where it is code.
        asked: The function that the tests call.
    """

    run: str
    task: str
    instance_id: str
    language: str
    output: str
    reference: str = ""
    source: str = ""
    unit: str = ""
    frame: tuple[str, str] | None = None
    tests: tuple[str, ...] = ()
    prompt: str = ""
    asked: str = ""

    @property
    def archived(self) -> bool:
        """Whether this is an output of a study's own archive."""
        return self.frame is not None


class Scorer(Protocol):
    """A metric or analyser. A module named in catalog/tools/*.yaml offers one through
    `scorer(**options)`; the options are those of the tool's entry there.

    `score` yields one record per item and metric, in any order. An output that the tool cannot read
    is a status (`unparseable`, `empty`), never a zero and never an exception; `infrastructure` is
    the tool's own failure.

    What a tool reads (`reads`, `languages`) stands in its entry in the catalog. A scorer may narrow
    it by a method `accepts(evaluation) -> bool`. Blank outputs never reach a scorer, they are
    `empty`; one for which a blank output has a value says so by `measures_blank = True`. To one with
    `finds_faults = True` an output of comments alone is `empty` as well.
    An output that is no text (a NUL byte, lone surrogates, megabytes) is `unparseable` for every
    tool; one for which it is simply wrong has `fails_unreadable(item)`: true where the value is 0.
    """

    tool: str
    metrics: tuple[str, ...]

    def version(self) -> str:
        """The tool's version.

        Raises:
            Unavailable: The tool or its weights are not on this machine.
        """
        ...

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Score a batch."""
        ...

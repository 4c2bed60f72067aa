"""The two variants of CodeBLEU as scorers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtpeft.catalog import Evaluation
from mtpeft.core.errors import Unavailable
from mtpeft.core.hashing import seed
from mtpeft.core.records import Score
from mtpeft.scoring.codebleu.analysis import LIBRARY_LANGUAGE, library_version
from mtpeft.scoring.codebleu.batch import DEADLINE_SECONDS, Outcome, score_here
from mtpeft.scoring.emit import record
from mtpeft.scoring.interface import Item


@dataclass(frozen=True)
class CodeBleu:
    """CodeBLEU per instance with the library's defaults.

    An empty output has a value, as the formula gives one: 0.25 as released, 0 as corrected.

    Attributes:
        tool: The catalog's name for it.
        metrics: Name of the score.
        corrected: Which variant.
        workers: For the engine.
        batch: For the engine; a batch is spread over processes.
        seconds: For the engine; each item has its own deadline.
        measures_blank: For the engine.
    """

    tool: str
    metrics: tuple[str, ...]
    corrected: bool
    workers: int = 64
    batch: int = 128
    seconds: float = 128 * DEADLINE_SECONDS
    measures_blank: bool = True

    def version(self) -> str:
        """The library's version and, for the released variant, the hash seed that its data flow
        depends on.

        Raises:
            Unavailable: The library is not installed.
        """
        if self.corrected:
            return library_version()
        if not seed():
            raise Unavailable(
                "Python's hash seed is random, and CodeBLEU as released depends on it",
                "a fixed seed",
                "set PYTHONHASHSEED=0 before Python starts (the command and make do it)",
            )
        return f"{library_version()}, hash seed {seed()}"

    def accepts(self, evaluation: Evaluation) -> bool:
        """Translation into a language whose data flow the library extracts."""
        return bool(evaluation.source_language) and evaluation.language in LIBRARY_LANGUAGE

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """One record per item; an item without reference cannot be scored."""
        version = self.version()
        for item in items:
            if item.reference.strip():
                [found] = score_here([(item.reference, item.output)], item.language, self.corrected)
            else:
                found = Outcome(None, "infrastructure", "no reference")
            said = found.value, found.status, found.detail
            yield record(self.tool, version, item, self.metrics[0], *said)


def scorer(
    tool: str = "codebleu", metric: str = "codebleu_0.7.0", corrected: bool = False
) -> CodeBleu:
    """CodeBLEU in one variant; default: exactly as released.

    Args:
        tool: The catalog's name for it.
        metric: Name of the score.
        corrected: With source-ordered data flow, a zero that stays zero and a working brevity
            penalty (see `components`).
    """
    return CodeBleu(tool, (metric,), corrected)

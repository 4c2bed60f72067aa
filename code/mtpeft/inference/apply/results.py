"""What is asked of which runs, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.catalog import Task
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.functions import Function
from mtpeft.inference.apply.pieces import Asked
from mtpeft.inference.calibration import Calibration

Work = list[tuple[Task, list[Asked]]]
"""The tasks of a run, each with its questions."""


@dataclass(frozen=True)
class Options:
    """What is asked of which runs.

    Attributes:
        runs: As `trained` takes them.
        files: Source files.
        names: Functions that are picked from them.
        every: Whether every function is.
        tasks: Which (none: all of the runs that fit).
        queries: Of a code search.
        top: Functions that are listed for a query (0: all).
        language: Of all files (empty: by their suffixes).
        training: Profile of the training, of runs named by an id.
        seed: Of the training, of runs named by an id.
        backbone: Folder in place of the base model.
        dtype: Torch's name of the type of a language model's weights (empty: `swift_dtype`).
        new_tokens: The most tokens of an answer (0: the task's own limit).
    """

    runs: Sequence[str]
    files: Sequence[Path]
    names: Sequence[str] = ()
    every: bool = False
    tasks: Sequence[str] = ()
    queries: Sequence[str] = ()
    top: int = 10
    language: str = ""
    training: str = "fast"
    seed: int = 42
    backbone: str = ""
    dtype: str = ""
    new_tokens: int = 0


@dataclass(frozen=True)
class Result:
    """What a run says about one piece of code, or about a pair.

    Attributes:
        run: The run.
        task: The task.
        output: `label`, `ranking`, `text` or `code`.
        function: The piece of code.
        other: The second one of a pair.
        probability: Of a label: that the answer is yes.
        verdict: Of a label: whether the probability reaches the threshold.
        threshold: Of a label.
        calibrated: Of a label: whether probability and threshold come from validation data.
        query: Of a ranking.
        rank: Of a ranking: from 1.
        similarity: Of a ranking: cosine of query and function.
        answer: Of a text or code.
        language: Of code that was written.
        mean_log_probability: Of a text or code: natural logarithm, mean over the answer's tokens.
        finish_reason: Of a text or code: `stop`, or `length` where the limit of tokens came first.
        cut: How much of the code the model read, the rest cut off at its end; empty where all.
    """

    run: str
    task: str
    output: str
    function: Function
    other: Function | None = None
    probability: float | None = None
    verdict: bool | None = None
    threshold: float | None = None
    calibrated: bool | None = None
    query: str | None = None
    rank: int | None = None
    similarity: float | None = None
    answer: str | None = None
    language: str | None = None
    mean_log_probability: float | None = None
    finish_reason: str | None = None
    cut: str = ""


@dataclass
class Report:
    """Everything that came of a call.

    Attributes:
        results: In the order of runs, tasks and files.
        calibrations: By run and label task: the calibration, or why there is none.
        skipped: Tasks that were asked nothing, and why: run, task, reason.
        errors: What could not be read or answered.
        notes: What else is worth a word.
    """

    results: list[Result] = field(default_factory=list)
    calibrations: dict[tuple[str, str], Calibration | str] = field(default_factory=dict)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    errors: list[MtpeftError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0: all done; 1: done, some could not be; 2: nothing came of it."""
        return 2 if not self.results else 1 if self.errors else 0

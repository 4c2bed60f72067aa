"""Trainable and all parameters of a logged run: as its log prints them, or by rule from others.

Three kinds of log do not print the count of their own run: full fine-tuning prints none; a delta
that is created only in the first forward pass prints 0; multi-task LoRA on an encoder-decoder
counts the decoder, which is neither used nor frozen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput


@dataclass(frozen=True)
class Count:
    """Trainable and all parameters of a run.

    Attributes:
        trainable: How many are trained.
        total: How many there are.
        basis: In words, where the counts come from.
        file: The log that prints the trainable ones.
        line: Its line.
    """

    trainable: float | None
    total: float | None
    basis: str
    file: str = ""
    line: int | None = None


NONE = Count(None, None, "")


@dataclass(frozen=True)
class Logged:
    """What one log prints of its parameters.

    Attributes:
        path: Where the log lies.
        file: Its name as upstream has it.
        early: Early logs count the whole model, those of the revision the encoder.
        backbone: The run's backbone.
        method: The run's method.
        printed: (trainable, all, line).
    """

    path: Path
    file: str
    early: bool
    backbone: str
    method: str
    printed: tuple[float, float, int] | None


class Counts:
    """Counts of all logs of one repository, each available to the rules for the others."""

    def __init__(self, logs: Iterable[Logged]) -> None:
        self._logs = list(logs)

    def _others(self, of: Logged, early: bool) -> list[tuple[Logged, tuple[float, float, int]]]:
        return [
            (log, log.printed)
            for log in self._logs
            if log.printed and log.printed[0] and (log.backbone, log.early) == (of.backbone, early)
        ]

    def _frozen(self, of: Logged, early: bool) -> float:
        """Parameters of the backbone itself: what other logs count, less what they train."""
        found = {p[1] - p[0] for log, p in self._others(of, early) if log.method != "mlora"}
        if len(found) != 1:
            raise BadInput(
                of.path,
                f"{len(found)} sizes of {of.backbone} follow from the logs",
                "one, as total less trainable parameters",
                "restore the upstream checkout",
            )
        return found.pop()

    def of(self, log: Logged) -> Count:
        """The count of one log's run; `basis` says in words where it comes from.

        Raises:
            BadInput: Neither the log nor a rule gives it.
        """
        if log.method == "fft":
            size = self._frozen(log, log.early)
            words = "full fine-tuning" if log.early else "computed from other logs of the backbone"
            return Count(size, size, words)
        if log.printed is None:
            raise BadInput(
                log.path,
                "no count of trainable parameters",
                "one, where an adapter is trained",
                "restore the upstream checkout",
            )
        trainable, total, line = log.printed
        if not trainable:
            return self._created_late(log)
        if log.method == "mlora" and (added := self._beyond_whole_model(log, total)):
            return Count(
                added,
                self._frozen(log, log.early) + added,
                f"computed, encoder only (own log prints {trainable:.0f}/{total:.0f} which counts "
                "the unused, unfrozen decoder)",
                log.file,
                line,
            )
        return Count(trainable, total, "log", log.file, line)

    def _beyond_whole_model(self, log: Logged, total: float) -> float:
        """Parameters that a log of the revision counts beyond encoder and decoder together.

        0 where it counts the encoder only, or where no early log tells the size of both.
        """
        whole = self._frozen(log, early=True) if self._others(log, early=True) else total
        return max(0.0, total - whole) if whole > self._frozen(log, early=False) else 0.0

    def _created_late(self, log: Logged) -> Count:
        size = self._frozen(log, log.early)
        for early, words in (
            (
                False,
                "log of pairwise runs (own log prints 0: adapters created after the count)",
            ),
            (True, "computed (own log prints 0)"),
        ):
            same = [(o, p) for o, p in self._others(log, early) if o.method == log.method]
            if same and len({p[0] for _, p in same}) == 1:
                other, printed = same[0]
                return Count(printed[0], size + printed[0], words, other.file, printed[2])
        raise BadInput(
            log.path,
            "its log prints 0 trainable parameters and no other log tells them",
            "a log of the same backbone and method",
            "restore the upstream checkout",
        )

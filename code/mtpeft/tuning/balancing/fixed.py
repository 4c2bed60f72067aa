"""The rules that adapt to nothing."""

import numpy as np

from mtpeft.tuning.balancing.rule import Rule


class TaskEqual(Rule):
    """Every task present in the step counts the same, whatever its number of tokens."""

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """1 / tasks present."""
        present = counts > 0
        result: np.ndarray = np.where(present, 1.0 / max(int(present.sum()), 1), 0.0)
        return result


class TokenEqual(Rule):
    """Every supervised token of the whole step counts the same: tasks with long targets weigh more.

    The loss does not depend on how the step is cut into micro-batches or processes.
    """

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """A task's share of the tokens."""
        result: np.ndarray = np.asarray(counts / max(counts.sum(), 1))
        return result

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """1 / number of supervised tokens in the whole step."""
        return np.full(self.tasks, 1.0 / max(counts.sum(), 1))

    def weights(self) -> np.ndarray:
        """None: the data decide."""
        return np.full(self.tasks, np.nan)


class MicroBatchMean(TokenEqual):
    """No balancing, as in the study's library: the mean over micro-batches of each one's mean over
    its tokens.

    With blocks of equal length and loss on every token this is `TokenEqual`; otherwise it depends
    on the micro-batch.
    """

    def factors(self, counts: np.ndarray, micro_count: int, micro_batches: int) -> np.ndarray:
        """1 / (tokens of the micro-batch × micro-batches)."""
        return np.full(self.tasks, 1.0 / (max(micro_count, 1) * micro_batches))

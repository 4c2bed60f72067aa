"""Rules that combine the gradients of the tasks, not their losses, through TorchJD (Quinton and Rey
2024, arXiv:2406.16232).

`pcgrad` (Yu et al. 2020, arXiv:2001.06782), `cagrad` (Liu et al. 2021, arXiv:2110.14048), `mgda`
(Désidéri 2012; Sener and Koltun 2018, arXiv:1810.04650) and `upgrad` (TorchJD's own). Each step takes
one backward pass a task and keeps one gradient a task.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np

from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.tuning.balancing.rule import Rule

CLASSES = {"pcgrad": "PCGrad", "cagrad": "CAGrad", "mgda": "MGDA", "upgrad": "UPGrad"}
GIVEN: dict[str, dict[str, Any]] = {"cagrad": {"c": 0.5}}
"""What a class must be told; 0.5 is the value of the paper's experiments."""


class Aggregated(Rule):
    """Gradients of the tasks' mean losses, combined by an aggregator of TorchJD.

    Args:
        tasks: K.
        kind: Name of the rule.
        options: What the aggregator's class takes.

    Raises:
        Unavailable: TorchJD is not installed, or a solver that the aggregator needs.
        MtpeftError: An option is none of the aggregator's.
    """

    def __init__(self, tasks: int, kind: str, **options: Any) -> None:
        super().__init__(tasks)
        way_out = "make .venv/.gradients, or --set balancing=task-equal"
        if find_spec("torchjd") is None:
            raise Unavailable(f"balancing {kind} needs TorchJD", "the group `gradients`", way_out)
        from torchjd import aggregation

        try:
            self._aggregator = getattr(aggregation, CLASSES[kind])(
                **{**GIVEN.get(kind, {}), **options}
            )
        except ImportError as error:
            raise Unavailable(
                f"balancing {kind} lacks its solver: {error}", "the group `gradients`", way_out
            ) from error
        except (TypeError, ValueError) as error:
            raise MtpeftError(
                f"balancing_options of {kind}: {error}",
                f"what {CLASSES[kind]} of TorchJD takes",
                "--set balancing_options={}",
            ) from error

    def shares(self, counts: np.ndarray) -> np.ndarray:
        """1 for every task present: rows are the gradients of mean losses."""
        result: np.ndarray = np.where(counts > 0, 1.0, 0.0)
        return result

    def weights(self) -> np.ndarray:
        """None: the gradients decide."""
        return np.full(self.tasks, np.nan)

    def combined(self, gradients: Any) -> Any:
        """One gradient of several.

        Args:
            gradients: Float32, one row a task present, shape [K', P].

        Returns:
            Shape [P].
        """
        return gradients[0] if len(gradients) == 1 else self._aggregator(gradients)

"""Passes of repeated answers: were failures carried forward to later repetitions?

A table may hold, in place of each repetition's own result, whether *all* repetitions up to it
passed. Such a column never rises within a problem, and the results that it was made from can be
bounded: a pass in the table was a pass, the first failure was a failure, what follows is open.
"""

from dataclasses import dataclass

import numpy as np

from mtpeft.audit.readings import repetitions
from mtpeft.core.records import Column


@dataclass(frozen=True)
class Carried:
    """What a column of passes says of the results behind it.

    Attributes:
        rises: Steps from one repetition to the next in which a problem passes again.
        falls: Steps in which it fails for the first time since a pass.
        low: The least number of passes behind the column, if failures were carried forward.
        high: The greatest.
    """

    rises: int
    falls: int
    low: int
    high: int


def carried(column: Column) -> Carried | None:
    """Look at the order of passes within each problem; None where values are other than 0 and 1."""
    if not np.isin(column.value, (0, 1)).all():
        return None
    order = repetitions(column)
    problems: dict[str, list[tuple[int, int]]] = {}
    for name, number, value in zip(column.ids, order, column.value, strict=True):
        problems.setdefault(name.rpartition("#")[0], []).append((int(number), int(value)))
    rises = falls = passes = still_open = 0
    for results in problems.values():
        values = [value for _, value in sorted(results)]
        steps: np.ndarray = np.diff(np.array(values))
        rises, falls = rises + int((steps > 0).sum()), falls + int((steps < 0).sum())
        passes += sum(values)
        still_open += len(values) - 1 - values.index(0) if 0 in values else 0
    return Carried(rises, falls, passes, passes + still_open)

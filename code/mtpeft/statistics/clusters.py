"""Which instances belong together: the project or the file that they were taken from.

Instances of one project resemble each other, so that a test which takes each for a draw of its own
rejects too often and its intervals are too narrow. A table of clusters tells them apart.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.statistics.spreadsheets import read_spreadsheet


@lru_cache(maxsize=8)
def read_clusters(path: Path, id_column: str = "") -> Mapping[str, str]:
    """Instance id → name of its cluster, from a CSV with a column of ids and a column `cluster`
    (or only one further column).

    Raises:
        BadInput: No such table, no column of clusters, an id twice, an instance without a cluster.
    """
    frame, ids = read_spreadsheet(path, "a column of ids and one called cluster", id_column)
    others = [c for c in frame.columns if c != ids]
    name = "cluster" if "cluster" in others else others[0] if len(others) == 1 else ""
    if not name:
        raise BadInput(
            path,
            f"columns {', '.join(frame.columns[:8])}",
            "a column called cluster beside the ids",
            line=1,
        )
    return clusters_of(path, frame[ids], frame[name])


def clusters_of(path: Path, ids: "pd.Series[str]", names: "pd.Series[str]") -> dict[str, str]:
    """The cluster of each instance, from two columns of a table that was read as text.

    Args:
        path: The table, for messages.
        ids: The instances, indexed by their line.
        names: Their clusters.

    Raises:
        BadInput: An id comes twice, or has no cluster.
    """
    names = names.str.strip()
    for problem, found in (
        (ids.duplicated(), "an id that was there before"),
        (names == "", "an instance without a cluster"),
    ):
        if problem.any():
            row = int(problem.to_numpy().argmax())
            raise BadInput(
                path, f"{found}: {ids.iloc[row]!r}", "one cluster an id", line=int(ids.index[row])
            )
    return dict(zip(ids, names, strict=True))


def numbered(clusters: Mapping[str, str], ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """The clusters of instances as numbers from 1, in order of appearance.

    Raises:
        MtpeftError: An instance has no cluster.
    """
    without = [name for name in ids if name not in clusters]
    if without:
        raise MtpeftError(
            f"{len(without)} of {len(ids)} pairs without a cluster: {', '.join(without[:5])}",
            "a cluster for each instance that is in a pair",
            "mtpeft compare A.csv B.csv --cluster FILE, with a row for each of them",
        )
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(clusters[i], len(numbers) + 1) for i in ids]
    result: np.ndarray = np.array(found, dtype="float64")
    return result

"""What a matrix gave: a table of its stages, and the verdicts (T4)."""

import sys
from collections.abc import Mapping
from pathlib import Path

from mtpeft.core import processes
from mtpeft.core.files import write_atomic
from mtpeft.core.records import csv_text
from mtpeft.matrix import jobs
from mtpeft.matrix.plan import STAGES, Cell, Stage, State, cells, home, marked, read, state, verdict

_SECONDS = 24 * 3600
_MARKED = ("code", "seconds", "device", "job", "restarts")


def standing(name: str) -> dict[tuple[Cell, Stage], State]:
    """Where each stage of each cell stands, by its mark and by the cluster's queue."""
    matrix, queued = home(name), jobs.states(name)
    found = {(cell, s): state(matrix, cell, s) for cell in cells(read(name)) for s in STAGES}
    return {
        key: there if there == "finished" else queued.get(key, there)
        for key, there in found.items()
    }


def table(name: str) -> Path:
    """Write `stages.csv`: state, exit code, seconds, device and job of each stage of each cell."""
    matrix, rows = home(name), []
    for (cell, stage), there in standing(name).items():
        said: Mapping[str, object] = marked(matrix, cell, stage)
        rows.append([cell.run, cell.seed, stage, there, *(said.get(key, "") for key in _MARKED)])
    path = matrix / "stages.csv"
    write_atomic(path, csv_text(["run", "seed", "stage", "state", *_MARKED], rows))
    return path


def verdicts(name: str) -> int:
    """Compare what was trained with archive and claims.

    Returns:
        The exit code of `mtpeft verify seeds`: 1 where something differs, 2 where something could
        not be judged.
    """
    command = [sys.executable, "-m", "mtpeft", *verdict(read(name))]
    return processes.run(command, seconds=_SECONDS, to_terminal=True).code

"""What a matrix gave: a table of its stages, and the verdicts (T4)."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mtpeft.core import paths, processes
from mtpeft.core.errors import BadInput
from mtpeft.core.files import write_atomic
from mtpeft.core.objects import read_object, typed
from mtpeft.core.records import csv_text
from mtpeft.matrix import jobs
from mtpeft.matrix.plan import STAGES, Cell, Stage, State, cells, home, marked, read, state, verdict
from mtpeft.matrix.step import last_words

_SECONDS = 24 * 3600
_JUDGED = "verify.json"
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


@dataclass(frozen=True)
class Judged:
    """How `mtpeft verify seeds` ended for a matrix.

    Attributes:
        code: its exit code.
        said: its last line.
        whole: whether it came to its end and wrote verdicts.
    """

    code: int
    said: str
    whole: bool

    def __str__(self) -> str:
        """What the exit code means, for people."""
        if not self.whole:
            return f"failed: {self.said}"
        meaning = {0: "", 1: " (something differs)", 2: " (some could not be judged)"}
        return f"finished{meaning.get(self.code, '')}: {self.said}"


def verdicts(name: str) -> Judged:
    """Compare what was trained with archive and claims, say what came out, and keep it for `judged`.

    Exit code 1 of `mtpeft verify seeds` says that something differs, 2 that something could not be
    judged; both are answers. It has failed where it wrote no verdicts.
    """
    written = paths.REGENERATED / "verification" / "seeds.csv"
    before = _stamp(written)
    command = [sys.executable, "-m", "mtpeft", *verdict(read(name))]
    done = processes.run(command, seconds=_SECONDS)
    for stream, text in ((sys.stdout, done.out), (sys.stderr, done.err)):
        stream.write(text.decode("utf-8", "replace"))
    whole = _stamp(written) != before
    found = Judged(done.code, last_words(done.out if whole else done.out + done.err), whole)
    write_atomic(home(name) / _JUDGED, json.dumps(asdict(found)) + "\n")
    return found


def judged(name: str) -> Judged | None:
    """What `verdicts` kept last; None where nothing was judged since the last submission, or what
    was kept is damaged.
    """
    path = home(name) / _JUDGED
    try:
        return typed(Judged, read_object(path, "", "")) if path.is_file() else None
    except (BadInput, ValueError):
        return None


def forget(name: str) -> None:
    """Forget the verdicts: more is about to be trained."""
    (home(name) / _JUDGED).unlink(missing_ok=True)


def _stamp(path: Path) -> tuple[int, int] | None:
    if not path.is_file():
        return None
    there = path.stat()
    return there.st_ino, there.st_mtime_ns

"""What a matrix holds, and where each of its cells stands.

A matrix is a folder below `results/regenerated/matrix`: `plan.json` says which runs, seeds and
profiles; `RUN/seed-N/STAGE.json` says how a stage's command ended, and `STAGE.log` what it printed.
The stages' own commands resume and take finished results up, so that a cell that is run again loses
nothing.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mtpeft.catalog import Catalog
from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import read_text, write_atomic
from mtpeft.core.names import safe_name
from mtpeft.core.objects import read_object, typed
from mtpeft.core.paths import shown

Stage = Literal["train", "infer", "score"]
STAGES: tuple[Stage, ...] = get_args(Stage)
State = Literal["finished", "running", "queued", "failed", "interrupted", "waiting"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Plan:
    """A matrix.

    Attributes:
        runs: Ids of runs, in catalog order.
        seeds: Every run is trained once with each.
        profile: Of training.
        inference: Profile of inference.
        corpus: As in `mtpeft train`; empty: each run's own study.
        backbone: Folder with a base model in place of the runs' own; empty: their own.
        settings: Changes of settings, `key=value`.
    """

    runs: list[str]
    seeds: list[int]
    profile: str
    inference: str
    corpus: str = ""
    backbone: str = ""
    settings: list[str] | None = None


@dataclass(frozen=True)
class Cell:
    """One run under one seed."""

    run: str
    seed: int

    def folder(self, matrix: Path) -> Path:
        """Where the marks and logs of its stages lie."""
        return matrix / self.run / f"seed-{self.seed}"


def home(name: str) -> Path:
    """The folder of a matrix."""
    return paths.REGENERATED / "matrix" / safe_name(name, "name of a matrix")


def choose(known: Catalog, runs: Sequence[str], study: str = "") -> list[str]:
    """The runs of a matrix, each once: those named, else every one of a study that can be trained.

    Raises:
        UnknownName: A run or study that the catalog does not have.
        MtpeftError: A named run is withdrawn or not trained, or nothing is left.
    """
    if runs:
        named = [known.usable_run(name) for name in runs]
        for run in named:
            if run.regime == "untuned":
                raise MtpeftError(
                    f"nothing is trained in {run.id}", "runs that train", f"mtpeft infer {run.id}"
                )
        return list(dict.fromkeys(run.id for run in named))
    wanted = known.get("studies", study).id if study else ""
    found = [
        run.id
        for run in known.runs.values()
        if not run.withdrawn and run.regime != "untuned" and (not wanted or run.study == wanted)
    ]
    if not found:
        raise MtpeftError(
            f"no run of study {study!r}" if study else "no run in the catalog",
            "one or more runs",
            "mtpeft list runs",
        )
    return found


def write(name: str, plan: Plan) -> Path:
    """Write a plan. An equal one may be there; another is refused, its marks would not be this one's.

    Raises:
        MtpeftError: A matrix of that name holds something else, or marks of another plan.
    """
    path = home(name) / "plan.json"
    text = json.dumps(asdict(plan), indent=1, sort_keys=True) + "\n"
    if path.is_file() and read_text(path) != text:
        there = read(name)
        unlike = [key for key, value in asdict(plan).items() if asdict(there)[key] != value]
        raise MtpeftError(
            f"matrix {name} is there with other {', '.join(unlike)}",
            "the same plan, or a name of its own",
            "mtpeft matrix plan --name ANOTHER …",
        )
    check_marks(name, plan)
    write_atomic(path, text)
    return path


def check_marks(name: str, plan: Plan) -> None:
    """Make sure that what is marked as finished is of this plan: its file may have been changed.

    Raises:
        MtpeftError: A stage was done by another command.
    """
    matrix = home(name)
    for cell in cells(plan):
        for stage in STAGES[:2]:  # what is scored depends on the answers that are there
            said = marked(matrix, cell, stage)
            done = said.get("commands") if said.get("code") == 0 else None
            if done is not None and done != [["mtpeft", *c] for c in commands(plan, cell, stage)]:
                raise MtpeftError(
                    f"{cell.run} seed {cell.seed} in matrix {name}: {stage} is that of another plan: {done}",
                    "marks of this plan",
                    f"put its plan.json back, plan under another name, or rm -r {shown(cell.folder(matrix))} "
                    "(marks and logs; results stay where they are)",
                )


def read(name: str) -> Plan:
    """The plan of a matrix.

    Raises:
        MtpeftError: There is none of that name.
        BadInput: Its file is damaged.
    """
    path = home(name) / "plan.json"
    if not path.is_file():
        raise MtpeftError(f"no matrix {name}", "one that was planned", "mtpeft matrix plan --help")
    expected, fix = "what `mtpeft matrix plan` wrote", f"rm {path}, and plan again"
    try:
        return typed(Plan, read_object(path, expected, fix))
    except ValueError as error:
        raise BadInput(path, f"not a plan: {error}", expected, fix) from error


def cells(plan: Plan) -> Iterator[Cell]:
    """Every run with every seed, once; all runs with the first seed come first."""
    yield from dict.fromkeys(Cell(run, seed) for seed in plan.seeds for run in plan.runs)


def commands(plan: Plan, cell: Cell, stage: Stage) -> list[list[str]]:
    """The arguments of `mtpeft` that do a stage of a cell, one list a command.

    Raises:
        MtpeftError: There is nothing to score.
    """
    where = [
        *(["--corpus", plan.corpus] if plan.corpus else []),
        *(["--backbone", plan.backbone] if plan.backbone and stage != "score" else []),
    ]
    if stage == "train":
        changes = [part for change in plan.settings or [] for part in ("--set", change)]
        seed = ["--seed", str(cell.seed)]
        return [["train", "run", cell.run, "--profile", plan.profile, *seed, *changes, *where]]
    if stage == "infer":
        profiles = ["--training", plan.profile, "--profile", plan.inference]
        return [["infer", "run", cell.run, *profiles, "--seed", str(cell.seed), *where]]
    folder = paths.seed_folder(plan.profile, cell.run, cell.seed)
    place = paths.answers_folder(folder, plan.inference)
    files = sorted(map(str, (place / "predictions").glob("*.jsonl")))
    if not files:
        raise MtpeftError(
            f"no predictions in {shown(place)}",
            "those of the stage before",
            f"mtpeft infer {cell.run}",
        )
    return [["score", "file", file, "--out", str(place), *where] for file in files]


def verdict(plan: Plan) -> list[str]:
    """The arguments of `mtpeft` that compare what a matrix gave with archive and claims (T4)."""
    return ["verify", "seeds", "--training", plan.profile, "--inference", plan.inference]


def mark(matrix: Path, cell: Cell, stage: Stage) -> Path:
    """The file that says how a stage ended."""
    return cell.folder(matrix) / f"{stage}.json"


def state(matrix: Path, cell: Cell, stage: Stage) -> State:
    """How a stage stands: a mark without an exit code was begun and cut off."""
    if not mark(matrix, cell, stage).is_file():
        return "waiting"
    code = marked(matrix, cell, stage).get("code")
    return "interrupted" if code is None else "finished" if code == 0 else "failed"


def marked(matrix: Path, cell: Cell, stage: Stage) -> dict[str, Any]:
    """What the mark of a stage says; {} where there is none or it is damaged."""
    path = mark(matrix, cell, stage)
    try:
        return read_object(path, "", "") if path.is_file() else {}
    except BadInput:
        return {}


def following(matrix: Path, cell: Cell) -> Stage | None:
    """The first stage of a cell that is not finished; None where all are."""
    return next((stage for stage in STAGES if state(matrix, cell, stage) != "finished"), None)

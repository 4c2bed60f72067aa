"""What a matrix has on a Slurm cluster: what its jobs ask for, which there are, and where they stand."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mtpeft.core import processes
from mtpeft.core.errors import BadInput
from mtpeft.core.files import write_atomic
from mtpeft.core.objects import read_object, typed
from mtpeft.matrix.plan import STAGES, Cell, Stage, State, home

JOBS = "jobs.json"
Jobs = dict[tuple[Cell, Stage], str]
"""The last job of each stage of each cell, by Slurm's id (`12_3` in an array)."""


@dataclass(frozen=True)
class Cluster:
    """What the jobs ask for.

    Attributes:
        minutes: time limit of one job; a job that reaches it is queued again.
        requeues: how often a job may reach its time limit.
        nodes: of one training run.
        gpus: on each node of a training run; inference has one of them; 0: none anywhere.
        cpus: cores on each node of a job.
        memory: GB on each node of a job; 0: the cluster's default.
        parallel: most tasks of one array (of trainings) at the same time.
        array: most tasks of one array (the cluster's MaxArraySize).
        setup: lines of shell before each job, e.g. `module load cuda`.
        sbatch: other parameters of sbatch by name, e.g. partition, account, qos, constraint.
    """

    minutes: int = 24 * 60
    requeues: int = 20
    nodes: int = 1
    gpus: int = 1
    cpus: int = 8
    memory: int = 0
    parallel: int = 256
    array: int = 1000
    setup: list[str] = field(default_factory=list)
    sbatch: dict[str, str] = field(default_factory=dict)

    def parameters(self, stage: Stage | None) -> dict[str, Any]:
        """The parameters of submitit's Slurm executor for a stage; None: for the verdicts."""
        training = stage == "train"
        gpus = self.gpus if training else min(1, self.gpus) if stage == "infer" else 0
        return {
            "job_name": f"mtpeft-{stage or 'verify'}",
            "time": self.minutes,
            "nodes": self.nodes if training else 1,
            "ntasks_per_node": 1,
            "cpus_per_task": self.cpus,
            "gpus_per_node": gpus or None,
            "mem": f"{self.memory}GB" if self.memory else None,
            "array_parallelism": self.parallel,
            "setup": self.setup or None,
            # A node that fails must not leave the others waiting for it.
            "srun_args": ["--kill-on-bad-exit=1"],
            "additional_parameters": {
                "requeue": True,
                "kill-on-invalid-dep": "yes",
                **self.sbatch,
            },
        }


def write(name: str, cluster: Cluster, jobs: Mapping[tuple[Cell, Stage], str]) -> None:
    """Keep what was submitted for `read`."""
    rows = [[cell.run, cell.seed, stage, job] for (cell, stage), job in jobs.items()]
    record = {"cluster": asdict(cluster), "jobs": rows}
    write_atomic(home(name) / JOBS, json.dumps(record, indent=1) + "\n")


def read(name: str) -> tuple[Cluster | None, Jobs]:
    """What the last submission of a matrix asked for (None: there was none), and its jobs.

    Raises:
        BadInput: the file is damaged.
    """
    path = home(name) / JOBS
    if not path.is_file():
        return None, {}
    expected, fix = (
        "what `mtpeft matrix submit` wrote",
        f"scancel what is queued (squeue --me), then rm {path}",
    )
    record = read_object(path, expected, fix)
    try:
        jobs: Jobs = {}
        for run, seed, stage, job in record["jobs"]:
            if stage not in STAGES or not isinstance(job, str):
                raise ValueError(f"stage {stage!r}, job {job!r}")
            jobs[typed(Cell, {"run": run, "seed": seed}), stage] = job
        return typed(Cluster, record["cluster"]), jobs
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(path, f"no record of jobs: {error!r}", expected, fix) from error


def queue() -> dict[str, State]:
    """Which of this user's jobs are queued or running, by id.

    Raises:
        MtpeftError: Slurm does not answer.
    """
    asked = ["squeue", "--me", "--noheader", "--array", "--format", "%i %T"]
    done = processes.run(
        asked, seconds=120, accept=(0,), fix="run the same command on a login node of the cluster"
    )
    lines = (line.split() for line in done.text.splitlines())
    waiting = {"PENDING", "REQUEUED", "REQUEUE_HOLD"}
    return {job: "queued" if state in waiting else "running" for job, state in lines}


def states(name: str) -> dict[tuple[Cell, Stage], State]:
    """Which stages of a matrix Slurm has queued or is running."""
    jobs = read(name)[1]
    there = queue() if jobs else {}
    return {key: there[job] for key, job in jobs.items() if job in there}

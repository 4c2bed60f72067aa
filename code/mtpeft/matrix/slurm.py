"""The cells of a matrix as jobs of a Slurm cluster, through submitit.

The first stage of the cells is a job array with a task for each. Each later stage of a cell is a job
that begins when the one before it has succeeded, and one job at the end asks for the verdicts. A
job that is preempted or reaches its time limit is queued again and resumes at its last checkpoint.

Later stages are no arrays: an array's tasks would depend on those of another (`aftercorr`), which
Slurm looks at for ten tasks at a time (its `correspond_after_task_cnt`) and forgets some minutes
after the other array has ended (`MinJobAge`); what it has not looked at by then is cancelled.
"""

import contextlib
import itertools
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit

from mtpeft.core import environment
from mtpeft.core.errors import MtpeftError, Unavailable
from mtpeft.core.locks import held
from mtpeft.matrix import collect, jobs
from mtpeft.matrix.jobs import Cluster
from mtpeft.matrix.plan import STAGES, Cell, Stage, cells, check_marks, following, home, read, state
from mtpeft.matrix.step import perform

_SECONDS_FOR_A_SIGNAL = 5
_PORTS = 20_000


@dataclass(frozen=True)
class Task:
    """A stage of a cell as a job does it (submitit pickles it).

    Attributes:
        name: of the matrix.
        cell: which run and seed; None: no cell, the verdicts.
        stage: which of its stages.
        processes: on each node.
    """

    name: str
    cell: Cell | None = None
    stage: Stage | None = None
    processes: int = 1

    def __call__(self) -> None:
        """Do it, unless it is finished.

        Raises:
            MtpeftError: it failed.
        """
        if self.cell is None or self.stage is None:
            collect.table(self.name)
            found = collect.verdicts(self.name)
            if not found.whole:
                raise MtpeftError(f"verify {found}")
            return
        told = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: told.set())
        plan, matrix, place = read(self.name), home(self.name), submitit.JobEnvironment()
        if state(matrix, self.cell, self.stage) == "finished":
            return
        first = place.global_rank == 0
        with held(self.cell.folder(matrix) / "cell") if first else contextlib.nullcontext():
            try:
                # A process tracker that follows groups alone (proctrack/pgid) tells the command
                # nothing, so what this process is told ends it here.
                if perform(
                    plan,
                    matrix,
                    self.cell,
                    self.stage,
                    stop=told,
                    launcher=self._launcher(place),
                    rank=place.global_rank,
                    job=place.job_id,
                    restarts=_restarts(),
                ):
                    return
            except MtpeftError:
                # A signal of Slurm that ended the command may reach this process a moment later.
                time.sleep(_SECONDS_FOR_A_SIGNAL)
                if not told.is_set():
                    raise
            # The stage has not failed: Slurm is about to queue the job again, or to end it.
            while True:
                signal.pause()

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """What submitit queues again before the time limit: the same, its checkpoint is on disk."""
        return submitit.helpers.DelayedSubmission(self)

    def _launcher(self, place: submitit.JobEnvironment) -> list[str]:
        """Torchrun's words where several processes train together; they meet at the first node."""
        if self.processes * place.num_nodes == 1:
            return []
        job = int(place.raw_job_id)
        return [
            *("-m", "torch.distributed.run", "--nnodes", str(place.num_nodes)),
            *("--nproc-per-node", str(self.processes), "--rdzv-backend", "c10d"),
            *("--rdzv-endpoint", f"{place.hostnames[0]}:{_PORTS + job % _PORTS}"),
            *("--rdzv-id", f"{job}.{_restarts()}"),
        ]


def _restarts() -> int:
    return environment.count("SLURM_RESTART_COUNT", 0)


class _Printed(submitit.SlurmExecutor):
    """Makes the scripts that would be handed to sbatch; needs no cluster."""

    @classmethod
    def affinity(cls) -> int:
        """How well this executor fits here: nothing is run, so anywhere."""
        return 1

    def script(self, count: int) -> str:
        """The script of an array of `count` tasks, or of one job."""
        if count > 1:
            self.parameters["map_count"] = count
        return str(self._make_submission_file_text(self._submitit_command_str, ""))


@dataclass(frozen=True)
class _Sender:
    """Hands jobs to Slurm, or says their scripts."""

    folder: Path
    cluster: Cluster
    dry_run: bool

    def send(self, tasks: list[Task], after: Sequence[str] = ()) -> tuple[list[str], str]:
        """Queue tasks of one stage: as an array, or each as a job that depends on others.

        Args:
            tasks: one for each cell.
            after: Slurm's dependency of each task; empty: none.

        Returns:
            The id of each task's job, and what to say about them.

        Raises:
            MtpeftError: Slurm refuses them.
        """
        stage, count = tasks[0].stage, len(tasks)
        wanted: dict[str, Any] = self.cluster.parameters(stage)
        title = f"{stage or 'verify'}: {count} job{'s' * (count > 1)}"
        if self.dry_run:
            printed = _Printed(self.folder, self.cluster.requeues)
            printed.update_parameters(**wanted, dependency=after[0] if after else None)
            base = f"${(stage or 'verify').upper()}"
            each = ", each as this one" if after and count > 1 else ""
            script = printed.script(1 if after else count)
            return [f"{base}_{n}" for n in range(count)], f"# ---- {title}{each}\n{script}"
        try:
            executor = submitit.SlurmExecutor(self.folder, self.cluster.requeues)
            executor.update_parameters(**wanted)
            queued = []
            if after:
                for task, dependency in zip(tasks, after, strict=True):
                    executor.update_parameters(dependency=dependency)
                    queued.append(executor.submit(task))
            else:
                with executor.batch():
                    queued = [executor.submit(task) for task in tasks]
        except (RuntimeError, OSError) as error:
            said = " ".join(f"{error} {error.__cause__ or ''}".split())[-400:]
            raise MtpeftError(
                f"Slurm refused {title}: {said}",
                "parameters that this cluster knows",
                "mtpeft matrix submit --dry-run … prints the scripts to try by hand",
            ) from error
        ids = [job.job_id for job in queued]
        shown = ids[0].partition("_")[0] + (f" to {ids[-1]}" if after and count > 1 else "")
        return ids, f"{title}, {shown}{', each after its own' if after and stage else ''}"


def submit(name: str, cluster: Cluster, *, dry_run: bool = False) -> Iterator[str]:
    """Queue what is neither finished nor in the queue, as a chain for each cell.

    Args:
        name: of the matrix.
        cluster: what the jobs ask for.
        dry_run: queue nothing, say the scripts.

    Yields:
        What was queued, or the scripts.

    Raises:
        Unavailable: there is no Slurm here.
        MtpeftError: Slurm refuses a job, there is nothing to do, or marks are those of another plan.
    """
    if not dry_run and not shutil.which("sbatch"):
        raise Unavailable(
            "sbatch is not on the PATH",
            "a login node of a Slurm cluster",
            "mtpeft matrix run, on this machine; --dry-run prints the scripts",
        )
    plan, matrix = read(name), home(name)
    check_marks(name, plan)
    sender = _Sender(matrix.resolve() / "jobs", cluster, dry_run)
    with held(matrix / jobs.JOBS):
        known = jobs.read(name)[1]
        there = jobs.queue() if known and not dry_run else {}
        chains: dict[Stage, list[Cell]] = {stage: [] for stage in STAGES}
        for cell in cells(plan):
            first = following(matrix, cell)
            if first and not any(known.get((cell, stage)) in there for stage in STAGES):
                chains[first].append(cell)
        if not dry_run and any(chains.values()):
            collect.forget(name)
        last: list[str] = []
        for first, waiting in chains.items():
            rest = iter(waiting)
            while some := list(itertools.islice(rest, cluster.array)):
                ids: list[str] = []
                for stage in STAGES[STAGES.index(first) :]:
                    number = max(1, cluster.gpus) if stage == "train" else 1
                    tasks = [Task(name, cell, stage, number) for cell in some]
                    ids, said = sender.send(tasks, [f"afterok:{job}" for job in ids])
                    yield said
                    known |= {(cell, stage): job for cell, job in zip(some, ids, strict=True)}
                    if not dry_run:
                        jobs.write(name, cluster, known)
                last += ids
        if not last:
            raise MtpeftError(
                "nothing to submit: every cell is finished or in the queue",
                "a cell that is neither",
                f"mtpeft matrix status --name {name}",
            )
        yield sender.send([Task(name)], [f"afterany:{':'.join(last)}"])[1]

"""`mtpeft matrix`: many runs and seeds, from plan to scores."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group(
    "matrix", "Train, predict and score many runs under several seeds; resume what is left."
)
Name = Annotated[str, typer.Option(help="of the matrix")]


@app.command(
    "plan",
    **example(
        "mtpeft matrix plan --study multitask-qlora --seed 42 --seed 43 --profile faithful",
        "mtpeft matrix plan qwen2.5-coder-0.5b/mt-qlora --seed 42 --name small",
    ),
)
def plan(
    runs: Annotated[list[str] | None, typer.Argument(help="run ids; default: all")] = None,
    study: Annotated[str, typer.Option(help="only the runs of this study")] = "",
    seed: Annotated[list[int] | None, typer.Option(help="repeatable; default: 42")] = None,
    profile: Annotated[str, typer.Option(help="of training: fast or faithful")] = "fast",
    inference: Annotated[str, typer.Option(help="of inference: clean or faithful")] = "clean",
    corpus: Annotated[str, typer.Option(help="as in train; default: each run's study")] = "",
    backbone: Annotated[str, typer.Option(help="folder of the base model")] = "",
    change: Annotated[list[str] | None, typer.Option("--set", help="setting=value")] = None,
    name: Name = "matrix",
) -> None:
    """Write down which runs are trained with which seeds. Nothing is trained yet."""
    from mtpeft.catalog import catalog
    from mtpeft.core.paths import shown
    from mtpeft.core.text import counted
    from mtpeft.corpora.load import named
    from mtpeft.corpora.weights import model_folder
    from mtpeft.inference.settings import profile as inference_profile
    from mtpeft.matrix import plan as plans
    from mtpeft.tuning.settings import check

    made = plans.Plan(
        plans.choose(catalog(), runs or [], study),
        list(dict.fromkeys(seed or [42])),
        profile,
        inference_profile(inference).name,
        # Jobs may be submitted from another folder.
        str(Path(corpus).resolve()) if corpus and Path(named(corpus)).is_dir() else corpus,
        str(Path(model_folder(backbone)).resolve()) if backbone else "",
        change or [],
    )
    # A job would find out after days in a queue.
    check(made.runs, profile, made.seeds, made.settings or [])
    path = plans.write(name, made)
    cells = len(list(plans.cells(made)))
    runs_seeds = f"{counted(len(made.runs), 'run')} × {counted(len(made.seeds), 'seed')}"
    typer.echo(f"matrix {name}: {runs_seeds}, {counted(cells, 'cell')}")
    few = " ".join(made.runs[:3]) + (" …" if len(made.runs) > 3 else "")
    typer.echo(f"what it costs: mtpeft train plan {few}; plan: {shown(path)}")


@app.command("run", **example("mtpeft matrix run", "mtpeft matrix run --name small --workers 2"))
def run(
    workers: Annotated[
        int, typer.Option(min=0, help="cells side by side; 0: one for each GPU")
    ] = 0,
    name: Name = "matrix",
) -> None:
    """Do every stage that is not finished, on this machine; the same command resumes.

    Each GPU has one worker. A cell that fails lets the others go on; exit code 1 where one did.
    """
    from mtpeft.matrix import local
    from mtpeft.matrix import plan as plans

    failed = local.run(name, plans.read(name), workers)
    for cell, why in failed.items():
        typer.echo(f"failed: {cell.run} seed {cell.seed}: {why}", err=True)
    sys.exit(1 if failed else 0)


@app.command(
    "submit",
    **example(
        "mtpeft matrix submit --gpus 1 --minutes 720 --sbatch partition=gpu --dry-run",
        "mtpeft matrix submit --nodes 2 --gpus 8 --setup 'module load cuda'",
    ),
)
def submit(
    minutes: Annotated[
        int, typer.Option(min=2, help="time limit; a job is warned 90 s before")
    ] = 1440,
    requeues: Annotated[int, typer.Option(min=0, help="how often a job may reach its limit")] = 20,
    nodes: Annotated[int, typer.Option(min=1, help="of one training run")] = 1,
    gpus: Annotated[int, typer.Option(min=0, help="on each node of a training run")] = 1,
    cpus: Annotated[int, typer.Option(min=1, help="on each node of a job")] = 8,
    memory: Annotated[int, typer.Option(min=0, help="GB on each node; 0: the default")] = 0,
    parallel: Annotated[
        int, typer.Option(min=1, help="most training jobs of an array at a time")
    ] = 256,
    array: Annotated[int, typer.Option(min=1, help="most jobs of an array")] = 1000,
    setup: Annotated[list[str] | None, typer.Option(help="line of shell before a job")] = None,
    sbatch: Annotated[list[str] | None, typer.Option(help="name=value of sbatch")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the scripts")] = False,
    name: Name = "matrix",
) -> None:
    """Queue on a Slurm cluster what is neither finished nor queued: train, infer, score, then verify.

    A job that is preempted or reaches its limit is queued again and resumes at its checkpoint.
    """
    from mtpeft.core.errors import MtpeftError
    from mtpeft.matrix import slurm
    from mtpeft.matrix.jobs import Cluster

    flags = {}
    for pair in sbatch or []:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise MtpeftError(f"--sbatch {pair!r}", "name=value", "--sbatch partition=gpu")
        flags[key.lstrip("-")] = value
    cluster = Cluster(
        minutes, requeues, nodes, gpus, cpus, memory, parallel, array, setup or [], flags
    )
    for line in slurm.submit(name, cluster, dry_run=dry_run):
        typer.echo(line)


@app.command("resume", **example("mtpeft matrix resume", "mtpeft matrix resume --name small"))
def resume(name: Name = "matrix") -> None:
    """Go on with what is left: on the cluster as it was submitted, or else on this machine."""
    from mtpeft.matrix import jobs

    cluster = jobs.read(name)[0]
    if cluster is None:
        run(0, name)
        return
    from mtpeft.matrix import slurm

    for line in slurm.submit(name, cluster):
        typer.echo(line)


@app.command("collect", **example("mtpeft matrix collect"))
def collect(name: Name = "matrix") -> None:
    """Write the table of all stages and ask for the verdicts (T4); its exit code is theirs."""
    from mtpeft.core.paths import shown
    from mtpeft.matrix import collect as collecting

    typer.echo(f"stages: {shown(collecting.table(name))}")
    sys.exit(collecting.verdicts(name).code)


@app.command("status", **example("mtpeft matrix status"))
def status(
    every: Annotated[bool, typer.Option("--all", help="finished cells, too")] = False,
    name: Name = "matrix",
) -> None:
    """Say how many stages are finished, running, queued, failed, …, and name what is not finished."""
    from collections import Counter

    from mtpeft.matrix import plan as plans
    from mtpeft.matrix.collect import judged, standing

    there = standing(name)
    for stage in plans.STAGES:
        counts = Counter(state for (_, which), state in there.items() if which == stage)
        typer.echo(f"{stage:6} " + ", ".join(f"{counts[s]} {s}" for s in plans.STATES if counts[s]))
    if found := judged(name):
        typer.echo(f"verify {found}")
    for cell in plans.cells(plans.read(name)):
        states = [there[cell, stage] for stage in plans.STAGES]
        if every or any(state != "finished" for state in states):
            said = ", ".join(f"{a} {b}" for a, b in zip(plans.STAGES, states, strict=True))
            typer.echo(f"  {cell.run} seed {cell.seed}: {said}")

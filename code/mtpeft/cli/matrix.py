"""`mtpeft matrix`: many runs and seeds, from plan to scores."""

import sys
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
    from mtpeft.matrix import plan as plans

    made = plans.Plan(
        plans.choose(catalog(), runs or [], study),
        seed or [42],
        profile,
        inference,
        corpus,
        backbone,
        change or [],
    )
    path = plans.write(name, made)
    cells = len(list(plans.cells(made)))
    typer.echo(f"matrix {name}: {len(made.runs)} runs × {len(made.seeds)} seeds, {cells} cells")
    typer.echo(f"what it costs: mtpeft train plan {' '.join(made.runs[:3])} …; plan: {shown(path)}")


@app.command("run", **example("mtpeft matrix run", "mtpeft matrix run --name small --workers 2"))
def run(
    workers: Annotated[int, typer.Option(help="cells side by side; 0: one for each GPU")] = 0,
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


@app.command("status", **example("mtpeft matrix status"))
def status(
    every: Annotated[bool, typer.Option("--all", help="finished cells, too")] = False,
    name: Name = "matrix",
) -> None:
    """Say how many stages are finished, failed, interrupted and waiting, and name what is not finished."""
    from collections import Counter

    from mtpeft.matrix import plan as plans

    made, matrix = plans.read(name), plans.home(name)
    rows = {
        cell: [plans.state(matrix, cell, stage) for stage in plans.STAGES]
        for cell in plans.cells(made)
    }
    for number, stage in enumerate(plans.STAGES):
        counts = Counter(states[number] for states in rows.values())
        typer.echo(f"{stage:6} " + ", ".join(f"{counts[s]} {s}" for s in plans.STATES if counts[s]))
    for cell, states in rows.items():
        if every or any(state != "finished" for state in states):
            said = ", ".join(f"{a} {b}" for a, b in zip(plans.STAGES, states, strict=True))
            typer.echo(f"  {cell.run} seed {cell.seed}: {said}")

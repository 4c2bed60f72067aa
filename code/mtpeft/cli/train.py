"""`mtpeft train`: examples + base model + method → adapter."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group(
    "train", "Train runs, plan what training costs, try every stage on a tiny model.", "run"
)


@app.command(
    "run",
    **example(
        "mtpeft train qwen2.5-coder-0.5b/mt-qlora --profile faithful --seed 42 --seed 43",
        "torchrun --nproc-per-node 4 -m mtpeft train qwen2.5-coder-3b/mt-fft",
    ),
)
def run(
    run: Annotated[str, typer.Argument(help="run id, see `mtpeft list runs`")],
    profile: Annotated[str, typer.Option(help="fast or faithful")] = "fast",
    seed: Annotated[list[int] | None, typer.Option(help="may be given several times")] = None,
    corpus: Annotated[
        str,
        typer.Option(help="a corpus, a folder, or a JSON-lines file; default: the run's study"),
    ] = "",
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the run's")
    ] = "",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="setting=value, may be given several times")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="examples a task; 0: all")] = 0,
) -> None:
    """Train a run; the same command resumes it."""
    from mtpeft.inference.generate import texts
    from mtpeft.inference.heads import write
    from mtpeft.tuning.stage import run as stage

    stage(run, profile, seed or [], corpus, backbone, change or [], limit, texts, write)


@app.command("merge", **example("mtpeft train merge ADAPTER MODEL --dtype bfloat16"))
def merge(
    adapter: Annotated[Path, typer.Argument(help="folder of the adapter")],
    target: Annotated[Path, typer.Argument(help="folder to write")],
    backbone: Annotated[
        str, typer.Option(help="folder or hub id of the base; default: as the adapter says")
    ] = "",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16")] = "bfloat16",
) -> None:
    """Merge an adapter into its base model: one model that needs no PEFT."""
    from mtpeft.tuning.merge import base_of
    from mtpeft.tuning.merge import merge as merge_adapter

    typer.echo(merge_adapter(adapter, backbone or base_of(adapter), target, dtype))


@app.command("export", **example("mtpeft train export unixcoder-base/mt-lora MODEL --seed 42"))
def export(
    run: Annotated[str, typer.Argument(help="run id, see `mtpeft list runs`")],
    target: Annotated[Path, typer.Argument(help="folder to write")],
    profile: Annotated[str, typer.Option(help="training profile of the run")] = "fast",
    seed: Annotated[int, typer.Option(min=0, help="seed of the run")] = 42,
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the run's")
    ] = "",
) -> None:
    """Write a trained run as a folder that transformers and PEFT load, with a model card."""
    from mtpeft.tuning.export import export as stage

    typer.echo(stage(run, target, profile, seed, backbone))


@app.command("calibrate", **example("mtpeft train calibrate unixcoder-base/mt-lora --seed 42"))
def calibrate(
    run: Annotated[
        str, typer.Argument(help="run id, the folder of a seed, or one of train export")
    ],
    profile: Annotated[str, typer.Option(help="training profile of the run")] = "fast",
    seed: Annotated[int, typer.Option(min=0, help="seed of the run")] = 42,
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the run's")
    ] = "",
    corpus: Annotated[str, typer.Option(help="as in run; default: that of the training")] = "",
    limit: Annotated[int, typer.Option(min=0, help="validation examples a task; 0: all")] = 2000,
) -> None:
    """Fit probabilities and thresholds of a run's labels on validation data.

    Temperature scaling (Guo et al. 2017), and the threshold with the largest F1.
    """
    from mtpeft.inference.calibration import run as stage

    stage(run, profile, seed, backbone, corpus, limit)


@app.command("plan", **example("mtpeft train plan --profile fast"))
def plan(
    runs: Annotated[list[str] | None, typer.Argument(help="run ids; default: all")] = None,
    profile: Annotated[str, typer.Option(help="fast or faithful")] = "faithful",
) -> None:
    """Estimate time, memory and cost of training on each class of GPU, before anything is spent.

    Says, too, what how many seeds could tell from the archive (T4).
    """
    from mtpeft.catalog import catalog
    from mtpeft.tuning.estimate import show
    from mtpeft.verification.seeds import power

    show(runs or [], profile)
    for line in power(catalog(), runs=runs or []):
        typer.echo(line)


@app.command("smoke", **example("mtpeft train smoke"))
def smoke(
    jobs: Annotated[int, typer.Option(min=1, help="processes that train side by side")] = 2,
    update: Annotated[
        bool, typer.Option(help="write the expected table instead of comparing")
    ] = False,
) -> None:
    """T4 to T1 on a tiny model and tiny corpora; expected vs. actual. Exit code 1 where they differ."""
    from mtpeft.smoke.driver import run as stage

    sys.exit(stage(jobs, update=update))


@app.command("smoke-heads", **example("mtpeft train smoke-heads"))
def smoke_heads(
    update: Annotated[
        bool, typer.Option(help="write the expected table instead of comparing")
    ] = False,
) -> None:
    """The part of smoke with shared modules: every kind of backbone with every method, tiny.

    Exit code 1 where expected and actual differ.
    """
    from mtpeft.smoke.heads import run as stage

    sys.exit(stage(update=update))


@app.command("flaky-cpu", **example("mtpeft train flaky-cpu --seeds 42,43"))
def flaky_cpu(
    seeds: Annotated[
        str, typer.Option(help="seeds, separated by commas; each adds minutes")
    ] = "42",
) -> None:
    """Train a small model from scratch on the real flaky tests, against baselines.

    Full fine-tuning and serial adapters, one task and two; F1, cost and trivial baselines. The same
    command resumes.
    """
    from mtpeft.smoke.flaky import Size, run

    columns = (
        ("F1", "f1"),
        ("precision", "precision"),
        ("recall", "recall"),
        ("MRR", "mrr"),
        ("FLOPs saved", "flops_saved"),
    )
    for row in run(Size(seeds=[int(s) for s in seeds.split(",")])):
        values = (
            f"  {name} {100 * row[key]:5.1f}" for name, key in columns if row[key] == row[key]
        )
        typer.echo(f"{row['configuration']:36}" + "".join(values))

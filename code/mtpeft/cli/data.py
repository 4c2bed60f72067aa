"""`mtpeft data`: the corpora, downloaded and verified, and what train and test sets share."""

import sys
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group("data", "Download and verify the corpora; find what train and test share.", "fetch")


@app.command("fetch", **example("mtpeft data", "OFFLINE=1 mtpeft data translation"))
def fetch(
    groups: Annotated[
        list[str] | None,
        typer.Argument(help="generation, summarization, translation, prompts …; default: all"),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="files at a time")] = 4,
) -> None:
    """Download and verify the corpora; list what is missing.

    OFFLINE=1 uses what is there. Exit code 1 where something is missing.
    """
    from mtpeft.corpora.stage import run

    sys.exit(run(groups or [], jobs))


@app.command(
    "pin",
    **example(f"mtpeft data pin google/code_x_glue_ct_code_to_text {'0123456789' * 4}"),
)
def pin(
    name: Annotated[str, typer.Argument(help="OWNER/NAME of a data set or model of the hub")],
    commit: Annotated[str, typer.Argument(help="its commit, in full")],
) -> None:
    """Choose the commit of a data set or base model of which no study names one.

    It is recorded in the cache, and another one is refused from then on.
    """
    from mtpeft.catalog import catalog
    from mtpeft.corpora.manifest import manifest
    from mtpeft.corpora.pins import choose

    without = [e.repository for e in manifest().hub.values() if not e.revision]
    without += [b.hub for b in catalog().backbones.values() if "/" in b.hub and not b.revision]
    choose(name, commit, dict.fromkeys(without))
    typer.echo(f"{name}: {commit}")


@app.command(
    "audit",
    **example(
        "mtpeft data audit flaky-detection",
        "mtpeft data audit generation --train mine.jsonl --test multitask-qlora",
    ),
)
def audit(
    task: Annotated[str, typer.Argument(help="id of a task, see `mtpeft list tasks`")],
    train: Annotated[
        str, typer.Option(help="corpus of the training set; default: the study's")
    ] = "",
    test: Annotated[str, typer.Option(help="corpus of the test set; default: the same")] = "",
    threshold: Annotated[float, typer.Option(help="least Jaccard index of two texts")] = 0.8,
) -> None:
    """Find test examples that have a near-duplicate in the training set; list those that have none.

    Renamed variables, layout and comments change nothing. Writes duplicates.csv and clean.csv, the
    ids for `mtpeft compare A B --only clean.csv`.
    """
    from mtpeft.core import paths
    from mtpeft.corpora.near_duplicates import audit as audited

    typer.echo(paths.shown(audited(task, train, test, threshold)))

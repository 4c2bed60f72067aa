"""`mtpeft data`: the corpora, downloaded and verified."""

import sys
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group("data", "Download and verify the corpora; list what is missing.", "fetch")


@app.command("fetch", **example("mtpeft data", "OFFLINE=1 mtpeft data translation"))
def fetch(
    groups: Annotated[
        list[str] | None,
        typer.Argument(help="generation, summarization, translation, prompts …; default: all"),
    ] = None,
    jobs: Annotated[int, typer.Option(help="files at a time")] = 4,
) -> None:
    """Download and verify the corpora; list what is missing.

    OFFLINE=1 uses what is there. Exit code 1 where something is missing.
    """
    from mtpeft.corpora.stage import run

    sys.exit(run(groups or [], jobs))

"""`mtpeft study`: make and check studies of your own."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group("study", "Make and check studies of your own.")


@app.command(
    "new", **example("mtpeft study new my-study", "mtpeft study new my-study --dir ~/work")
)
def new(
    name: Annotated[str, typer.Argument(help="of the study and its folder")],
    parent: Annotated[Path, typer.Option("--dir", help="the folder in which it is made")] = Path(),
) -> None:
    """Make a folder that works: two runs, a score table, a comparison, a claim, a table."""
    from mtpeft.studies.scaffold import new_study

    folder = new_study(name, parent)
    print(f"study: {folder}; next: mtpeft study check {folder}")


@app.command("check", **example("mtpeft study check my-study"))
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="a study's folder or id, or a folder of studies")
    ] = None,
) -> None:
    """Say everything that is wrong with a study, with file, line and fix. Exit code 1: something."""
    from mtpeft.core.text import counted
    from mtpeft.studies.check import check_study

    studies, found = check_study(folder or Path())
    for error in found:
        print(error)
    names = ", ".join(study.id for study in studies) or "no study"
    print(f"study: {names}: {counted(len(found), 'problem') if found else 'nothing is wrong'}")
    sys.exit(1 if found or not studies else 0)

"""`mtpeft archive`: upstream files → the tables that the repository ships."""

from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group("archive", "Import and check the figures that the repository ships.", "import")


@app.command("import", **example("MTPEFT_MIRROR=../mirror mtpeft archive import multitask-peft"))
def import_archive(
    study: Annotated[str, typer.Argument(help="id of a study (default: all)")] = "",
    repin: Annotated[
        bool, typer.Option(help="accept changed upstream files and pin them again")
    ] = False,
    allow_loss: Annotated[
        bool, typer.Option(help="with --repin: accept that files or records are gone, too")
    ] = False,
) -> None:
    """Import the studies' scores, statistics and figures (needs MTPEFT_MIRROR or network)."""
    from mtpeft.archive.stage import import_studies

    import_studies(study, repin, allow_loss)


@app.command("check", **example("mtpeft archive check"))
def check() -> None:
    """T0: compare every archived file with its checksum."""
    from mtpeft.verification.files import check_and_write

    check_and_write()


@app.command("predictions", **example("mtpeft archive predictions"))
def predictions(
    force: Annotated[bool, typer.Option(help="build again what is there")] = False,
) -> None:
    """Build the canonical files of archived outputs from the study's pinned repositories (needs git)."""
    from mtpeft.scoring.build_predictions import build_all

    build_all(force)

"""`mtpeft archive`: upstream files → the tables that the repository ships."""

from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group("archive", "Import and check the figures that the repository ships.", "import")


@app.command("import", **example("MTPEFT_MIRROR=../mirror mtpeft archive import"))
def import_archive(
    repin: Annotated[
        bool, typer.Option(help="accept changed upstream files and pin them again")
    ] = False,
) -> None:
    """Import a study's scores and printed statistics (needs MTPEFT_MIRROR or network)."""
    from mtpeft.archive.stage import import_archive as stage

    stage(repin=repin)


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

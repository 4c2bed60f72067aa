"""`mtpeft verify`: tests, causes and verdicts, T0 to T4."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group(
    "verify", "Recompute the tests, search for causes, give every value its verdict.", "all"
)


@app.command("statistics", **example("mtpeft verify statistics"))
def statistics(
    rescored: Annotated[
        bool, typer.Option(help="T2: the tests that rescored outputs make possible")
    ] = False,
    repaired: Annotated[
        bool, typer.Option(help="T2: the tests after damaged outputs were repaired")
    ] = False,
) -> None:
    """T1: recompute every test of the studies from per-instance scores, under both protocols."""
    from mtpeft.statistics.stage import run, run_repaired, run_rescored

    run_rescored() if rescored else run_repaired() if repaired else run()


@app.command("audit", **example("mtpeft verify audit"))
def audit(
    rescored: Annotated[
        bool, typer.Option(help="T2: causes of the values that rescored outputs recover")
    ] = False,
) -> None:
    """Search for the causes of cells that do not reproduce, and audit the scores themselves."""
    from mtpeft.audit.stage import run, run_rescored
    from mtpeft.reporting.known_issues import write

    run_rescored() if rescored else run()
    write()


@app.command("all", **example("mtpeft verify"))
def verify(
    quiet: Annotated[bool, typer.Option(help="print nothing but the counts")] = False,
) -> None:
    """Give every published cell, claim and file its verdict.

    Exit code 1 where a difference is unexplained.
    """
    from mtpeft.verification.stage import run

    sys.exit(run(quiet=quiet))


@app.command("claim", **example("mtpeft verify claim C8"))
def claim(
    name: Annotated[str, typer.Argument(help="id of a claim, see `mtpeft list claims`")],
) -> None:
    """Show a claim with its rule, what it says, what was found, and every cell that was counted."""
    from mtpeft.verification.shown_claim import lines, show

    for line in lines(show(name)):
        typer.echo(line)


@app.command("verdict", **example("mtpeft verify verdict"))
def verdict() -> None:
    """Print the counts of the last verification and end with its exit code."""
    from mtpeft.verification.stage import conclude

    sys.exit(conclude())


@app.command(
    "predictions", **example("mtpeft verify predictions archived.jsonl again.jsonl --name again")
)
def predictions(
    reference: Annotated[
        Path, typer.Argument(help="prediction records (JSON lines) to compare with")
    ],
    new: Annotated[Path, typer.Argument(help="prediction records of the same run, made again")],
    reference_scores: Annotated[
        Path | None, typer.Option(help="folder in which `mtpeft score` put their scores")
    ] = None,
    new_scores: Annotated[Path | None, typer.Option(help="the same for the new ones")] = None,
    name: Annotated[
        str, typer.Option(help="of the result, verification/answers/NAME.csv")
    ] = "answers",
) -> None:
    """T3: identical strings, else each metric by its paired interval; lists flipped instances.

    Exit code 1 for a difference.
    """
    from mtpeft.verification.answers import run

    sys.exit(run(reference, new, reference_scores, new_scores, name))


@app.command("seeds", **example("mtpeft verify seeds --training faithful"))
def seeds(
    training: Annotated[str, typer.Option(help="training profile of the runs")] = "faithful",
    inference: Annotated[str, typer.Option(help="inference profile of their answers")] = "faithful",
) -> None:
    """T4: scored runs that were trained here, against archive and claims, by interval over seeds."""
    from mtpeft.verification.trained import run

    sys.exit(run(training, inference))

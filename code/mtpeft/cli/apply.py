"""`mtpeft apply`: trained runs on a person's own source files."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def apply(
    run: Annotated[
        str, typer.Argument(help="run id, the folder of a seed, or one of train export")
    ],
    files: Annotated[list[Path], typer.Argument(help="source files: .py, .java, .cs, .c")],
    more: Annotated[
        list[str] | None, typer.Option("--run", help="a further run on the same code; repeatable")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="repeatable; default: all of the run that fit")
    ] = None,
    function: Annotated[
        list[str] | None, typer.Option(help="a function of the files by its name; repeatable")
    ] = None,
    functions: Annotated[bool, typer.Option("--functions", help="every function")] = False,
    query: Annotated[
        list[str] | None, typer.Option(help="search the functions of the files; repeatable")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="functions listed for a query; 0: all")] = 10,
    language: Annotated[
        str, typer.Option(help="python, java, csharp or c; default: by the files' suffixes")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
    training: Annotated[str, typer.Option(help="training profile of the run")] = "fast",
    seed: Annotated[int, typer.Option(min=0, help="seed of the run")] = 42,
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the run's")
    ] = "",
    dtype: Annotated[
        str, typer.Option(help="of a language model's weights; default: the machine's faster one")
    ] = "",
    new_tokens: Annotated[
        int, typer.Option(min=0, help="most tokens of an answer; 0: the task's limit")
    ] = 0,
) -> None:
    """Ask trained runs about source files: summaries, translations, labels, searches, with scores.

    Exit code 1 where something could not be read or answered, 2 where nothing could.
    """
    from mtpeft.core.text import printable
    from mtpeft.inference.apply.results import Options
    from mtpeft.inference.apply.shown import as_json as document
    from mtpeft.inference.apply.shown import show
    from mtpeft.inference.apply.work import apply as stage

    report = stage(
        Options(
            [run, *(more or [])],
            files,
            function or [],
            functions,
            task or [],
            query or [],
            top,
            language,
            training,
            seed,
            backbone,
            dtype,
            new_tokens,
        )
    )
    if as_json:
        typer.echo(document(report), nl=False)
    else:
        show(report)
    for error in report.errors:
        typer.echo(printable(f"mtpeft: {error}"), err=True)
    sys.exit(report.exit_code)

"""`mtpeft compare`: statistics over the results of anyone's runs."""

from pathlib import Path
from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group(
    "compare",
    "Compare two or more runs of your own: paired tests, effects, intervals, a page.",
    "runs",
)


@app.command(
    "runs",
    **example(
        "mtpeft compare base.csv tuned.csv",
        "mtpeft compare single=scored/single multi=scored/multi --metric codebleu --adjust bh",
        "mtpeft compare base.jsonl tuned.jsonl --tool lizard",
    ),
)
def runs(
    places: Annotated[
        list[str],
        typer.Argument(
            help="score tables, folders of `mtpeft score`, CSV files or prediction files (.jsonl); "
            "NAME=PATH names a run; the first is the baseline"
        ),
    ],
    metric: Annotated[list[str] | None, typer.Option(help="only these; repeatable")] = None,
    adjust: Annotated[str, typer.Option(help="holm, bh or none")] = "holm",
    level: Annotated[float, typer.Option(help="of the intervals")] = 0.95,
    every_pair: Annotated[bool, typer.Option(help="not only each run against the first")] = False,
    id_column: Annotated[str, typer.Option("--id", help="column of ids in a plain CSV")] = "",
    tool: Annotated[
        list[str] | None, typer.Option(help="that scores prediction files; repeatable")
    ] = None,
    name: Annotated[str, typer.Option(help="folder of the result below compare/")] = "runs",
) -> None:
    """Pair runs by instance id and test each metric that they share.

    McNemar's test where a metric is 0 or 1, else the Wilcoxon signed-rank test; p-values adjusted
    over all tests of the call; effects with intervals; n and what was dropped. Writes
    contrasts.csv, pairs.csv and a page.
    """
    from mtpeft.core import paths
    from mtpeft.core.names import safe_name
    from mtpeft.reporting import own_runs as pages
    from mtpeft.statistics import own_runs

    folder = paths.REGENERATED / "compare" / safe_name(name, "name of a result")
    tables = [_scored(place, tool or [], folder) for place in places]
    sides = own_runs.read_sides(tables, metric or [], id_column)
    contrasts = own_runs.compare(sides, adjust, level, every_pair)
    how = own_runs.rule(contrasts, adjust, level)
    pages.show(contrasts, how)
    page = pages.write(sides, contrasts, folder, own_runs.files_of(tables), how)
    typer.echo(paths.shown(page))


def _scored(place: str, tools: list[str], folder: Path) -> str:
    """The place itself, or where the scores of a prediction file were written."""
    from mtpeft.core.names import safe_name
    from mtpeft.statistics.own_runs import parted

    label, path = parted(place)
    if path.suffix != ".jsonl" and not path.name.endswith(".jsonl.gz"):
        return place
    from mtpeft.scoring.new import run

    label = label or path.name.partition(".")[0]
    out = folder / "scored" / safe_name(label, "name of a run")
    run(path, tools, out)
    return f"{label}={out}"

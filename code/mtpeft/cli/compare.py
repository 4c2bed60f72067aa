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
        "mtpeft compare base.csv tuned.csv --cluster project",
        "mtpeft compare base.csv tuned.csv --only clean.csv",
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
    cluster: Annotated[
        str,
        typer.Option(help="column of a plain CSV, or a CSV: which project or file an id is of"),
    ] = "",
    only: Annotated[
        Path | None,
        typer.Option(help="a CSV of ids: only these instances (clean.csv of mtpeft data audit)"),
    ] = None,
    tool: Annotated[
        list[str] | None, typer.Option(help="that scores prediction files; repeatable")
    ] = None,
    name: Annotated[str, typer.Option(help="folder of the result below compare/")] = "runs",
) -> None:
    """Pair runs by instance id and test each metric that they share.

    McNemar's test where a metric is 0 or 1, else the Wilcoxon signed-rank test; p-values adjusted
    over all tests of the call; effects with intervals; the smallest detectable difference; n and
    what was dropped. Instances of one project or file are no independent draws: --cluster.
    Writes contrasts.csv, pairs.csv and a page.
    """
    from mtpeft.core import paths
    from mtpeft.core.names import safe_name
    from mtpeft.reporting import own_runs as pages
    from mtpeft.statistics import own_runs

    folder = paths.REGENERATED / "compare" / safe_name(name, "name of a result")
    tables = [_scored(place, tool or [], folder) for place in places]
    sides = own_runs.read_sides(tables, metric or [], id_column, cluster, only)
    contrasts = own_runs.compare(sides, adjust, level, every_pair)
    how = own_runs.rule(contrasts, adjust, level, only)
    more = [Path(cluster), *([only] if only else [])]
    files = own_runs.files_of(tables) + [path for path in more if path.is_file()]
    pages.show(contrasts, how)
    page = pages.write(sides, contrasts, folder, files, how)
    typer.echo(paths.shown(page))


@app.command(
    "agreement",
    **example(
        "mtpeft compare agreement first.csv second.csv third.csv",
        "mtpeft compare agreement judged/1 judged/2 --metric coherence --measure interval",
    ),
)
def agreement(
    places: Annotated[
        list[str],
        typer.Argument(
            help="score tables, folders of `mtpeft score` or CSV files: one for each judge or "
            "judge run; NAME=PATH names it"
        ),
    ],
    metric: Annotated[list[str] | None, typer.Option(help="only these; repeatable")] = None,
    measure: Annotated[str, typer.Option(help="nominal, ordinal or interval")] = "ordinal",
    level: Annotated[float, typer.Option(help="of the intervals")] = 0.95,
    id_column: Annotated[str, typer.Option("--id", help="column of ids in a plain CSV")] = "",
    name: Annotated[str, typer.Option(help="folder of the result below compare/")] = "runs",
) -> None:
    """Say how well judges, or runs of one judge, agree on the same outputs: Krippendorff's alpha.

    1 is perfect agreement, 0 what chance gives. Outputs that fewer than two judges scored are left
    out and counted; missing scores are allowed. Writes agreement.csv.
    """
    from rich.console import Console

    from mtpeft.core import paths
    from mtpeft.core.names import safe_name
    from mtpeft.core.provenance import write_result
    from mtpeft.core.records import records_text
    from mtpeft.statistics import own_runs
    from mtpeft.statistics.agreement import Agreement, agreements, line

    found = agreements(places, metric or [], measure, id_column, level)
    path = paths.REGENERATED / "compare" / safe_name(name, "name of a result") / "agreement.csv"
    write_result(path, records_text(found, Agreement), own_runs.files_of(places))
    for one in found:
        Console(highlight=False, soft_wrap=True).print(line(one, level), markup=False)
    typer.echo(paths.shown(path))


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

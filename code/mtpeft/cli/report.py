"""`mtpeft report`: tables, figures and the page."""

from typing import Annotated

import typer

from mtpeft.cli.group import example, group

app = group("report", "Render tables, figures and the offline report.", "page")


@app.command("page", **example("mtpeft report"))
def page() -> None:
    """Write the offline HTML report, verdict.json, JUnit XML and the RO-Crate; print the verdict."""
    from mtpeft.reporting.stage import write_report

    write_report()


@app.command("tables", **example("mtpeft report tables table-5 --show"))
def tables(
    only: Annotated[list[str] | None, typer.Argument(help="table ids; default: all")] = None,
    show: Annotated[bool, typer.Option(help="also print the tables")] = False,
) -> None:
    """Render tables as Markdown, CSV and LaTeX."""
    from mtpeft.reporting.console import show_files
    from mtpeft.reporting.stage import write_tables

    show_files(write_tables(only or [], show=show))


@app.command("figures", **example("mtpeft report figures figure-3"))
def figures(
    only: Annotated[list[str] | None, typer.Argument(help="figure ids; default: all")] = None,
) -> None:
    """Render figures as SVG and PNG."""
    from mtpeft.reporting.console import show_files
    from mtpeft.reporting.stage import write_figures

    show_files(write_figures(only or []))


@app.command("known-issues", **example("mtpeft report known-issues"))
def known_issues() -> None:
    """Tell in words what the audit found, as Markdown."""
    from mtpeft.reporting.console import show_files
    from mtpeft.reporting.known_issues import write

    show_files(write())

"""What reporting prints: rich on a terminal, plain lines in a log."""

from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mtpeft.catalog.places import how_to_import
from mtpeft.core.records import unaccounted
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.marks import SIGNS
from mtpeft.reporting.sections.verdicts import HEADLINES
from mtpeft.reporting.summary import KIND_TITLES, count_by_kind, exit_code
from mtpeft.reporting.tables.model import TableData
from mtpeft.reporting.tables.render import heading, shown, signs_used

_COLOURS = {
    "exact": "green",
    "within tolerance": "cyan",
    "differs": "red",
    "not run": "dim",
    "cannot run here": "dim",
    "not reproducible": "magenta",
}
_LOG_WIDTH = 200


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=_LOG_WIDTH, highlight=False)


def show_table(data: TableData, console: Console | None = None) -> None:
    """Print one table."""
    console = console or _console()
    grid = RichTable(
        title=heading(data), title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column in data.columns:
        grid.add_column(
            column.title, justify="right" if column.numeric else "left", no_wrap=column.numeric
        )
    for number, group in enumerate(data.groups):
        if group.title:
            if number:
                grid.add_row()
            grid.add_row(Text(group.title, style="bold"))
        for row in group.rows:
            grid.add_row(*(Text(shown(row.values[c.key])) for c in data.columns))
    console.print(grid)
    for note in [*data.notes, *signs_used(data)]:
        console.print(f"  {note}", style="dim", markup=False)


def show_summary(inputs: Inputs, page: Path, console: Console | None = None) -> None:
    """Print the short verdict: counts per kind, what is unexplained, where the report lies."""
    console = console or _console()
    code = exit_code(inputs.verdicts)
    console.print(HEADLINES[code], style="bold green" if code == 0 else "bold red")
    for kind, counts in count_by_kind(inputs.verdicts).items():
        line = Text(f"  {KIND_TITLES.get(kind, kind)}: ")
        line.append(", ".join(f"{number:,} {name}" for name, number in counts.items() if number))
        for name, colour in _COLOURS.items():
            line.highlight_regex(rf"[\d,]+ {name}", colour)
        console.print(line, soft_wrap=True)
    unexplained = unaccounted(inputs.verdicts)
    for verdict in unexplained[:10]:
        console.print(
            f"  {SIGNS[verdict.verdict]} {verdict.id}: published {verdict.published or '–'}, "
            f"recomputed {verdict.regenerated or '–'}",
            markup=False,
            soft_wrap=True,
        )
    if len(unexplained) > 10:
        console.print(f"  … and {len(unexplained) - 10} more without a known cause")
    for missing, command in (
        (not inputs.verdicts, "make verify"),
        (inputs.causes is None, "make audit"),
    ):
        if missing:
            console.print(f"  not run: {command}")
    for line in how_to_import(inputs.known):
        console.print(f"  {line}", markup=False)
    console.print(f"Report: {page}", soft_wrap=True, markup=False)

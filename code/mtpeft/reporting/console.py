"""What reporting prints: rich on a terminal, plain lines in a log."""

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mtpeft.catalog.places import how_to_import
from mtpeft.core.paths import shown as shown_path
from mtpeft.core.records import unaccounted
from mtpeft.core.text import counted
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.marks import MISSING, SIGNS
from mtpeft.reporting.sections.verdicts import STATES
from mtpeft.reporting.summary import (
    KIND_TITLES,
    count_by_kind,
    count_outcomes,
    exit_code,
    headline,
)
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
    """Print one table: as a grid where it fits, else each row as a block of its own.

    Args:
        data: The table.
        console: Where to; default: standard output, a log of 200 columns where it is no terminal.
    """
    console = console or _console()
    if width_of(data) <= console.width:
        console.print(_grid(data))
    else:
        _blocks(data, console)
    for note in [*data.notes, *signs_used(data)]:
        console.print(f"  {note}", style="dim", markup=False)


MANY = 12


def show_files(files: Sequence[Path], console: Console | None = None) -> None:
    """Print the paths of what was made; many files of one folder as the folder and their number."""
    console = console or _console()
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    for folder, members in folders.items():
        if len(members) > MANY:
            console.print(
                f"{shown_path(folder)}: {counted(len(members), 'file')}",
                soft_wrap=True,
                markup=False,
            )
        else:
            for file in members:
                console.print(shown_path(file), soft_wrap=True, markup=False)


def width_of(data: TableData) -> int:
    """Columns that the table needs as a grid, words unbroken in its numeric columns."""
    width = 0
    for column in data.columns:
        texts = [shown(row.values[column.key]) for row in data.rows()]
        if not column.numeric:
            texts = [word for text in texts for word in text.split()]
        titles = [column.title] if column.numeric else column.title.split()
        width += max(map(cell_len, [*texts, *titles]), default=0) + 1
    return width


def _grid(data: TableData) -> RichTable:
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
    return grid


def _blocks(data: TableData, console: Console) -> None:
    console.print(heading(data), style="italic", markup=False)
    first, *others = data.columns
    for group in data.groups:
        if group.title:
            console.print(f"\n{group.title}", style="bold", markup=False)
        for row in group.rows:
            console.print(shown(row.values[first.key]), markup=False)
            facts = [
                f"{column.title} {text}"
                for column in others
                if (text := shown(row.values[column.key])) != MISSING
            ]
            for line in _filled(facts, console.width - 2):
                console.print(f"  {line}", markup=False, soft_wrap=True)


def _filled(facts: list[str], width: int) -> list[str]:
    """The facts in as few lines as they fit in, none broken in two."""
    lines: list[str] = []
    for fact in facts:
        longer = f"{lines[-1]}; {fact}" if lines else fact
        if lines and cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fact)
    return lines


def show_summary(inputs: Inputs, page: Path, console: Console | None = None) -> None:
    """Print the short verdict: counts per kind, what is unexplained, where the report lies."""
    console = console or _console()
    code = exit_code(inputs.verdicts)
    claims = headline(count_outcomes(inputs.claim_verdicts().values())) if code != 2 else ""
    if claims:
        console.print(f"{claims}.", style="bold", markup=False)
    console.print(STATES[code].partition(":")[0], style="bold green" if code == 0 else "bold red")
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
    for hint in how_to_import(inputs.known):
        console.print(f"  {hint}", markup=False)
    console.print(f"Report: {page}", soft_wrap=True, markup=False)

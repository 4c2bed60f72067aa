"""A table as Markdown, CSV and LaTeX (booktabs), each with the command and inputs that made it."""

import os
import re
from collections.abc import Callable

from mtpeft.core.records import csv_text
from mtpeft.reporting.marks import CHANGED, LEGEND, SIGNS
from mtpeft.reporting.tables.model import Column, Row, TableData, Value

DO_NOT_EDIT = "Do not edit: generated"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "→": r"$\rightarrow$",
    "Δ": r"$\Delta$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "∅": r"$\emptyset$",
    "○": r"$\circ$",
    "⊘": r"$\oslash$",
    "⇄": r"$\rightleftarrows$",
    "✓": r"$\checkmark$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "…": r"\dots{}",
    "·": r"$\cdot$",
    "∞": r"$\infty$",
    "<": r"$<$",
    ">": r"$>$",
}
_MINUS = re.compile(r"(?<![\w)\]-])-(?=\d)")
_LONG = 40


def signs_used(data: TableData) -> list[str]:
    """Legend lines of the signs that occur in the table."""
    used = {v.status for row in data.rows() for v in row.values.values() if v.marked}
    lines = [
        f"{SIGNS[name]} {LEGEND[name]}; the printed value follows" for name in SIGNS if name in used
    ]
    if any(v.mark == CHANGED for row in data.rows() for v in row.values.values()):
        lines.append(
            f"{CHANGED} the corrected protocol comes to another conclusion at the 5 % level"
        )
    return lines


def shown(value: Value) -> str:
    """A cell as plain text: the value, then sign and printed value where the two disagree."""
    if not value.marked:
        return f"{value.text} {value.mark}".rstrip()
    found = "" if value.raw is None else f"{value.text} "
    return f"{found}{SIGNS[value.status]} {value.published} {value.mark}".rstrip()


def heading(data: TableData) -> str:
    """Number and title."""
    return f"Table {data.table.number}. {data.table.title}"


def provenance_line(data: TableData, name: Callable[..., str]) -> str:
    """Who made the table, from what."""
    files = short_list([name(path) for path in data.inputs]) or ["the catalog"]
    return f"{DO_NOT_EDIT} by `{data.command}` from {', '.join(files)}."


def short_list(files: list[str]) -> list[str]:
    """File names, more than three of one folder as `folder/ (n files)`; the provenance file has
    them all.
    """
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault("/".join(file.split("/")[:3]), []).append(file)
    return [
        name
        for folder, members in folders.items()
        for name in (
            members
            if len(members) <= 3
            else [f"{os.path.commonpath(members)}/ ({len(members)} files)"]
        )
    ]


def markdown(data: TableData, name: Callable[..., str]) -> str:
    """GitHub-flavoured Markdown.

    Args:
        data: The table.
        name: How an input file is called.
    """

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    lines = [
        f"**{heading(data)}**",
        "",
        line([c.title for c in data.columns]),
        line(["---:" if c.numeric else "---" for c in data.columns]),
    ]
    for group in data.groups:
        if group.title:
            lines.append(line([f"**{group.title}**"] + [""] * (len(data.columns) - 1)))
        lines += [line([shown(row.values[c.key]) for c in data.columns]) for row in group.rows]
    notes = [*data.notes, *signs_used(data), provenance_line(data, name)]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"


def csv(data: TableData) -> str:
    """Full precision; a compared column is followed by its printed value, verdict and cause."""
    keys = list(dict.fromkeys(key for row in data.rows() for key in row.keys))
    header = list(keys)
    for column in data.columns:
        header += [
            column.key,
            *(f"{column.key}_{s}" for s in ("published", "verdict", "cause") if column.compared),
        ]
    return csv_text(header, (_csv_row(row, keys, data.columns) for row in data.rows()))


def _csv_row(row: Row, keys: list[str], columns: list[Column]) -> list[object]:
    cells: list[object] = [row.keys.get(key, "") for key in keys]
    for column in columns:
        value = row.values[column.key]
        cells.append(value.raw)
        if column.compared:
            cells += [value.published, value.status, value.verdict.cause if value.verdict else ""]
    return cells


def escape_latex(plain: str) -> str:
    """Plain text as LaTeX source."""
    return _MINUS.sub("$-$", "".join(_LATEX.get(char, char) for char in plain))


def latex(data: TableData, name: Callable[..., str]) -> str:
    """LaTeX with booktabs; needs the packages booktabs, longtable, textcomp and amssymb. A long
    table becomes a `longtable`.

    Args:
        data: The table.
        name: How an input file is called.
    """
    spec = "".join("r" if c.numeric else "l" for c in data.columns)
    width = len(data.columns)
    long = len(data.rows()) > _LONG
    header = " & ".join(escape_latex(c.title) for c in data.columns) + r" \\"
    caption = rf"\caption{{{escape_latex(data.table.title)}}}\label{{tab:{data.table.id}}}"
    body: list[str] = []
    for number, group in enumerate(data.groups):
        if group.title:
            body += ([r"\addlinespace"] if number else []) + [
                rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escape_latex(group.title)}}}}} \\"
            ]
        body += [
            " & ".join(escape_latex(shown(row.values[c.key])) for c in data.columns) + r" \\"
            for row in group.rows
        ]
    notes = " ".join(escape_latex(_sentence(note)) for note in [*data.notes, *signs_used(data)])
    comment = "% " + provenance_line(data, name).replace("`", "")
    if long:
        lines = [
            rf"\begin{{longtable}}{{{spec}}}",
            caption + r"\\",
            r"\toprule",
            header,
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *body,
            r"\end{longtable}",
            rf"{{\footnotesize {notes}\par}}",
        ]
    else:
        lines = [
            r"\begin{table}",
            r"\centering",
            caption,
            rf"\begin{{tabular}}{{{spec}}}",
            r"\toprule",
            header,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par{{\footnotesize {notes}\par}}",
            r"\end{table}",
        ]
    return "\n".join([comment, *lines]) + "\n"


def _sentence(note: str) -> str:
    plain = re.sub(r"[`*]", "", note)
    return plain if plain.endswith(".") else plain + "."

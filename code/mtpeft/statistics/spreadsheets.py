"""Tables that people bring from elsewhere: exports of a spreadsheet or another tool, read as text."""

import csv
from pathlib import Path

import pandas as pd

from mtpeft.core.errors import BadInput
from mtpeft.core.files import cannot, no_file

ID_COLUMNS = ("instance_id", "id", "task_id", "problem", "name")
"""Columns that may hold the ids of a table: the first that is there."""


def read_spreadsheet(path: Path, holds: str, id_column: str = "") -> tuple[pd.DataFrame, str]:
    """A table with a header as text, and the name of its column of ids.

    The separator is the one of comma, semicolon and tab that the header has most of. A row of another length than the
    header is refused: which of its fields is missing, or too many, cannot be known.

    Args:
        path: A CSV in UTF-8.
        holds: What the table is to hold, for messages.
        id_column: The column of ids; empty: the first of `ID_COLUMNS`.

    Returns:
        The table, indexed by the line at which each row ends, without empty lines.

    Raises:
        BadInput: No file, no table, a column twice, a row of another length, no column of ids.
    """
    if not path.is_file():
        raise no_file(path, holds)
    expected, fix = f"CSV in UTF-8: {holds}", "save the spreadsheet as CSV (UTF-8)"
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            separator = max(",;\t", key=stream.readline().count)
            stream.seek(0)
            reader = csv.reader(stream, delimiter=separator, strict=True)
            for row in filter(None, reader):
                if rows and len(row) != len(rows[0]):
                    raise BadInput(
                        path,
                        f"{len(row)} fields, {len(rows[0])} in the header",
                        "as many fields in each row as in the header",
                        fix,
                        line=reader.line_num,
                    )
                lines.append(reader.line_num)
                rows.append(row)
    except OSError as error:
        raise cannot("read", path, error) from error
    except UnicodeDecodeError as error:
        raise BadInput(path, f"not a table: {error}", expected, fix) from error
    except csv.Error as error:
        raise BadInput(path, f"not a table: {error}", expected, fix, reader.line_num) from error
    if not rows:
        raise BadInput(path, "not a table: the file is empty", expected, fix)
    header, *rows = rows
    # An export may end every line, the header's too, with a separator.
    if not header[-1] and not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    shown = f"columns {', '.join(header[:8])}"
    if len(set(header)) < len(header):
        raise BadInput(path, shown, "each column once", line=lines[0])
    column = id_column or next((c for c in ID_COLUMNS if c in header), "")
    if column not in header or not column:
        raise BadInput(
            path,
            shown + (f", none called {id_column}" if id_column else ""),
            f"a column with the id of each instance ({', '.join(ID_COLUMNS)}); {holds}",
            "mtpeft compare A.csv B.csv --id COLUMN",
            line=lines[0],
        )
    return pd.DataFrame(rows, index=lines[1:], columns=header, dtype=object), column

"""What a table is before it is Markdown, CSV, LaTeX or HTML."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtpeft.catalog import Table
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Verdict
from mtpeft.reporting.marks import MISSING, needs_attention


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: Its name in the CSV.
        title: Its heading.
        numeric: Whether it is set to the right.
        compared: Whether its values have printed counterparts with verdicts.
        corrected: Whether its values follow the corrected protocol.
        about: What it shows, for the note under the table.
    """

    key: str
    title: str
    numeric: bool = True
    compared: bool = False
    corrected: bool = False
    about: str = ""


@dataclass(frozen=True)
class Value:
    """One cell of a table.

    Attributes:
        raw: In full precision, for the CSV.
        text: Rounded as printed.
        published: The printed counterpart, as text.
        verdict: Of the printed counterpart.
        mark: A sign that follows the value.
    """

    raw: Any
    text: str
    published: str = ""
    verdict: Verdict | None = None
    mark: str = ""

    @property
    def status(self) -> str:
        """The verdict's word; empty where there is none."""
        return self.verdict.verdict if self.verdict else ""

    @property
    def marked(self) -> bool:
        """Whether a reader's attention is drawn to it."""
        return needs_attention(self.status)


EMPTY = Value(None, MISSING)


def text(value: object) -> Value:
    """A cell of words."""
    return Value(value, str(value))


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        values: The cells by column key.
        keys: What identifies the row, in the CSV only.
    """

    values: dict[str, Value]
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Rows under one heading; an empty title draws none."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class TableData:
    """A table ready to be rendered.

    Attributes:
        table: What the catalog says of it.
        columns: Its columns, in order.
        groups: Its rows under their headings.
        notes: What is printed below it.
        inputs: The files that its values came from.
    """

    table: Table
    columns: list[Column]
    groups: list[Group]
    notes: list[str]
    inputs: list[Path]

    def __post_init__(self) -> None:
        keys = {column.key for column in self.columns}
        for row in self.rows():
            if row.values.keys() != keys:
                raise MtpeftError(
                    f"{self.table.id}: a row with {', '.join(row.values)}", ", ".join(sorted(keys))
                )

    @property
    def command(self) -> str:
        """The command that makes the table."""
        return f"make {self.table.id}"

    def rows(self) -> list[Row]:
        """The rows of all groups, in order."""
        return [row for group in self.groups for row in group.rows]

    def verdicts(self) -> list[Verdict]:
        """The verdicts of the printed values that the table shows."""
        return [
            value.verdict for row in self.rows() for value in row.values.values() if value.verdict
        ]

"""The expected table of the smoke run and its comparison with what came out.

data/smoke/expected.csv holds run, evaluation, metric, value, tolerance. Tolerances come from
measured repeats with other instruction sets (see data/smoke/expected.md): on the same kind of
processor the run repeats to the last bit.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.errors import BadInput
from mtpeft.core.paths import DATA
from mtpeft.core.records import csv_text, read_frame

EXPECTED = DATA / "smoke" / "expected.csv"
COLUMNS = ["run", "evaluation", "metric", "value", "tolerance"]
Cell = tuple[str, str, str]
DIGITS = 6


@dataclass(frozen=True)
class Comparison:
    """One cell of the expected table.

    Attributes:
        cell: Run, evaluation and metric.
        expected: The value of the table; None where it has none.
        obtained: The value that came out; None where none did.
        tolerance: By how much they may differ.
    """

    cell: Cell
    expected: float | None
    obtained: float | None
    tolerance: float

    @property
    def verdict(self) -> str:
        """`exact`, `within tolerance`, `differs`, or `not run` where one side has no value."""
        if self.expected is None or self.obtained is None:
            return "not run"
        if self.expected == self.obtained:
            return "exact"
        return (
            "within tolerance"
            if abs(self.expected - self.obtained) <= self.tolerance + 1e-12
            else "differs"
        )


def compare(obtained: dict[Cell, float], path: Path | None = None) -> list[Comparison]:
    """Every cell of either side, in the order of the expected table, at the precision of the table.

    Args:
        obtained: The values that came out.
        path: The expected table (default: the shipped one).

    Raises:
        BadInput: There is no expected table.
    """
    path = path or EXPECTED
    obtained = {cell: round(value, DIGITS) for cell, value in obtained.items()}
    frame = read_frame(path, COLUMNS, numeric=["value", "tolerance"])
    known = {(r.run, r.evaluation, r.metric): (r.value, r.tolerance) for r in frame.itertuples()}
    if len(known) < len(frame):
        raise BadInput(path, "a cell stands twice", "each cell once")
    cells = [*known, *(c for c in obtained if c not in known)]
    return [
        Comparison(
            c,
            known[c][0] if c in known else None,
            obtained.get(c),
            known[c][1] if c in known else 0.0,
        )
        for c in cells
    ]


def shown(comparisons: list[Comparison]) -> str:
    """The table as people read it: expected vs. actual."""
    lines = [
        f"{'run':46} {'evaluation':22} {'metric':18} {'expected':>9} {'obtained':>9} {'±':>7}  verdict"
    ]
    for c in comparisons:
        numbers = [f"{v:9.4f}" if v is not None else f"{'–':>9}" for v in (c.expected, c.obtained)]
        lines.append(
            f"{c.cell[0]:46} {c.cell[1]:22} {c.cell[2]:18} {numbers[0]} {numbers[1]} {c.tolerance:7.4f}  {c.verdict}"
        )
    return "\n".join(lines)


def table(obtained: dict[Cell, float], tolerances: dict[Cell, float] | None = None) -> str:
    """Obtained values as the text of an expected table, rounded."""
    return csv_text(
        COLUMNS,
        (
            [*cell, round(value, DIGITS), round((tolerances or {}).get(cell, 0.0), DIGITS)]
            for cell, value in obtained.items()
        ),
    )


def read_table(path: Path, column: str = "value") -> dict[Cell, float]:
    """One column of a table written by `table`, by cell."""
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    return {(r["run"], r["evaluation"], r["metric"]): float(r[column]) for r in rows}

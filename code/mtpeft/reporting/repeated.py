"""Choices that are repeated as published although they are faults, as tables for people."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mtpeft.audit.choices import BY_ROW, LABELS, ZEROS, Repeated
from mtpeft.catalog.schema import Choice
from mtpeft.core.records import read_records
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.names import Names, block_title

TITLE = "As published repeats a fault"
LEAD = (
    "These choices of the studies are repeated under the protocol *as published*, so that what is printed is "
    "recomputed exactly; that does not make it right. Each is listed with the numbers that it moves."
)
_TEXTS = {
    BY_ROW: (
        "Tests that pair the wrong instances",
        (
            "Row i of one file is paired with row i of another, but the files lack different instances. The printed "
            "counts, p-values and odds ratios are artefacts of the pairing; paired by instance id they are those on the "
            "right. Where the scores are not archived, the printed counts alone show it: the two runs seem to solve "
            "hardly more problems in common than chance would give."
        ),
    ),
    ZEROS: (
        "Unparseable outputs count as 0",
        (
            "An output that a tool could not read has 0 in the tool's every metric and stands in means and tests as if "
            "it had been measured. Without it the means move, and some yes/no turn (the corrected protocol pairs by id, "
            "too, where that differs)."
        ),
    ),
    LABELS: (
        "Labels that name no method",
        "Of the two methods that the label mixes, one was applied; the other would give the number on the right.",
    ),
}


@dataclass(frozen=True)
class Told:
    """One choice: what it is, what it means, and a table of the numbers that it moves.

    Attributes:
        title: What was done.
        text: What it means.
        head: Titles of the columns.
        rows: The table.
    """

    title: str
    text: str
    head: list[str]
    rows: list[list[str]]


def told(inputs: Inputs) -> list[Told]:
    """Every choice that moves a number, in the order of the audit; empty before the audit."""
    path = inputs.regenerated / "audit" / "repeated.csv"
    if not path.is_file():
        return []
    inputs.used.add(path)
    groups: dict[str, list[Repeated]] = defaultdict(list)
    for record in read_records(path, Repeated):
        groups[record.choice].append(record)
    declared = {c.id: c for study in inputs.known.studies.values() for c in study.choices}
    tables = {BY_ROW: _by_row, ZEROS: _zeros, LABELS: _labels}
    return [
        Told(*_TEXTS[choice], *tables[choice](found, inputs.names))
        if choice in tables
        else _declared(declared[choice], found, inputs.names)
        for choice, found in groups.items()
        if choice in tables or choice in declared
    ]


def _by_row(found: Sequence[Repeated], names: Names) -> tuple[list[str], list[list[str]]]:
    places: dict[tuple[str, str], dict[str, Repeated]] = defaultdict(dict)
    for record in found:
        places[record.comparison, record.block][record.quantity] = record
    rows = []
    for (comparison, block), quantities in places.items():
        row = [names.comparison(comparison), block_title(block)]
        for side in ("published", "right"):
            number = {q: getattr(r, side) for q, r in quantities.items() if getattr(r, side)}
            counts = f"{number['a_only']} / {number['b_only']}" if "a_only" in number else "–"
            row += [counts, number.get("p", "–"), number.get("odds_ratio", "–")]
        rows.append([*row, next(iter(quantities.values())).detail])
    head = ["comparison", "block"]
    head += ["only A / only B by row", "p", "odds ratio"]
    return [*head, "only A / only B by id", "p", "odds ratio", "seen by"], rows


def _zeros(found: Sequence[Repeated], names: Names) -> tuple[list[str], list[list[str]]]:
    known = names.known.metrics()
    groups: dict[tuple[str, str, str], list[Repeated]] = defaultdict(list)
    for record in found:
        groups[record.comparison, record.block, known[record.metric][0].id].append(record)
    rows = []
    for (comparison, block, tool), records in groups.items():
        most = max(records, key=_move)
        rows.append(
            [
                names.comparison(comparison),
                block_title(block),
                names.tool(tool),
                records[0].detail.partition(" outputs")[0],
                f"{names.metric(most.metric)}: {most.published} → {most.right}",
                f"{sum(r.turns == 'yes' for r in records)} of {len(records)}",
            ]
        )
    head = ["comparison", "block", "tool", "unparseable on A and B"]
    return [*head, "largest move of the means of A and B", "yes/no that turn"], rows


def _move(record: Repeated) -> float:
    """The largest share by which a mean moves."""
    pairs = zip(record.published.split(", "), record.right.split(", "), strict=True)
    return max(abs(float(b) - float(a)) / (abs(float(a)) or 1) for a, b in pairs)


def _labels(found: Sequence[Repeated], names: Names) -> tuple[list[str], list[list[str]]]:
    rows = [[names.comparison(r.comparison), r.published, r.right, r.detail] for r in found]
    return ["comparison", "as adjusted", "by Bonferroni", "seen by"], rows


def _declared(choice: Choice, found: Sequence[Repeated], names: Names) -> Told:
    rows = [[names.comparison(r.comparison), r.published] for r in found]
    rows.append(["together", f"{sum(int(r.published) for r in found):,}"])
    return Told(choice.title, choice.text, ["comparison", "printed values that rest on it"], rows)

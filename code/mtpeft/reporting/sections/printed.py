"""Every printed value of the studies with its verdict, grouped by the file that prints it."""

from collections.abc import Iterator

from mtpeft.core.records import PublishedCell
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.names import QUANTITIES, block_title
from mtpeft.reporting.sections import Section
from mtpeft.reporting.sections.causes import KINDS
from mtpeft.reporting.summary import count


def section(inputs: Inputs) -> Section:
    """One folded list per output file, in the order in which the file prints."""
    files: dict[str, list[PublishedCell]] = {}
    for cell in inputs.cells:
        files.setdefault(cell.source, []).append(cell)
    parts = []
    for source, cells in sorted(files.items()):
        verdicts = [v for c in cells if (v := inputs.verdict_of.get(("cell", c.id)))]
        counts = {name: n for name, n in count(verdicts).items() if n}
        if len(cells) > len(verdicts):
            counts["not run"] = counts.get("not run", 0) + len(cells) - len(verdicts)
        parts.append(
            {
                "title": inputs.names.comparison(cells[0].comparison),
                "source": source,
                "total": len(cells),
                "verdicts": counts,
                "rows": list(_rows(inputs, cells)),
            }
        )
    return Section(
        "printed",
        "Every printed value",
        render("printed.html", parts=parts),
        f"{len(inputs.cells):,}",
    )


def _rows(inputs: Inputs, cells: list[PublishedCell]) -> Iterator[dict[str, str | int]]:
    causes = inputs.causes or {}
    for cell in cells:
        verdict = inputs.verdict_of.get(("cell", cell.id))
        cause = verdict.cause if verdict else ""
        audited = causes.get(cause)
        yield {
            "line": cell.line,
            "block": block_title(cell.block) if cell.block else "",
            "metric": inputs.names.metric(cell.metric),
            "quantity": QUANTITIES.get(cell.quantity, cell.quantity.replace("_", " ")),
            "printed": cell.printed,
            "regenerated": verdict.regenerated if verdict else "",
            "verdict": verdict.verdict if verdict else "not run",
            "cause": cause or "",
            "why": (
                (KINDS.get(audited.get("kind", ""), "") or inputs.names.words(audited["title"]))
                if audited
                else inputs.names.words(cause or verdict.reason)
            )
            if verdict
            else "",
        }

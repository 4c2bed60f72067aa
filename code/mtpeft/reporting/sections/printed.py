"""Every printed value of the study with its verdict, grouped by the file that prints it."""

from collections.abc import Iterator

from mtpeft.core.records import PublishedCell
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import count
from mtpeft.reporting.tables.comparison import block_title


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
    metrics = inputs.known.metrics()
    blocks = {
        (c.id, b.id): block_title(b) for c in inputs.known.comparisons.values() for b in c.blocks
    }
    for cell in cells:
        verdict = inputs.verdict_of.get(("cell", cell.id))
        yield {
            "line": cell.line,
            "block": blocks.get((cell.comparison, cell.block), cell.block),
            "metric": metrics[cell.metric][1].title if cell.metric in metrics else cell.metric,
            "quantity": cell.quantity.replace("_", " "),
            "printed": cell.printed,
            "regenerated": verdict.regenerated if verdict else "",
            "verdict": verdict.verdict if verdict else "not run",
            "cause": (verdict.cause or verdict.reason) if verdict else "",
        }

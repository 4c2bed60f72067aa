"""What an archive should hold, and what it is known to lack.

Absence is not taken for known absence. The scores that a study's archive lacks are listed in its
study.yaml (`absent`), and `sources.csv` in the folder of its printed statistics says how many
records each upstream file gave. Whatever else is missing gets a verdict without a cause.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mtpeft.catalog import Catalog
from mtpeft.catalog.places import archived, published
from mtpeft.catalog.schema import Study
from mtpeft.core.errors import BadInput
from mtpeft.core.paths import shown
from mtpeft.core.records import PublishedCell, Verdict, count_scores, read_rows

SOURCES = "records that each source gave, in sources.csv"


def known_absent(known: Catalog, study: str, metric: str, evaluation: str, run: str) -> str:
    """Why the archive of a study lacks the scores of a run, empty where it should hold them."""
    tools = {tool.id for tool in known.tools.values() if metric in {m.id for m in tool.metrics}}
    return next(
        (
            absent.reason
            for absent in known.studies[study].absent
            if absent.tool in tools
            and absent.evaluation == evaluation
            and (not absent.runs or run in absent.runs)
        ),
        "",
    )


def judge_completeness(known: Catalog, cells: Sequence[PublishedCell]) -> list[Verdict]:
    """One verdict for each published table, score table and printed output of every study that says
    how many records it holds.
    """
    verdicts: list[Verdict] = []
    for study in known.studies.values():
        verdicts += [
            _rows_of(published(study) / f"{n}.csv", rows) for n, rows in study.rows.items()
        ]
        sources = published(study) / "sources.csv"
        if sources.is_file() and (published(study) / "statistics.csv").is_file():
            records = _records(sources)
            verdicts += _tables(known, study, records)
            verdicts += _outputs(known, study, records, cells)
    return verdicts


def _rows_of(path: Path, expected: int) -> Verdict:
    found = len(read_rows(path)) if path.is_file() else 0
    return _verdict(shown(path), f"{expected} records", f"{found} records", "`rows:` in study.yaml")


def _records(sources: Path) -> dict[str, int]:
    """Records that each upstream file gave, by its path."""
    try:
        return {row["path"]: int(row["records"]) for row in read_rows(sources)}
    except (KeyError, ValueError) as error:
        raise BadInput(
            sources, f"no count of records: {error}", "path and records of each source"
        ) from error


def _tables(known: Catalog, study: Study, records: dict[str, int]) -> Iterable[Verdict]:
    for tool in known.tools.values():
        for folder, evaluation in tool.archive.items():
            files = {p: n for p, n in records.items() if _within(p, folder)}
            if not files:
                continue
            path = archived(study) / "scores" / tool.id / f"{evaluation}.csv"
            runs = count_scores(path)[1] if path.is_file() else Counter()
            wanted = f"{sum(files.values())} rows of {len(files)} runs"
            yield _verdict(shown(path), wanted, f"{runs.total()} rows of {len(runs)} runs")


def _within(path: str, folder: str) -> bool:
    return f"/{path}".rpartition("/")[0].endswith(f"/{folder}")


def _outputs(
    known: Catalog, study: Study, records: dict[str, int], cells: Sequence[PublishedCell]
) -> Iterable[Verdict]:
    mine = {c.id for c in known.of("comparisons", study.id)}
    found = Counter(_name(cell.source) for cell in cells if cell.comparison in mine)
    expected = {
        _name(path): number
        for path, number in records.items()
        if _name(path) in {o.file for c in mine for o in known.comparisons[c].outputs}
    }
    for name in dict.fromkeys([*expected, *found]):
        yield _verdict(
            f"{study.id}/{name}", f"{expected.get(name, 0)} values", f"{found[name]} values"
        )


def _name(path: str) -> str:
    """The file of a source, wherever it lies: outputs are named without their folder."""
    return path.rpartition("/")[2]


def _verdict(name: str, expected: str, found: str, source: str = SOURCES) -> Verdict:
    return Verdict(
        id=name,
        tier="T0",
        kind="complete",
        published="",
        archived=expected,
        regenerated=found,
        tolerance="",
        tolerance_source=source,
        verdict="exact" if found == expected else "differs",
        reason="" if found == expected else "records are lost or added since the import",
        command="make verify",
    )

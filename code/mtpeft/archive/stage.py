"""`make archive`: upstream files → results/archived (scores) and results/published (printed
statistics).
"""

from pathlib import Path

from mtpeft.archive import sources
from mtpeft.archive.outputs import read_outputs
from mtpeft.archive.scores import read_all
from mtpeft.catalog import Catalog, catalog
from mtpeft.core import checksums
from mtpeft.core.paths import ARCHIVED, PUBLISHED, shown
from mtpeft.core.records import PublishedCell, write_records, write_scores


def import_archive(
    repin: bool = False,
    upstream: Path | None = None,
    archived: Path = ARCHIVED,
    published: Path = PUBLISHED,
    known: Catalog | None = None,
) -> None:
    """Make every table of the archive from the upstream files; the same input gives the same bytes.

    upstream: a checkout of the study's repository (default: mirror, else network); repin: accept
    the upstream files as they are and write their checksums anew. Nothing is written unless every
    file was read and checked.
    """
    known = known or catalog()
    root = upstream or sources.upstream_root()
    tables, score_files = read_all(root / sources.SCORES, known)
    cells, output_files = read_outputs(root / sources.OUTPUTS, known)
    found = [
        sources.source(root, path, records) for path, records in sorted(score_files + output_files)
    ]
    if not repin:
        sources.check_pins(root, found)
    written = [
        write_scores(archived / sources.STUDY, tool, task, frame)
        for (tool, task), frame in sorted(tables.items())
    ]
    statistics = published / sources.STUDY / "statistics.csv"
    write_records(statistics, cells, PublishedCell)
    write_records(
        sources.pinned_path()
        if published == PUBLISHED
        else published / sources.STUDY / "sources.csv",
        found,
        sources.Source,
    )
    for folder in (archived, published):
        checksums.write_sums(folder)
    print(
        f"archive: {len(score_files)} score files -> {len(written)} tables in {shown(archived)}; "
        f"{len(output_files)} outputs -> {len(cells)} printed values in {shown(statistics)}"
    )

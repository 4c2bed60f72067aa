"""`make archive`: upstream files → results/archived (scores) and results/published (printed
statistics and figures), study by study.
"""

from pathlib import Path

from mtpeft.archive import sources
from mtpeft.archive.dialect import has_dialect
from mtpeft.archive.figures import import_figures
from mtpeft.archive.outputs import read_outputs
from mtpeft.archive.scores import read_all
from mtpeft.catalog import Catalog, catalog
from mtpeft.core import checksums
from mtpeft.core.errors import UnknownName
from mtpeft.core.paths import ARCHIVED, PUBLISHED, shown
from mtpeft.core.records import PublishedCell, write_records, write_scores


def import_archive(
    repin: bool = False,
    upstream: Path | None = None,
    archived: Path = ARCHIVED,
    published: Path = PUBLISHED,
    known: Catalog | None = None,
    allow_loss: bool = False,
) -> None:
    """Make every table of the per-instance scores; the same input gives the same bytes.

    Nothing is written unless every file was read and checked.

    Args:
        repin: Accept changed and new upstream files and write their checksums anew.
        upstream: A checkout of the study's repository (default: mirror, else network).
        archived: Where the tables of scores go.
        published: Where the printed statistics go.
        known: The catalog, where it is not the shipped one.
        allow_loss: With `repin`, accept that files or records are gone, too.
    """
    known = known or catalog()
    root = upstream or sources.upstream_root()
    tables, score_files = read_all(root / sources.SCORES, known)
    cells, output_files = read_outputs(root / sources.OUTPUTS, known)
    found = [
        sources.source(root, path, records) for path, records in sorted(score_files + output_files)
    ]
    sources.check_pins({sources.QLORA.repository: root}, found, None, repin, allow_loss)
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


def import_studies(study: str = "", repin: bool = False, allow_loss: bool = False) -> None:
    """Import one study, or all of them: scores and statistics, or figures through its dialect.

    Args:
        study: Id of the study; empty: every study that can be imported.
        repin: Accept changed and new upstream files and pin them again.
        allow_loss: With `repin`, accept that files or records are gone, too.

    Raises:
        UnknownName: The study is not known, or nothing reads its upstream files.
    """
    known = catalog()
    able = [s for s in known.studies if s == sources.STUDY or has_dialect(known.studies[s])]
    if study and study not in able:
        raise UnknownName("study with upstream files", study, able)
    for name in [study] if study else able:
        if name == sources.STUDY:
            import_archive(repin=repin, known=known, allow_loss=allow_loss)
        else:
            import_figures(known.studies[name], repin, allow_loss=allow_loss)

"""`make archive`: upstream files → results/archived (scores) and results/published (printed
statistics and figures), study by study.
"""

from pathlib import Path

from mtpeft.archive import sources
from mtpeft.archive.dialect import score_dialect_of
from mtpeft.archive.figures import import_figures
from mtpeft.archive.outputs import read_outputs
from mtpeft.archive.scores import read_all
from mtpeft.archive.tables import import_tables
from mtpeft.catalog import Catalog, Study, catalog
from mtpeft.core import checksums
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.paths import ARCHIVED, PUBLISHED, shown
from mtpeft.core.records import PublishedCell, write_records, write_scores
from mtpeft.studies import dialect, has_dialect


def import_archive(
    study: Study,
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
        study: Whose scores.
        repin: Accept changed and new upstream files and rewrite their checksums.
        upstream: A checkout of the study's repository (default: mirror, else network).
        archived: Where the tables of scores go.
        published: Where the printed statistics go.
        known: The catalog, where it is not the shipped one.
        allow_loss: With `repin`, accept that files or records are gone, too.
    """
    known = known or catalog()
    names = score_dialect_of(study)
    (origin,) = names.UPSTREAM
    root = upstream or sources.upstream_root(origin)
    tables, score_files = read_all(root / names.SCORES, known, names)
    cells, output_files = read_outputs(root / names.OUTPUTS, known, study.id)
    found = [
        sources.source(root, path, records, origin)
        for path, records in sorted(score_files + output_files)
    ]
    pins = sources.pinned_path(study.id)
    sources.check_pins({origin.repository: root}, found, pins, repin, allow_loss)
    written = [
        write_scores(archived / study.id, tool, task, frame)
        for (tool, task), frame in sorted(tables.items())
    ]
    statistics = published / study.id / "statistics.csv"
    write_records(statistics, cells, PublishedCell)
    write_records(
        pins if published == PUBLISHED else published / study.id / "sources.csv",
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
        study: Id of the study; empty: every study whose figures are shipped.
        repin: Accept changed and new upstream files and pin them again.
        allow_loss: With `repin`, accept that files or records are gone, too.

    Raises:
        UnknownName: The study is not known.
        MtpeftError: Nothing reads its upstream files.
    """
    known = catalog()
    able = [s for s in known.studies if has_dialect(known.studies[s])]
    if study and study not in able:
        if study in known.studies:
            raise MtpeftError(
                f"{study} has no dialect.py, which would read upstream files",
                "scores/ and published/ in the study's folder, where these are all its figures",
                f"mtpeft study check {study}",
            )
        raise UnknownName("study with upstream files", study, able, "mtpeft list studies")
    shipped = [name for name in able if not known.studies[name].on_demand]
    for name in [study] if study else shipped:
        of = known.studies[name]
        if hasattr(dialect(of), "SCORES"):
            import_archive(of, repin=repin, known=known, allow_loss=allow_loss)
        if hasattr(dialect(of), "read_figures"):
            import_figures(of, repin, allow_loss=allow_loss)
        if hasattr(dialect(of), "read_tables"):
            import_tables(of, known, repin, allow_loss)

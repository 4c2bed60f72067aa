"""Tables of scores and printed statistics of a study whose figures are not shipped →
results/regenerated, where every command finds them.
"""

import hashlib
import shutil
from pathlib import Path

from mtpeft.archive.dialect import tables_dialect_of
from mtpeft.archive.sources import Source, check_pins, upstream_root
from mtpeft.catalog import Catalog, Study
from mtpeft.core.checksums import write_sums
from mtpeft.core.paths import REGENERATED, shown
from mtpeft.core.records import PublishedCell, write_records, write_scores
from mtpeft.core.upstream import upstream_bytes


def import_tables(
    study: Study,
    known: Catalog,
    repin: bool = False,
    allow_loss: bool = False,
    out: Path = REGENERATED,
) -> None:
    """Write `<out>/archived/STUDY/scores/…` and `<out>/published/STUDY/statistics.csv`.

    The same files give the same bytes. Nothing is written unless every file was read and checked
    against the checksums in the study's `sources.csv`.

    Args:
        study: Whose tables.
        known: The catalog.
        repin: Accept changed and new upstream files and rewrite their checksums.
        allow_loss: With `repin`, accept that files or records are gone, too.
        out: Folder of what runs write.

    Raises:
        BadInput: What is missing, repeated or changed, with file and line.
    """
    dialect = tables_dialect_of(study)
    roots = {u.repository: upstream_root(u) for u in dialect.UPSTREAM}
    (origin,) = dialect.UPSTREAM
    found = dialect.read_tables(roots, known)
    sources = []
    for file, records in sorted(found.files.items()):
        content = upstream_bytes(roots[origin.repository] / file)
        digest = hashlib.sha256(content).hexdigest()
        sources.append(
            Source(origin.repository, origin.commit, file, digest, len(content), records)
        )
    pins = study.folder / "sources.csv"
    check_pins(roots, sources, pins, repin, allow_loss)
    archived, published = out / "archived" / study.id, out / "published" / study.id
    for folder in (archived, published):
        shutil.rmtree(folder, ignore_errors=True)
    for (tool, evaluation), frame in sorted(found.scores.items()):
        write_scores(archived, tool, evaluation, frame)
    write_records(published / "statistics.csv", found.printed, PublishedCell)
    write_records(published / "sources.csv", sources, Source)
    for folder in (archived, published):
        write_sums(folder)
    if repin:
        write_records(pins, sources, Source)
    print(
        f"archive: {len(sources)} files of {study.id} -> {len(found.scores)} tables in "
        f"{shown(archived)}, {len(found.printed)} printed values in {shown(published)}"
    )

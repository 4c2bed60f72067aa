"""The figures of a study's public files → results/published/STUDY, through its dialect."""

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from mtpeft.archive.dialect import dialect_of
from mtpeft.archive.sources import Source, check_pins, upstream_root
from mtpeft.catalog import Study
from mtpeft.core.checksums import write_sums
from mtpeft.core.errors import BadInput
from mtpeft.core.figures import (
    Counterpart,
    EvaluationSet,
    Figures,
    LossWeight,
    PrintedCell,
    PublishedFigure,
    PublishedRun,
)
from mtpeft.core.paths import PUBLISHED, shown
from mtpeft.core.records import write_records
from mtpeft.core.upstream import Upstream, upstream_bytes


def import_figures(
    study: Study,
    repin: bool = False,
    roots: dict[str, Path] | None = None,
    published: Path = PUBLISHED,
    allow_loss: bool = False,
    pinned: Path | None = None,
) -> None:
    """Write `<published>/STUDY/*.csv` and the checksums of `published`.

    The same files give the same bytes. Nothing is written unless every file was read and checked.

    Args:
        study: Whose figures.
        repin: Accept changed and new upstream files and rewrite their checksums.
        roots: Checkout of each repository (default: mirror, else network).
        published: Folder of the published tables.
        allow_loss: With `repin`, accept that files or records are gone, too.
        pinned: List of the pinned upstream files (default: the shipped one).

    Raises:
        BadInput: What is unknown, repeated, contradictory or changed, with file and line.
    """
    dialect = dialect_of(study)
    roots = roots or {u.repository: upstream_root(u) for u in dialect.UPSTREAM}
    found = dialect.read_figures(roots)
    found.figures.sort(key=figure_key)
    _refuse_repeated(found.figures)
    sources = _sources(found, dialect.UPSTREAM, roots)
    check_pins(roots, sources, pinned or PUBLISHED / study.id / "sources.csv", repin, allow_loss)
    folder = published / study.id
    tables: list[tuple[str, Iterable[Any], type]] = [
        ("runs", sorted(found.runs, key=lambda r: r.id), PublishedRun),
        ("figures", found.figures, PublishedFigure),
        ("printed", found.printed, PrintedCell),
        ("counterparts", found.counterparts, Counterpart),
        ("sets", found.sets, EvaluationSet),
        ("weights", found.weights, LossWeight),
        ("sources", sources, Source),
    ]
    for name, records, kind in tables:
        write_records(folder / f"{name}.csv", records, kind)
    write_sums(published)
    print(
        f"archive: {len(sources)} logs and typed tables -> {len(found.figures)} figures of "
        f"{len(found.runs)} runs, {len(found.printed)} typed cells in {shown(folder)}"
    )


def figure_key(figure: PublishedFigure) -> tuple[str, ...]:
    """Canonical order of figures; no two have the same key."""
    return (
        figure.generation,
        figure.run,
        figure.task,
        figure.split,
        figure.selection,
        figure.metric,
    )


def _refuse_repeated(figures: list[PublishedFigure]) -> None:
    for one, other in pairwise(figures):
        if figure_key(one) == figure_key(other):
            raise BadInput(
                other.file,
                f"{other.metric} of {other.task} occurs twice in {other.run}",
                "each number once",
                "restore the upstream checkout",
                line=other.line,
            )


def _sources(
    found: Figures, upstream: tuple[Upstream, ...], roots: dict[str, Path]
) -> list[Source]:
    """Every file that was looked at, with what it is and how many values were read from it."""
    commits = {u.repository: u.commit for u in upstream}
    result = []
    for (repository, file), records in sorted(found.files.items()):
        content = upstream_bytes(roots[repository] / file)
        sha256 = hashlib.sha256(content).hexdigest()
        result.append(Source(repository, commits[repository], file, sha256, len(content), records))
    return result

"""Where the figures of a study lie: shipped, imported on demand, or in its own folder."""

from dataclasses import replace
from pathlib import Path

from mtpeft.catalog.index import Catalog
from mtpeft.catalog.schema import OWNED, Study
from mtpeft.core import paths


def archived(study: Study, shipped: Path | None = None) -> Path:
    """The folder with `scores/TOOL/EVALUATION.csv` of a study.

    Args:
        study: The study.
        shipped: In place of results/archived.

    Returns:
        results/archived/STUDY where it is there, else what an import wrote to
        results/regenerated/archived/STUDY, else the folder of the study itself.
    """
    return _place(study, "archived", shipped or paths.ARCHIVED, study.folder)


def published(study: Study, shipped: Path | None = None) -> Path:
    """The folder with the printed and logged figures of a study, found as `archived` finds it; in a
    study's own folder it is called `published`.
    """
    return _place(study, "published", shipped or paths.PUBLISHED, study.folder / "published")


def _place(study: Study, name: str, shipped: Path, own: Path) -> Path:
    places = (shipped / study.id, paths.REGENERATED / name / study.id, own)
    inside = study.folder.is_relative_to(paths.STUDIES)
    return next((p for p in places if p.is_dir()), shipped / study.id if inside else own)


def score_roots(known: Catalog, shipped: Path | None = None) -> list[Path]:
    """The folders of all studies that have archived scores, in the order of the studies."""
    folders = [archived(study, shipped) for study in known.studies.values()]
    return [folder for folder in folders if (folder / "scores").is_dir()]


def score_files(known: Catalog, shipped: Path | None = None) -> list[Path]:
    """Every archived score table, sorted within its study."""
    return [
        path
        for root in score_roots(known, shipped)
        for path in sorted((root / "scores").glob("*/*.csv"))
    ]


def waiting(known: Catalog) -> list[Study]:
    """The studies whose figures are imported on demand and have not been."""
    every = known.studies.values()
    return [s for s in every if s.on_demand and not (archived(s) / "scores").is_dir()]


def present(known: Catalog) -> Catalog:
    """The catalog without comparisons, tables, figures and claims of studies that are waiting."""
    absent = {study.id for study in waiting(known)}
    if not absent:
        return known
    return replace(
        known,
        **{
            kind: {k: i for k, i in getattr(known, kind).items() if i.study not in absent}
            for kind in OWNED
        },
    )


def how_to_import(known: Catalog) -> list[str]:
    """For each study that is waiting, one line that says so and names the command."""
    return [f"{s.id}: not imported: mtpeft archive import {s.id}" for s in waiting(known)]


def archived_table(known: Catalog, tool: str, evaluation: str, shipped: Path | None = None) -> Path:
    """The archived scores of one tool on one evaluation set; where none is there, a path to none."""
    name = Path("scores") / tool / f"{evaluation}.csv"
    places = [folder / name for folder in score_roots(known, shipped)]
    nowhere = (shipped or paths.ARCHIVED) / name
    return next((path for path in places if path.is_file()), nowhere)


def statistics_files(known: Catalog, shipped: Path | None = None) -> list[Path]:
    """The printed statistics of all studies that have any."""
    files = [published(s, shipped) / "statistics.csv" for s in known.studies.values()]
    return [path for path in files if path.is_file()]


def with_figures(known: Catalog, shipped: Path | None = None) -> list[Study]:
    """The studies whose published figures are records (`figures.csv`)."""
    every = known.studies.values()
    return [s for s in every if (published(s, shipped) / "figures.csv").is_file()]

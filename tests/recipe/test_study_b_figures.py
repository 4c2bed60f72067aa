"""The shipped figures of the multi-task PEFT study against its public files, and against an
independent reading of the same files, where a copy of it is at hand.
"""

import csv
import gzip
import io
import os
from collections import Counter
from pathlib import Path

import pytest
from mtpeft.archive.figures import import_figures
from mtpeft.catalog import Catalog
from mtpeft.statistics.figures import FigureSet

TASKS = {
    "vulnerability": "vulnerability-detection",
    "clone": "clone-detection",
    "flakiness": "flaky-detection",
    "search": "code-search",
}


def test_the_shipped_figures_are_what_the_public_files_give(
    mirror: Path, tmp_path: Path, root: Path, known: Catalog
) -> None:
    study = known.studies["multitask-peft"]
    import_figures(study, published=tmp_path)
    made = sorted((tmp_path / study.id).iterdir())
    shipped = root / "results" / "published" / study.id
    assert [p.name for p in made] == [p.name for p in sorted(shipped.iterdir())]
    for path in made:
        assert path.read_bytes() == (shipped / path.name).read_bytes(), path.name


def test_an_independent_reading_of_the_files_holds_the_same_figures(known: Catalog) -> None:
    """The other reading: a gzipped CSV named by MTPEFT_STUDY_B_FIGURES, one line a number."""
    name = os.environ.get("MTPEFT_STUDY_B_FIGURES")
    if not name:
        pytest.skip("MTPEFT_STUDY_B_FIGURES is not set: the other reading is not here")
    text = gzip.decompress(Path(name).read_bytes()).decode("utf-8")
    other = Counter(
        (
            row["source_log"],
            TASKS[row["task"]],
            row["split"].partition(" ")[0],
            row["selection"].partition(" ")[0],
            float(row["value"]),
            float(row["epoch_or_step"]) if row["epoch_or_step"] else None,
        )
        for row in csv.DictReader(io.StringIO(text))
    )
    data = FigureSet.of(known.studies["multitask-peft"])
    sources = {r.id: r.source for r in data.runs.values()}
    ours = Counter(
        (sources[f.run], f.task, f.split.partition("-")[0], f.selection, f.value, f.epoch)
        for f in data.figures
    )
    assert ours == other and ours.total() == 3365

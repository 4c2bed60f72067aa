"""`make statistics`: archived scores → results/regenerated/statistics/tests.csv, the means that
figures draw → means.csv, and published figures → contrasts.csv.
"""

from mtpeft.catalog import catalog
from mtpeft.catalog.places import (
    how_to_import,
    present,
    score_files,
    score_roots,
    with_figures,
)
from mtpeft.core.figures import Contrast
from mtpeft.core.paths import REGENERATED, STATS, shown
from mtpeft.core.provenance import write_result
from mtpeft.core.records import Mean, ScoreSet, Test, records_text
from mtpeft.statistics import r_session
from mtpeft.statistics.compare import run_all
from mtpeft.statistics.contrasts import of_figures
from mtpeft.statistics.figures import FigureSet
from mtpeft.statistics.means import drawn_means
from mtpeft.statistics.rescored import (
    AS_PUBLISHED,
    REPAIRED_READINGS,
    archived_and_rescored,
    recovered_tests,
    repaired_tests,
)


def run() -> None:
    """Recompute every test of every study from the archived scores under both protocols, and
    everything that is calculated from published figures.
    """
    known = present(catalog())
    comparisons = list(known.comparisons.values())
    scores = ScoreSet.load(*score_roots(known))
    tests = run_all(scores, comparisons, known)
    folder, sources = REGENERATED / "statistics", score_files(known) + sorted(STATS.glob("*.R"))
    figures = [FigureSet.of(study) for study in with_figures(known)]
    contrasts = [contrast for data in figures for contrast in of_figures(data)]
    means = drawn_means(scores, known)
    # The tests come last: they are what `make` looks at, so that a run killed before is made again.
    for name, text, files in (
        ("means.csv", records_text(means, Mean), sources),
        ("contrasts.csv", records_text(contrasts, Contrast), [f for d in figures for f in d.paths]),
        ("tests.csv", records_text(tests, Test), sources),
    ):
        write_result(folder / name, text, files, r=r_session.version())
    print(f"T1: {len(tests)} tests of {len(comparisons)} comparisons -> {shown(folder)}/tests.csv")
    print(f"T1: {len(contrasts)} contrasts of published figures -> {shown(folder)}/contrasts.csv")
    for line in how_to_import(known):
        print(line)


def run_rescored() -> None:
    """Compute the tests that rescored outputs make possible →
    results/regenerated/statistics/rescored.csv.
    """
    known = present(catalog())
    tests = recovered_tests(
        ScoreSet.load(*score_roots(known)), AS_PUBLISHED, known.comparisons.values(), known
    )
    path = REGENERATED / "statistics" / "rescored.csv"
    write_result(
        path,
        records_text(tests, Test),
        sorted((AS_PUBLISHED / "scores").rglob("*.csv")),
        r=r_session.version(),
    )
    print(f"T2: {len(tests)} tests from rescored outputs -> {shown(path)}")


def run_repaired() -> None:
    """Compute what repairing damaged outputs does to the tests →
    results/regenerated/statistics/repaired.csv.
    """
    known = present(catalog())
    repaired = {
        name: ScoreSet.load(REGENERATED / "audit" / "outputs" / name) for name in REPAIRED_READINGS
    }
    tests = repaired_tests(archived_and_rescored(), repaired, known.comparisons.values(), known)
    path = REGENERATED / "statistics" / "repaired.csv"
    inputs = [
        p for reading in repaired.values() for p in sorted((reading.root / "scores").rglob("*.csv"))
    ]
    write_result(path, records_text(tests, Test), inputs, r=r_session.version())
    print(f"T2: {len(tests)} tests from outputs as archived and repaired -> {shown(path)}")

"""What reporting reads: the catalog and the records of earlier stages, each read once, each file
remembered.

A missing optional input is `None` (or an empty list) together with the command that makes it, never
an invented value.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpeft.catalog import Catalog, catalog
from mtpeft.catalog.places import (
    archived_table,
    present,
    published,
    score_files,
    score_roots,
    statistics_files,
)
from mtpeft.core import paths
from mtpeft.core.errors import BadInput
from mtpeft.core.figures import Contrast
from mtpeft.core.files import no_file
from mtpeft.core.records import (
    Mean,
    PublishedCell,
    ScoreSet,
    Test,
    Verdict,
    count_scores,
    read_frame,
    read_records,
    read_rows,
)
from mtpeft.reporting.names import Names
from mtpeft.reporting.summary import conclusion_turns, turned_by_recomputing

if TYPE_CHECKING:
    import pandas as pd

AS_PUBLISHED, CORRECTED = "as-published", "corrected"
CAUSE_COLUMNS = ("key", "title", "hypothesis", "evidence", "conclusion_changes", "explanation")
FINDING_COLUMNS = (
    "check",
    "severity",
    "evaluation",
    "tool",
    "metric",
    "run",
    "instances",
    "detail",
)
CHECK_COLUMNS = ("comparison", "block", "metric", "check", "result", "detail")
CellKey = tuple[str, str, str, str, str]
"""(comparison, block, metric, quantity, adjustment)"""


@dataclass
class Inputs:
    """The files that reporting starts from.

    Attributes:
        known: The catalog.
        archived: The folder of the archived records.
        published: The folder of the printed values.
        regenerated: The folder that the stages write to.
        used: Every file that was read.
        elsewhere: Folders that may hold prompts and outputs, which are no part of the repository.
    """

    known: Catalog
    archived: Path
    published: Path
    regenerated: Path
    used: set[Path] = field(default_factory=set)
    elsewhere: tuple[Path, ...] = ()

    @classmethod
    def default(cls) -> "Inputs":
        """The shipped catalog and the folders that `paths` names."""
        mirror = paths.mirror()
        return cls(
            present(catalog()),
            paths.ARCHIVED,
            paths.PUBLISHED,
            paths.REGENERATED,
            elsewhere=((mirror,) if mirror else ()) + (paths.CACHE,),
        )

    # ------------------------------------------------------------ where things are

    def printed_files(self, study: str) -> list[Path]:
        """The file with the printed statistics of a study; none where it has printed none."""
        path = published(self.known.studies[study], self.published) / "statistics.csv"
        return [path] if path.is_file() else []

    def score_file(self, tool: str, evaluation: str) -> Path:
        """The archived scores of one tool on one evaluation set."""
        return archived_table(self.known, tool, evaluation, self.archived)

    @property
    def tests_path(self) -> Path:
        """Every recomputed test."""
        return self.regenerated / "statistics" / "tests.csv"

    @property
    def verdicts_path(self) -> Path:
        """Every verdict."""
        return self.regenerated / "verification" / "verdicts.csv"

    def shown(self, path: Path) -> str:
        """`path` as the report names it: independent of where the repository or the output folder
        lies.
        """
        for root, name in (
            (self.regenerated, "results/regenerated"),
            (self.archived, "results/archived"),
            (self.published, "results/published"),
            *((study.folder, f"studies/{study.id}") for study in self.known.studies.values()),
            *((folder, "") for folder in self.elsewhere),
        ):
            if path.is_relative_to(root):
                return f"{name}/{path.relative_to(root).as_posix()}".lstrip("/")
        return paths.shown(path)

    def upstream(self, *names: str) -> Path | None:
        """The first of the files below the folders in `elsewhere`, or None where none has it."""
        return next(
            (
                folder / name
                for folder in self.elsewhere
                for name in names
                if (folder / name).is_file()
            ),
            None,
        )

    def rows(self, relative: str, columns: tuple[str, ...] = ()) -> list[dict[str, str]] | None:
        """The same as `frame`, row by row; of a table without rows the columns are not looked at."""
        path = self.regenerated / relative
        if not path.is_file():
            return None
        self.used.add(path)
        rows = read_rows(path)
        self._look_for(columns, rows[0] if rows else columns, path)
        return rows

    def frame(self, relative: str, columns: tuple[str, ...] = ()) -> "pd.DataFrame | None":
        """A table below the regenerated results, or None where the stage that writes it has not
        run.

        Args:
            relative: Its path below the regenerated results.
            columns: Those that it must have.

        Raises:
            BadInput: A column is missing.
        """
        path = self.regenerated / relative
        if not path.is_file():
            return None
        self.used.add(path)
        frame = read_frame(path)
        self._look_for(columns, frame.columns, path)
        return frame

    @staticmethod
    def _look_for(columns: tuple[str, ...], found: Collection[str], path: Path) -> None:
        missing = [name for name in columns if name not in found]
        if missing:
            raise BadInput(
                path, f"no column {', '.join(missing)}", ", ".join(columns), "make audit", line=1
            )

    @cached_property
    def names(self) -> Names:
        """The titles under which readers know what is in the catalog."""
        return Names(self.known)

    # ------------------------------------------------------------ conclusions

    def claim_verdicts(self) -> dict[str, str]:
        """Every claim of the catalog, and every other that has a verdict, with its verdict."""
        found = {v.id: v.verdict for v in self.verdicts_of_kind("claim")}
        return {name: found.get(name, "not run") for name in [*self.known.claims, *found]}

    def turned_by_recomputing(self) -> list[PublishedCell]:
        """The printed yes/no that the recomputed value contradicts."""
        return turned_by_recomputing(self.cells, self.verdict_of)

    def turned_by_correcting(self) -> list[tuple[Test, Test]]:
        """The recomputed tests whose yes/no is another one under the corrected protocol, with the
        corrected tests.
        """
        if not self.tests_path.is_file():
            return []
        adjustments = self.known.adjustments()
        printed = {cell.comparison for cell in self.cells}
        pairs = [
            (test, self.tests.get((test.comparison, test.block, test.metric, CORRECTED)))
            for test in self.tests.values()
            if test.protocol == AS_PUBLISHED and test.comparison in printed
        ]
        return [
            (test, corrected)
            for test, corrected in pairs
            if corrected and conclusion_turns(test, corrected, adjustments[test.comparison])
        ]

    def rests_on_few(self, test: Test) -> bool:
        """Whether fewer of the instances are in a pair than the metric's stated share."""
        return test.share_left < self.known.metrics()[test.metric][1].least_share

    # ------------------------------------------------------------ records

    @cached_property
    def scores(self) -> ScoreSet:
        """The archived per-instance scores."""
        self.used |= set(score_files(self.known, self.archived))
        return ScoreSet.load(*score_roots(self.known, self.archived))

    @cached_property
    def score_counts(self) -> dict[tuple[str, str], tuple[list[str], Counter[str]]]:
        """The metrics of the archived score tables and how many rows each run has, by tool and
        evaluation set.
        """
        found: dict[tuple[str, str], tuple[list[str], Counter[str]]] = {}
        for path in score_files(self.known, self.archived):
            self.used.add(path)
            metrics, rows = count_scores(path)
            before, counted = found.get((path.parent.name, path.stem), ([], Counter()))
            found[path.parent.name, path.stem] = [*before, *metrics], counted + rows
        return found

    @cached_property
    def cells(self) -> list[PublishedCell]:
        """Every printed value."""
        files = statistics_files(self.known, self.published)
        self.used |= set(files)
        return [cell for path in files for cell in read_records(path, PublishedCell)]

    @cached_property
    def printed(self) -> dict[CellKey, list[PublishedCell]]:
        """The printed values of one quantity, one per rendering of the result that prints it."""
        result: dict[CellKey, list[PublishedCell]] = {}
        for cell in self.cells:
            key = (cell.comparison, cell.block, cell.metric, cell.quantity, cell.adjustment)
            result.setdefault(key, []).append(cell)
        return result

    def _statistics(self, path: Path, kind: type) -> list[Any]:
        """What the statistics stage wrote into a file, which counts as used.

        Raises:
            BadInput: The stage has not run.
        """
        if not path.is_file():
            raise no_file(path, "results of the statistics", "make statistics")
        self.used.add(path)
        return read_records(path, kind)

    @cached_property
    def tests(self) -> dict[tuple[str, str, str, str], Test]:
        """Every recomputed test by (comparison, block, metric, protocol)."""
        found = self._statistics(self.tests_path, Test)
        return {(t.comparison, t.block, t.metric, t.protocol): t for t in found}

    def test(self, comparison: str, block: str, metric: str, protocol: str) -> Test | None:
        """One recomputed test, or None where the archive lacks the scores of a side."""
        found = self.tests.get((comparison, block, metric, protocol))
        return found if found and found.n_pairs else None

    @property
    def means_path(self) -> Path:
        """The means that figures draw."""
        return self.regenerated / "statistics" / "means.csv"

    @cached_property
    def means(self) -> dict[tuple[str, str, str], Mean]:
        """Every mean by (run, evaluation set, metric)."""
        found = self._statistics(self.means_path, Mean)
        return {(m.run, m.task, m.metric): m for m in found}

    @property
    def contrasts_path(self) -> Path:
        """What the statistics stage made of published figures."""
        return self.regenerated / "statistics" / "contrasts.csv"

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """Every contrast of published figures, of all studies."""
        return self._statistics(self.contrasts_path, Contrast)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """Every verdict in the order written; empty where verification has not run."""
        if not self.verdicts_path.is_file():
            return []
        self.used.add(self.verdicts_path)
        return read_records(self.verdicts_path, Verdict)

    @cached_property
    def verdict_of(self) -> dict[tuple[str, str], Verdict]:
        """Verdicts by (kind, id)."""
        return {(v.kind, v.id): v for v in self.verdicts}

    def verdicts_of_kind(self, kind: str) -> list[Verdict]:
        """The verdicts of one kind, in the order written."""
        return [v for v in self.verdicts if v.kind == kind]

    @cached_property
    def causes(self) -> dict[str, dict[str, str]] | None:
        """The audited causes by key, those of recovered values (tier T2) included; None where the
        audit has not run.
        """
        found = self.rows("audit/causes.csv", CAUSE_COLUMNS)
        if found is None:
            return None
        recovered = self.rows("audit/rescored-causes.csv", CAUSE_COLUMNS)
        return {row["key"]: row for row in [*found, *(recovered or [])]}

    @cached_property
    def findings(self) -> list[dict[str, str]] | None:
        """The audit of the archived scores, or None where it has not run."""
        return self.rows("audit/scores.csv", FINDING_COLUMNS)

    @cached_property
    def checks(self) -> list[dict[str, str]] | None:
        """The consistency checks of the printed values, or None where they have not run."""
        return self.rows("audit/consistency.csv", CHECK_COLUMNS)

"""What the dialect of a study offers to the importers (`mtpeft.studies` loads it)."""

from pathlib import Path
from typing import Protocol, cast

from mtpeft import studies
from mtpeft.catalog import Catalog, Study
from mtpeft.core.figures import Figures
from mtpeft.core.imported import Tables
from mtpeft.core.upstream import Upstream


class Dialect(Protocol):
    """What the module of a study with figures offers.

    Attributes:
        UPSTREAM: The repositories that its figures come from.
    """

    UPSTREAM: tuple[Upstream, ...]

    def read_figures(self, roots: dict[str, Path]) -> Figures:
        """Every figure of the study.

        Args:
            roots: Checkout of each repository of `UPSTREAM`.

        Raises:
            BadInput: What is unknown, repeated or contradictory, with file and line.
        """
        ...


class ScoreDialect(Protocol):
    """What the module of a study with per-instance scores offers.

    Attributes:
        UPSTREAM: The repository that its files come from.
        SCORES: Folder of the score files.
        OUTPUTS: Folder of the printed outputs.
        FILE_NAME: What the name of a score file looks like, for messages.
    """

    UPSTREAM: tuple[Upstream, ...]
    SCORES: str
    OUTPUTS: str
    FILE_NAME: str

    def run_of_file(self, stem: str, task: str) -> str | None:
        """The run whose scores a file holds; None for a name that tells none.

        Args:
            stem: The name of the file, without its suffix.
            task: The evaluation set.
        """
        ...

    def instance_id(self, text: str, numbered: bool) -> str:
        """The canonical id of an instance.

        Args:
            text: As a file has it.
            numbered: Whether the evaluation set numbers its instances.
        """
        ...


class TablesDialect(Protocol):
    """What the module of a study with tables of scores offers that are imported on demand.

    Attributes:
        UPSTREAM: The repository that its files come from.
    """

    UPSTREAM: tuple[Upstream, ...]

    def read_tables(self, roots: dict[str, Path], known: Catalog) -> Tables:
        """Every score and every printed value of the study.

        Args:
            roots: Checkout of each repository of `UPSTREAM`.
            known: The catalog.

        Raises:
            BadInput: What is missing, unknown, repeated or no number, with file and line.
        """
        ...


def tables_dialect_of(study: Study) -> TablesDialect:
    """The dialect of a study with tables.

    Raises:
        BadInput: It has none that is whole.
    """
    return cast("TablesDialect", studies.dialect(study, "UPSTREAM", "read_tables"))


def dialect_of(study: Study) -> Dialect:
    """The dialect of a study with figures.

    Raises:
        BadInput: It has none that is whole.
    """
    return cast("Dialect", studies.dialect(study, "UPSTREAM", "read_figures"))


def score_dialect_of(study: Study) -> ScoreDialect:
    """The dialect of a study with scores.

    Raises:
        BadInput: It has none that is whole.
    """
    needed = ("UPSTREAM", "SCORES", "OUTPUTS", "FILE_NAME", "run_of_file", "instance_id")
    return cast("ScoreDialect", studies.dialect(study, *needed))

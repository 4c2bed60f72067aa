"""What the dialect of a study with tables of scores hands over."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtpeft.core.records import PublishedCell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tables:
    """Everything that was read of a study's files.

    Attributes:
        scores: By (tool, evaluation set): a table of scores as `write_scores` takes it; NaN where
            an instance has no value.
        printed: Every printed value, in the order of files and lines.
        files: Path below the repository → values that were read from it.
    """

    scores: "dict[tuple[str, str], pd.DataFrame]"
    printed: list[PublishedCell]
    files: dict[str, int]

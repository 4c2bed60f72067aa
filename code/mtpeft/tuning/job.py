"""What to train."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtpeft.catalog import Run, catalog
from mtpeft.core import paths
from mtpeft.corpora import Example
from mtpeft.models.methods import trains_whole
from mtpeft.tuning.settings import Settings


def named(base: str, corpus: str, limit: int) -> dict[str, Any]:
    """Base model, corpus and limit as people name them, where there is one."""
    all_of_them = {"base": base, "corpus": corpus, "limit": limit}
    return {key: value for key, value in all_of_them.items() if value}


@dataclass(frozen=True)
class Job:
    """A run, its settings, its base model, its examples by task and split.

    Attributes:
        run: The run.
        settings: How it is trained.
        profile: Names the folder of the result.
        source: Folder of the base model.
        base: How results name the base model (hub id or folder).
        train: Examples by task.
        valid: Those that a checkpoint is selected on.
        root: Folder of all profiles.
        test: Examples that heads are tested on, by task.
        corpus: Where the examples are from, as people name it; empty: nobody said.
        limit: How many examples of each task and split were taken (0: all).
    """

    run: Run
    settings: Settings
    profile: str
    source: str
    base: str
    train: dict[str, Sequence[Example]]
    valid: dict[str, Sequence[Example]]
    root: Path = paths.REGENERATED / "training"
    test: dict[str, Sequence[Example]] = field(default_factory=dict)
    corpus: str = ""
    limit: int = 0

    @property
    def folder(self) -> Path:
        """Where everything of this run and seed goes."""
        return paths.seed_folder(self.profile, self.run.id, self.settings.seed, self.root)

    @property
    def called(self) -> dict[str, Any]:
        """What the result was made of, as people name it."""
        return named(self.base, self.corpus, self.limit)

    @property
    def whole(self) -> bool:
        """Whether every weight is trained."""
        return trains_whole(catalog().get("methods", self.run.method))

    @property
    def result(self) -> Path:
        """The adapter (PEFT's format), or the whole model."""
        return self.folder / ("model" if self.whole else "adapter")

"""What to train."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtpeft.catalog import Run, catalog
from mtpeft.core import paths
from mtpeft.corpora import Example
from mtpeft.models.methods import trains_whole
from mtpeft.tuning.settings import Settings


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

    @property
    def folder(self) -> Path:
        """Where everything of this run and seed goes."""
        return paths.seed_folder(self.profile, self.run.id, self.settings.seed, self.root)

    @property
    def whole(self) -> bool:
        """Whether every weight is trained."""
        return trains_whole(catalog().get("methods", self.run.method))

    @property
    def result(self) -> Path:
        """The adapter (PEFT's format), or the whole model."""
        return self.folder / ("model" if self.whole else "adapter")

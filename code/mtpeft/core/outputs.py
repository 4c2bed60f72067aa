"""The archived outputs of a study, as its dialect declares them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ArchivedRun:
    """The outputs of one run in a set.

    Attributes:
        run: The catalog's id.
        model: What the records of the set call its model.
        method: What they call its method.
        folder: Upstream's folder of its outputs.
    """

    run: str
    model: str
    method: str
    folder: str


@dataclass(frozen=True)
class PredictionSet:
    """The archived outputs of one evaluation set: where upstream has them, and what the canonical
    file holds.

    Attributes:
        evaluation: The evaluation set.
        repository: Owner and name on GitHub.
        commit: Full commit id.
        language: Of the outputs.
        suffix: Of upstream's files, one an instance.
        runs: In the order of the file.
        rows: Outputs in the file.
        sha256: Of its uncompressed content.
        laid_out: Whether a formatter has collapsed the white space of the outputs and broken the
            lines after `;`, `{` and `}`; CodeBLEU reads them with that undone.
    """

    evaluation: str
    repository: str
    commit: str
    language: str
    suffix: str
    runs: tuple[ArchivedRun, ...]
    rows: int
    sha256: str
    laid_out: bool = False

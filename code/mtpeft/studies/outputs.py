"""The archived outputs of all studies, and how each study's tools were shown an output.

A dialect that declares `PREDICTIONS` has its outputs scored again by `mtpeft score archive`,
wherever the study's folder lies.
"""

from typing import Protocol, cast

from mtpeft.catalog import Catalog, Study
from mtpeft.core.errors import MtpeftError
from mtpeft.core.outputs import PredictionSet
from mtpeft.studies import dialect, has_dialect


class OutputsDialect(Protocol):
    """What the module of a study with archived outputs offers.

    Attributes:
        PREDICTIONS: Its sets, at most one for an evaluation set.
        FRAMES: By language, the text before and after an output in the file that the study's tools
            read, `{unit}` standing for what `unit_of` says. Languages that are not named have the
            output alone.
    """

    PREDICTIONS: tuple[PredictionSet, ...]
    FRAMES: dict[str, tuple[str, str]]

    def unit_of(self, instance_id: str, language: str) -> str:
        """What the study called the class or module that it put an output into."""
        ...


def outputs_dialect(study: Study) -> OutputsDialect | None:
    """The dialect of a study with archived outputs; None for any other study.

    Raises:
        BadInput: The dialect cannot be loaded, or declares sets and lacks the rest.
    """
    if not has_dialect(study) or not hasattr(dialect(study), "PREDICTIONS"):
        return None
    return cast("OutputsDialect", dialect(study, "PREDICTIONS", "FRAMES", "unit_of"))


def dialect_of_set(known: Catalog, evaluation: str) -> OutputsDialect | None:
    """The dialect of the study that has archived outputs of an evaluation set, if one has."""
    for study in known.studies.values():
        found = outputs_dialect(study)
        if found and any(s.evaluation == evaluation for s in found.PREDICTIONS):
            return found
    return None


def prediction_sets(known: Catalog) -> dict[str, PredictionSet]:
    """Every set of archived outputs by its evaluation set, in the order of the studies.

    Raises:
        MtpeftError: Two studies declare one evaluation set, or a set names none of the catalog.
    """
    sets: dict[str, PredictionSet] = {}
    evaluations = known.evaluations()
    for study in known.studies.values():
        found = outputs_dialect(study)
        for one in found.PREDICTIONS if found else ():
            if one.evaluation in sets or one.evaluation not in evaluations:
                raise MtpeftError(
                    f"{study.id} declares outputs of {one.evaluation}",
                    "an evaluation set of the catalog, declared once",
                    f"mtpeft study check {study.id}",
                )
            sets[one.evaluation] = one
    return sets

"""Records of archived outputs that were scored again: counts by run, and every value that differs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of the summary: a tool on one run of one evaluation set, counted in instances.

    Attributes:
        equal: Every metric as archived.
        within_tolerance: Every metric as near as `tolerance`, not all equal.
        no_output: Archived scores whose output is not there.
        not_archived: Outputs without archived scores.
    """

    tool: str
    version: str
    answers_to: str
    evaluation: str
    run: str
    metrics: str
    instances: int
    equal: int = 0
    within_tolerance: int = 0
    different: int = 0
    cannot_run_here: int = 0
    no_output: int = 0
    not_archived: int = 0
    unparseable: int = 0
    empty: int = 0
    infrastructure: int = 0
    tolerance: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Difference:
    """One value that is not the archived one.

    Attributes:
        difference: Regenerated minus archived.
    """

    tool: str
    evaluation: str
    run: str
    instance_id: str
    metric: str
    archived: float
    regenerated: float | None
    difference: float | None
    status: str
    reason: str
    message: str

"""The front page: what this is, which studies, how many of their claims hold."""

from mtpeft.catalog import Study
from mtpeft.catalog.places import waiting
from mtpeft.core.records import unaccounted
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.names import abbreviations
from mtpeft.reporting.sections import Section
from mtpeft.reporting.summary import count_outcomes, exit_code, headline

STATES = {
    0: "Everything is accounted for: each difference has a cause, each gap a reason.",
    1: "Not everything is accounted for",
    2: "Nothing is verified yet",
}


def section(inputs: Inputs) -> Section:
    """The claims in one sentence, whether everything has a cause, and a card for each study."""
    verdicts = inputs.claim_verdicts()
    code = exit_code(inputs.verdicts)
    return Section(
        "verdicts",
        "Summary",
        render(
            "verdicts.html",
            code=code,
            headline=(headline(count_outcomes(verdicts.values())) if code != 2 else "")
            or STATES[code].partition(":")[0],
            state=STATES[code],
            unexplained=len(unaccounted(inputs.verdicts)),
            studies=[
                _card(inputs, study, verdicts)
                for study in inputs.known.studies.values()
                if study.proof is None  # those of ours have a section of their own
            ],
        ),
        summary=True,
    )


def _card(inputs: Inputs, study: Study, verdicts: dict[str, str]) -> dict[str, object]:
    claims = [verdicts[claim.id] for claim in inputs.known.of("claims", study.id)]
    outcomes = count_outcomes(claims)
    return {
        "study": study,
        "waiting": study in waiting(inputs.known),
        "claims": len(claims),
        "outcomes": {name: number for name, number in outcomes.items() if number},
        "abbreviations": abbreviations(inputs.known, study),
    }

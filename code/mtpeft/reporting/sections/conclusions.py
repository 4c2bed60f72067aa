"""Which yes/no turns: a printed one when it is recomputed, a recomputed one when it is corrected."""

from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.names import block_title
from mtpeft.reporting.sections import Section
from mtpeft.statistics.printed import adjusted, significant


def section(inputs: Inputs) -> Section | None:
    """A list for each meaning of "the conclusion changes", and one for tests over few instances.
    None before verification.
    """
    if not inputs.verdicts:
        return None
    names, adjustments = inputs.names, inputs.known.adjustments()
    recomputed = [
        {
            "comparison": names.comparison(cell.comparison),
            "block": block_title(cell.block),
            "metric": names.metric(cell.metric),
            "before": cell.printed,
            "after": verdict.regenerated,
            "cause": verdict.cause,
        }
        for cell in inputs.turned_by_recomputing()
        for verdict in [inputs.verdict_of["cell", cell.id]]
    ]
    corrected = [
        {
            "comparison": names.comparison(test.comparison),
            "block": block_title(test.block),
            "metric": names.metric(test.metric),
            "before": significant(adjusted(test, adjustments[test.comparison])),
            "after": significant(adjusted(other, adjustments[test.comparison])),
            "pairs": other.n_pairs,
            "dropped": other.n_dropped,
            "share": f"{other.share_left:.0%}",
            "few": inputs.rests_on_few(other),
        }
        for test, other in inputs.turned_by_correcting()
    ]
    return Section(
        "conclusions",
        "Conclusions that turn",
        render(
            "conclusions.html",
            recomputed=recomputed,
            corrected=[row for row in corrected if not row["few"]],
            few=[row for row in corrected if row["few"]],
        ),
        f"{len(recomputed)} + {len(corrected)}",
    )

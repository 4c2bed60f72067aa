"""Every published claim: what was said, what was found, whether it holds, and why not."""

import re

from mtpeft.catalog import Claim
from mtpeft.core.records import Verdict
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section
from mtpeft.reporting.sections.causes import KINDS
from mtpeft.reporting.summary import count_outcomes, outcome

_NUMBER = re.compile(r"[-+−]?\d+(?:\.\d+)?")
LONG = 80
_COUNT = re.compile(r"^(\d[\d,]*) of (\d[\d,]*)\b")


def section(inputs: Inputs) -> Section:
    """Every claim of the catalog by study, and every verdict on a claim that the catalog lacks."""
    verdicts = {v.id: v for v in inputs.verdicts_of_kind("claim")}
    claims = inputs.known.claims
    parts = [
        {
            "title": study.title or study.id,
            "rows": [
                _row(inputs, claim.id, claim, verdicts.get(claim.id))
                for claim in sorted(
                    inputs.known.of("claims", study.id), key=lambda claim: _natural(claim.id)
                )
            ],
        }
        for study in inputs.known.studies.values()
    ]
    strangers = [name for name in verdicts if name not in claims]
    if strangers:
        rows = [_row(inputs, name, None, verdicts[name]) for name in sorted(strangers)]
        parts.append({"title": "Claims that no study lists", "rows": rows})
    number = sum(count_outcomes(inputs.claim_verdicts().values()).values())
    return Section(
        "claims",
        "Claims",
        render("claims.html", parts=[part for part in parts if part["rows"]]),
        str(number),
        summary=True,
    )


def _row(
    inputs: Inputs, name: str, claim: Claim | None, verdict: Verdict | None
) -> dict[str, object]:
    table = inputs.known.get("tables", claim.table) if claim and claim.table else None
    status = verdict.verdict if verdict else "not run"
    change = difference(verdict.published, verdict.regenerated) if verdict else ""
    words = inputs.names.words
    return {
        "id": name,
        "table": table,
        "claim": claim,
        "verdict": verdict,
        "status": status,
        "outcome": outcome(status),
        "found": words(verdict.regenerated)
        if verdict and outcome(status) != "cannot be checked"
        else "",
        "why": why(inputs, verdict) if verdict else "",
        "difference": change,
        "numbers": bool(change),
        "reasons": [words(part) for part in verdict.reason.split("; ") if part] if verdict else [],
        "rule": words(verdict.tolerance) if verdict else "",
        "cause": verdict.cause if verdict and verdict.cause in (inputs.causes or {}) else "",
        "turns": bool(verdict and verdict.conclusion_changes == "yes"),
    }


def why(inputs: Inputs, verdict: Verdict) -> str:
    """In a few words why a claim does not hold or cannot be checked; empty where it holds."""
    if verdict.verdict in ("exact", "within tolerance"):
        return ""
    audited = (inputs.causes or {}).get(verdict.cause)
    if audited:
        kind = audited.get("kind", "")
        return KINDS.get(kind, "") or inputs.names.words(audited["title"])
    cause = re.sub(r"^study \w+: ", "", verdict.cause)
    first = verdict.reason.partition(";")[0]
    # What a reason lists after its colon stands below, under "How it was checked".
    return inputs.names.words(cause or (first if len(first) < LONG else first.partition(":")[0]))


def _natural(name: str) -> list[tuple[int, str]]:
    """C2 before C10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def difference(published: str, regenerated: str) -> str:
    """Recomputed minus published, at the finer of their precisions.

    Empty unless both texts hold exactly one number, or both are counts of one total (`28 of 192`).
    """
    counts = [_COUNT.match(text) for text in (published, regenerated)]
    if counts[0] and counts[1]:
        (a, total), (b, other) = (match.groups() for match in counts if match)
        if total != other:
            return ""
        change = int(b.replace(",", "")) - int(a.replace(",", ""))
        return f"{change:+d}" if change else "0"
    found = [
        _NUMBER.findall(re.sub(r"\(.*\)", "", text).replace(",", ""))
        for text in (published, regenerated)
    ]
    if any(len(numbers) != 1 for numbers in found):
        return ""
    (a,), (b,) = ([n.replace("−", "-") for n in numbers] for numbers in found)
    places = max(len(n.partition(".")[2]) for n in (a, b))
    text = f"{float(b) - float(a):+.{places}f}"
    return "0" if float(text) == 0 else text

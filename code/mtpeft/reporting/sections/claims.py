"""One card per published claim: published, recomputed, corrected, difference, verdict, command."""

import re

from mtpeft.catalog import Claim
from mtpeft.core.records import Verdict
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.sections import Section

_NUMBER = re.compile(r"[-+−]?\d+(?:\.\d+)?")


def section(inputs: Inputs) -> Section:
    """Every claim of the catalog, and every verdict on a claim, by id."""
    verdicts = {v.id: v for v in inputs.verdicts_of_kind("claim")}
    claims = inputs.known.claims
    cards = [_card(inputs, claim.id, claim, verdicts.get(claim.id)) for claim in claims.values()]
    cards += [
        _card(inputs, name, None, verdict)
        for name, verdict in verdicts.items()
        if name not in claims
    ]
    cards.sort(key=lambda card: _natural(str(card["id"])))
    return Section("claims", "Claims", render("claims.html", cards=cards), str(len(cards)))


def _card(
    inputs: Inputs, name: str, claim: Claim | None, verdict: Verdict | None
) -> dict[str, object]:
    table = inputs.known.get("tables", claim.table) if claim and claim.table else None
    return {
        "id": name,
        "table": table,
        "claim": claim,
        "verdict": verdict,
        "status": verdict.verdict if verdict else "not run",
        "difference": difference(verdict.published, verdict.regenerated) if verdict else "",
    }


def _natural(name: str) -> list[tuple[int, str]]:
    """C2 before C10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def difference(published: str, regenerated: str) -> str:
    """Recomputed minus published where both texts hold exactly one number, at the finer of their
    precisions.
    """
    found = [_NUMBER.findall(text.replace(",", "")) for text in (published, regenerated)]
    if any(len(numbers) != 1 for numbers in found):
        return ""
    (a,), (b,) = ([n.replace("−", "-") for n in numbers] for numbers in found)
    places = max(len(n.partition(".")[2]) for n in (a, b))
    text = f"{float(b) - float(a):+.{places}f}"
    return "0" if float(text) == 0 else text

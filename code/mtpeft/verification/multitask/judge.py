"""From findings per generation to one verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mtpeft.catalog import Catalog, Claim
from mtpeft.catalog.schema import TEST_CLAIMS
from mtpeft.core.errors import UnknownName
from mtpeft.core.records import Verdict
from mtpeft.statistics.published import Published

GENERATIONS = ("G1", "G2")
SUPPORT = ("supported", "supported only in one generation", "not supported", "not checkable")
# The ladder's word and, for what differs, the cause under which the report groups it.
_LADDER = {
    "supported": ("within tolerance", ""),
    "supported only in one generation": (
        "differs",
        "study B: the claim holds in one generation of the figures only",
    ),
    "not supported": (
        "differs",
        "study B: the published and logged figures do not show what the claim says",
    ),
    "not checkable": ("not reproducible", ""),
}


@dataclass(frozen=True)
class Finding:
    """What one generation says. holds: None where it cannot be checked; detail: the figures, or why
    not.
    """

    holds: bool | None
    detail: str


@dataclass(frozen=True)
class Judgement:
    """The rule in words, what the claim's sentence promises, and one finding a generation."""

    rule: str
    promised: str
    findings: Mapping[str, Finding]


Rule = Callable[[Claim, Published], Judgement]


def support(findings: Mapping[str, Finding]) -> str:
    """One of `SUPPORT`."""
    held = [f.holds for f in findings.values() if f.holds is not None]
    if not held:
        return "not checkable"
    if not any(held):
        return "not supported"
    return "supported" if all(held) and len(held) > 1 else "supported only in one generation"


def judge(known: Catalog, data: Published, study: str) -> list[Verdict]:
    """Every claim of the study, in catalog order. Raises `UnknownName` for a claim of an unknown
    kind.
    """
    from mtpeft.verification.multitask.rules import RULES

    verdicts = []
    for claim in sorted(known.of("claims", study), key=lambda c: (len(c.id), c.id)):
        if claim.kind in TEST_CLAIMS:
            continue
        if claim.kind not in RULES:
            raise UnknownName(f"kind of claim {claim.id}", claim.kind, RULES)
        verdicts.append(_verdict(claim, RULES[claim.kind](claim, data)))
    return verdicts


def _verdict(claim: Claim, judgement: Judgement) -> Verdict:
    word = support(judgement.findings)
    verdict, cause = _LADDER[word]
    reason = "; ".join(
        f"{name} {_WORDS[finding.holds]}: {finding.detail}"
        for name, finding in judgement.findings.items()
    )
    return Verdict(
        id=claim.id,
        tier="T1",
        kind="claim",
        published=judgement.promised,
        archived="",
        regenerated=word,
        tolerance=judgement.rule,
        tolerance_source="rule of the claim, on published and logged figures",
        verdict=verdict,
        reason=reason,
        cause=cause,
        command=f"make {claim.table}" if claim.table else "make verify",
    )


_WORDS = {True: "holds", False: "fails", None: "cannot be checked"}

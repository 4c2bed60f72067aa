"""Claim rules by name, and the verdict on every claim of every study.

A rule is a function that takes a claim and the evidence and returns a verdict; `@rule` registers it
under its name, which is the `kind` of the claims that it judges. A study brings rules of its own in
a module in its folder: `kind: MODULE.FUNCTION` is the function of MODULE.py there, or of an
installed module of that name.

    @rule
    def median_change(claim: Claim, evidence: Evidence) -> Verdict: ...
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtpeft.catalog import Catalog, Claim
from mtpeft.core.errors import MtpeftError, UnknownName
from mtpeft.core.records import VERDICTS, PublishedCell, Test, Verdict
from mtpeft.statistics.contrasts import Contrasts
from mtpeft.statistics.figures import FigureSet
from mtpeft.studies import own_part


@dataclass(frozen=True)
class Evidence:
    """What rules may look at.

    Attributes:
        tests: Of all studies and both protocols.
        cells: Printed values of all studies.
        known: The catalog.
        contrasts: Of each study that published figures.
        figures: The figures themselves, for what no contrast is made of.
        causes: Cause of each printed cell that the audit explains, by cell id.
    """

    tests: Sequence[Test]
    cells: Sequence[PublishedCell]
    known: Catalog
    contrasts: Mapping[str, Contrasts] = field(default_factory=dict)
    figures: Mapping[str, FigureSet] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)

    def find(self, protocol: str, comparison: str, block: str, metric: str) -> Test | None:
        """One test, or None."""
        return next(
            (
                t
                for t in self.tests
                if (t.protocol, t.comparison, t.block, t.metric)
                == (protocol, comparison, block, metric)
            ),
            None,
        )


Rule = Callable[[Claim, Evidence], Verdict]
RULES: dict[str, Rule] = {}
"""Rule by the kind of claim that it judges."""


def rule(function: Rule) -> Rule:
    """Register a rule under the function's name."""
    RULES[function.__name__] = function
    return function


def judge_claims(evidence: Evidence, study: str = "") -> list[Verdict]:
    """Every claim of all studies, or of one, in catalog order.

    Raises:
        BadInput: No rule judges the claim's kind; the error names the claim's file and line.
    """
    return [
        as_expected(claim, judge_claim(claim, evidence))
        for claim in evidence.known.claims.values()
        if study in ("", claim.study)
    ]


def as_expected(claim: Claim, verdict: Verdict) -> Verdict:
    """The verdict, or a difference without a cause where the claim's file expects another.

    What the shipped figures say of a claim is known. Another word, or another verdict, is a change
    of figures or code, whichever way it goes and whatever cause may be found for it.
    """
    if not claim.expected or claim.expected in (verdict.verdict, verdict.regenerated):
        return verdict
    word = verdict.regenerated if claim.expected not in VERDICTS else verdict.verdict
    return replace(
        verdict,
        verdict="differs",
        cause="",
        reason=f"the claim is {word or verdict.verdict}, {claim.expected!r} is expected (`expected:` in its "
        f"file); {verdict.reason}".removesuffix("; "),
    )


def judge_claim(claim: Claim, evidence: Evidence) -> Verdict:
    """The verdict on one claim.

    Raises:
        BadInput: No rule judges it, or a rule of the study's own fails or gives something else
            than a verdict on this claim.
    """
    if claim.kind in RULES:
        return RULES[claim.kind](claim, evidence)
    known = evidence.known
    if "." not in claim.kind:
        unknown = UnknownName(f"kind of claim {claim.id}", claim.kind, RULES)
        if ("claims", claim.id) not in known.sources:
            raise unknown
        raise known.bad("claims", claim.id, claim.kind, unknown.found, unknown.expected)
    own = own_part(claim, known)
    try:
        verdict = own(claim, evidence)
    except MtpeftError:
        raise
    except Exception as error:
        found = f"{claim.kind} failed: {_failure(error)}"
        raise known.bad("claims", claim.id, claim.kind, found, "a verdict") from error
    if not isinstance(verdict, Verdict) or (verdict.id, verdict.kind) != (claim.id, "claim"):
        found = f"{claim.kind} gave {verdict!r}"
        expected = f'a Verdict with id {claim.id!r} and kind "claim"'
        raise known.bad("claims", claim.id, claim.kind, found, expected)
    return verdict


def _failure(error: Exception) -> str:
    """What went wrong and on which line of which file."""
    (*_, last) = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"

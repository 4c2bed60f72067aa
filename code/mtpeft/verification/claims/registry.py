"""Claim rules by name, and the verdict on every claim of every study.

A rule is a function that takes a claim and the evidence and returns a verdict; `@rule` registers it
under its name, which is the `kind` of the claims that it judges. A study brings rules of its own in
a module in its folder: `kind: MODULE.FUNCTION` is the function of MODULE.py there, or of an
installed module of that name.

    @rule
    def median_change(claim: Claim, evidence: Evidence) -> Verdict: ...
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtpeft.catalog import Catalog, Claim
from mtpeft.core.errors import BadInput, UnknownName
from mtpeft.core.records import PublishedCell, Test, Verdict
from mtpeft.statistics.contrasts import Contrasts
from mtpeft.statistics.figures import FigureSet


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
        rule_of(claim, evidence.known)(claim, evidence)
        for claim in evidence.known.claims.values()
        if study in ("", claim.study)
    ]


def rule_of(claim: Claim, known: Catalog) -> Rule:
    """The rule that judges a claim.

    Raises:
        BadInput: There is none of that name.
    """
    if claim.kind in RULES:
        return RULES[claim.kind]
    module, _, function = claim.kind.rpartition(".")
    if not module:
        unknown = UnknownName(f"kind of claim {claim.id}", claim.kind, RULES)
        if ("claims", claim.id) not in known.sources:
            raise unknown
        raise known.bad("claims", claim.id, claim.kind, unknown.found, unknown.expected)
    found = getattr(_module(module, claim, known), function, None)
    if not callable(found):
        raise known.bad(
            "claims",
            claim.id,
            claim.kind,
            f"{module} has no function {function}",
            "a rule: function(claim, evidence) -> Verdict",
        )
    judge: Rule = found
    return judge


def _module(name: str, claim: Claim, known: Catalog) -> Any:
    beside = known.studies[claim.study].folder / Path(*name.split(".")).with_suffix(".py")
    try:
        if not beside.is_file():
            return importlib.import_module(name)
        full = f"mtpeft_study_{known.studies[claim.study].id.replace('-', '_')}.{name}"
        if full not in sys.modules:
            spec = importlib.util.spec_from_file_location(full, beside)
            if spec is None or spec.loader is None:
                raise BadInput(beside, "not a Python module", "a module with rules")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules[full] = module
        return sys.modules[full]
    except (ImportError, SyntaxError) as error:
        raise known.bad(
            "claims",
            claim.id,
            claim.kind,
            f"{name} cannot be loaded: {error}",
            f"{beside.name} beside study.yaml, or an installed module",
        ) from error

"""Rules about published figures that come in several editions.

A claim is judged in each edition by itself. In an edition it holds, fails or cannot be checked.
Together: `supported` where it holds in every edition, `not supported` where it fails in every one,
`supported only in one generation` where it holds in one and fails in another. Where a single
edition can check it, the word says so, whichever way it goes; `not checkable` where none can. The
word is the claim's own; the ladder's verdict stands in another column.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mtpeft.catalog import Claim
from mtpeft.core.errors import BadInput
from mtpeft.core.records import Verdict
from mtpeft.statistics.contrasts import StudyFigures, mean
from mtpeft.verification.claims.registry import RULES, Evidence

_ONE = " in the one generation that can be checked"
_LADDER = {
    "supported": "exact",
    "supported" + _ONE: "exact",
    "supported only in one generation": "differs",
    "not supported" + _ONE: "differs",
    "not supported": "differs",
    "not checkable": "not reproducible",
}
"""The ladder's verdict on a claim; the claim's own word is shown with it."""
SUPPORT = tuple(_LADDER)
_WORDS = {True: "holds", False: "fails", None: "cannot be checked"}
_SECONDARY = ("mcc", "macro_precision", "macro_recall", "precision", "recall")
"""Metrics that are reported with the one by which a prompted model is judged."""
_PRINTED = 0.005 + 1e-9
"""Half of the last digit of a value typed with two decimals."""
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}

Cell = tuple[str, str]  # backbone, method


@dataclass(frozen=True)
class Finding:
    """What one edition says.

    Attributes:
        holds: None where it cannot be checked.
        detail: The figures, or why not.
    """

    holds: bool | None
    detail: str


@dataclass(frozen=True)
class Judgement:
    """What a rule found in every edition.

    Attributes:
        rule: The rule in words.
        promised: What the claim's sentence promises.
        findings: One finding for each edition.
    """

    rule: str
    promised: str
    findings: Mapping[str, Finding]


@dataclass(frozen=True)
class Case(StudyFigures):
    """The figures of the claim's study, and what rules ask of them."""

    @property
    def shared(self) -> str:
        """The methods that share a module, as a list in words."""
        return ", ".join(self.numbers.shared)

    def count(self) -> str:
        """How many tasks there are, as a word."""
        number = len(self.figures.tasks)
        return _NUMBERS.get(number, str(number))

    def cells(self, edition: str, setting: str = "multi") -> list[Cell]:
        """Cells of shared methods with a value for every task."""
        return [
            (c.backbone, c.method)
            for c in self.contrasts.find(edition, "mean", setting=setting)
            if c.method in self.numbers.shared
        ]

    def backbones(self, edition: str) -> list[str]:
        """Backbones with a value of a shared module."""
        scores = self.contrasts.find(edition, "score", setting="multi")
        return list(dict.fromkeys(c.backbone for c in scores))


def support(findings: Mapping[str, Finding]) -> str:
    """What the findings of all editions say together: one of `SUPPORT`."""
    held = [f.holds for f in findings.values() if f.holds is not None]
    if not held:
        return "not checkable"
    if any(held) and not all(held):
        return "supported only in one generation"
    word = "supported" if all(held) else "not supported"
    return word if len(held) > 1 else word + _ONE


FigureRule = Callable[[Claim, Case], Judgement]


def figure_rule(function: FigureRule) -> FigureRule:
    """Register a rule that judges the figures of the claim's study."""

    def judge(claim: Claim, evidence: Evidence) -> Verdict:
        if claim.study not in evidence.contrasts:
            raise _without_figures(claim, evidence)
        case = Case(evidence.figures[claim.study], evidence.contrasts[claim.study])
        return _verdict(claim, function(claim, case))

    RULES[function.__name__] = judge
    return function


def _without_figures(claim: Claim, evidence: Evidence) -> BadInput:
    return evidence.known.bad(
        "claims",
        claim.id,
        claim.kind,
        f"{claim.kind} judges figures, and {claim.study} has none",
        f"results/published/{claim.study}/figures.csv, or another kind of claim",
        f"mtpeft study check {claim.study}",
    )


def _verdict(claim: Claim, judgement: Judgement) -> Verdict:
    word = support(judgement.findings)
    verdict = _LADDER[word]
    said = ", ".join(f"{name} {_WORDS[f.holds]}" for name, f in judgement.findings.items())
    # A claim that its figures do not show is a finding.
    cause = f"the figures do not show it: {said}" if verdict == "differs" else ""
    reason = "; ".join(
        f"{name} {_WORDS[finding.holds]}: {finding.detail}"
        for name, finding in judgement.findings.items()
    )
    if not claim.expected:
        verdict, cause = "differs", ""
        reason = f"no word is expected yet (`expected:` in its file); {reason}"
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
        rests_on=f"{sum(f.holds is not None for f in judgement.findings.values())} of "
        f"{len(judgement.findings)} generations",
    )


@figure_rule
def shared_matches_full(claim: Claim, case: Case) -> Judgement:
    """On each backbone some shared method's mean is not below full fine-tuning's by more than z
    errors.

    Options: z.
    """
    z = float(claim.options["z"])
    full = f"multi {case.numbers.full}"
    findings = {}
    for edition in case.editions:
        near: list[str] = []
        far: list[str] = []
        for backbone, method in case.cells(edition.id):
            found = case.contrasts.one(
                edition.id,
                "difference",
                setting="multi",
                backbone=backbone,
                method=method,
                task="",
                against=full,
            )
            holds = found is not None and found.value >= -z * found.error
            (near if holds else far).append(backbone)
        backbones = case.backbones(edition.id)
        findings[edition.id] = Finding(
            set(near) == set(backbones),
            f"{len(near)} of {len(near) + len(far)} cells (backbone × method) are not below full "
            f"fine-tuning, on {len(set(near))} of {len(backbones)} backbones",
        )
    return Judgement(
        f"on every backbone at least one of {case.shared} has a mean over the {case.count()} tasks "
        f"no more than {z:g} standard errors of the difference below full multi-task fine-tuning",
        "matches",
        findings,
    )


@figure_rule
def shared_surpasses_full(claim: Claim, case: Case) -> Judgement:
    """Some cell of backbone, method and task lies above full fine-tuning by more than z errors.

    Options: z.
    """
    z = float(claim.options["z"])
    findings = {}
    for edition in case.editions:
        cells = case.cells(edition.id)
        found = [
            c
            for c in case.contrasts.find(
                edition.id, "difference", setting="multi", against=f"multi {case.numbers.full}"
            )
            if c.task and (c.backbone, c.method) in cells
        ]
        above = sum(c.value > z * c.error for c in found)
        below = sum(c.value < -z * c.error for c in found)
        findings[edition.id] = Finding(
            above > 0,
            f"{above} of {len(found)} cells (backbone × method × task) above, {below} below",
        )
    return Judgement(
        f"at least one cell of backbone, method ({case.shared}) and task lies more than {z:g} "
        "standard errors of the difference above full multi-task fine-tuning",
        "surpasses in some cases",
        findings,
    )


@figure_rule
def close_to_single(claim: Claim, case: Case) -> Judgement:
    """For every task the mean change from single-task to multi-task tuning is above −margin.

    Options: margin (points).
    """
    margin = float(claim.options["margin"])
    findings = {}
    for edition in case.editions:
        multi = case.cells(edition.id)
        cells = [c for c in case.cells(edition.id, "single") if c in multi]
        changes = {
            task: mean(
                case.contrasts.value(
                    edition.id,
                    "difference",
                    setting="multi",
                    backbone=backbone,
                    method=method,
                    task=task,
                    against=f"single {method}",
                )
                for backbone, method in cells
            )
            for task in case.figures.tasks
        }
        shown = ", ".join(
            f"{task} {value:+.2f}".replace(" -", " −") for task, value in changes.items()
        )
        findings[edition.id] = (
            Finding(
                all(v >= -margin for v in changes.values()), f"over {len(cells)} cells: {shown}"
            )
            if cells
            else Finding(None, "no single-task figures")
        )
    return Judgement(
        "for every task the change from single-task to multi-task PEFT, averaged over backbones "
        f"and {case.shared}, is not below −{margin:g} points",
        f"loses at most {margin:g} points",
        findings,
    )


@figure_rule
def parameter_factor(claim: Claim, case: Case) -> Judgement:
    """One module a task together have `factor` times the trained parameters of the shared one
    (heads apart).

    Options: factor.
    """
    factor = float(claim.options["factor"])
    findings = {}
    for edition in case.editions:
        found = [
            c
            for c in case.contrasts.find(edition.id, "ratio of parameters")
            if c.method in case.numbers.shared
        ]
        right = sum(abs(c.value - factor) < 1e-9 for c in found)
        findings[edition.id] = (
            Finding(right == len(found), f"{right} of {len(found)} cells {found[0].rule}")
            if found
            else Finding(None, "no figures for both")
        )
    return Judgement(
        f"{case.count()} single-task modules together hold {factor:g} times the trained parameters "
        "of the shared one in every cell with both figures; heads, one per task either way, are "
        "counted apart",
        f"factor {factor:g}",
        findings,
    )


@figure_rule
def computation(claim: Claim, case: Case) -> Judgement:
    """The largest saving of training time of a shared module against one run a task.

    Options: percent.
    """
    wanted = float(claim.options["percent"])
    number = case.count()
    findings = {}
    for edition in case.editions:
        savings = [
            (
                -c.value,
                f"{c.backbone} {c.method} against {number} {c.against.split()[1]} runs",
            )
            for c in case.contrasts.find(edition.id, "change of hours")
            if c.method in case.numbers.shared
        ]
        best, where = max(savings, default=(math.nan, ""))
        findings[edition.id] = (
            Finding(
                best >= wanted,
                f"the largest saving is {best:.0f} % ({where}), in logged training time, among "
                f"{len(savings)} comparisons",
            )
            if savings
            else Finding(
                None,
                "no comparable logs"
                if edition.basis == "log"
                else f"no FLOPs, time or energy of a {number}-task run is published",
            )
        )
    return Judgement(
        f"training time of one {number}-task PEFT run is at least {wanted:g} % below {number} "
        "single-task runs of the same method, or of full fine-tuning, in at least one comparison; "
        "time stands for computation, which is another quantity: FLOPs are nowhere recorded",
        f"up to {wanted:g} % less",
        findings,
    )


def upper_tail(hits: int, total: int, rate: float) -> float:
    """The chance of `hits` or more among `total` at a rate between 0 and 1 (binomial)."""
    ways = math.lgamma(total + 1)
    return math.fsum(
        math.exp(
            ways
            - math.lgamma(n + 1)
            - math.lgamma(total - n + 1)
            + n * math.log(rate)
            + (total - n) * math.log1p(-rate)
        )
        for n in range(hits, total + 1)
    )


def _more_than_chance(hits: int, total: int, options: dict[str, Any]) -> tuple[bool, str]:
    """Whether `hits` of `total` are more than a rate of `chance` explains at `level` (upper
    binomial tail).
    """
    chance = float(options["chance"])
    tail = upper_tail(hits, total, chance)
    return tail < float(options["level"]), f"chance explains as many with p = {tail:.2g}"


@figure_rule
def grouping_sensitive(claim: Claim, case: Case) -> Judgement:
    """More cells than chance explains have a range over groupings beyond sampling error.

    Options: chance, level.
    """
    findings, reach = {}, "chance"
    for edition in case.editions:
        wide = total = 0
        for limit in case.contrasts.find(edition.id, "range by chance"):
            if limit.method in case.numbers.pairs:
                place = {"backbone": limit.backbone, "method": limit.method, "task": limit.task}
                total += 1
                found = case.contrasts.one(edition.id, "range", **place)
                if found and found.error:
                    wide += found.value > limit.value
                    reach = f"{limit.value / found.error:.2f} standard errors"
        holds, tail = _more_than_chance(wide, total, claim.options)
        findings[edition.id] = (
            Finding(holds, f"{wide} of {total} cells; {tail}")
            if total
            else Finding(None, "no pairs")
        )
    groupings = len(case.figures.tasks)
    return Judgement(
        f"in more cells of backbone, method and task than a rate of {_share(claim, 'chance')} "
        f"explains (binomial, {_share(claim, 'level')}), the range over the task's "
        f"{_NUMBERS.get(groupings, str(groupings))} groupings exceeds {reach} "
        "(Tukey's studentised range, 5 %)",
        "depends on the grouping",
        findings,
    )


def _share(claim: Claim, option: str) -> str:
    return f"{100 * float(claim.options[option]):g} %"


@figure_rule
def asymmetric(claim: Claim, case: Case) -> Judgement:
    """In more pairs than chance explains the two tasks' changes differ by more than z errors.

    Options: z, chance, level.
    """
    z = float(claim.options["z"])
    findings = {}
    for edition in case.editions:
        uneven = total = opposed = 0
        for c in case.contrasts.find(edition.id, "imbalance", setting="pair"):
            if c.method not in case.numbers.pairs:
                continue
            first, second = (
                d.value
                for d in case.contrasts.find(
                    edition.id,
                    "difference",
                    setting="pair",
                    backbone=c.backbone,
                    method=c.method,
                    tasks=c.tasks,
                    against=c.against,
                )
            )
            total += 1
            uneven += abs(c.value) > z * c.error
            opposed += first * second < 0
        holds, tail = _more_than_chance(uneven, total, claim.options)
        findings[edition.id] = (
            Finding(
                holds, f"{uneven} of {total} pairs, {opposed} with changes of opposite sign; {tail}"
            )
            if total
            else Finding(None, "no pair with both single-task figures")
        )
    return Judgement(
        f"in more pairs than a rate of {_share(claim, 'chance')} explains (binomial, "
        f"{_share(claim, 'level')}), the two tasks' changes from single-task training differ by "
        f"more than {z:g} standard errors",
        "pairs are asymmetric",
        findings,
    )


@figure_rule
def prompting(claim: Claim, case: Case) -> Judgement:
    """Every prompted model lies below the multi-task one, where both can be compared.

    Options: tasks, backbone, method, z.
    """
    options = claim.options
    z = float(options["z"])
    findings = {}
    for edition in case.editions:
        found = [
            c
            for c in case.contrasts.find(
                edition.id,
                "difference",
                method="none",
                against=f"multi {options['backbone']} {options['method']}",
            )
            if c.task in options["tasks"]
        ]
        excuses = {
            f"{c.task}: {c.metric} on {c.split}"
            for c in case.contrasts.find(edition.id, "prompted")
            if c.task in options["tasks"]
            and c.metric not in _SECONDARY
            and not c.rule.endswith(": yes")
        }
        beaten = sum(c.value > z * c.error for c in found)
        worst = min((c.value for c in found), default=math.inf)
        findings[edition.id] = (
            Finding(
                beaten == len(found),
                f"{beaten} of {len(found)} prompted figures are lower, the nearest by "
                f"{worst:.2f} points",
            )
            if found
            else Finding(
                None,
                "prompting was measured by " + ", ".join(sorted(excuses))
                if excuses
                else "no prompted model",
            )
        )
    return Judgement(
        "every prompted model with the same metric on test examples lies more than "
        f"{z:g} standard errors below {options['backbone']} with {options['method']} trained on "
        f"{case.count()} tasks; metrics: "
        + ", ".join(f"{task} {case.figures.metric(task)}" for task in options["tasks"]),
        "prompting is worse",
        findings,
    )


@figure_rule
def validation_chosen(claim: Claim, case: Case) -> Judgement:
    """Every row of the typed multi-task table is the logged test value at the best validation
    epoch.
    """
    findings = {}
    for edition in case.editions:
        rows = case.contrasts.find(edition.id, "typed against logged")
        agree = sum(c.value < _PRINTED for c in rows)
        findings[edition.id] = (
            Finding(
                agree == len(rows),
                f"{len(rows) - agree} of {len(rows)} rows disagree, {agree} agree",
            )
            if rows
            else Finding(None, f"no {case.count()}-task log exists")
        )
    return Judgement(
        "every row of the typed multi-task table equals the logged test values at the epoch with "
        "the best mean validation score, to the printed digit",
        "test at the best validation epoch",
        findings,
    )


@figure_rule
def weights_stay(claim: Claim, case: Case) -> Judgement:
    """No run with learnable weights ends with one task above the limit.

    Options: limit.
    """
    limit = float(claim.options["limit"])
    findings = {}
    for edition in case.editions:
        weights = [
            w for w in case.figures.weights if case.figures.runs[w.run].generation == edition.id
        ]
        runs = {w.run: w.collapsed for w in weights}
        last = {
            w.run: w.last
            for w in weights
            if w.last is not None and w.last == w.last and w.last > limit
        }
        collapsed = sum(c == "yes" for c in runs.values())
        findings[edition.id] = (
            Finding(
                collapsed == 0,
                f"{collapsed} of {len(runs)} logs end on one task ("
                + ", ".join(f"{run.rsplit('/', 1)[-1]} {value:.5g}" for run, value in last.items())
                + ")",
            )
            if weights
            else Finding(None, "the scheme is not used")
        )
    return Judgement(
        f"no surviving log ends with more than {limit:g} of the weight on one task",
        "weights balance the tasks",
        findings,
    )

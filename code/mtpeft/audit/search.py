"""The search itself: which hypothesis reproduces the printed digits of the cells that do not
reproduce.

Step 1 looks at cells that depend on one reading alone (effects, counts, raw p). A hypothesis is
tried on the widest scope first (the comparison, a block, a tool, a metric, a tool in a block, one
place). It is accepted where it reproduces every differing place of the scope, spoils no other place
of it, and the digits are too many for chance (`_chance`); every further hypothesis that fits there
is reported with it. Step 2 puts the readings found into their families and looks at adjusted
values; where some still differ, it tries other families and corrections, other tests, and both
together, first for a whole output, then family by family. Step 3 looks at summaries of repeated
passes. What nothing reproduces is reported as unexplained, with what was tried.
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from mtpeft.audit.hypotheses import Hypothesis, of_inputs, of_tests
from mtpeft.audit.readings import CORRECTIONS, Bench, Family, Reading, Side, effect_cells, stated
from mtpeft.audit.repeated import carried
from mtpeft.catalog import Comparison
from mtpeft.core.records import PublishedCell, Test
from mtpeft.statistics.printed import (
    MISSING,
    of_p,
    render,
    resolution,
    same,
    style_of,
    value_for,
)

Place = tuple[str, str]  # block, metric
Readings = dict[Place, Reading]
_Fit = tuple[list[Hypothesis], str, list[Place], list[Place], dict[Place, list[PublishedCell]]]
"""What fits the effects of some places of a scope, best first; and the effects that differ there."""

CHANCE = (
    0.01  # expected number of hypotheses that fit by accident, above which a fit is no evidence
)
SPREAD = 0.5  # width of the range in which nearly all effects of a study lie
COUNTS = 16  # and the number of values that a count of discordant pairs commonly takes
FAMILY_SCOPES = ("block", "comparison", "tool")
_ADJUSTED = ("p_adjusted", "significant")
_EFFECT = ("cliffs_delta", "cliffs_delta_low", "cliffs_delta_high", "a_only", "b_only")


@dataclass
class Cause:
    """A cause and the cells that it accounts for.

    Attributes:
        key: Its permanent name.
        kind: The class of its hypothesis, or `unexplained`.
        comparison: The comparison in which it was found.
        text: The hypothesis with its parameters.
        places: The places at which it holds.
        blamed: Cells that differ at first hand: their own scores were read wrongly.
        carried: Cells that differ because they share a family with a blamed one.
        evidence: Printed values, each with the one that the hypothesis gives.
        also: Further hypotheses that fit the same places.
        tried: How many hypotheses were tried.
        bounds: Whether the hypothesis gives no digits, but bounds within which every cell lies.
    """

    key: str
    kind: str
    comparison: str
    text: str
    places: list[Place] = field(default_factory=list)
    blamed: list[PublishedCell] = field(default_factory=list)
    carried: list[PublishedCell] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    tried: int = 0
    bounds: bool = False


@dataclass(frozen=True)
class _Adjustment:
    """One way in which the adjusted values of an output may have been made."""

    kind: str
    text: str
    family: Family
    readings: Readings


class Search:
    """The search for one comparison.

    Args:
        comparison: The comparison.
        cells: Its printed values.
        bench: Computes the readings; searches may share one, so that none is computed twice.
    """

    def __init__(
        self, comparison: Comparison, cells: Iterable[PublishedCell], bench: Bench
    ) -> None:
        self.comparison, self.bench, self.known = comparison, bench, bench.known
        self._tried: set[Reading] = set()
        self._alike: dict[tuple[str, str], float] = {}
        self._fitting: dict[str, _Fit] = {}
        self.cells = [c for c in cells if c.metric and c.comparison == comparison.id]
        self.blocks = {b.id: b for b in comparison.blocks}
        self.at: dict[Place, list[PublishedCell]] = {}
        for cell in self.cells:
            self.at.setdefault((cell.block, cell.metric), []).append(cell)
        self.meant: Readings = {}
        for block in comparison.blocks:
            for metric in comparison.metrics:
                reading = stated(comparison, block, metric)
                if self._effects(reading) is not None:
                    self.meant[block.id, metric] = reading
        self.readings = dict(self.meant)

    # ---------------------------------------------------------------- comparing

    def _test(self, reading: Reading) -> Test | None:
        self._tried.add(reading)
        return self.bench.test(self.comparison.test, reading)

    def _effects(self, reading: Reading) -> Test | None:
        self._tried.add(reading)
        return self.bench.effects(self.comparison.test, reading)

    def _value(self, cell: PublishedCell, reading: Reading) -> float | str | None:
        return self._values([cell], reading)[0]

    def _values(self, cells: list[PublishedCell], reading: Reading) -> list[float | str | None]:
        """What cells that depend on one reading alone would show under it."""
        raw = any(cell.quantity == "p" for cell in cells)
        test = self._test(reading) if raw else self._effects(reading)
        return [None if test is None else value_for(cell, test) for cell in cells]

    def _wrong_effects(self, place: Place, reading: Reading) -> list[PublishedCell]:
        """The effect cells at a place that a reading does not print as published (all of them where
        it gives no test).
        """
        cells = effect_cells(self.at.get(place, []))
        return [
            cell
            for cell, value in zip(cells, self._values(cells, reading), strict=True)
            if value is None or not same(value, cell.printed, style_of(cell))
        ]

    def _tool(self, metric: str) -> str:
        return self.known.metrics()[metric][0].id

    def _families(self, scope: str, whole: bool = True) -> list[list[Place]]:
        """Places by family: of those that can be adjusted, or of those that cannot, since they lack
        a member in the archive.
        """
        groups: dict[str, list[Place]] = {}
        for block in self.comparison.blocks:
            for metric in self.comparison.metrics:
                name = {
                    "comparison": "",
                    "block": block.id,
                    "tool": f"{block.id}/{self._tool(metric)}",
                }[scope]
                groups.setdefault(name, []).append((block.id, metric))
        return [
            places
            for places in groups.values()
            if all(place in self.meant for place in places) == whole
        ]

    def _wrong_adjusted(
        self, variant: str, family: Family, readings: Readings, blocks: Iterable[str] | None = None
    ) -> Iterator[tuple[PublishedCell, str]]:
        """The adjusted cells of an output that differ under a family rule, each with the value
        obtained.

        Args:
            variant: Which of the comparison's outputs: its name in the catalog.
            family: Which tests are adjusted together, and how.
            readings: The reading at each place.
            blocks: Only these blocks; None: all.
        """
        within = set(self.blocks if blocks is None else blocks)
        for places in self._families(family.scope):
            if within.isdisjoint(block for block, _ in places):
                continue
            tests = [test for place in places if (test := self._test(readings[place])) is not None]
            for place, p in zip(places, self.bench.adjust(tests, family.correction), strict=True):
                for cell in self.at.get(place, []):
                    if (
                        cell.variant != variant
                        or cell.quantity not in _ADJUSTED
                        or cell.block not in within
                    ):
                        continue
                    value = of_p(cell, p)
                    if not same(value, cell.printed, style_of(cell)):
                        yield cell, render(value, cell.printed, style_of(cell))

    def _variants(self) -> list[str]:
        return [
            o.variant
            for o in self.comparison.outputs
            if any(c.variant == o.variant for c in self.cells)
        ]

    def _stated_family(self, variant: str) -> Family:
        adjustment = next(o.adjustment for o in self.comparison.outputs if o.variant == variant)
        return Family(self.comparison.family, {"holm": "holm", "bh": "BH"}[adjustment])

    # ---------------------------------------------------------------- searching

    def run(self) -> list[Cause]:
        """Every cause found, and one of kind `unexplained` for what is left."""
        differing = {
            c.id: c
            for place, reading in self.meant.items()
            for c in self._wrong_effects(place, reading)
        }
        for variant in self._variants():
            differing |= {
                c.id: c
                for c, _ in self._wrong_adjusted(variant, self._stated_family(variant), self.meant)
            }
        found = self._uncontradicted(self.explain_inputs(), set(differing))
        inputs = [cause for cause in found if cause.kind != "unexplained"]
        adjustments, unexplained = self._explain_adjusted()
        impossible = self.impossible()
        causes = [*found, *adjustments]
        owned = {c.id for cause in causes for c in cause.blamed}
        # Only what the found readings do reproduce is put down to them: first to the cause at the
        # cell's own place, then to one in its family.
        waiting = [
            c
            for c in differing.values()
            if c.quantity in _ADJUSTED and c.id not in owned | unexplained
        ]
        for cell in waiting:
            own = [cause for cause in inputs if (cell.block, cell.metric) in cause.places]
            near = [
                cause
                for cause in inputs
                if self.comparison.family == "comparison"
                or cell.block in {block for block, _ in cause.places}
            ]
            if own:
                own[0].blamed.append(cell)
            elif near:
                near[0].carried.append(cell)
            owned |= {cell.id} if own or near else set()
        rest = [c for c in differing.values() if c.id not in owned]
        if rest and (summed := self._explain_sums(rest)):
            causes.append(summed)
            rest = []
        if impossible:
            causes.append(self._bounded(impossible))
        if rest:
            causes.append(
                Cause(
                    f"{self.comparison.id}:unexplained",
                    "unexplained",
                    self.comparison.id,
                    "no hypothesis reproduces the printed digits",
                    blamed=rest,
                    tried=len(self._tried),
                    places=sorted({(c.block, c.metric) for c in rest}),
                )
            )
        return causes

    def _uncontradicted(self, causes: list[Cause], differing: set[str]) -> list[Cause]:
        """The causes about inputs, those that adjusted values contradict as `unexplained`.

        An adjusted value that prints as published with the scores as stated, and no longer does
        under a cause in its family, speaks against the cause. The next hypothesis that fits the
        effects is then tried; where none is left, the places stay unexplained.

        Args:
            causes: What `explain_inputs` found.
            differing: Ids of the cells that differ as stated.
        """
        result: list[Cause] = []
        together = dict(self.readings)
        for cause in causes:
            self.readings = dict(together)
            against = self._against(cause, differing)
            if against:
                # Alone, so that it does not answer for a wrong cause next to it.
                self.readings = self.meant | {p: together[p] for p in cause.places}
                against = self._against(cause, differing)
            fitting, scope, places, whole, wrong = self._fitting[cause.key]
            found, chosen = cause, fitting[0]
            for number, hypothesis in enumerate(fitting[1:] if against else (), start=1):
                self.readings, chosen = dict(self.meant), hypothesis
                found = self._cause_of_inputs(fitting[number:], scope, places, whole, wrong)
                if not self._against(found, differing):
                    against = []
                    break
            together |= {p: self.meant[p] for p in {*cause.places, *found.places}}
            if against:
                found = replace(
                    cause,
                    key=f"{cause.key}:unexplained",
                    kind="unexplained",
                    text=f"{cause.text}: fits the effects, contradicts the p-values",
                    evidence=[*cause.evidence[:2], *against[:2]],
                )
            else:
                together |= {p: chosen.apply(self.meant[p]) or self.meant[p] for p in found.places}
            result.append(found)
        self.readings = together
        return result

    def _against(self, cause: Cause, differing: set[str]) -> list[str]:
        """The adjusted values that are right as stated and wrong under the readings found, in the
        families that a cause touches.
        """
        blocks = {block for block, _ in cause.places}
        if self.comparison.family == "comparison":
            blocks = set(self.blocks)
        found = {
            cell.id: self._line(cell, cell.printed, value)
            for variant in self._variants()
            for cell, value in self._wrong_adjusted(
                variant, self._stated_family(variant), self.readings, blocks
            )
            if cell.id not in differing
        }
        unexplained = self._explain_adjusted()[1] if found else set()
        possible = self.impossible(self.meant).keys()
        return [line for name, line in found.items() if name in unexplained] + [
            text
            for name, (cell, text) in self.impossible().items()
            if name not in possible and cell.block in blocks
        ]

    def impossible(self, readings: Readings | None = None) -> dict[str, tuple[PublishedCell, str]]:
        """Adjusted values of incomplete families that no correction can give, by cell, with what is
        wrong.

        Whatever the members that are not archived, an adjusted p-value lies between the raw one and
        `m` times the raw one, at most 1, and does not fall where the raw ones rise (Holm, Benjamini
        and Hochberg).
        """
        found: dict[str, tuple[PublishedCell, str]] = {}
        for cell, p, below, size in self.bounded(readings):
            low = float(cell.printed) - resolution(cell.printed, style_of(cell))
            high = float(cell.printed) + resolution(cell.printed, style_of(cell))
            if high < p or low > min(1.0, size * p):
                found[cell.id] = cell, f"printed {cell.printed}, raw p {p:.4g} of {size} tests"
            elif high < below:
                found[cell.id] = cell, f"printed {cell.printed}, a smaller raw p has {below:.4g}"
        return found

    def bounded(
        self, readings: Readings | None = None
    ) -> Iterator[tuple[PublishedCell, float, float, int]]:
        """Each adjusted value of an incomplete family whose own raw p-value is known: the cell, raw
        p, the least that a smaller raw p of the family prints, and the size of the family.
        """
        readings = self.readings if readings is None else readings
        for places in self._families(self.comparison.family, whole=False):
            for variant in self._variants():
                known = [
                    (test.p, cell)
                    for place in places
                    if place in readings
                    and (test := self._test(readings[place]))
                    and not math.isnan(test.p)
                    for cell in self.at.get(place, [])
                    if cell.quantity == "p_adjusted"
                    and cell.variant == variant
                    and cell.printed not in MISSING
                ]
                for p, cell in known:
                    smaller = [
                        float(c.printed) - resolution(c.printed, style_of(c))
                        for other, c in known
                        if other < p
                    ]
                    yield cell, p, max(smaller, default=0.0), len(places)

    def _bounded(self, impossible: dict[str, tuple[PublishedCell, str]]) -> Cause:
        return Cause(
            f"{self.comparison.id}:bounds:unexplained",
            "unexplained",
            self.comparison.id,
            "adjusted p-values of an incomplete family that its raw p-values rule out",
            blamed=[cell for cell, _ in impossible.values()],
            evidence=[f"{c.source}:{c.line} {text}" for c, text in impossible.values()][:3],
            tried=len(self._tried),
            places=sorted({(c.block, c.metric) for c, _ in impossible.values()}),
        )

    def _scopes(self) -> Iterator[Callable[[Place], str]]:
        """Names of scopes, the widest first."""
        yield lambda place: self.comparison.id
        yield lambda place: place[0]
        yield lambda place: self._tool(place[1])
        yield lambda place: place[1]
        yield lambda place: f"{place[0]}/{self._tool(place[1])}"
        yield lambda place: f"{place[0]}/{place[1]}"

    def explain_inputs(self) -> list[Cause]:
        """Step 1. Puts the readings found in place of those meant."""
        wrong = {
            place: cells
            for place, reading in self.meant.items()
            if (cells := self._wrong_effects(place, reading))
        }
        hypotheses = list(of_inputs(self.comparison, self.bench))
        causes: list[Cause] = []
        tried: set[frozenset[Place]] = set()
        for scope_of in self._scopes():
            for scope in dict.fromkeys(scope_of(place) for place in wrong):
                places = [place for place in wrong if scope_of(place) == scope]
                whole = [place for place in self.meant if scope_of(place) == scope]
                if not places or frozenset(whole) in tried:
                    continue
                tried.add(frozenset(whole))
                worth = CHANCE / self._chance(places)
                fitting = self._fitting_inputs(hypotheses, worth, places, whole)
                if fitting:
                    causes.append(self._cause_of_inputs(fitting, scope, places, whole, wrong))
                    for place in places:
                        del wrong[place]
        return causes

    def _fitting_inputs(
        self, hypotheses: list[Hypothesis], worth: float, places: list[Place], whole: list[Place]
    ) -> list[Hypothesis]:
        """The hypotheses that fit, among the first ones that together give `worth` different
        readings of a place: only these could fit by accident.
        """
        fitting: list[Hypothesis] = []
        seen: set[Reading] = set()
        meant = self.meant[places[0]]
        for hypothesis in hypotheses:
            reading = hypothesis.apply(meant)
            if reading is None or reading == meant or self._effects(reading) is None:
                continue
            seen.add(reading)
            if len(seen) > worth:
                break
            if self._reproduces(hypothesis, places, whole):
                fitting.append(hypothesis)
        return fitting

    def _reproduces(self, hypothesis: Hypothesis, places: list[Place], whole: list[Place]) -> bool:
        """Whether a hypothesis fits every differing place, and every other place of the scope to
        which it applies.

        Args:
            hypothesis: The hypothesis.
            places: The places that differ.
            whole: All places of the scope.
        """
        for place in [*places, *(p for p in whole if p not in places)]:
            reading = hypothesis.apply(self.meant[place])
            if reading is None or reading == self.meant[place]:
                if place in places:
                    return False
            elif (self._effects(reading) is not None or place in places) and self._wrong_effects(
                place, reading
            ):
                return False
        return True

    def _chance(self, places: list[Place]) -> float:
        """How likely a wrong reading is to print all the digits at `places`.

        One effect per place is counted, at its best precision (its interval is no independent
        evidence); of counts, those that are free. Digits prove little where a metric has few
        effects, so that the chance is never below the share of the archive's own readings that
        agree by accident. A hypothesis is worth trying while the number of hypotheses up to it
        times this stays below `CHANCE`.
        """
        chance = 1.0
        for place in places:
            best: dict[str, float] = {}
            for cell in effect_cells(self.at[place]):
                if cell.quantity in ("cliffs_delta", "cohens_g") and cell.printed not in MISSING:
                    single = 2 * resolution(cell.printed, style_of(cell)) / SPREAD
                elif cell.quantity in ("a_only", "b_only", "both_pass", "sum_a"):
                    single = 1 / COUNTS
                else:
                    continue
                best[cell.quantity] = min(best.get(cell.quantity, 1.0), single)
            if best:
                chance *= max(math.prod(best.values()), self._agreeing(place))
        return max(chance, sys.float_info.min)

    def _agreeing(self, place: Place) -> float:
        """The share of pairs of readings of other runs on the same instances that have the same
        effect and interval, or the same counts.
        """
        meant = self.meant[place]
        task, metric = meant.a.task, meant.a.metric
        if (task, metric) not in self._alike:
            runs = self.bench.scores.runs(task, metric)
            found = Counter(
                tuple(f"{getattr(test, name):.6g}" for name in _EFFECT)
                for i, a in enumerate(runs)
                for b in runs[i + 1 :]
                if (
                    test := self._effects(
                        replace(meant, a=Side(a, task, metric), b=Side(b, task, metric))
                    )
                )
            )
            number = found.total()
            # A single pair that agrees is no rate yet.
            same_effect = max(0, sum(n * (n - 1) for n in found.values()) - 2)
            self._alike[task, metric] = same_effect / (number * (number - 1)) if number > 1 else 0.0
        return self._alike[task, metric]

    def _cause_of_inputs(
        self,
        fitting: list[Hypothesis],
        scope: str,
        places: list[Place],
        whole: list[Place],
        wrong: dict[Place, list[PublishedCell]],
    ) -> Cause:
        first = fitting[0]
        cause = self._cause(
            scope,
            first.kind,
            first.text if scope == self.comparison.id else f"{scope}: {first.text}",
        )
        cause.also = [h.text for h in fitting[1:]]
        self._fitting[cause.key] = fitting, scope, places, whole, {p: wrong[p] for p in places}
        for place in whole:
            reading = first.apply(self.meant[place])
            if reading is None or reading == self.meant[place] or self._effects(reading) is None:
                continue
            cause.places.append(place)
            self.readings[place] = reading
            if place in places:
                cause.blamed += wrong[place]
                cause.evidence += [
                    self._line(
                        cell, self._value(cell, self.meant[place]), self._value(cell, reading)
                    )
                    for cell in wrong[place]
                ]
        cause.evidence = cause.evidence[:3]
        return cause

    def _explain_sums(self, wrong: list[PublishedCell]) -> Cause | None:
        """Step 3, for summaries of passes: whether the archived columns carry failures forward to
        later repetitions, and every printed sum lies between the bounds that this sets.
        """
        tasks = {r.a.task for r in self.meant.values()}
        sets = self.known.evaluations()
        if self.comparison.test != "summary" or any(sets[t].repetitions < 2 for t in tasks):
            return None
        falls, lines = 0, []
        for place, reading in self.meant.items():
            column = self.bench.scores.column(reading.a.run, reading.a.task, reading.a.metric)
            found = carried(column)
            printed = {c.quantity: c for c in self.at.get(place, [])}
            if found is None or found.rises or not printed.keys() >= {"sum_a", "n_pairs", "rate_a"}:
                return None
            falls += found.falls
            total, number, rate = (printed[q] for q in ("sum_a", "n_pairs", "rate_a"))
            n, passes = int(number.printed), int(total.printed)
            if not found.low <= passes <= found.high or n > len(column.ids):
                return None
            if not same(100 * passes / n, rate.printed, style_of(rate)):
                return None
            lines.append(
                f"{total.source}:{total.line} {place[0]}: printed {passes} of {n} ({rate.printed} %, "
                f"as these give), archived {found.low} of {len(column.ids)}, at most {found.high}"
            )
        # Were changes between repetitions chance, a rise would be as likely as a fall.
        if 0.5**falls >= CHANCE:
            return None
        cause = self._cause(
            self.comparison.id,
            "failures carried forward",
            "the sums count each repetition by itself; the archived table holds a pass only while no "
            f"earlier repetition of the problem failed ({falls} falls and no rise between repetitions)",
        )
        cause.blamed, cause.bounds, cause.evidence = wrong, True, lines[:3]
        cause.places = sorted({(c.block, c.metric) for c in wrong})
        return cause

    def _explain_adjusted(self) -> tuple[list[Cause], set[str]]:
        """Step 2: causes of adjusted values that differ once the readings found are in place, and
        the cells without one.
        """
        causes: list[Cause] = []
        unexplained: set[str] = set()
        for variant in self._variants():
            wrong = list(self._wrong_adjusted(variant, self._stated_family(variant), self.readings))
            # A whole output first; a family of it alone where that explains nothing.
            scopes = [list(self.blocks)]
            if self.comparison.family == "block":
                scopes += [[block] for block in self.blocks]
            for blocks in scopes:
                here = [(cell, value) for cell, value in wrong if cell.block in blocks]
                fitting = self._fitting_adjustments(variant, blocks) if here else []
                if not fitting:
                    continue
                found = fitting[0]
                wrong = [(cell, value) for cell, value in wrong if cell.block not in blocks]
                scope = variant if len(blocks) == len(self.blocks) else f"{variant}, {blocks[0]}"
                cause = self._cause(scope, found.kind, f"{found.text} ({scope})")
                cause.places = sorted({(cell.block, cell.metric) for cell, _ in here})
                cause.also = [other.text for other in fitting[1:]]
                cause.blamed = [cell for cell, _ in here]
                cause.evidence = [self._line(cell, value, cell.printed) for cell, value in here[:3]]
                causes.append(cause)
            unexplained |= {cell.id for cell, _ in wrong}
        return causes, unexplained

    def _fitting_adjustments(self, variant: str, blocks: list[str]) -> list[_Adjustment]:
        """The simplest adjustments under which every adjusted cell of some blocks of an output
        prints as published.
        """
        for level in self._adjustments(variant):
            fitting = [
                a
                for a in level
                if next(self._wrong_adjusted(variant, a.family, a.readings, blocks), None) is None
            ]
            if fitting:
                return fitting
        return []

    def _adjustments(self, variant: str) -> Iterator[list[_Adjustment]]:
        """Other families and corrections; then other tests; then both together."""
        stated_family = self._stated_family(variant)
        # Without a correction the family does not matter.
        families = [Family(self.comparison.family, "none")]
        families += [
            family
            for scope in FAMILY_SCOPES
            for correction in CORRECTIONS
            if (family := Family(scope, correction)) != stated_family and correction != "none"
        ]
        yield [
            _Adjustment("other correction or family", self._text(family), family, self.readings)
            for family in families
        ]
        tests = list(self._other_tests())
        yield [
            _Adjustment(hypothesis.kind, hypothesis.text, stated_family, readings)
            for hypothesis, readings in tests
        ]
        yield [
            _Adjustment(
                f"{hypothesis.kind}, other correction or family",
                f"{hypothesis.text}, {self._text(family)}",
                family,
                readings,
            )
            for hypothesis, readings in tests
            for family in families
        ]

    def _other_tests(self) -> Iterator[tuple[Hypothesis, Readings]]:
        """Other tests on the readings found."""
        for hypothesis in of_tests(self.comparison):
            readings = {
                place: hypothesis.apply(reading) or reading
                for place, reading in self.readings.items()
            }
            # A test that cannot be had somewhere was not the one used everywhere.
            if readings != self.readings and all(
                self._effects(reading) is not None for reading in readings.values()
            ):
                yield hypothesis, readings

    def _text(self, family: Family) -> str:
        return (
            "not adjusted"
            if family.correction == "none"
            else f"adjusted by {family.correction} within each {family.scope}"
        )

    def _cause(self, scope: str, kind: str, text: str) -> Cause:
        scope = scope if scope != self.comparison.id else "all"
        return Cause(
            f"{self.comparison.id}:{scope}:{kind}".replace(", ", "-").replace(" ", "-"),
            kind,
            self.comparison.id,
            text,
            tried=len(self._tried),
        )

    def _line(
        self, cell: PublishedCell, before: float | str | None, after: float | str | None
    ) -> str:
        def text(value: float | str | None) -> str:
            return "nothing" if value is None else render(value, cell.printed, style_of(cell))

        return (
            f"{cell.source}:{cell.line} {cell.quantity} of {cell.metric} ({cell.block}): printed {cell.printed}, "
            f"as stated {text(before)}, under the hypothesis {text(after)}"
        )

    # ---------------------------------------------------------------- labels

    def corrections_that_fit(self, variant: str) -> set[str] | None:
        """The corrections under which every adjusted value of an output prints as published, by
        name of p.adjust: with the stated test, else with another one.

        Call it after `explain_inputs`: with scores read wrongly no correction would fit. None where
        there is nothing to compare: no family is whole, or none has an adjusted value.
        """
        places = {place for family in self._families(self.comparison.family) for place in family}
        if not any(
            cell.variant == variant and cell.quantity in _ADJUSTED
            for place in places
            for cell in self.at.get(place, [])
        ):
            return None
        for readings in chain([self.readings], (found for _, found in self._other_tests())):
            fitting = {
                c
                for c in CORRECTIONS
                if next(
                    self._wrong_adjusted(variant, Family(self.comparison.family, c), readings),
                    None,
                )
                is None
            }
            if fitting:
                return fitting
        return set()

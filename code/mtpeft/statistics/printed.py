"""Printed values: what a number must be to print as it was printed.

A published cell is compared at its printed precision. Three printing styles occur: a fixed number
of decimals; R's seven significant digits in a vector's common format (where the element that needs
most digits sets the decimals of all); and a value rounded to so many decimals, zeros at its end
left out.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from mtpeft.core.records import PublishedCell, Test

Place = tuple[str, str, str]
"""(comparison, block, metric)"""
Style = Literal["fixed", "seven"] | int
"""How a value is printed; a whole number: rounded to that many decimals, zeros left out."""
MISSING = ("NA", "NaN")
SIGNIFICANCE = 0.05
_WORDS = {"TRUE": "Yes", "FALSE": "No"}
"""Other words for yes and no that studies print."""
_DISCORDANT = ((0.05, "very small"), (0.15, "small"), (0.25, "medium"), (math.inf, "large"))
_MAGNITUDES = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"), (math.inf, "large"))


def magnitude(delta: float) -> str:
    """Name of an effect size by the thresholds that the study's outputs use (Romano et al. 2006)."""
    return (
        "" if math.isnan(delta) else next(name for bound, name in _MAGNITUDES if abs(delta) < bound)
    )


def cohens_g(test: Test) -> float:
    """Cohen's g of discordant pairs: how far the larger share of them is from a half."""
    discordant = test.a_only + test.b_only
    return max(test.a_only, test.b_only) / discordant - 0.5 if discordant else math.nan


def magnitude_of_g(g: float) -> str:
    """Name of a Cohen's g by the thresholds of Cohen (1988), below the smallest `very small`."""
    return "" if math.isnan(g) else next(name for bound, name in _DISCORDANT if abs(g) < bound)


def significant(p_adjusted: float) -> str:
    """`Yes`, `No`, or `NA` where there is no p-value."""
    return "NA" if math.isnan(p_adjusted) else "Yes" if p_adjusted < SIGNIFICANCE else "No"


def adjusted(test: Test, adjustment: str) -> float:
    """The p-value of a test under a correction of the study (`holm`, `bh`)."""
    return {"holm": test.p_holm, "bh": test.p_bh}[adjustment]


def conclusion_changes(cell: PublishedCell, test: Test | None) -> str:
    """Whether a printed yes/no is another one under a test: `yes`, `no`, or empty where the cell or
    the test has none.
    """
    if cell.quantity != "significant" or test is None or cell.printed == "NA":
        return ""
    p = adjusted(test, cell.adjustment)
    said = _WORDS.get(cell.printed, cell.printed) == "Yes"
    return "" if math.isnan(p) else "no" if (p < SIGNIFICANCE) == said else "yes"


def turned(
    tests: Iterable[Test], adjustments: Mapping[str, str]
) -> tuple[int, dict[Place, list[float]]]:
    """How many places have tests, and the tests whose significance flips: their
    adjusted p-values, in order.

    tests: several readings of each place (comparison, block, metric); adjustments: correction by
    comparison. A place where a reading has no p-value does not turn.
    """
    found: dict[Place, list[float]] = {}
    for test in tests:
        place = (test.comparison, test.block, test.metric)
        found.setdefault(place, []).append(adjusted(test, adjustments[test.comparison]))
    return len(found), {
        place: values
        for place, values in found.items()
        if not any(map(math.isnan, values)) and len(set(map(significant, values))) > 1
    }


def value_for(cell: PublishedCell, test: Test) -> float | str:
    """The recomputed value that corresponds to a published cell: a number, or text for labels."""
    if cell.quantity in ("p_adjusted", "significant"):
        return of_p(cell, adjusted(test, cell.adjustment))
    if cell.quantity == "magnitude":
        paired = not math.isnan(test.a_only)
        return magnitude_of_g(cohens_g(test)) if paired else magnitude(test.cliffs_delta)
    if cell.quantity in _DERIVED:
        return _DERIVED[cell.quantity](test)
    field = {"ci_low": "cliffs_delta_low", "ci_high": "cliffs_delta_high"}.get(
        cell.quantity, cell.quantity
    )
    found: float | str = getattr(test, field)
    return found


_DERIVED: dict[str, Callable[[Test], float]] = {
    "cohens_g": cohens_g,
    "rate_a": lambda test: 100 * test.mean_a,
    "rate_b": lambda test: 100 * test.mean_b,
    "sum_a": lambda test: test.mean_a * test.n_pairs,
}
"""Quantities that follow from a record: an effect, rates in percent, the sum of side A."""


def of_p(cell: PublishedCell, p: float) -> float | str:
    """What a cell shows of an adjusted p-value: the value, or yes or no, which an output of rounded
    values takes from the rounded one.
    """
    style = style_of(cell)
    if cell.quantity == "p_adjusted":
        return p
    rounds = isinstance(style, int) and not math.isnan(p)
    return significant(round(p, int(style)) if rounds else p)


def style_of(cell: PublishedCell) -> Style:
    """How the cell was printed, by the variant of its output."""
    if cell.variant.startswith("rounded-"):
        return int(cell.variant.removeprefix("rounded-"))
    return "seven" if cell.variant.endswith("RAW") and "mcnemar" not in cell.source else "fixed"


def precision(cell: PublishedCell) -> str:
    """The printed precision of a cell, in words."""
    style = style_of(cell)
    if isinstance(style, int):
        return f"{style} decimals"
    return {"seven": "seven significant digits", "fixed": "printed decimals"}[style]


def resolution(printed: str, style: Style) -> float:
    """Half the distance between neighbouring printable values around a printed number."""
    if isinstance(style, int):
        return 10.0**-style / 2
    seven_digits = style == "seven"
    if seven_digits and printed.lstrip("-") == "0":
        return 1e-15  # R prints a lone 0 for zero itself; the slack is rounding noise of a mean
    mantissa, _, exponent = printed.partition("e")
    decimals = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - decimals)
    if seven_digits and float(printed):
        # R leaves out trailing zeros: 0.0886 then stands for 0.08860000, 1e-05 for 1.000000e-05.
        unit = min(unit, 10.0 ** (math.floor(math.log10(abs(float(printed)))) - 6))
    return unit / 2


def same(value: float | str, printed: str, style: Style = "fixed") -> bool:
    """Whether `value` prints as `printed`."""
    if isinstance(value, str):
        return value == _WORDS.get(printed, printed)
    if printed in MISSING or math.isnan(value):
        return printed in MISSING and math.isnan(value)
    # The small slack lets a value that lies on the rounding boundary print either way.
    return abs(value - float(printed)) <= resolution(printed, style) * (1 + 1e-7)


def render(value: float | str, printed: str, style: Style = "fixed") -> str:
    """`value` in the style of a printed one, for people who compare the two."""
    if isinstance(value, str):
        words = {ours: theirs for theirs, ours in _WORDS.items()}
        return words.get(value, value) if printed in _WORDS else value
    if math.isnan(value):
        return "NA"
    if isinstance(style, int):
        return f"{round(value, style) + 0.0:.{style}f}".rstrip("0").rstrip(".")
    if style == "seven":
        return f"{value:.7g}"
    return (
        f"{value:.{len(printed.partition('.')[2])}f}" if printed not in MISSING else f"{value:.4f}"
    )

"""Printed values: what a number must be to print as it was printed.

A published cell is compared at its printed precision. Two printing styles occur: a fixed number of
decimals, and R's seven significant digits in a vector's common format (where the element that needs
most digits sets the decimals of all).
"""

import math
from collections.abc import Iterable, Mapping

from mtpeft.core.records import PublishedCell, Test

Place = tuple[str, str, str]
"""(comparison, block, metric)"""
MISSING = ("NA", "NaN")
SIGNIFICANCE = 0.05
_MAGNITUDES = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"), (math.inf, "large"))


def magnitude(delta: float) -> str:
    """Name of an effect size by the thresholds that the study's outputs use (Romano et al. 2006)."""
    return (
        "" if math.isnan(delta) else next(name for bound, name in _MAGNITUDES if abs(delta) < bound)
    )


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
    return "" if math.isnan(p) else "no" if (p < SIGNIFICANCE) == (cell.printed == "Yes") else "yes"


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
    if cell.quantity == "p_adjusted":
        return adjusted(test, cell.adjustment)
    if cell.quantity == "significant":
        return significant(adjusted(test, cell.adjustment))
    if cell.quantity == "magnitude":
        return magnitude(test.cliffs_delta)
    field = {"ci_low": "cliffs_delta_low", "ci_high": "cliffs_delta_high"}.get(
        cell.quantity, cell.quantity
    )
    found: float | str = getattr(test, field)
    return found


def in_seven_digits(cell: PublishedCell) -> bool:
    """Whether the cell was printed by R with seven significant digits (else with fixed decimals)."""
    return cell.variant.endswith("RAW") and "mcnemar" not in cell.source


def resolution(printed: str, seven_digits: bool) -> float:
    """Half the distance between neighbouring printable values around a printed number."""
    if seven_digits and printed.lstrip("-") == "0":
        return 1e-15  # R prints a lone 0 for zero itself; the slack is rounding noise of a mean
    mantissa, _, exponent = printed.partition("e")
    decimals = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - decimals)
    if seven_digits and float(printed):
        # R leaves out trailing zeros: 0.0886 then stands for 0.08860000, 1e-05 for 1.000000e-05.
        unit = min(unit, 10.0 ** (math.floor(math.log10(abs(float(printed)))) - 6))
    return unit / 2


def same(value: float | str, printed: str, seven_digits: bool = False) -> bool:
    """Whether `value` prints as `printed`."""
    if isinstance(value, str):
        return value == printed
    if printed in MISSING or math.isnan(value):
        return printed in MISSING and math.isnan(value)
    # The small slack lets a value that lies on the rounding boundary print either way.
    return abs(value - float(printed)) <= resolution(printed, seven_digits) * (1 + 1e-7)


def render(value: float | str, printed: str, seven_digits: bool = False) -> str:
    """`value` in the style of a printed one, for people who compare the two."""
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "NA"
    if seven_digits:
        return f"{value:.7g}"
    return (
        f"{value:.{len(printed.partition('.')[2])}f}" if printed not in MISSING else f"{value:.4f}"
    )

"""How verdicts look: one sign of its own shape each, so that no meaning rests on colour alone."""

import math

from mtpeft.core.errors import UnknownName

SIGNS = {
    "exact": "✓",
    "within tolerance": "≈",
    "differs": "≠",
    "not run": "○",
    "cannot run here": "⊘",
    "not reproducible": "∅",
}
CHANGED = "⇄"
MISSING = "–"

LEGEND = {
    "exact": "equal to the printed digit",
    "within tolerance": "equal within the stated tolerance",
    "differs": "the recomputed value differs from the printed one",
    "not run": "this stage has not run",
    "cannot run here": "this machine lacks what the stage needs",
    "not reproducible": "the archive lacks what would be needed to recompute it",
}


def slug(verdict: str) -> str:
    """The verdict as a CSS class."""
    if verdict not in SIGNS:
        raise UnknownName("verdict", verdict, SIGNS)
    return "v-" + verdict.replace(" ", "-")


def needs_attention(verdict: str) -> bool:
    """Whether a value with this verdict is marked where it is shown."""
    return verdict not in ("", "exact", "within tolerance")


SMALLEST = 0.0001
"""The smallest p-value that four decimals show; a smaller one is said to be so, never printed as 0."""


def p_text(p: float, missing: str = "NA") -> str:
    """A p-value for people.

    Args:
        p: The value; NaN where there is none.
        missing: What to print for NaN.
    """
    if math.isnan(p):
        return missing
    return f"< {SMALLEST}" if 0 <= p < SMALLEST else f"{p:.4f}"

"""How verdicts look: one sign of its own shape each, so that no meaning rests on colour alone."""

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

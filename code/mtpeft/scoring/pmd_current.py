"""PMD in a current version, to show what two years of rule changes do to the counts."""

from mtpeft.scoring.pmd import PmdScorer


def scorer() -> PmdScorer:
    """PMD 7.28.0."""
    return PmdScorer("pmd-current", "7.28.0", "pmd_7.28.0")

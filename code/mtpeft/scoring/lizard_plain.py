"""Lizard with every function counted once."""

from mtpeft.scoring.lizard import LizardScorer


def scorer() -> LizardScorer:
    """Lizard as its authors mean it."""
    return LizardScorer("lizard-plain", "lizard_plain", doubled=False)

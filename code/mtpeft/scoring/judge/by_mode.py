"""The judge's modes as a tool of its own."""

from mtpeft.scoring.judge.scorer import mode_scorer as scorer

__all__ = ["scorer"]

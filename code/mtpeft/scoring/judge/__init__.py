"""LLM as a judge of summaries, through any OpenAI-compatible server."""

from mtpeft.scoring.judge.scorer import Judge, scorer

__all__ = ["Judge", "scorer"]

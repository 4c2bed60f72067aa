"""Reference-based metrics of summaries, each named by its exact variant; a metric without its data
is a status.
"""

from mtpeft.scoring.text_metrics.scorer import TextMetrics, scorer
from mtpeft.scoring.text_metrics.wordnet import setup_wordnet

__all__ = ["TextMetrics", "scorer", "setup_wordnet"]

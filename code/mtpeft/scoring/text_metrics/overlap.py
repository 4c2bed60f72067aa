"""Metrics that compare words and characters, each in one exact variant, 0 to 1, an empty text
included.

Every function takes the output first and the one reference second. An empty output has a value (0),
as the libraries and the study have it.
"""

from functools import cache
from typing import Any

from mtpeft.scoring.text_metrics.wordnet import wordnet


def bleu(output: str, reference: str) -> float:
    """Sentence BLEU of sacreBLEU: tokeniser 13a, case-sensitive, exponential smoothing, effective
    order.
    """
    from sacrebleu import sentence_bleu

    return sentence_bleu(output, [reference]).score / 100


def chrf(output: str, reference: str) -> float:
    """Sentence chrF2 of sacreBLEU: character 6-grams, no word n-grams, beta 2, white space ignored."""
    from sacrebleu import sentence_chrf

    return sentence_chrf(output, [reference]).score / 100


def rouge_l(output: str, reference: str) -> float:
    """ROUGE-L F-measure of rouge-score, Porter-stemmed."""
    return _rouge().score(reference, output)["rougeL"].fmeasure


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


def meteor(output: str, reference: str) -> float:
    """METEOR of NLTK on white-space tokens, lower-cased, Porter stems and WordNet synonyms (alpha
    0.9, beta 3, gamma 0.5).

    NLTK looks synonyms up by stem, so that words whose stem is no word (`large` → `larg`) have
    none. Raises `Unavailable` where WordNet has not been set up.
    """
    from nltk.translate.meteor_score import meteor_score

    return float(meteor_score([reference.split()], output.split(), wordnet=wordnet()))

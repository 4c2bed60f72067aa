"""Metrics that compare words and characters, each in one exact variant, 0 to 1, an empty text
included.

Every function takes the output first and the one reference second. An empty output has a value (0),
as the libraries and the study have it.
"""

import re
from functools import cache
from typing import Any

from mtpeft.scoring.text_metrics.wordnet import wordnet

_LATIN = re.compile(r"[a-z0-9]")


class Unmeasurable(ValueError):
    """A metric is not defined for these texts; its zero would mean something else."""


def bleu(output: str, reference: str) -> float:
    """Sentence BLEU of sacreBLEU (Post 2018, arXiv:1804.08771): tokenizer 13a, case-sensitive,
    exponential smoothing, effective order.
    """
    from sacrebleu import sentence_bleu

    # Equal texts come out above 1 by rounding.
    return float(min(1.0, sentence_bleu(output, [reference]).score / 100))


def chrf(output: str, reference: str) -> float:
    """Sentence chrF2 of sacreBLEU (Popović 2015): character 6-grams, no word n-grams, beta 2, white
    space ignored.
    """
    from sacrebleu import sentence_chrf

    return float(min(1.0, sentence_chrf(output, [reference]).score / 100))


def rouge_l(output: str, reference: str) -> float:
    """ROUGE-L F-measure of rouge-score (Lin 2004), Porter-stemmed.

    Raises:
        Unmeasurable: A text is not blank, but holds no word for the library's tokenizer, which
            knows the letters a to z and digits only.
    """
    for text in (output, reference):
        if text.strip() and not _LATIN.search(text.lower()):
            raise Unmeasurable("ROUGE's tokenizer keeps nothing of this text but a-z and 0-9")
    return float(_rouge().score(reference, output)["rougeL"].fmeasure)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


def meteor(output: str, reference: str) -> float:
    """METEOR of NLTK (Banerjee and Lavie 2005) on white-space tokens, lower-cased, Porter stems and
    WordNet synonyms (alpha 0.9, beta 3, gamma 0.5).

    NLTK looks synonyms up by stem, so that words whose stem is no word (`large` → `larg`) have
    none.

    Raises:
        Unavailable: WordNet has not been set up.
    """
    from nltk.translate.meteor_score import meteor_score

    return float(meteor_score([reference.split()], output.split(), wordnet=wordnet()))

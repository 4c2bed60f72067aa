"""The four components of CodeBLEU for one output against one reference, and how they make one
score.

Ren et al. 2020, arXiv:2009.10297. Two variants: `codebleu_0.7.0`, equal to the library's release to
the last bit, and `codebleu_corrected`, which differs in four points, each named where it is made:

- Data-flow sources keep source order, so that nothing depends on the hash seed (see `analysis`).
- A data-flow match of 0 stays 0 (the release turns it into 1, so that an empty output scores 0.25).
- Where the reference has no data flow the component is undefined, and the other three share its
  weight.
- The brevity penalty of the weighted n-gram match compares token counts (the release compares with
  the length of a pair, which is 2, so that the penalty never bites).
"""

import math
from dataclasses import dataclass

from mtpeft.scoring.codebleu.analysis import Analysis, analyse

_WEIGHT = 0.25
_SMOOTHING = 0.1  # added to a count of 0 (method 1 of Chen and Cherry 2014)
_OTHER_WORD = 0.2  # weight of a unigram that is no keyword
_RELEASED_REFERENCE_LENGTH = 2


@dataclass(frozen=True)
class Components:
    """The four matches, each in [0, 1].

    Attributes:
        ngram: See `ngram_match`.
        weighted_ngram: See `weighted_ngram_match`.
        syntax: See `syntax_match`.
        data_flow: See `data_flow_match`; None where the reference has no data flow.
    """

    ngram: float
    weighted_ngram: float
    syntax: float
    data_flow: float | None

    def released(self) -> float:
        """CodeBLEU as release 0.7.0 sums it."""
        return (
            _WEIGHT * self.ngram
            + _WEIGHT * self.weighted_ngram
            + _WEIGHT * self.syntax
            + _WEIGHT * (self.data_flow or 1)
        )

    def corrected(self) -> float:
        """CodeBLEU with a data-flow match that may be 0 or undefined."""
        parts = [self.ngram, self.weighted_ngram, self.syntax]
        if self.data_flow is not None:
            parts.append(self.data_flow)
        return math.fsum(parts) / len(parts)


def codebleu(reference: str, output: str, language: str, corrected: bool = False) -> float:
    """CodeBLEU of one output against one reference, in [0, 1].

    Args:
        reference: The reference.
        output: The output.
        language: `java`, `csharp` or `python`.
        corrected: Whether to compute the corrected variant.

    Raises:
        Unavailable: The library is missing.
        UnicodeEncodeError: A text holds lone surrogates.
    """
    parts = components(reference, output, language, corrected)
    return parts.corrected() if corrected else parts.released()


def components(reference: str, output: str, language: str, corrected: bool = False) -> Components:
    """The four components of one output against one reference; the parameters are those of
    `codebleu`.
    """
    one, other = analyse(reference, language, corrected), analyse(output, language, corrected)
    return Components(
        ngram_match(one, other),
        weighted_ngram_match(one, other, corrected),
        syntax_match(one, other),
        data_flow_match(one, other),
    )


def ngram_match(reference: Analysis, output: Analysis) -> float:
    """Sentence BLEU-4 on white-space tokens, smoothed: clipped n-gram precision of the output."""
    fractions: list[tuple[float, float]] = [
        (matched, max(1, found.total()))
        for matched, found in zip(_matched(reference, output), output.ngrams, strict=True)
    ]
    return _geometric_mean(fractions, len(reference.tokens), len(output.tokens))


def weighted_ngram_match(reference: Analysis, output: Analysis, corrected: bool) -> float:
    """Recall of the reference's n-grams, in which a unigram that is no keyword weighs 0.2."""
    fractions: list[tuple[float, float]] = [
        (matched, max(1, expected.total()))
        for matched, expected in zip(_matched(reference, output), reference.ngrams, strict=True)
    ]
    keywords, expected, found = reference.known.keywords, reference.ngrams[0], output.ngrams[0]
    # Added up one by one in order of first appearance: the library's rounding is part of the
    # published value.
    weighted = total = 0.0
    for gram, count in expected.items():
        weight = 1 if gram[0] in keywords else _OTHER_WORD
        total += count * weight
        if gram in found:
            weighted += min(count, found[gram]) * weight
    fractions[0] = weighted, max(1, total)
    length = len(reference.tokens) if corrected else _RELEASED_REFERENCE_LENGTH
    return _geometric_mean(fractions, length, len(output.tokens))


def _matched(reference: Analysis, output: Analysis) -> list[float]:
    """How many n-grams of each order the two share, repeated ones as often as both have them."""
    return [
        sum(min(expected[gram], found[gram]) for gram in expected.keys() & found.keys())
        for expected, found in zip(reference.ngrams, output.ngrams, strict=True)
    ]


def _geometric_mean(
    fractions: list[tuple[float, float]], reference_length: int, output_length: int
) -> float:
    if fractions[0][0] == 0:
        return 0.0
    penalty = (
        1.0 if output_length > reference_length else math.exp(1 - reference_length / output_length)
    )
    logs = [_WEIGHT * math.log((matched or _SMOOTHING) / total) for matched, total in fractions]
    return penalty * math.exp(math.fsum(logs))


def syntax_match(reference: Analysis, output: Analysis) -> float:
    """Share of the reference's syntax subtrees that occur in the output's tree."""
    return sum(subtree in output.subtree_set for subtree in reference.subtrees) / len(
        reference.subtrees
    )


def data_flow_match(reference: Analysis, output: Analysis) -> float | None:
    """Share of the reference's data-flow edges that the output has too; None where the reference
    has none.
    """
    if not reference.flows:
        return None
    matched = sum(
        min(count, output.flow_counts[edge]) for edge, count in reference.flow_counts.items()
    )
    return matched / len(reference.flows)

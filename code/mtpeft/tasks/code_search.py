"""Code search: which function does this description describe?

The encoder gives description and function a vector each. Prompting asks about one pair at a time,
with a class as answer like the other tasks, or hands over the candidates that a first stage found
and wants a score for each.
"""

import json
import re
from collections.abc import Sequence

from mtpeft.corpora.examples import Example
from mtpeft.tasks import yes_no
from mtpeft.tasks.fences import LONGEST, tidied
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import Wording

ROLE = "You judge search results for Python code."
QUESTION = "Is this function what the description asks for?"


def texts(example: Example) -> tuple[str, ...]:
    """Description and function, read as two sequences."""
    return example.inputs["query"], example.inputs["code"]


label, target, answer = yes_no.label, yes_no.target, yes_no.read
SHOWN = 1000
"""Characters of a candidate that a prompt holds."""
# Number and score of a candidate, with something between: a line of one number is neither.
_SCORE = re.compile(
    r"[\s*_>#|`-]*(?:(?:candidate|function|number|no\.?)\s*)?"
    r"(?:\[([0-9]{1,2})\][*_]*\s*(?:[-=]>|[:=.|\u2013\u2014\u2192-])?\s*|([0-9]{1,2})[*_]*(?:\s*(?:[-=]>|[:=|\u2192])\s*|[.)]\s+|\s+[\u2013\u2014-]?\s*))"
    r"(?<!\s-)[*_]*(?:scores?\s*[:=]?\s*)?(0|[1-9][0-9]{0,2})(?:\.0+)?[*_]*(?:\s*/\s*100|\s*%|\s+points)?\.?"
    r"[\s*_|`]*(?:[\u2013\u2014(:,-]\s*[^\d\s].*)?",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,}).*")
_SEVERAL = re.compile(r"[,;]\s*(?=\[?\d{1,2}[\]:.=)])|(?<=\d)\s+(?=\[\d{1,2}\]\W*\d)")
# A sentence that names candidates and gives no number of its own.
_REMARK = re.compile(r"[^\d\[\]]*[A-Za-z]{2}[^\d\[\]]*(?:\[\d{1,2}\][^\d\[\]]*)+")
_LABEL = re.compile(r"\s*(?:scores?|answer)\s*:", re.IGNORECASE)


def scoring_messages(query: str, candidates: Sequence[str]) -> list[Message]:
    """System and user message that ask for a score of each candidate."""
    shown = "\n\n".join(
        f"[{i}]\n```\n{code[:SHOWN] + (' ...' if len(code) > SHOWN else '')}\n```"
        for i, code in enumerate(candidates, start=1)
    )
    return [
        {"role": "system", "content": ROLE},
        {
            "role": "user",
            "content": f"Description: {query}\n\n{shown}\n\nHow well does each function do what the description "
            "asks for, from 0 to 100? Answer with one line for each function, `[number] score`, and "
            "nothing else.",
        },
    ]


def read_scores(raw: str, candidates: int) -> list[int] | None:
    """The score of each candidate; None, which is no answer, where the text does not give each
    exactly one of at most 100.

    Blank lines, fences and sentences without a digit say nothing; any other line that is no number
    with its score makes the answer unreadable.
    """
    if len(raw) > LONGEST:
        return None
    found: dict[int, int] = {}
    for line in _without_braces(tidied(raw)).split("\n"):
        if not re.search(r"\d", line) or _REMARK.fullmatch(line):
            continue
        for part in _SEVERAL.split(_LABEL.sub("", line, count=1)):
            match = _SCORE.fullmatch(part)
            if match is None:
                return None
            number, score = int(match[1] or match[2]), int(match[3])
            if number in found or score > 100:
                return None
            found[number] = score
    return (
        [found[i] for i in range(1, candidates + 1)]
        if sorted(found) == list(range(1, candidates + 1))
        else None
    )


def _without_braces(text: str) -> str:
    """The lines of an answer; those of one in JSON are its pairs."""
    lines = [line for line in text.strip().split("\n") if not _FENCE.fullmatch(line)]
    try:
        pairs = json.loads("\n".join(lines), object_pairs_hook=list)
        if all(isinstance(pair, list) for pair in pairs):  # a list of objects, one a candidate
            pairs = [_number_and_score(dict(pair)) for pair in pairs]
        return "\n".join(f"{name}: {value}" for name, value in pairs)
    except (ValueError, TypeError, KeyError, RecursionError):
        return "\n".join(lines)


def _number_and_score(pair: dict[str, object]) -> tuple[object, object]:
    """The number of a candidate and its score, out of an object that holds nothing else."""
    score = pair.pop("score")
    (number,) = pair.values()
    return number, score


def first_with(examples: Sequence[Example]) -> dict[str, str]:
    """The id of the first example that has each function: those that read alike are one candidate."""
    first: dict[str, str] = {}
    for example in examples:
        first.setdefault(example.inputs["code"], example.id)
    return first


def rank_of(scores: Sequence[int], right: int) -> int:
    """Rank of the candidate at position `right`, from 1. Ties count against the model."""
    return sum(score >= scores[right] for score in scores)


def messages(example: Example, wording: Wording) -> list[Message]:
    """System and user message about one pair."""
    query, code = texts(example)
    return yes_no.asked(ROLE, f"{QUESTION}\nDescription: {query}", code)

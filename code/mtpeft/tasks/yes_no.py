"""Questions with the answers yes and no: prompts, and two ways to read what a model wrote.

The strict reading takes an unambiguous yes or no and calls anything else no answer, which is a
status and never a class. The study's permissive reading takes any `no` or `not` inside the text for a no and
everything else, silence included, for a yes; its few-shot script has a rule of its own.
"""

import re
from dataclasses import dataclass

from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.examples import Example
from mtpeft.tasks.answer import Answer
from mtpeft.tasks.fences import LONGEST, tidied
from mtpeft.tasks.interface import Message
from mtpeft.tasks.wording import Wording

YES, NO, NONE = "1", "0", ""
_SIGNS = r"(?:[-*]\s)?[\s\"'*`_#>(\[$\u201c\u2018\u2705\u274c\u2714\u2718\ufe0f]*(?:\\?boxed\{|\\text\{)*"
_CLOSED = r"[\"'*`_)\]}$\u201d\u2019]*"
# What may follow a yes or no that is an answer, and not the beginning of "no longer".
_GOES_ON = r"(?:because|since|as|it|this|that|the|there|they|these|both)\b"
# A word that stands as an answer, and not as part of a sentence such as "No idea".
_BEGINS = re.compile(
    rf"{_SIGNS}(yes|no)\b{_CLOSED}(?:\s*\Z|\s*[.,;:!(\u2014\u2013-]|\s*\n|\s+{_GOES_ON})",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"(?:\b(?:answer|verdict|conclusion|response|prediction|label|output)\b[\s\"'*`_]*"
    r"(?:(?:is|would be|should be)\b|[:=\u2013\u2014-])|^A:)"
    r"[\s\"'*`_:($\u201c\u2018]*(?:\\?boxed\{|\\text\{)*(yes|no)\b"
    rf"(?={_CLOSED}\s*(?:\Z|[^\w\s/]|\n|{_GOES_ON}))",
    re.IGNORECASE | re.MULTILINE,
)
# Before an answer in its clause: the answer is denied, or not yet given.
_UNSAID = re.compile(r"\b(?:not|never|cannot|whether|if|unless)\b|n['\u2019]t\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[.,;:!?\n]|\b(?:so|thus|hence|therefore|but)\b", re.IGNORECASE)
_QUESTION = re.compile(
    r"answer with one word: yes or no\.?|\b(?:yes or no|yes/no)\s*[?:]", re.IGNORECASE
)
_ENDS = re.compile(
    r"^[^?\n]*(?:,(?:\s*(?:so|thus|hence|therefore))?|\bi(?: would|'d)? (?:say|think|believe))"
    r"\s*(yes|no)[.!]?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
# A conclusion: "So yes, they are clones", "..., therefore: no".
_CONCLUDES = re.compile(
    r"(?:^|[.!?,;]\s+)(?:so|thus|hence|therefore|overall|in (?:summary|conclusion|short))\b[\s,:]*"
    rf"[\"'*`_(]*(yes|no)\b(?={_CLOSED}\s*(?:\Z|[.,;:!\u2014\u2013]|\n))",
    re.IGNORECASE | re.MULTILINE,
)
_BOTH = re.compile(
    r"\b(?:yes\s*(?:[,:]|and|or|/|but)?\s*no|no\s*(?:[,:]|and|or|/|but)?\s*yes)\b", re.IGNORECASE
)
# An answer that takes back the one before it: both stand, so neither is the answer.
_RETRACTS = re.compile(
    r"\b(?:wait|actually|correction|scratch that)\b[,:.]?\s+(?:actually[,:]?\s+)?(yes|no)(?=[.!,;]|\s*$)",
    re.IGNORECASE | re.MULTILINE,
)


def asked(role: str, question: str, *codes: str) -> list[Message]:
    """System and user message: the role, the question, the code in fences, what to answer."""
    shown = "\n\n".join(f"```\n{code}\n```" for code in codes)
    return [
        {"role": "system", "content": role},
        {"role": "user", "content": f"{question}\n\n{shown}\n\nAnswer with one word: yes or no."},
    ]


@dataclass(frozen=True)
class Question:
    """A yes-or-no question about code.

    Attributes:
        role: The system message.
        question: What is asked.
        inputs: The names of an example's inputs with the code, in order.
    """

    role: str
    question: str
    inputs: tuple[str, ...] = ("code",)

    def texts(self, example: Example) -> tuple[str, ...]:
        """What an encoder reads, as one sequence."""
        return tuple(example.inputs[name] for name in self.inputs)

    def messages(self, example: Example, wording: Wording) -> list[Message]:
        """System and user message of the question."""
        return asked(self.role, self.question, *self.texts(example))


def word(example: Example) -> str:
    """The right answer as a word.

    Raises:
        MtpeftError: The target is no class.
    """
    if example.target not in (YES, NO):
        raise MtpeftError(f"example {example.id} has target {example.target!r}", "1 or 0")
    return "yes" if example.target == YES else "no"


def strict(raw: str) -> str:
    """`1` or `0`; empty where the text does not say one of them, and one only, as its answer.

    An answer is a word that is called so ("Answer: no", "the answer is yes"), or that begins a line
    and stands for itself ("Yes, because ..."). Reasoning in tags is no answer.
    """
    if len(raw) > LONGEST:
        return NONE
    text = _QUESTION.sub("", tidied(raw))
    if _BOTH.search(text):
        return NONE
    told = {
        found[1].lower()
        for rule in (_TOLD, _ENDS, _CONCLUDES, _RETRACTS)
        for found in rule.finditer(text)
        if not _UNSAID.search(_CLAUSE.split(text[: found.start(1)])[-1])
    }
    begun = {
        found[1].lower()
        for line in re.split(r"\n|(?<=[.!?])\s+", text)
        if (found := _BEGINS.match(line))
    }
    answers = told | begun
    return NONE if len(answers) != 1 else YES if answers == {"yes"} else NO


def permissive(raw: str) -> str:
    """The rule of the study's zero-shot script: `0` where `no` or `not` occurs anywhere in the text,
    else `1`.
    """
    return NO if "no" in raw.lower() else YES


def permissive_few_shot(raw: str) -> str:
    """The rule of the study's few-shot script: as `permissive`, and `0` also where `safe` or `clean`
    occurs.
    """
    return NO if any(word in raw.lower() for word in ("no", "safe", "clean")) else YES


def permissive_gpt(raw: str) -> str:
    """The rule of the study's script for GPT, with shots or without: that of its few-shot script,
    written a second time.
    """
    return permissive_few_shot(raw)


STRICT = "strict"
ZERO_SHOT = "permissive (study, zero-shot)"
PERMISSIVE = {
    ZERO_SHOT: permissive,
    "permissive (study, few-shot)": permissive_few_shot,
    "permissive (study, GPT)": permissive_gpt,
}
"""The study's three rules by name: of `zero_shot.py`, `few_shot.py` and `gpt_eval.py`."""


def study_rules(shots: int, served: bool) -> list[str]:
    """The names of the rules by which the study would have read an answer.

    Args:
        shots: Solved examples in the prompt.
        served: Whether a server answered, as GPT did, and not a model on this machine.
    """
    zero, few, gpt = PERMISSIVE
    return [few if shots else zero, *([gpt] if served else [])]


def read(raw: str, faithful: bool) -> Answer:
    """The strict reading, or the study's permissive one.

    Args:
        raw: What the model wrote.
        faithful: Whether to read as the study does.

    Returns:
        `1`, `0`, or empty for no answer.
    """
    return Answer(permissive(raw), ZERO_SHOT) if faithful else Answer(strict(raw), STRICT)


def label(example: Example) -> int:
    """The class of an example: 1 for yes, 0 for no."""
    return 1 if word(example) == "yes" else 0


def target(example: Example, wording: Wording) -> str:
    """`yes` or `no`."""
    return word(example)

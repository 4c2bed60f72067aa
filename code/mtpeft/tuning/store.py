"""All examples of a run as one flat array of tokens."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtpeft.core.errors import MtpeftError
from mtpeft.corpora import Example
from mtpeft.tasks import Wording, render
from mtpeft.tasks.tokens import kept, of_code, of_tokenizer
from mtpeft.tuning.identity import of_examples


@dataclass(frozen=True)
class TokenStore:
    """Tokenized examples.

    Attributes:
        tokens: Of all examples, one after the other; shape [tokens].
        offsets: Example i is tokens[offsets[i]:offsets[i + 1]]; shape [n + 1].
        prompts: Of each example, how many of its tokens are the prompt; shape [n].
        tasks: Number of each example's task; shape [n].
        names: The tasks, in the order of their numbers.
        dropped: Examples that are longer than a row.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    prompts: np.ndarray
    tasks: np.ndarray
    names: list[str]
    dropped: int = 0

    @property
    def sizes(self) -> list[int]:
        """Number of examples of each task."""
        return [int(n) for n in np.bincount(self.tasks, minlength=len(self.names))]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, shape [n]."""
        result: np.ndarray = np.diff(self.offsets)
        return result

    def __len__(self) -> int:
        return len(self.prompts)


def tokenized(
    examples: dict[str, Sequence[Example]],
    tokenizer: Any,
    wording: Wording,
    *,
    joined: bool,
    longest: int | None,
) -> TokenStore:
    """Tokenize the examples of each task.

    Args:
        examples: By task.
        tokenizer: Of the base model.
        wording: The words of the prompts.
        joined: The study's layout (see `tasks.render`).
        longest: An example with more tokens is left out and counted: cut short it would be another
            prompt than the one that is asked at inference (which only the profile `faithful`
            cuts, as the study did). None: no limit.

    Raises:
        MtpeftError: No example of a task is left.
    """

    def decides() -> dict[str, Any]:
        return {
            "examples": [of_examples(some) for some in examples.values()],
            "tokenizer": of_tokenizer(tokenizer),
            "wording": asdict(wording),
            "joined": joined,
            "longest": longest,
            "code": of_code(examples),
        }

    made = kept(
        sum(map(len, examples.values())),
        decides,
        lambda: _made(examples, tokenizer, wording, joined, longest),
    )
    dropped = int(made.pop("dropped")[0])
    return TokenStore(**made, names=list(examples), dropped=dropped)


def _made(
    examples: dict[str, Sequence[Example]],
    tokenizer: Any,
    wording: Wording,
    joined: bool,
    longest: int | None,
) -> dict[str, np.ndarray]:
    pieces: list[np.ndarray] = []
    prompts, tasks, dropped = [], [], 0
    for number, some in enumerate(examples.values()):
        for example in some:
            made = render(example, tokenizer, wording, joined=joined)
            if longest is not None and len(made.tokens) > longest:
                dropped += 1
                continue
            pieces.append(np.array(made.tokens, dtype=np.int32))
            prompts.append(made.prompt)
            tasks.append(number)
    for number, (task, some) in enumerate(examples.items()):
        if some and number not in tasks:
            raise MtpeftError(
                f"all {len(some)} examples of {task} have more than {longest} tokens",
                "examples that fit a row",
                "--set max_length=N with a larger one",
            )
    if not pieces:
        raise MtpeftError("no examples", f"examples of {', '.join(examples)}", "make data")
    return {
        "tokens": np.concatenate(pieces),
        "offsets": np.cumsum([0] + [len(p) for p in pieces], dtype=np.int64),
        "prompts": np.array(prompts, dtype=np.int32),
        "tasks": np.array(tasks, dtype=np.int16),
        "dropped": np.array([dropped]),
    }

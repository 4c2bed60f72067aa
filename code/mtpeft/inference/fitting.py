"""A conversation that is longer than a model can read, made to fit without losing its question.

What goes first are the solved examples, the farthest one before the nearest; then the end of
the longest codes that the question shows in fences. System message and question stay.
"""

import re
from collections.abc import Callable

from mtpeft.core.errors import MtpeftError

Messages = list[dict[str, str]]
_CODE = re.compile(r"^```\n(.*?)\n?^```$", re.DOTALL | re.MULTILINE)
_GONE = "\n...\n"


def fitted(
    messages: Messages, length: Callable[[Messages], int], limit: int
) -> tuple[Messages, str]:
    """The conversation within a limit, and what was cut off, empty where nothing was.

    Args:
        messages: System message, solved examples as pairs of turns, the question.
        length: Tokens of a conversation as the model would read it.
        limit: The most tokens.

    Raises:
        MtpeftError: The question is too long without any code.
    """
    if (asked := length(messages)) <= limit:
        return messages, ""
    head, turns, question = messages[:1], messages[1:-1], messages[-1]
    shots = len(turns) // 2
    while turns and length([*head, *turns, question]) > limit:
        turns = turns[2:]
    gone = []
    if dropped := shots - len(turns) // 2:
        gone.append(f"{dropped} of {shots} shots")
    content = question["content"]
    blocks = [len(code) for code in _CODE.findall(content)]

    def shown(characters: int) -> Messages:
        """The conversation with at most so much of each code."""

        def less(block: re.Match[str]) -> str:
            whole = len(block[1]) <= characters
            return block[0] if whole else f"```\n{block[1][:characters]}{_GONE}```"

        text = _CODE.sub(less, content)
        return [*head, *turns, {**question, "content": text}]

    if (least := length(shown(0))) > limit:
        raise MtpeftError(
            f"a prompt of {asked} tokens, {least} of them without its code",
            f"a question of at most {limit} tokens",
            "ask a model with a longer context",
        )
    low, high = 0, max(blocks, default=0)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if length(shown(middle)) <= limit else (low, middle - 1)
    if lost := sum(max(0, block - low) for block in blocks):
        gone.append(f"{lost} of {sum(blocks)} characters of code")
    return shown(low), f"cut: {', '.join(gone)}"

"""What is taken out of a raw answer, and by which rule."""

from typing import Self


class Answer(str):
    """The answer in what a model wrote.

    Attributes:
        rule: The name of the rule that cut it.
    """

    __slots__ = ("rule",)
    rule: str

    def __new__(cls, text: str, rule: str = "") -> Self:  # noqa: D102
        made = super().__new__(cls, text)
        made.rule = rule
        return made

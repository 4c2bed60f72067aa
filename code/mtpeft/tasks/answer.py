"""What is taken out of a raw answer, and by which rule."""


class Answer(str):
    """The answer in what a model wrote; `rule` names what cut it."""

    __slots__ = ("rule",)
    rule: str

    def __new__(cls, text: str, rule: str = "") -> "Answer":
        """Args:
        text: the answer.
        rule: the name of the rule.
        """
        made = super().__new__(cls, text)
        made.rule = rule
        return made

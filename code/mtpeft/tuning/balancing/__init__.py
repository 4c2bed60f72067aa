"""How much each task's loss counts: one small module per rule; what a rule is stands in `rule`."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

from mtpeft.core.errors import UnknownName
from mtpeft.tuning.balancing.coba import CoBa
from mtpeft.tuning.balancing.famo import Famo
from mtpeft.tuning.balancing.fixed import MicroBatchMean, TaskEqual, TokenEqual
from mtpeft.tuning.balancing.gradients import CLASSES, Aggregated
from mtpeft.tuning.balancing.learnable import LearnableSoftmax
from mtpeft.tuning.balancing.loss_proportional import LossProportional
from mtpeft.tuning.balancing.rule import Rule
from mtpeft.tuning.balancing.uncertainty import Uncertainty

RULES: dict[str, Callable[..., Rule]] = {
    "none": MicroBatchMean,
    "token-equal": TokenEqual,
    "task-equal": TaskEqual,
    "learnable": LearnableSoftmax,
    "learnable-softmax": partial(LearnableSoftmax, as_they_are=True),
    "loss-proportional": LossProportional,
    "uncertainty": Uncertainty,
    "famo": Famo,
    "coba": CoBa,
    **{name: partial(Aggregated, kind=name) for name in CLASSES},
}


def balancing(name: str, tasks: int, **options: Any) -> Rule:
    """A rule by name.

    Args:
        name: Of the rule.
        tasks: How many there are.
        options: What the rule's class takes.

    Raises:
        UnknownName: There is no such rule, or it takes no such option; the error lists the nearest
            ones.
    """
    if name not in RULES:
        raise UnknownName("loss balancing", name, RULES)
    rule = RULES[name]
    fixed = {"tasks", *(rule.keywords if isinstance(rule, partial) else ())}
    taken = signature(rule).parameters.values()
    # A rule that hands its options on to a library leaves it to that to refuse them.
    hands_on = any(p.kind is p.VAR_KEYWORD for p in taken)
    known = [p.name for p in taken if p.name not in fixed and p.kind is not p.VAR_KEYWORD]
    for key in options:
        if key in fixed or (key not in known and not hands_on):
            raise UnknownName(f"option of balancing {name}", key, [*known, "every"])
    return rule(tasks, **options)

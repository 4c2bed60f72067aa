"""Verdicts on study B's claims: each is judged in each generation by a rule, and the rule is
printed with it.

In a generation a claim holds, fails or cannot be checked. Together: `supported` where it holds in
every generation that can check it and more than one can; `supported only in one generation` where
it holds in one and fails, or cannot be checked, in the other; `not supported` where it holds in
none that can check it; `not checkable` where none can.
"""

from mtpeft.verification.multitask.judge import SUPPORT, judge

__all__ = ["SUPPORT", "judge"]

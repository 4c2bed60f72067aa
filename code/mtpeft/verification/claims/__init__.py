"""Published sentences, each held against tests or figures by a rule that is named in the catalog.

`registry` finds the rule of a claim, `changes` judges tests (changes and significance), `editions`
judges figures that come in several editions.
"""

from mtpeft.verification.claims import changes, editions
from mtpeft.verification.claims.registry import RULES, Evidence, Rule, judge_claims, rule

__all__ = ["RULES", "Evidence", "Rule", "changes", "editions", "judge_claims", "rule"]

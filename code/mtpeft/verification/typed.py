"""A verdict for every cell of the typed tables: what the public logs hold for it.

The study's own rule decides: the test at the best validation epoch, the share of parameters that
the log counts. Where another number of the same log was typed instead (the last epoch, the best
test), the verdict is `differs`, and that rule is the cause. A cell without any log, and one that no
number of its log gives, cannot be reproduced from what is public.
"""

from collections.abc import Iterable

from mtpeft.core.figures import Counterpart
from mtpeft.core.records import Verdict

STATED = ("best_valid_combined", "best_valid", "parameters", "definition")
_OTHER = {
    "last_epoch": "the test at the last epoch was typed, not that at the best validation",
    "best_test": "the best test among the epochs was typed, not that at the best validation",
    "parameters_of_backbone": "trained parameters over those of the backbone alone were typed",
}
_HALF = 0.005 + 1e-9
"""Half of the last digit of a value typed with two decimals."""


def judge_typed(study: str, counterparts: Iterable[Counterpart]) -> list[Verdict]:
    """One verdict a typed cell, in the order of the tables.

    Args:
        study: Id of the study.
        counterparts: What the logs hold; those of one cell share their first nine attributes.
    """
    cells: dict[tuple[str, ...], list[Counterpart]] = {}
    for c in counterparts:
        key = (c.document, c.table, c.setting, c.backbone, c.method, c.tasks, c.column)
        cells.setdefault(key, []).append(c)
    return [_judge(study, found) for found in cells.values()]


def _judge(study: str, found: list[Counterpart]) -> Verdict:
    first = found[0]
    logged = [c for c in found if c.logged is not None]
    fits = [c for c in logged if abs((c.logged or 0.0) - first.printed) < _HALF]
    stated = [c for c in logged if c.rule in STATED]
    shown = "; ".join(f"{c.logged:.4g} ({c.rule})" for c in logged if c.logged is not None)
    verdict, reason, cause = "not reproducible", "no log of this number is public", ""
    chosen = stated[0] if stated else None
    if any(c.rule in STATED for c in fits):
        chosen = next(c for c in fits if c.rule in STATED)
        verdict, reason = "exact", ""
    elif fits:
        verdict, reason, cause = "differs", f"its log holds {shown}", _OTHER[fits[0].rule]
    elif logged:
        reason = f"no rule gives it from its log, which holds {shown}"
    name = "/".join(
        filter(
            None,
            [study, first.document, first.setting, first.backbone, first.method, first.tasks],
        )
    )
    return Verdict(
        id=f"{name}:{first.column}",
        tier="T1",
        kind="typed",
        published=f"{first.printed:g}",
        archived="",
        regenerated="" if chosen is None or chosen.logged is None else f"{chosen.logged:.4g}",
        tolerance="printed decimals",
        tolerance_source="printed precision",
        verdict=verdict,
        reason=reason,
        cause=cause,
        command="make verify",
    )

"""Study B at a glance: what each generation of its figures says about each claim, and the rule that
says so.
"""

from pathlib import Path
from typing import Any

from mtpeft.catalog.places import with_figures
from mtpeft.core.records import read_frame
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import published
from mtpeft.reporting.sections import Section

_PROPORTIONS = ("f1", "precision", "recall", "mrr", "flops_saved", "easiest_weight")


def section(inputs: Inputs) -> Section | None:
    """One row per claim of study B, the learnable loss weights that its logs print, and what was
    trained here (where it was).

    None without study B's figures.
    """
    study = next((s.id for s in with_figures(inputs.known, inputs.published)), None)
    if study is None:
        return None
    data = published(inputs, study)
    verdicts = {v.id: v for v in inputs.verdicts_of_kind("claim")}
    claims = [{"claim": c, "verdict": verdicts.get(c.id)} for c in inputs.known.of("claims", study)]
    trained = _rows(inputs, inputs.regenerated / "training" / "flaky-cpu" / "results.csv")
    tiny = [
        row
        for row in _rows(inputs, inputs.regenerated / "smoke-heads" / "smoke.csv")
        if row.get("easiest_weight")
    ]
    weights = [w for w in data.figures.weights if w.last is not None and w.last == w.last]
    return Section(
        "multitask",
        "Shared modules: what two generations of figures say",
        render(
            "multitask.html",
            claims=claims,
            weights=weights,
            trained=trained,
            tiny=tiny,
            tables=list(inputs.known.of("tables", study)),
            titles={task.id: task.title for task in inputs.known.tasks.values()},
        ),
        str(len(claims)),
    )


def _rows(inputs: Inputs, path: Path) -> list[dict[str, Any]]:
    """Rows of a table that a run of this machine wrote, proportions in percent; none where it was
    not run.
    """
    if not path.is_file():
        return []
    inputs.used.add(path)
    shown = {
        name: (lambda text: f"{100 * float(text):.2f}" if text else "") for name in _PROPORTIONS
    }
    return [
        {key: shown.get(key, str)(value) for key, value in row.items()}
        for row in read_frame(path).to_dict("records")
    ]

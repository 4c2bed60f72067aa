"""Studies whose figures come in editions: the loss weights in their logs, and what was trained here."""

from pathlib import Path
from typing import Any

from mtpeft.catalog.places import with_figures
from mtpeft.core.records import read_rows
from mtpeft.reporting.html import render
from mtpeft.reporting.inputs import Inputs
from mtpeft.reporting.multitask.common import published
from mtpeft.reporting.sections import Section

_PROPORTIONS = ("f1", "precision", "recall", "mrr", "flops_saved", "easiest_weight")


def section(inputs: Inputs) -> Section | None:
    """The learnable loss weights that the logs print, and what was trained here (where it was).

    None without a study whose published figures are records.
    """
    study = next((s.id for s in with_figures(inputs.known, inputs.published)), None)
    if study is None:
        return None
    data = published(inputs, study)
    trained = _rows(inputs, inputs.regenerated / "training" / "flaky-cpu" / "results.csv")
    tiny = [
        row
        for row in _rows(inputs, inputs.regenerated / "smoke-heads" / "smoke.csv")
        if row.get("easiest_weight")
    ]
    weights = [w for w in data.figures.weights if w.last is not None and w.last == w.last]
    return Section(
        "multitask",
        "Loss weights and small runs",
        render(
            "multitask.html",
            study=inputs.known.studies[study],
            weights=weights,
            trained=trained,
            tiny=tiny,
            tables=list(inputs.known.of("tables", study)),
            titles={task.id: task.title for task in inputs.known.tasks.values()},
        ),
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
        {key: shown.get(key, str)(value) for key, value in row.items()} for row in read_rows(path)
    ]

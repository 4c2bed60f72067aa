"""Predictions of the smoke run → score tables."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mtpeft.catalog import Run
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Prediction, read_predictions, write_scores
from mtpeft.corpora import Example
from mtpeft.sandbox.instances import FunctionInstance
from mtpeft.sandbox.outcome import INFRASTRUCTURE, PASSED
from mtpeft.sandbox.runner import Pool
from mtpeft.scoring.text_metrics.overlap import bleu
from mtpeft.smoke.base import Size
from mtpeft.smoke.work import EVALUATIONS, predictions_path, seen


def score_all(runs: Iterable[Run], root: Path, size: Size) -> None:
    """Write exact match, BLEU and, for generated Python, pass@1 of every run.

    Raises:
        MtpeftError: A prediction is missing.
    """
    runs = list(runs)
    for task, names in EVALUATIONS.items():
        for name in names:
            rows, programs = [], []
            wanted = {e.id: e for e in seen(name, size)}
            for run in (r for r in runs if task in r.tasks):
                found = {
                    p.instance_id: p
                    for p in read_predictions(predictions_path(root, run.id, name))
                    if isinstance(p, Prediction)
                }
                if missing := wanted.keys() - found.keys():
                    raise MtpeftError(
                        f"{run.id} has no prediction of {name} for {', '.join(sorted(missing))}",
                        "one record an instance",
                        "rm -r results/regenerated/smoke; make smoke",
                    )
                for number, example in enumerate(wanted.values(), start=1):
                    made = found[example.id]
                    status = "infrastructure" if made.finish_reason == "error" else "ok"
                    values = (
                        [None, None]
                        if status != "ok"
                        else [
                            float(made.output == example.target),
                            bleu(made.output, example.target),
                        ]
                    )
                    rows.append([run.id, number, example.id, status, *values])
                    if name == "generation-python":
                        programs.append((run.id, number, example, made.output))
            columns = ["run", "row", "instance_id", "status"]
            write_scores(
                root,
                "smoke",
                name,
                pd.DataFrame(rows, columns=[*columns, "smoke_exact_match", "smoke_bleu"]),
            )
            if programs:
                write_scores(
                    root,
                    "smoke-execution",
                    name,
                    pd.DataFrame(_executed(programs), columns=[*columns, "smoke_pass"]),
                )


def instance(example: Example, code: str, name: str) -> FunctionInstance:
    """A function and its tests, as the sandbox takes them."""
    body = "".join(f"    assert {line}\n" for line in example.tests)
    return FunctionInstance(name, code, example.id, f"def check({example.id}):\n{body}")


def _executed(programs: list[tuple[str, int, Example, str]]) -> list[list[object]]:
    """Run every program; the right answers run first and must all pass."""
    with Pool() as pool:
        gold = {example.id: example for _, _, example, _ in programs}
        for example, outcome in pool.map(
            lambda box, e: (e, box.run(instance(e, e.target, e.id))), gold.values()
        ):
            if outcome.status != PASSED:
                raise MtpeftError(
                    f"the right answer to {example.id} is {outcome.status}: {outcome.evidence}",
                    "every right answer passes before a model is scored",
                    "mtpeft doctor",
                )
        rows = []
        for (run, number, example, _), outcome in pool.map(
            lambda box, p: (p, box.run(instance(p[2], p[3], f"{p[0]}/{p[2].id}"))), programs
        ):
            ok = outcome.status != INFRASTRUCTURE
            rows.append(
                [
                    run,
                    number,
                    example.id,
                    "ok" if ok else "infrastructure",
                    float(outcome.status == PASSED) if ok else None,
                ]
            )
    return rows

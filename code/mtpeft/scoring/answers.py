"""Answers of prompted models → metrics, under a strict and the study's permissive reading, next to
what no model scores.

Under the strict reading an answer that is neither yes nor no is a status of its own. It is never
turned into a class: metrics are given over the answered examples, with their share, and once more
with every missing answer counted as wrong.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from mtpeft.catalog import catalog
from mtpeft.core.errors import MtpeftError
from mtpeft.core.records import Prediction
from mtpeft.corpora import Example
from mtpeft.tasks import code_search, yes_no
from mtpeft.tasks.classification import binary_scores, random_ranking, trivial

_METRICS = ("acc", "precision", "recall", "f1", "macro_f1")


def table(
    predictions: Sequence[Prediction],
    examples: Sequence[Example],
    shots: int = 0,
    served: bool = False,
) -> list[dict[str, Any]]:
    """Rows for one task and run: strict (answered only), strict (missing = wrong), by the rules of
    the study, and the trivial baselines.

    All rows are over the same examples. An answer that could not be obtained (`error`) is
    `infrastructure` and counts in no reading.

    Args:
        predictions: The answers.
        examples: The set that was asked about.
        shots: Solved examples in each prompt; they decide by which rule the study would have read.
        served: Whether a server answered (see `yes_no.study_rules`).

    Raises:
        MtpeftError: A prediction is of an example that is not in the set.
    """
    by_id = {e.id: e for e in examples}
    labels: list[int] = []
    raws: list[str] = []
    strict: list[str] = []
    failed = 0
    for p in predictions:
        if p.instance_id not in by_id:
            raise MtpeftError(
                f"a prediction for {p.instance_id}, which is not in the set",
                f"one of {len(by_id)} examples",
            )
        if p.error:
            failed += 1
            continue
        module = import_module(catalog().get("tasks", by_id[p.instance_id].task).module)
        labels.append(int(by_id[p.instance_id].target))
        strict.append(module.answer(p.raw_output, False))
        raws.append(p.raw_output)
    shared = {
        "examples": len(labels),
        "infrastructure": failed,
        "not_asked": len(by_id) - len(labels) - failed,
    }
    if not labels:
        return [
            {
                "reading": "strict",
                **shared,
                "no_answer": 0,
                "status": "infrastructure",
                **dict.fromkeys(_METRICS),
            }
        ]
    answered = [(y, int(a)) for y, a in zip(labels, strict, strict=True) if a]
    silent = len(labels) - len(answered)
    told = binary_scores(*map(list, zip(*answered, strict=True))) if answered else None
    rows = [
        _row("strict, answered only", shared, silent, told),
        _row(
            "strict, no answer is wrong",
            shared,
            silent,
            binary_scores(
                labels, [int(a) if a else 1 - y for y, a in zip(labels, strict, strict=True)]
            ),
        ),
    ]
    for name in yes_no.study_rules(shots, served):
        classes = [yes_no.PERMISSIVE[name](raw) for raw in raws]
        row = _row(name, shared, 0, binary_scores(labels, [int(c) for c in classes]))
        row["read_differently"] = sum(a != b for a, b in zip(strict, classes, strict=True))
        rows.append(row)
    return [*rows, *(_row(name, shared, 0, scores) for name, scores in trivial(labels).items())]


def ranking_table(
    predictions: Sequence[Prediction],
    near: Mapping[str, Sequence[str]],
    examples: Sequence[Example],
) -> list[dict[str, Any]]:
    """Rows of MRR@K for a model that scored K candidates a query, over the queries asked; 0 where
    the right function is not among the candidates, as the study counts.

    Strict rows: only complete answers; no answer scores 0; the same with ties in the order of stage
    1 (a stable sort) instead of against the model. Then what no model scores: the order of stage 1,
    a random order of the candidates (expected), a random order of the whole pool (expected), and
    the ceiling, the share of queries whose function is among the candidates.

    Args:
        predictions: The answers.
        near: The candidates of each query, in the order of stage 1.
        examples: The whole set.

    Raises:
        MtpeftError: A prediction is of a query that is not in the set.
    """
    first = code_search.first_with(examples)
    right = {e.id: first[e.inputs["code"]] for e in examples if e.target == "1"}
    asked, failed, ranks, stable = [], 0, list[int | None](), list[int | None]()
    for p in predictions:
        if p.instance_id not in near or p.instance_id not in right:
            raise MtpeftError(
                f"a prediction for {p.instance_id}, which has no candidates",
                f"one of {len(near)} queries",
            )
        if p.error:
            failed += 1
            continue
        mine = near[p.instance_id]
        at = mine.index(right[p.instance_id]) if right[p.instance_id] in mine else None
        scores = code_search.read_scores(p.raw_output, len(mine))
        asked.append((len(mine), at))
        ranks.append(
            None if scores is None else 0 if at is None else code_search.rank_of(scores, at)
        )
        stable.append(
            None
            if scores is None
            else 0
            if at is None
            else sum(s > scores[at] or (s == scores[at] and i <= at) for i, s in enumerate(scores))
        )
    shared = {
        "queries": len(asked),
        "infrastructure": failed,
        "not_asked": len(near) - len(asked) - failed,
        "no_answer": sum(r is None for r in ranks),
    }
    told = [r for r in ranks if r is not None]
    values = {
        "strict, answered only": _mrr(told),
        "strict, no answer is 0": _mrr([r or 0 for r in ranks]),
        "strict, ties in the order of stage 1": _mrr([r or 0 for r in stable]),
        "stage 1 alone": _mrr([0 if at is None else at + 1 for _, at in asked]),
        "random order of the candidates": _mean(
            [0.0 if at is None else random_ranking(k) for k, at in asked]
        ),
        "random order of the pool": random_ranking(len(first)) if asked else None,
        "ceiling": _mean([float(at is not None) for _, at in asked]),
    }
    return [
        {"reading": name, **shared, "status": "empty" if value is None else "ok", "mrr_at_k": value}
        for name, value in values.items()
    ]


def _mrr(ranks: Sequence[int]) -> float | None:
    return _mean([1 / r if r else 0.0 for r in ranks])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _row(
    reading: str, shared: dict[str, int], silent: int, scores: dict[str, float] | None
) -> dict[str, Any]:
    return {
        "reading": reading,
        **shared,
        "no_answer": silent,
        "status": "ok" if scores else "empty",
        "read_differently": 0,
        **{name: scores[name] if scores else None for name in _METRICS},
    }

"""What heads say about pieces of code: labels with probabilities, and searches."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mtpeft.catalog import Task
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.corpora.functions import Function
from mtpeft.inference import calibration
from mtpeft.inference.apply.pieces import Asked, Given, unread
from mtpeft.inference.apply.results import Options, Report, Result, Work
from mtpeft.inference.calibration import Calibration
from mtpeft.inference.heads import Encoders
from mtpeft.inference.trained import Trained
from mtpeft.tasks.encoding import LABEL, RANKING, encode, encoded_task


def ask_heads(
    run: Trained, work: Work, encoders: Encoders, options: Options, given: Given, report: Report
) -> None:
    """Ask a run with heads.

    Args:
        run: The run.
        work: Its tasks with their questions.
        encoders: What holds the base models.
        options: Base model, queries, how many functions are listed.
        given: The functions to search in.
        report: Takes the answers.

    Raises:
        MtpeftError: The run has another base model.
        DeviceLost: The device failed.
    """
    from mtpeft.models.base import load_tokenizer
    from mtpeft.models.device import local, stop_where_lost
    from mtpeft.models.shared import outputs

    source = run.source(options.backbone)
    model, tokenizer = encoders.model(run.folder, source), load_tokenizer(source)
    how, calibrations = model.about["how"], dict[str, Calibration]()
    if any(task.output == LABEL for task, _ in work):
        calibrations, why = _calibration(run, model, tokenizer, report)
    for task, asked in work:
        try:
            examples = [a.example for a in asked]
            data = encode(task.id, examples, tokenizer, how["code_length"], how["query_length"])
        except KeyError as error:
            report.errors.append(unread(task, error))
            continue
        try:
            said = outputs(model, data, device=local(), logits=True)[1]
        except RuntimeError as error:
            stop_where_lost(error)
            raise
        cuts = _cuts(asked, task, tokenizer, data.codes if task.output == RANKING else data.rows)
        if task.output == RANKING:
            report.notes += _long_queries(options.queries, tokenizer, how["query_length"])
            try:
                report.results += _ranked(run, task, asked, said, cuts, options, given)
            except BadInput as error:
                report.errors.append(error)
            continue
        fitted = calibrations.get(task.id)
        report.calibrations[run.name, task.id] = fitted or why
        probabilities = fitted.probabilities(said) if fitted else calibration.sigmoid(said)
        cut_off = fitted.threshold if fitted else 0.5
        for one, p, cut in zip(asked, probabilities.tolist(), cuts, strict=True):
            if not math.isfinite(p):
                report.errors.append(_not_finite(run, task, one.function))
                continue
            verdict = p >= cut_off if fitted else p > cut_off
            report.results.append(
                Result(
                    run.name,
                    task.id,
                    LABEL,
                    one.function,
                    one.other,
                    p,
                    verdict,
                    cut_off,
                    fitted is not None,
                    cut=cut,
                )
            )


def _not_finite(run: Trained, task: Task, function: Function) -> BadInput:
    return BadInput(
        function.path,
        f"{task.id}: {run.name} gives no finite number",
        "a model whose weights and activations are finite",
        f"mtpeft train run {run.name}, with another seed or a smaller learning rate",
        line=function.line,
    )


def _calibration(
    run: Trained, model: Any, tokenizer: Any, report: Report
) -> tuple[dict[str, Calibration], str]:
    """The stored calibration, or a new one where the corpus of the training is at hand; and why
    there is none.
    """
    command = f"mtpeft train calibrate {run.called}"
    try:
        if found := calibration.stored(run):
            return found, ""
    except MtpeftError as error:
        report.errors.append(error)
        return {}, f"{error.found}; {command}"
    try:
        if not (corpus := calibration.corpus_of(run)):
            return {}, f"no {calibration.shown(run)}; {command} makes it from validation data"
        return calibration.calibrate(run, model, tokenizer, corpus), ""
    except MtpeftError as error:  # the corpus is not at hand, which is no fault of the files
        return {}, f"{error.found.splitlines()[0]}; {command} --corpus NAME"


def _cuts(asked: list[Asked], task: Task, tokenizer: Any, read: Sequence[list[int]]) -> list[str]:
    """What of each example an encoder did not read, given the tokens that it did read."""
    module = encoded_task(task.id)
    found = []
    for one, tokens in zip(asked, map(len, read), strict=True):
        texts = module.texts(one.example)
        texts = texts[1:] if task.output == RANKING else texts
        whole = len(tokenizer(*texts, verbose=False)["input_ids"])
        found.append(f"{tokens} of {whole} tokens" if whole > tokens else "")
    return found


def _long_queries(queries: Sequence[str], tokenizer: Any, length: int) -> list[str]:
    sizes = [len(tokenizer(query, verbose=False)["input_ids"]) for query in queries]
    return [
        f"of the query {query[:40]!r} the model read {length} of {size} tokens"
        for query, size in zip(queries, sizes, strict=True)
        if size > length
    ]


def _ranked(
    run: Trained,
    task: Task,
    asked: list[Asked],
    vectors: np.ndarray,
    cuts: list[str],
    options: Options,
    given: Given,
) -> list[Result]:
    if not np.isfinite(vectors).all():
        raise _not_finite(run, task, asked[0].function)
    queries, codes = vectors[: len(options.queries), 0], vectors[: len(given.functions), 1]
    results = []
    for query, similar in zip(options.queries, queries @ codes.T, strict=True):
        order = np.argsort(-similar, kind="stable")[: options.top or None]
        results += [
            Result(
                run.name,
                task.id,
                RANKING,
                asked[i].function,
                query=query,
                rank=rank,
                similarity=float(similar[i]),
                cut=cuts[i],
            )
            for rank, i in enumerate(order.tolist(), start=1)
        ]
    return results

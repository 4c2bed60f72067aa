"""Judge the summaries of a predictions file: plan, ask, write score tables."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from mtpeft.catalog import catalog
from mtpeft.core import paths
from mtpeft.core.errors import MtpeftError
from mtpeft.corpora.load import evaluation as examples
from mtpeft.scoring import engine
from mtpeft.scoring.interface import Item
from mtpeft.scoring.judge.ledger import read_ledger
from mtpeft.scoring.judge.panel import Plan, plan
from mtpeft.scoring.judge.scorer import ledger_path, scorer
from mtpeft.scoring.judge.settings import Settings, from_environment
from mtpeft.scoring.merge import add_runs
from mtpeft.scoring.predictions import Predictions, known_ids, read_new, sample_of


def run(path: Path, dry_run: bool = False, corpus: str = "") -> int:
    """Judge every summary in a file of prediction records with the judge that the environment
    names; write tables of means and modes below the regenerated results.

    Args:
        path: The file.
        dry_run: Only say what it would take and cost; nothing is sent or written.
        corpus: As in `corpora.load`: it says which ids may occur, and gives the code that was
            summarized.

    Returns:
        The exit code: 2 where lines could not be used, 1 where a summary could not be judged.
    """
    settings = from_environment()
    items, got = _items(path, corpus)
    known, spent = read_ledger(ledger_path(settings))
    _show(plan(items, settings, known, spent), settings)
    code = 0 if dry_run else _judge(path, items, got)
    return 2 if got.problems else code


def _items(path: Path, corpus: str) -> tuple[list[Item], Predictions]:
    def code_by_id(task: str) -> dict[str, str]:
        return {example.id: example.inputs.get("code", "") for example in examples(task, corpus)}

    codes_of = cache(code_by_id)
    predictions = read_new(path, (lambda task: codes_of(task).keys()) if corpus else known_ids)
    for problem in predictions.problems:
        print(f"mtpeft: {problem.found}", file=sys.stderr)
    evaluations = {e.id for e in catalog().tasks["summarization"].evaluations}
    items = [item for item in predictions.items if item.task in evaluations]
    if not items:
        raise MtpeftError(
            f"{path} holds no summaries",
            f"predictions of {', '.join(sorted(evaluations))}",
            "mtpeft infer --help",
        )
    shown = [
        replace(item, source=codes_of(item.task).get(sample_of(item.instance_id)[0], ""))
        for item in items
    ]
    return shown, predictions


def _show(made: Plan, settings: Settings) -> None:
    print(
        f"judge: {settings.identity}; {settings.prompt.origin} prompt {settings.prompt.sha256[:12]}; {settings.runs} runs"
    )
    print(
        f"{made.items} summaries, {made.skipped} too short; {made.known} cached, {made.requests} requests to send"
    )
    print(
        f"about {made.input_tokens} input tokens; likely cost {made.likely_cost:.4f}, at most {made.most_cost:.4f} before "
        f"retries; spent so far {made.spent:.4f}, budget {'none' if settings.budget is None else settings.budget}"
    )


def _judge(path: Path, items: Sequence[Item], got: Predictions) -> int:
    failed = False
    failures: dict[str, str] = {}
    made_of = [
        scorer(**catalog().tools[tool].options, failures=failures)
        for tool in ("llm-judge", "llm-judge-mode")
    ]
    for made in made_of:
        outcomes = engine.score(made.tool, items, scorer=made)
        failed = failed or any(outcome.status == "infrastructure" for outcome in outcomes)
        for task in sorted({item.task for item in items}):
            part = [
                (item, outcome)
                for item, outcome in zip(items, outcomes, strict=True)
                if item.task == task
            ] + [
                (item, engine.failure(made.metrics, reason, status))
                for item, (status, reason) in got.rejected.items()
                if item.task == task
            ]
            table = engine.table(
                [item for item, _ in part],
                [outcome for _, outcome in part],
                made.metrics,
                got.rows,
            )
            written = add_runs(
                paths.REGENERATED, made.tool, task, table, source=path, version=made.version()
            )
            print(f"wrote {paths.shown(written)}")
        for reason in sorted(
            {outcome.detail for outcome in outcomes if outcome.status == "infrastructure"}
        )[:5]:
            print(f"mtpeft: not judged: {reason}", file=sys.stderr)
    return int(failed)

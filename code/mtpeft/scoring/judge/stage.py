"""Judge the summaries of a predictions file: plan, ask, write score tables."""

import sys
from collections.abc import Sequence
from dataclasses import replace
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
from mtpeft.scoring.predictions import read_new


def run(path: Path, dry_run: bool = False, corpus: str = "") -> int:
    """Judge every summary in a file of prediction records with the judge that the environment
    names; write tables of means and modes below the regenerated results.

    Args:
        path: The file.
        dry_run: Only say what it would take and cost; nothing is sent or written.
        corpus: As in `corpora.load`, for the code that was summarized.

    Returns:
        The exit code: 1 where a summary could not be judged.
    """
    settings = from_environment()
    items = _items(path, corpus)
    known, spent = read_ledger(ledger_path(settings))
    _show(plan(items, settings, known, spent), settings)
    return 0 if dry_run else _judge(path, items)


def _items(path: Path, corpus: str) -> list[Item]:
    predictions = read_new(path)
    for problem in predictions.problems:
        print(f"mtpeft: {problem}", file=sys.stderr)
    evaluations = {e.id for e in catalog().tasks["summarization"].evaluations}
    items = [item for item in predictions.items if item.task in evaluations]
    if not items:
        raise MtpeftError(
            f"{path} holds no summaries",
            f"predictions of {', '.join(sorted(evaluations))}",
            "mtpeft infer --help",
        )
    codes = {
        task: {example.id: example.inputs["code"] for example in examples(task, corpus)}
        for task in sorted({item.task for item in items})
    }
    return [replace(item, source=codes[item.task].get(item.instance_id, "")) for item in items]


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


def _judge(path: Path, items: Sequence[Item]) -> int:
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
            ]
            table = engine.table(
                [item for item, _ in part], [outcome for _, outcome in part], made.metrics
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

"""Prompting and the judge on real weights: a small instruction model behind this package's own
server, asked over HTTP what multi-task studies ask of large ones.

What is shown is that the whole way works on real answers (prompts, requests, readings, statuses,
costs), not that a model of this size knows anything: the shares beside the baselines say how much.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mtpeft.core import paths
from mtpeft.core.errors import BadInput, MtpeftError
from mtpeft.core.files import write_atomic
from mtpeft.core.http import Limits
from mtpeft.core.objects import read_object, typed
from mtpeft.core.provenance import write_provenance
from mtpeft.core.records import Prediction, read_predictions, write_frame
from mtpeft.corpora import Example, default_corpus, evaluation_of, load, subsample_evenly
from mtpeft.inference.backends import swift_dtype
from mtpeft.inference.prompting import Endpoint, Question, ask, ask_each
from mtpeft.inference.ranking import candidates, rank
from mtpeft.inference.serve.command import KEY, Listening, running
from mtpeft.inference.serve.models import Choice
from mtpeft.inference.settings import profile
from mtpeft.scoring.answers import ranking_table, table
from mtpeft.scoring.interface import Item
from mtpeft.scoring.judge.criteria import CRITERIA, PARSERS, own_prompt
from mtpeft.scoring.judge.ledger import Ledger, answer_key, read_ledger
from mtpeft.scoring.judge.panel import judge
from mtpeft.scoring.judge.settings import Key, Settings
from mtpeft.statistics import r_session
from mtpeft.tasks import answer_of, task_module, wording

QUESTIONS = ("clone-detection", "vulnerability-detection", "flaky-detection")
SEARCH = "code-search"
CANDIDATES = 10
SUMMARY_TOKENS, RATING_TOKENS = 40, 32
AT_ONCE = 4
"""Summaries and ratings at a time. A yes or no is nearly all reading, which a batch makes no faster on
a CPU, and short questions would be padded to long ones: those are asked one by one.
"""
LEVEL = 0.95


@dataclass(frozen=True)
class Amount:
    """How much is asked.

    Attributes:
        instances: Of each yes-or-no task, evenly spaced over its test set.
        few: Likewise, of the passes with solved examples, whose prompts are several times as long
            (0: as many as `instances`).
        shots: Solved examples in each prompt, one number a pass.
        queries: Of code search, with ten candidates each; 0: none.
        summaries: Written, and then judged.
    """

    instances: int = 200
    shots: tuple[int, ...] = (0, 4)
    queries: int = 200
    summaries: int = 50
    few: int = 0


QUICK = Amount(2, (0, 1), 1, 2)


@dataclass(frozen=True)
class _Spent:
    """What one step took so far."""

    answers: int
    wall_seconds: float
    cpu_seconds: float


@dataclass
class Costs:
    """What the steps took, continued over interruptions.

    Attributes:
        path: The file that keeps them.
    """

    path: Path

    @contextmanager
    def of(self, step: str, answers: Callable[[], int]) -> Iterator[None]:
        """Add the time of a block and the answers that came in it.

        Args:
            step: Its name.
            answers: Counts the answers that there are.
        """
        before, wall, processor = answers(), time.monotonic(), time.process_time()
        try:
            yield
        finally:
            known = self.read()
            row = known.setdefault(step, {"answers": 0, "wall_seconds": 0.0, "cpu_seconds": 0.0})
            row["answers"] += answers() - before
            row["wall_seconds"] += time.monotonic() - wall
            row["cpu_seconds"] += time.process_time() - processor
            write_atomic(self.path, json.dumps(known, indent=1) + "\n")

    def read(self) -> dict[str, dict[str, Any]]:
        """The costs by step."""
        if not self.path.is_file():
            return {}
        expected, fix = "answers and seconds of each step", f"rm {self.path}"
        known = read_object(self.path, expected, fix)
        try:
            return {step: asdict(typed(_Spent, row)) for step, row in known.items()}
        except ValueError as error:
            raise BadInput(self.path, str(error), expected, fix) from error

    def rows(self) -> list[dict[str, Any]]:
        """The costs as a table."""
        return [
            {
                "step": step,
                "answers": row["answers"],
                "wall_seconds": round(row["wall_seconds"], 1),
                "cpu_seconds": round(row["cpu_seconds"], 1),
            }
            for step, row in self.read().items()
        ]


def run(backbone: str, corpus: str, amount: Amount, root: Path, port: int = 0) -> int:
    """Ask, judge and tabulate; what is there already is not asked again.

    Args:
        backbone: An instruction model of the catalog.
        corpus: Of the label tasks and the search, as in `corpora.load`.
        amount: How much is asked.
        root: Folder of the answers (`answers/`) and the tables.
        port: Of the server; 0: a free one. The judge's answers belong to its address: where that
            changes, an interrupted run asks for them again.

    Returns:
        The exit code: 1 where a request got no answer.
    """
    from mtpeft.models.device import kind

    if kind() == "cpu":  # it is meant for one
        os.environ.setdefault("MTPEFT_DEVICE", "cpu")
    dtype = swift_dtype()
    place = root / "answers" / dtype  # another precision gives other answers
    costs = Costs(place / "cost.json")
    place.mkdir(parents=True, exist_ok=True)
    choice = Choice([backbone], "fast", 42, None, "", profile("clean"))
    readings: list[dict[str, Any]] = []
    lost = 0

    def note(rows: list[dict[str, Any]], without: int) -> None:
        """Write what is known so far: an interrupted run leaves the tables of its finished steps."""
        nonlocal lost
        lost += without
        readings.extend(rows)
        _write(root / "prompting.csv", readings, backbone=backbone, corpus=corpus, dtype=dtype)
        _write(root / "cost.csv", costs.rows(), backbone=backbone, dtype=dtype)

    with running(choice, Listening(port=port, dtype=dtype)) as url:
        # A batch of long prompts takes minutes on a CPU, and an answer waits for those before it.
        patience = Limits(attempts=2, seconds=1800.0, body=64 << 20, connections=AT_ONCE)
        chat = Endpoint(url, backbone, KEY, patience)
        for task in QUESTIONS:
            note(*_asked(task, corpus, amount.shots[0], amount, chat, costs, place))
        judged = _judged(url, backbone, amount, chat, costs, place)
        _write(
            root / "judge.csv", judged, backbone=backbone, prompt=own_prompt().sha256, dtype=dtype
        )
        note([], sum(row["n"] for row in judged if row["status"] == "infrastructure") // 2)
        for shots in amount.shots[1:]:
            for task in QUESTIONS:
                note(*_asked(task, corpus, shots, amount, chat, costs, place))
        if amount.queries:
            note(*_searched(corpus, amount, chat, costs, place))
    _show(readings, judged, lost, root)
    return 1 if lost else 0


def _write(path: Path, rows: Sequence[dict[str, Any]], **made_by: Any) -> None:
    write_frame(path, pd.DataFrame(rows))
    write_provenance(path, [], **made_by)


def _answers(path: Path) -> list[Prediction]:
    found = read_predictions(path) if path.is_file() else []
    return [p for p in found if isinstance(p, Prediction)]


def _pool(task: str, corpus: str, asked: Sequence[Example]) -> tuple[list[Example], str]:
    """Where solved examples come from: the training set, or, where none is public, what the test
    set holds besides the instances that are asked about.
    """
    try:
        return load(corpus, task, "train"), "train"
    except MtpeftError:
        taken = {e.id for e in asked}
        return [e for e in load(corpus, task, "test") if e.id not in taken], "rest of the test set"


def _asked(
    task: str,
    corpus: str,
    shots: int,
    amount: Amount,
    chat: Endpoint,
    costs: Costs,
    place: Path,
) -> tuple[list[dict[str, Any]], int]:
    """One yes-or-no task with so many shots: its readings, and the requests without an answer."""
    number = (amount.few if shots else 0) or amount.instances
    asked = subsample_evenly(load(corpus, task, "test"), number)
    pool, source = _pool(task, corpus, asked) if shots else ([], "")
    path, name = place / f"{task}-{shots}-shot.jsonl", f"{shots}-shot"
    with costs.of(f"{task} {name}", lambda: len(_answers(path))):
        lost = ask(asked, chat, path, name, shots, pool, evaluation_of(task, corpus))
    answers = _answers(path)
    right = {e.id: e.target for e in asked}
    rows = table(answers, asked, shots, served=True)
    hits = [float(p.output == right[p.instance_id]) for p in answers if not p.error]
    told = [float(p.output == right[p.instance_id]) for p in answers if not p.error and p.output]
    intervals = {"strict, answered only": told, "strict, no answer is wrong": hits}
    head = {
        "task": task,
        "shots": shots,
        "pool": source,
        "positives": list(right.values()).count("1"),
    }
    return [{**head, **row, **_interval(intervals.get(row["reading"], []))} for row in rows], lost


def _interval(values: Sequence[float]) -> dict[str, float | None]:
    low, high = (
        r_session.call("rate_interval", list(values), level=LEVEL) if values else (None, None)
    )
    return {"acc_low": low, "acc_high": high}


def _searched(
    corpus: str, amount: Amount, chat: Endpoint, costs: Costs, place: Path
) -> tuple[list[dict[str, Any]], int]:
    every = load(corpus, SEARCH, "test")
    near = candidates(every, place / "candidates.jsonl", CANDIDATES)
    asked = {name: near[name] for name in subsample_evenly(list(near), amount.queries)}
    path = place / f"{SEARCH}.jsonl"
    with costs.of(SEARCH, lambda: len(_answers(path))):
        lost = rank(every, asked, chat, path, "0-shot", evaluation_of(SEARCH, corpus))
    rows = ranking_table(_answers(path), asked, every)
    head = {"task": SEARCH, "shots": 0, "pool": "", "positives": len(asked)}
    return [{**head, "examples": row.pop("queries"), **row} for row in rows], lost


def _judged(
    url: str, model: str, amount: Amount, chat: Endpoint, costs: Costs, place: Path
) -> list[dict[str, Any]]:
    """Summaries that the model writes, and its ratings of them: how many replies could be read, and
    the mean of those.
    """
    corpus, task = default_corpus("summarization"), task_module("summarization")
    functions = subsample_evenly(load(corpus, "summarization", "test"), amount.summaries)
    words = wording(inference=True)
    path = place / "summaries.jsonl"
    with costs.of("summaries", lambda: len(_answers(path))):
        ask_each(
            [
                Question(
                    f"summarization-{e.language}",
                    e.id,
                    partial(task.messages, e, words),
                    partial(_read, e),
                )
                for e in functions
            ],
            chat,
            path,
            model,
            SUMMARY_TOKENS,
            AT_ONCE,
        )
    summaries = {p.instance_id: p.output for p in _answers(path) if not p.error}
    items = [
        Item(model, f"summarization-{e.language}", e.id, e.language, summaries.get(e.id, ""), "",
             e.inputs["code"])
        for e in functions
    ]  # fmt: skip
    # A second request would get the same answer: decoding is greedy.
    settings = Settings(
        url,
        model,
        own_prompt(),
        runs=1,
        attempts=2,
        parse_attempts=1,
        timeout=1800.0,
        concurrency=AT_ONCE,
        max_output_tokens=RATING_TOKENS,
        temperature=0.0,
        key=Key.of(KEY),
    )
    with Ledger(place / "judge.jsonl") as ledger:
        with costs.of("judge", lambda: len(read_ledger(place / "judge.jsonl")[0])):
            found = judge(items, settings, ledger)
        replies = [
            ledger.get(
                answer_key(settings, settings.prompt.fill(i.language, i.source, i.output), 1)
            )
            for i in items
        ]

    def rated(parser: str) -> Iterator[tuple[str, dict[str, int] | None]]:
        for item, outcome, answer in zip(items, found, replies, strict=True):
            ratings = PARSERS[parser](answer.reply, item.output) if answer else None
            yield ("ok" if ratings else "unparseable" if answer else outcome.status), ratings

    return [row for parser in PARSERS for row in _rated(parser, list(rated(parser)))]


def _read(example: Example, raw: str) -> Any:
    return answer_of(task_module("summarization"), raw, False, example)


def _rated(parser: str, found: Sequence[tuple[str, dict[str, int] | None]]) -> list[dict[str, Any]]:
    """Rows of one parser: a status and how many summaries have it, with the mean of each criterion
    among those that were rated.
    """
    rows = []
    for status, n in sorted(Counter(status for status, _ in found).items()):
        ratings = [r for s, r in found if s == status and r is not None]
        means = {
            c: sum(r[c] for r in ratings) / len(ratings) if ratings else None for c in CRITERIA
        }
        rows.append({"parser": parser, "status": status, "n": n, "of": len(found), **means})
    return rows


def _show(
    readings: Sequence[dict[str, Any]], judged: Sequence[dict[str, Any]], lost: int, root: Path
) -> None:
    for row in readings:
        if not row["reading"].startswith("strict, no answer"):
            continue
        value = row.get("acc") if row["task"] != SEARCH else row["mrr_at_k"]
        print(
            f"{row['task']} {row['shots']}-shot: {row['examples']} answered, "
            f"{row['no_answer']} cannot be read, {row['infrastructure']} without an answer; "
            f"{'MRR' if row['task'] == SEARCH else 'accuracy'} "
            f"{'none' if value is None else format(value, '.3f')}"
        )
    for row in judged:
        print(f"judge, {row['parser']} parser: {row['n']} of {row['of']} {row['status']}")
    print(f"{lost} requests without an answer; tables in {paths.shown(root)}")

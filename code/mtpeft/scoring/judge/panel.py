"""Asking a judge about many summaries, several times each, and making one value of the ratings."""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from mtpeft.scoring.interface import Item
from mtpeft.scoring.judge.client import Client, Clock, Refused, RequestFailed
from mtpeft.scoring.judge.criteria import PARSERS, Ratings
from mtpeft.scoring.judge.ledger import (
    Answer,
    BudgetExhausted,
    Ledger,
    LedgerMeter,
    answer_key,
    cost,
    most_expensive,
)
from mtpeft.scoring.judge.settings import Settings

SHORTEST_SUMMARY = 3  # characters; what is shorter is not judged (as the study does)
_BYTES_PER_TOKEN = 4  # of English and code, for estimates only
_LIKELY_ANSWER_TOKENS = 25


@dataclass
class Judged:
    """What the judge says about one item.

    Attributes:
        ratings: Of each run.
        status: Why they are not complete; `ok` where they are.
        detail: The same in words.
    """

    ratings: list[Ratings] = field(default_factory=list)
    status: str = "ok"
    detail: str = ""


@dataclass(frozen=True)
class Plan:
    """What judging would take.

    Attributes:
        items: The summaries.
        skipped: Those that are too short to be judged.
        known: Questions that were answered before.
        requests: Questions that would be asked.
        input_tokens: Of their prompts, estimated.
        likely_cost: With one readable answer per question.
        most_cost: What they can cost at most, before any retry.
        spent: What earlier answers cost.
    """

    items: int
    skipped: int
    known: int
    requests: int
    input_tokens: int
    likely_cost: float
    most_cost: float
    spent: float


def plan(items: Sequence[Item], settings: Settings, known: dict[str, Answer], spent: float) -> Plan:
    """Count the requests and their cost without sending any.

    Args:
        items: The summaries.
        settings: The judge.
        known: The answers of the ledger.
        spent: The cost of the ledger.
    """
    questions = _questions(items, settings)
    missing = [prompt for key, (prompt, _, _) in questions.items() if key not in known]
    tokens = sum(
        -(-len(prompt.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN) for prompt in missing
    )
    likely = (
        tokens * settings.price_input + len(missing) * _LIKELY_ANSWER_TOKENS * settings.price_output
    ) / 1e6
    return Plan(
        len(items),
        sum(_too_short(item) for item in items),
        len(questions) - len(missing),
        len(missing),
        tokens,
        likely,
        sum(most_expensive(settings, prompt) for prompt in missing),
        spent,
    )


def judge(
    items: Sequence[Item],
    settings: Settings,
    ledger: Ledger,
    clock: Clock | None = None,
    jitter: random.Random | None = None,
    failures: dict[str, str] | None = None,
) -> list[Judged]:
    """Ratings of every item, in order.

    An item that could not be judged in every run has a status: `empty` (summary too short),
    `infrastructure` (no readable answer, which is the judge's failure; no answer; budget).

    Args:
        items: `source` is the code, `output` the summary.
        settings: The judge.
        ledger: Questions that it answers are not asked again.
        clock: Time between attempts.
        jitter: Random numbers of the back-off.
        failures: The reason by the question's key: these are not asked again either, and new
            failures are added. Two readers of one run's answers share it.
    """
    questions = _questions(items, settings)
    failures = {} if failures is None else failures
    stop = threading.Event()
    with (
        # Who stops waits for the answers on their way, which are paid for, and for no back-off.
        Client(settings, clock or Clock(sleep=stop.wait), jitter) as client,
        ThreadPoolExecutor(settings.concurrency, thread_name_prefix="judge") as pool,
    ):
        asked = {
            pool.submit(_ask, client, settings, ledger, key, *question, stop): key
            for key, question in questions.items()
            if ledger.get(key) is None and key not in failures
        }
        try:
            for future in as_completed(asked):
                if reason := future.result():
                    failures[asked[future]] = reason
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [_judged(item, settings, ledger, failures) for item in items]


def _too_short(item: Item) -> bool:
    return len(item.output.strip()) < SHORTEST_SUMMARY


def _prompt(item: Item, settings: Settings) -> str:
    return settings.prompt.fill(item.language, item.source, item.output)


def _questions(items: Sequence[Item], settings: Settings) -> dict[str, tuple[str, int, Item]]:
    """Prompt, run and item of each question by its key, each question once."""
    questions: dict[str, tuple[str, int, Item]] = {}
    for repeat in range(1, settings.runs + 1):
        for item in items:
            if not _too_short(item) and item.source.strip():
                prompt = _prompt(item, settings)
                questions.setdefault(answer_key(settings, prompt, repeat), (prompt, repeat, item))
    return questions


def _ask(
    client: Client,
    settings: Settings,
    ledger: Ledger,
    key: str,
    prompt: str,
    repeat: int,
    item: Item,
    stop: threading.Event,
) -> str:
    """Ask one question until the answer can be read.

    Args:
        client: Asks.
        settings: The judge.
        ledger: Keeps the answer.
        key: Of the question.
        prompt: Its prompt.
        repeat: Which of the ratings.
        item: The item whose summary is judged.
        stop: Set where no further question shall be asked.

    Returns:
        The reason where no answer was had, else empty.
    """
    most = most_expensive(settings, prompt)
    meter = LedgerMeter(ledger, most, stop)
    for attempt in range(1, settings.parse_attempts + 1):
        try:
            completion = client.ask(prompt, meter)
        except RequestFailed as error:
            return error.found
        except (Refused, BudgetExhausted) as error:
            # The next question would meet the same end.
            stop.set()
            return error.found
        price = cost(settings, prompt, completion.input_tokens, completion.output_tokens)
        ratings = PARSERS[settings.parser](completion.text, item.output)
        if ratings is None and attempt < settings.parse_attempts:
            ledger.charge(most, price, "an answer that cannot be read")
            continue
        ledger.answer(
            most,
            Answer(
                key,
                repeat,
                item.instance_id,
                settings.prompt.sha256,
                ratings,
                completion.text,
                completion.input_tokens,
                completion.output_tokens,
                price,
            ),
        )
        return ""
    raise AssertionError("unreachable: the last attempt returns")


def _judged(item: Item, settings: Settings, ledger: Ledger, failures: dict[str, str]) -> Judged:
    if _too_short(item):
        return Judged(
            status="empty", detail=f"a summary below {SHORTEST_SUMMARY} characters is not judged"
        )
    if not item.source.strip():
        return Judged(status="infrastructure", detail="no code to judge the summary by")
    result = Judged()
    prompt = _prompt(item, settings)
    for repeat in range(1, settings.runs + 1):
        key = answer_key(settings, prompt, repeat)
        answer = ledger.get(key)
        if answer is None:
            return Judged(
                status="infrastructure", detail=f"run {repeat}: {failures.get(key, 'not asked')}"
            )
        # Read again: an answer in the ledger may have been read by earlier rules.
        ratings = PARSERS[settings.parser](answer.reply, item.output)
        if ratings is None:
            reply = " ".join(answer.reply.split())[:200]
            result.status = "infrastructure"
            result.detail = f"run {repeat}: the judge's reply cannot be read: {reply}"
        else:
            result.ratings.append(ratings)
    return result

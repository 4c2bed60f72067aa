"""How a judge is reached and what it may cost. The key comes from the environment and is kept out
of everything else.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mtpeft.core.errors import MtpeftError, Unavailable, UnknownName
from mtpeft.core.http import Secret, address, is_local
from mtpeft.scoring.judge.criteria import PARSERS, Prompt, own_prompt, study_prompt

KEY_VARIABLES = ("MTPEFT_JUDGE_KEY", "OPENAI_API_KEY")
APIS = ("chat", "responses")


class Key(Secret):
    """The judge's key."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Key":
        """The key in MTPEFT_JUDGE_KEY, else in OPENAI_API_KEY, else none (local servers need none)."""
        return cls.of(*KEY_VARIABLES, environment=environment)


@dataclass(frozen=True)
class Settings:
    """One judge.

    Attributes:
        base_url: Address up to and with /v1.
        model: Its name at the server.
        prompt: What it is asked.
        api: The interface of the server: one of `APIS`.
        parser: How its answers are read: one of `PARSERS`.
        runs: Ratings per summary.
        attempts: Requests until one succeeds.
        parse_attempts: Answers until one can be read.
        timeout: Seconds for one request.
        per_minute: Requests started per minute (0: no limit).
        concurrency: Requests at the same time.
        max_output_tokens: Of one answer.
        temperature: Of the model; None: the server's own.
        verbosity: Of the model, where its interface knows that; empty: the server's own.
        price_input: Per million tokens.
        price_output: Per million tokens, in the same currency.
        budget: What this judge's records may cost in all (None: no limit, for local servers only).
        key: For the server.
    """

    base_url: str
    model: str
    prompt: Prompt
    api: str = "chat"
    parser: str = "strict"
    runs: int = 5
    attempts: int = 6
    parse_attempts: int = 2
    timeout: float = 120.0
    per_minute: float = 0.0
    concurrency: int = 4
    max_output_tokens: int = 1024
    temperature: float | None = None
    verbosity: str = ""
    price_input: float = 0.0
    price_output: float = 0.0
    budget: float | None = None
    key: Key = field(default_factory=Key.from_environment, repr=False, compare=False)

    def __post_init__(self) -> None:
        address(self.base_url, "MTPEFT_JUDGE_URL", self.key)
        for name, known in (("api", APIS), ("parser", tuple(PARSERS))):
            if getattr(self, name) not in known:
                raise UnknownName(f"judge {name}", getattr(self, name), known)
        for name in ("runs", "attempts", "parse_attempts", "concurrency", "max_output_tokens"):
            if getattr(self, name) < 1:
                raise MtpeftError(f"judge setting {name} is {getattr(self, name)}", "1 or more")
        if not self.local and (
            self.budget is None or self.price_input <= 0 or self.price_output <= 0
        ):
            raise MtpeftError(
                "a remote judge without MTPEFT_JUDGE_PRICES and MTPEFT_JUDGE_BUDGET",
                "what a million tokens cost, and what may be spent",
                "set MTPEFT_JUDGE_PRICES=INPUT,OUTPUT and MTPEFT_JUDGE_BUDGET",
            )

    @property
    def local(self) -> bool:
        """Whether the server is on this machine."""
        return is_local(self.base_url)

    @property
    def identity(self) -> str:
        """Everything that may change an answer, as one line; part of every cache key."""
        parts = [
            self.base_url.rstrip("/"),
            self.model,
            self.api,
            f"max {self.max_output_tokens}",
            f"temperature {self.temperature}",
            f"verbosity {self.verbosity or 'default'}",
            f"{self.parser} parser",
        ]
        return ", ".join(parts)


# As the study asked its judge; half a second between items, and nobody's patience for 30 s between
# runs is needed.
STUDY = {
    # The study names `gpt-5-mini`, which moves; this is the snapshot that it named then.
    "model": "gpt-5-mini-2025-08-07",
    "api": "responses",
    "parser": "permissive",
    "runs": 5,
    "attempts": 3,
    "parse_attempts": 5,
    "max_output_tokens": 1024,
    "verbosity": "low",
    "per_minute": 120.0,
    "concurrency": 1,
}


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The judge that the environment names.

    MTPEFT_JUDGE_URL (with /v1), MTPEFT_JUDGE_MODEL, MTPEFT_JUDGE_PROFILE (`study`: the study's
    interface, parser and prompt; `strict`, the default: chat completions, strict parser),
    MTPEFT_JUDGE_PRICES=INPUT,OUTPUT per million tokens, MTPEFT_JUDGE_BUDGET. The study's prompt
    does not mark the summary as data; the profile `strict` asks with this project's.

    Raises:
        Unavailable: There is no URL, or the profile is `study` and its prompt is not here.
        UnknownName: There is no such profile.
    """
    url = environment.get("MTPEFT_JUDGE_URL", "")
    if not url:
        raise Unavailable(
            "no judge is named",
            "the URL of an OpenAI-compatible server",
            "set MTPEFT_JUDGE_URL and MTPEFT_JUDGE_MODEL",
        )
    profile = environment.get("MTPEFT_JUDGE_PROFILE") or "strict"
    if profile not in ("study", "strict"):
        raise UnknownName("judge profile", profile, ("study", "strict"))
    chosen: dict[str, Any] = dict(STUDY) if profile == "study" else {}
    if environment.get("MTPEFT_JUDGE_MODEL"):
        chosen["model"] = environment["MTPEFT_JUDGE_MODEL"]
    if "model" not in chosen:
        raise Unavailable(
            "no judge model is named", "a model that the server has", "set MTPEFT_JUDGE_MODEL"
        )
    prompt = study_prompt() if profile == "study" else own_prompt()
    if prompt is None:
        raise Unavailable(
            "the study's prompt of the judge is not on this machine",
            "published/prompts in the cache or in MTPEFT_MIRROR",
            "mtpeft data prompts",
        )
    prices = _numbers(environment, "MTPEFT_JUDGE_PRICES", 2) or [0.0, 0.0]
    budget = _numbers(environment, "MTPEFT_JUDGE_BUDGET", 1)
    return Settings(
        base_url=url,
        prompt=prompt,
        price_input=prices[0],
        price_output=prices[1],
        budget=budget[0] if budget else None,
        key=Key.from_environment(environment),
        **chosen,
    )


def _numbers(environment: Mapping[str, str], name: str, count: int) -> list[float]:
    text = environment.get(name, "")
    if not text:
        return []
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(0 <= number < float("inf") for number in numbers):
        raise MtpeftError(
            f"{name}={text!r}",
            "one number" if count == 1 else f"{count} numbers with a comma between",
        )
    return numbers

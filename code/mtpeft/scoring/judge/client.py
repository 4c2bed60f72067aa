"""Asking an OpenAI-compatible server for one completion: what is asked, and what is read in the
answer. How a server that misbehaves is dealt with is `mtpeft.core.http`'s business.
"""

import random
from dataclasses import dataclass
from typing import Any, Self

from mtpeft.core import http
from mtpeft.core.http import Clock, Limits, Meter, Refused, RequestFailed
from mtpeft.scoring.judge.settings import Settings

__all__ = ["Client", "Clock", "Completion", "Meter", "Refused", "RequestFailed"]


@dataclass(frozen=True)
class Completion:
    """One answer.

    Attributes:
        text: What the model wrote.
        input_tokens: Of the prompt; None where the server did not say.
        output_tokens: Of the answer; None where the server did not say.
    """

    text: str
    input_tokens: int | None
    output_tokens: int | None


class Client:
    """Asks one judge.

    Safe to use from several threads; `close` it, or use it in a `with` block.

    Args:
        settings: The judge.
        clock: Time between attempts.
        jitter: Random numbers of the back-off.
    """

    def __init__(
        self, settings: Settings, clock: Clock | None = None, jitter: random.Random | None = None
    ) -> None:
        self._settings = settings
        limits = Limits(
            attempts=settings.attempts,
            seconds=settings.timeout,
            connections=settings.concurrency,
            per_minute=settings.per_minute,
        )
        self._http = http.Client(
            settings.key,
            limits,
            "the judge",
            "check MTPEFT_JUDGE_URL, MTPEFT_JUDGE_MODEL and MTPEFT_JUDGE_KEY",
            clock,
            jitter,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def ask(self, prompt: str, meter: Meter) -> Completion:
        """The answer to one prompt.

        Args:
            prompt: The prompt.
            meter: Told of every request, so that costs are counted.

        Raises:
            RequestFailed: No answer could be had for this prompt.
            Refused: The server refuses every request.
        """
        path, payload = self._request(prompt)
        url = self._settings.base_url.rstrip("/") + path
        return self._http.ask(url, payload, read=self._completion, meter=meter)

    def _request(self, prompt: str) -> tuple[str, dict[str, Any]]:
        s = self._settings
        # Some servers stream unless they are told not to.
        options: dict[str, Any] = {"stream": False}
        if s.temperature is not None:
            options["temperature"] = s.temperature
        if s.api == "responses":
            text = {"text": {"verbosity": s.verbosity}} if s.verbosity else {}
            return "/responses", {
                "model": s.model,
                "input": prompt,
                "max_output_tokens": s.max_output_tokens,
                **text,
                **options,
            }
        verbosity = {"verbosity": s.verbosity} if s.verbosity else {}
        return "/chat/completions", {
            "model": s.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": s.max_output_tokens,
            **verbosity,
            **options,
        }

    def _completion(self, data: Any) -> Completion:
        if self._settings.api == "responses":
            parts = [
                part
                for item in data["output"]
                if item.get("type") == "message"
                for part in item["content"]
            ]
            text = "".join(part["text"] for part in parts if part.get("type") == "output_text")
            names = ("input_tokens", "output_tokens")
        else:
            text = data["choices"][0]["message"]["content"]
            names = ("prompt_tokens", "completion_tokens")
        if not isinstance(text, str):
            raise ValueError(f"the answer's text is a {type(text).__name__}")
        usage = data.get("usage") if isinstance(data.get("usage"), dict) else {}
        counts = [usage.get(name) for name in names]
        known = [
            n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else None for n in counts
        ]
        return Completion(text, known[0], known[1])

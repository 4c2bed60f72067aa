"""A client for OpenAI-compatible servers that expects them to misbehave.

Retried, with exponential back-off and full jitter: 408, 409, 425, 429 (after Retry-After, where
given), 5xx, no connection, no answer in time, half an answer, an answer that is no completion. Not
retried: what the server will refuse again. The time limit is for the whole request, so that a
server that drips bytes cannot hold it open.
"""

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx

from mtpeft.core.errors import MtpeftError
from mtpeft.scoring.judge.settings import Settings

_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_HOPELESS = {401, 403, 404}
_BASE_SECONDS, _CAP_SECONDS = 1.0, 60.0
_LONGEST_WAIT = 600.0
_LONGEST_BODY = 4 << 20


@dataclass(frozen=True)
class Clock:
    """Time as the client sees it; tests put in one that does not wait."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    date: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Completion:
    """One answer. Token counts are None where the server did not say."""

    text: str
    input_tokens: int | None
    output_tokens: int | None


class Meter(Protocol):
    """Told about every request, so that somebody can keep count of the cost.

    Each `start` is followed by `free` (the request cost nothing) or `doubtful` (it may have been
    worked on, though no answer arrived), or by the return of `Client.ask`.
    """

    def start(self) -> None:
        """A request is about to be sent; may raise to stop it."""
        ...

    def free(self) -> None:
        """The request was turned away."""
        ...

    def doubtful(self, reason: str) -> None:
        """The request's answer was lost."""
        ...


class RequestFailed(Exception):
    """No answer could be had for this request; the reason is fit for records (the key is not in
    it).
    """


class Refused(MtpeftError):
    """The server refuses every request (key, permission, model or address); going on would only
    repeat it.
    """


class RateLimit:
    """Spreads starts of requests evenly: at most `per_minute` a minute, over all threads."""

    def __init__(self, per_minute: float, clock: Clock) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._clock, self._next, self._lock = clock, 0.0, threading.Lock()

    def wait(self) -> None:
        """Wait for this thread's turn."""
        if not self._gap:
            return
        with self._lock:
            now = self._clock.now()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._clock.sleep(turn - now)


class Client:
    """Asks one judge. Safe to use from several threads; `close` it, or use it in a `with` block."""

    def __init__(
        self, settings: Settings, clock: Clock | None = None, jitter: random.Random | None = None
    ) -> None:
        self._settings, self._clock = settings, clock or Clock()
        # Not for reproducibility: clients that failed together must not come back together.
        self._jitter = jitter or random.Random()
        self._limit = RateLimit(settings.per_minute, self._clock)
        # A redirect could carry the key elsewhere, and a proxy or netrc entry could add another
        # one.
        self._http = httpx.Client(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(settings.timeout),
            limits=httpx.Limits(max_connections=settings.concurrency),
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def ask(self, prompt: str, meter: Meter) -> Completion:
        """The answer to one prompt. Raises `RequestFailed`, `Refused`, and whatever `meter.start`
        raises.
        """
        reason, wait = "", 0.0
        for attempt in range(self._settings.attempts):
            if attempt:
                self._clock.sleep(wait)
            self._limit.wait()
            meter.start()
            wait = self._jitter.uniform(0, min(_CAP_SECONDS, _BASE_SECONDS * 2**attempt))
            try:
                status, headers, body = self._post(prompt)
                if status == 200:
                    return self._completion(body)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                meter.free()
                reason = f"no connection: {error}"
                continue
            except UnicodeEncodeError as error:
                meter.free()
                raise RequestFailed("the prompt is no valid Unicode") from error
            except (httpx.HTTPError, TimeoutError, ValueError) as error:
                reason = self._settings.key.redact(f"{type(error).__name__}: {error}")
                meter.doubtful(reason)
                continue
            meter.free()
            wait = max(wait, self._check(status, headers, body))
            reason = f"HTTP {status}: {self._excerpt(body)}"
        raise RequestFailed(
            self._settings.key.redact(f"{self._settings.attempts} attempts; last: {reason}")
        )

    def _check(self, status: int, headers: httpx.Headers, body: bytes) -> float:
        """Seconds that the server wants to be left alone; raises where asking again is useless."""
        if status in _HOPELESS:
            # A server may quote the key, whole or in part, when it refuses it: its words stay out
            # of the message.
            raise Refused(
                f"the judge at {self._settings.base_url} refuses: HTTP {status}",
                "a valid key, a known model and the server's /v1 address",
                "check MTPEFT_JUDGE_URL, MTPEFT_JUDGE_MODEL and MTPEFT_JUDGE_KEY",
            )
        if status not in _AGAIN:
            raise RequestFailed(f"HTTP {status}: {self._excerpt(body)}")
        asked = _retry_after(headers.get("retry-after", ""), self._clock)
        if asked > _LONGEST_WAIT:
            raise RequestFailed(f"HTTP {status}: the server asks to wait {asked:.0f} s")
        return asked

    def _post(self, prompt: str) -> tuple[int, httpx.Headers, bytes]:
        path, payload = self._request(prompt)
        deadline = self._clock.now() + self._settings.timeout
        url = self._settings.base_url.rstrip("/") + path
        with self._http.stream(
            "POST", url, json=payload, headers=self._settings.key.header()
        ) as response:
            body = bytearray()
            for block in response.iter_bytes():
                body += block
                if len(body) > _LONGEST_BODY:
                    raise httpx.DecodingError(f"an answer above {_LONGEST_BODY} bytes")
                if self._clock.now() > deadline:
                    raise TimeoutError(
                        f"the answer was not complete after {self._settings.timeout:g} s"
                    )
            return response.status_code, response.headers, bytes(body)

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

    def _completion(self, body: bytes) -> Completion:
        data = json.loads(body.decode("utf-8"))
        try:
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
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"{error!r} in {self._excerpt(body)}") from error
        if not isinstance(text, str):
            raise ValueError(f"the answer's text is a {type(text).__name__}")
        usage = data.get("usage") if isinstance(data.get("usage"), dict) else {}
        counts = [usage.get(name) for name in names]
        known = [
            n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else None for n in counts
        ]
        return Completion(self._settings.key.redact(text), known[0], known[1])

    def _excerpt(self, body: bytes) -> str:
        # Redacted before it is cut, so that no part of a key can stay.
        text = self._settings.key.redact(body[:_LONGEST_BODY].decode("utf-8", "replace"))
        return " ".join(text.split())[:300]


def _retry_after(value: str, clock: Clock) -> float:
    """Seconds to wait by a Retry-After header (seconds or a date); 0 where there is none or it
    cannot be read.
    """
    value = value.strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - clock.date()).total_seconds())
    except (ValueError, TypeError):
        return 0.0

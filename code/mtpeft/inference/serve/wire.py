"""What goes over the wire: requests of the OpenAI API as they are read, replies and errors as they
are written.

A setting that would change the answer and is not followed is refused, not passed over: a client
that asks for sampling must not take greedy decoding for it.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from mtpeft.tasks import Message

LARGEST = 4 << 20
"""Bytes of a request's body."""

ROLES = ("system", "developer", "user", "assistant")


class ApiError(Exception):
    """An error as the API words it.

    Args:
        status: Of HTTP.
        message: For a person.
        code: For a program.
        param: The part of the request that is to blame.
        kind: The family of the error.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status, self.body = status, error(message, code, param, kind)


def error(
    message: str, code: str, param: str | None = None, kind: str = "invalid_request_error"
) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class Request:
    """A request for a completion of a conversation.

    Attributes:
        model: The name that was asked for.
        messages: The turns, as text.
        new_tokens: The most tokens of the answer; None where the request does not say.
        stream: Whether the answer is sent as it comes.
        usage: Whether a stream ends with the counts of tokens.
    """

    model: str
    messages: list[Message]
    new_tokens: int | None
    stream: bool
    usage: bool


# Settings that leave greedy decoding as it is, and others with the values that do.
_ANY = {"model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options",
        "top_p", "top_k", "seed", "user", "store", "metadata", "service_tier",
        "parallel_tool_calls", "safety_identifier", "prompt_cache_key"}  # fmt: skip
_ONLY: dict[str, tuple[Any, ...]] = {
    "temperature": (0,),
    "n": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repetition_penalty": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "echo": (False,),
    "stop": ([],),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
}


def read(body: bytes) -> Request:
    """A request from the bytes of its body.

    Raises:
        ApiError: It is no JSON, lacks something, or asks for what this server does not do.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise ApiError(400, f"the body is no JSON: {problem}"[:300], "invalid_json") from problem
    if not isinstance(data, dict):
        raise ApiError(400, f"the body is a JSON {_kind(data)}, not an object", "invalid_type")
    for name, value in data.items():
        wanted = _ONLY.get(name)
        if name in _ANY or value is None or (wanted is not None and value in wanted):
            continue
        if wanted is None:
            raise ApiError(400, f"unknown parameter {name!r}", "unknown_parameter", name)
        raise ApiError(
            400,
            f"{name} must be {_shown(wanted)} or left out: answers are decoded greedily, one at a "
            "time, without tools",
            "unsupported_value",
            name,
        )
    model = data.get("model")
    if not isinstance(model, str) or not model:
        raise ApiError(400, "model must be a name from /v1/models", "missing_parameter", "model")
    options = data.get("stream_options") or {}
    return Request(
        model,
        _messages(data.get("messages")),
        _limit(data),
        _flag(data, "stream"),
        isinstance(options, dict) and options.get("include_usage") is True,
    )


def _shown(values: tuple[Any, ...]) -> str:
    return " or ".join(json.dumps(value) for value in values)


def _kind(value: Any) -> str:
    names = {list: "array", str: "string", int: "number", float: "number", bool: "boolean"}
    return names.get(type(value), "null")


def _flag(data: dict[str, Any], name: str) -> bool:
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise ApiError(400, f"{name} must be true or false", "invalid_type", name)
    return bool(value)


def _limit(data: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = data.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ApiError(400, f"{name} must be a number from 1 on", "invalid_value", name)
        return value
    return None


def _messages(given: Any) -> list[Message]:
    if not isinstance(given, list) or not given:
        raise ApiError(400, "messages must be a list of turns", "missing_parameter", "messages")
    return [_message(turn, f"messages[{number}]") for number, turn in enumerate(given)]


def _message(turn: Any, place: str) -> Message:
    if not isinstance(turn, dict) or turn.get("role") not in ROLES:
        raise ApiError(
            400, f"{place} must have a role: {', '.join(ROLES)}", "invalid_value", f"{place}.role"
        )
    content = turn.get("content")
    if isinstance(content, list):  # the form of several parts, of which text alone is read
        parts = [p.get("text") for p in content if isinstance(p, dict) and p.get("type") == "text"]
        texts = [text for text in parts if isinstance(text, str)]
        content = "".join(texts) if len(texts) == len(content) else None
    if not isinstance(content, str):
        raise ApiError(400, f"{place} must have text", "invalid_type", f"{place}.content")
    # A lone half of a surrogate pair is valid JSON and no text that a tokenizer takes.
    if any("\ud800" <= character <= "\udfff" for character in content):
        raise ApiError(400, f"{place} is no Unicode text", "invalid_value", f"{place}.content")
    return {"role": "system" if turn["role"] == "developer" else turn["role"], "content": content}


@dataclass(frozen=True)
class Reply:
    """One completion in the making.

    Attributes:
        id: Of the completion.
        model: The name that answers.
        created: Seconds since 1970.
    """

    id: str
    model: str
    created: int

    @classmethod
    def now(cls, number: int, model: str) -> "Reply":
        """The reply to the request of this number."""
        return cls(f"chatcmpl-{number}", model, int(time.time()))

    def whole(self, text: str, finish: str, usage: dict[str, int]) -> dict[str, Any]:
        """The reply in one piece."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage}

    def piece(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        """An event of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**self._head("chat.completion.chunk"), "choices": [choice]})

    def counts(self, usage: dict[str, int]) -> bytes:
        """The event that ends a stream with its counts."""
        return event({**self._head("chat.completion.chunk"), "choices": [], "usage": usage})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def event(data: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def usage(prompt: int, answer: int) -> dict[str, int]:
    """Counts of tokens."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }


def described(name: str, created: int) -> dict[str, Any]:
    """A model as lists of models show it."""
    return {"id": name, "object": "model", "created": created, "owned_by": "mtpeft"}

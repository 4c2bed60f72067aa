"""The OpenAI API over a worker: lists of models, completions of conversations, streams, errors.

No reply shows more of a failure than its kind: neither a path nor a line of code.
"""

import asyncio
import itertools
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from mtpeft.core.errors import MtpeftError
from mtpeft.core.http import Secret
from mtpeft.inference.generate import Generated
from mtpeft.inference.resident import Resident
from mtpeft.inference.serve import wire
from mtpeft.inference.serve.models import Model
from mtpeft.inference.serve.wire import ApiError
from mtpeft.inference.serve.worker import Full, Job, Stopped, Worker
from mtpeft.inference.settings import InferenceProfile
from mtpeft.tasks import answer_of, example_of, prompt_text, task_module, wording
from mtpeft.tasks.rendering import HUMAN_ASSISTANT

_LOOK_SECONDS = 1.0  # how often a waiting request looks whether its client is still there


class Service:
    """Answers requests by the models of a server.

    Args:
        models: The names.
        residents: Their weights, in the order that `Model.weights` means.
        worker: Who computes.
        profile: Wording and lengths of the tasks' prompts.
        key: What clients must show; none: nothing.
    """

    def __init__(
        self,
        models: Sequence[Model],
        residents: Sequence[Resident],
        worker: Worker,
        profile: InferenceProfile,
        key: Secret,
    ) -> None:
        self.models = {model.name: model for model in models}
        self.worker, self.started = worker, int(time.time())
        self._residents, self._profile = residents, profile
        self._header = key.header().get("Authorization", "")
        self._numbers = itertools.count(1)

    def admit(self, authorization: str) -> None:
        """Let a request in.

        Raises:
            ApiError: It does not show the key.
        """
        shown, wanted = authorization.encode(), self._header.encode()
        if wanted and not secrets.compare_digest(shown, wanted):
            raise ApiError(401, "the API key is missing or wrong", "invalid_api_key")

    def model(self, name: str) -> Model:
        """The model of a name.

        Raises:
            ApiError: There is none.
        """
        if name not in self.models:
            raise ApiError(
                404,
                f"the model {name[:100]!r} does not exist; this server has: "
                f"{', '.join(self.models)}",
                "model_not_found",
                "model",
            )
        return self.models[name]

    def job(self, request: wire.Request) -> tuple[Job, Any]:
        """What is to be computed for a request, and the example that a task's prompt is about (None
        in a free conversation).

        Raises:
            ApiError: The request does not suit the model, or is too long for it.
        """
        model = self.model(request.model)
        resident, example, template = self._residents[model.weights], None, None
        messages = request.messages
        if model.task:
            if [m["role"] for m in messages] != ["user"]:
                roles = ", ".join(m["role"] for m in messages)
                raise ApiError(
                    400,
                    f"{model.name} takes one user message and was given: {roles}; a free "
                    f"conversation is what {model.name.rpartition(':')[0]} takes",
                    "invalid_value",
                    "messages",
                )
            example = example_of(
                model.task, model.language, model.source_language, messages[0]["content"]
            )
            words = wording(self._profile.wording, model.regime, inference=True)
            messages = task_module(model.task).messages(example, words)
            if self._profile.decoding(model.task).forced_template:
                template = HUMAN_ASSISTANT
        try:
            prompt = prompt_text(messages, resident.tokenizer, template)
        except MtpeftError as problem:
            raise ApiError(400, problem.found, "no_chat_template", "model") from problem
        except Exception as problem:  # templates refuse, for instance, two user turns in a row
            raise ApiError(
                400,
                f"the model's chat template refuses the conversation: {problem}"[:300],
                "invalid_value",
                "messages",
            ) from problem
        tokens = resident.tokens(prompt)
        return (
            Job(
                model.weights,
                model.adapter,
                _room(resident.positions, tokens, request.new_tokens, model.new_tokens),
                prompt,
                tokens,
            ),
            example,
        )

    def text(self, answer: Generated, example: Any) -> str:
        """What the client gets: in a task the answer that was taken out, else what was written."""
        if example is None:
            return answer.text
        faithful = self._profile.faithful_answers
        return str(answer_of(task_module(example.task), answer.text, faithful, example))

    def reply(self, model: str) -> wire.Reply:
        """A reply with a number of its own."""
        return wire.Reply.now(next(self._numbers), model)


def _room(positions: int | None, tokens: int, wanted: int | None, usual: int) -> int:
    """The most tokens of an answer."""
    left = (positions or tokens + (wanted or usual)) - tokens
    if left < (wanted or 1):
        asked = f" and {wanted} of the answer" if wanted else ""
        raise ApiError(
            400,
            f"{tokens} tokens of the messages{asked} are more than the {positions} that the model "
            "can read",
            "context_length_exceeded",
            "messages",
        )
    return wanted or min(usual, left)


def refused(problem: BaseException) -> ApiError:
    """The error that a client sees in place of an answer."""
    if isinstance(problem, ApiError):
        return problem
    if isinstance(problem, Full):
        return ApiError(429, problem.found, "rate_limit_exceeded", kind="rate_limit_error")
    if isinstance(problem, Stopped):
        return ApiError(503, problem.found, "server_stopping", kind="server_error")
    # The server's owner reads more than its clients.
    print(f"mtpeft: a request failed: {type(problem).__name__}: {problem}", file=sys.stderr)
    return ApiError(
        500, f"the request failed: {type(problem).__name__}", "server_error", kind="server_error"
    )


def build(service: Service) -> Any:
    """The ASGI application of a service."""
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse, StreamingResponse

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    def failed(problem: BaseException) -> Any:
        told = refused(problem)
        return JSONResponse(told.body, told.status)

    async def listed(request: Any) -> Any:
        try:
            service.admit(request.headers.get("authorization", ""))
            if "name" in request.path_params:
                model = service.model(request.path_params["name"])
                return JSONResponse(wire.described(model.name, service.started))
            every = [wire.described(name, service.started) for name in service.models]
            return JSONResponse({"object": "list", "data": every})
        except Exception as problem:
            return failed(problem)

    async def completed(request: Any) -> Any:
        try:
            service.admit(request.headers.get("authorization", ""))
            asked = wire.read(await _body(request))
            # Templates and tokenizers take a while with a long prompt; others are served meanwhile.
            job, example = await asyncio.to_thread(service.job, asked)
            reply = service.reply(asked.model)
            if asked.stream:
                pieces = _stream(service, job, example, reply, usage=asked.usage)
                return StreamingResponse(
                    pieces, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
                )
            answer = await _answer(service.worker, job, request)
            counts = wire.usage(job.tokens, answer.tokens)
            text = service.text(answer, example)
            return JSONResponse(reply.whole(text, answer.finish_reason, counts))
        except Exception as problem:
            return failed(problem)

    async def health(request: Any) -> Any:
        lost = service.worker.lost is not None
        return JSONResponse({"status": "lost" if lost else "ok"}, 503 if lost else 200)

    async def elsewhere(request: Any, problem: Any) -> Any:
        text = f"{request.method} {request.url.path[:100]}: {problem.detail}"
        return JSONResponse(wire.error(text, "not_found"), problem.status_code)

    app.add_route("/health", health, ["GET"])
    app.add_route("/v1/models", listed, ["GET"])
    app.add_route("/v1/models/{name:path}", listed, ["GET"])
    app.add_route("/v1/chat/completions", completed, ["POST"])
    app.add_exception_handler(404, elsewhere)
    app.add_exception_handler(405, elsewhere)
    return app


async def _body(request: Any) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > wire.LARGEST:
            raise ApiError(413, f"a body of more than {wire.LARGEST} bytes", "request_too_large")
    return bytes(body)


async def _answer(worker: Worker, job: Job, request: Any) -> Generated:
    """The answer to a job, which is given up where the client goes away."""
    worker.ask(job)
    answer = asyncio.wrap_future(job.answer)
    try:
        while not (await asyncio.wait([answer], timeout=_LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                job.unwanted = True
        return answer.result()
    finally:
        job.unwanted = True


def _stream(
    service: Service, job: Job, example: Any, reply: wire.Reply, *, usage: bool
) -> AsyncIterator[bytes]:
    """The events of a stream. What is taken out of an answer is known at its end: a task's answer
    comes as one piece.
    """
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()
    if example is None:
        job.piece = lambda text: _hand_over(loop, pieces, text)
    service.worker.ask(job)
    answer = asyncio.wrap_future(job.answer)
    answer.add_done_callback(lambda _: pieces.put_nowait(None))

    async def events() -> AsyncIterator[bytes]:
        said = ""
        try:
            yield reply.piece({"role": "assistant", "content": ""})
            while (text := await pieces.get()) is not None:
                said += text
                yield reply.piece({"content": text})
            made = answer.result()
            if rest := service.text(made, example)[len(said) :]:
                yield reply.piece({"content": rest})
            yield reply.piece({}, made.finish_reason)
            if usage:
                yield reply.counts(wire.usage(job.tokens, made.tokens))
        except Exception as problem:
            yield wire.event(refused(problem).body)
        finally:
            job.unwanted = True
        yield b"data: [DONE]\n\n"

    return events()


def _hand_over(loop: asyncio.AbstractEventLoop, pieces: Any, text: str) -> None:
    """From the worker's thread into a stream, which may be gone with the whole server."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(pieces.put_nowait, text)

"""`mtpeft serve`: load, listen, stop."""

import asyncio
import importlib.util
import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from typing import Any

from mtpeft.core.errors import MtpeftError, Unavailable, UnknownName
from mtpeft.core.http import Secret, is_local
from mtpeft.inference.resident import Resident
from mtpeft.inference.serve import vllm
from mtpeft.inference.serve.app import Service, build
from mtpeft.inference.serve.models import Choice, Model, Weights, models
from mtpeft.inference.serve.worker import Worker
from mtpeft.inference.vllm_backend import check_installed

KEY = "MTPEFT_SERVE_KEY"
BACKENDS = ("auto", "transformers", "vllm")
_PATIENCE = 10  # seconds that running requests have when the server is told to stop


@dataclass(frozen=True)
class Listening:
    """Where and how a server listens.

    Attributes:
        host: The address.
        port: Its port; 0: any free one.
        backend: `auto`, `transformers` or `vllm`.
        dtype: Torch's name of the type of weights that are not quantized; empty: `swift_dtype`.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    backend: str = "auto"
    dtype: str = ""


def run(choice: Choice, listening: Listening, *, dry_run: bool = False) -> None:
    """Serve runs until the process is told to stop (SIGTERM, Ctrl-C).

    Args:
        choice: What is served.
        listening: Where.
        dry_run: Only say what would be served and by which command.

    Raises:
        UnknownName: There is no such backend.
        Unavailable: vLLM is asked for and not installed (or a release without 4-bit weights, where
            they are asked for), or the port cannot be used.
        MtpeftError: Other machines would reach the server without a key.
    """
    backend, key = _backend(listening.backend), Secret.of(KEY)
    url = f"http://{_shown(listening.host)}:{listening.port}/v1"
    if not key and not is_local(url):
        raise MtpeftError(
            f"--host {listening.host} without a key: every machine that reaches it may use the model",
            "127.0.0.1, or a key that clients show",
            f"{KEY}=… mtpeft serve …, or leave --host out",
        )
    weights, names = models(choice)
    if backend == "vllm":
        if not dry_run:
            check_installed(any(w.four_bit for w in weights))
        command = vllm.command(
            weights, names, listening.dtype or "bfloat16", listening.host, listening.port or 8000
        )
        if dry_run:
            print(shlex.join(command))
            return
        environment = dict(os.environ)
        if key:
            environment[vllm.KEY] = key.header()["Authorization"].removeprefix("Bearer ")
        os.execve(command[0], command, environment)  # noqa: S606 (signals reach it without a go-between)
    if dry_run:
        _say(url, names, weights)
        return
    _serve(choice, listening, weights, names, key)


def _backend(name: str) -> str:
    if name not in BACKENDS:
        raise UnknownName("backend", name, BACKENDS)
    installed = importlib.util.find_spec("vllm") is not None
    return name if name != "auto" else "vllm" if installed else "transformers"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _say(url: str, names: list[Model], weights: list[Weights]) -> None:
    print(f"serve: {url} ({len(weights)} model{'s' if len(weights) > 1 else ''} in memory)")
    for model in names:
        print(f"  {model.name}", flush=True)


def _serve(
    choice: Choice, listening: Listening, weights: list[Weights], names: list[Model], key: Secret
) -> None:
    # Before the weights are loaded, which may take minutes.
    asyncio.run(_usable(listening.host, listening.port))
    worker, app = _loaded(choice, listening, weights, names, key)
    server = _server(app, listening, lambda url: _say(url, names, weights))
    worker.at_loss = lambda: setattr(server, "should_exit", True)
    # The server raises what it was stopped by once more when it has stopped: an end as asked for.
    before = {s: signal.signal(s, lambda *_: None) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run()
    finally:
        worker.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    if worker.lost is not None:
        raise worker.lost
    print("serve: stopped", flush=True)


@contextmanager
def running(choice: Choice, listening: Listening) -> Iterator[str]:
    """A server in a thread of this process, for as long as the block runs.

    Args:
        choice: What is served.
        listening: Where; the backend is transformers.

    Yields:
        Its address up to and with /v1.

    Raises:
        Unavailable: It cannot listen there.
    """
    weights, names = models(choice)
    asyncio.run(_usable(listening.host, listening.port))
    worker, app = _loaded(choice, listening, weights, names, Secret.of(KEY))
    address: Queue[str] = Queue()
    server = _server(app, listening, address.put)
    thread = threading.Thread(target=server.run, name="server", daemon=True)
    thread.start()
    try:
        yield address.get(timeout=60)
    finally:
        server.should_exit = True
        thread.join(_PATIENCE + 5)
        worker.stop()


def _loaded(
    choice: Choice, listening: Listening, weights: list[Weights], names: list[Model], key: Secret
) -> tuple[Worker, Any]:
    residents = [Resident(w.source, w.adapters, listening.dtype, w.four_bit) for w in weights]
    worker = Worker(residents, choice.profile.tokens_in_flight)
    return worker, build(Service(names, residents, worker, choice.profile, key))


def _server(app: Any, listening: Listening, ready: Callable[[str], None]) -> Any:
    """A server that calls `ready` with its address once it listens."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            port = self.servers[0].sockets[0].getsockname()[1]
            ready(f"http://{_shown(listening.host)}:{port}/v1")

    return Server(
        uvicorn.Config(
            app,
            host=listening.host,
            port=listening.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_PATIENCE,
            lifespan="off",
        )
    )


async def _usable(host: str, port: int) -> None:
    """Make sure that a port can be listened at.

    Raises:
        Unavailable: It cannot.
    """
    try:
        server = await asyncio.start_server(lambda *_: None, host, port)
    except OSError as error:
        raise Unavailable(
            f"{_shown(host)}:{port} cannot be listened at: {error.strerror}",
            "an address of this machine and a free port",
            "--port 0 takes a free one",
        ) from error
    server.close()
    await server.wait_closed()

"""The one way to ask a server for something. It expects servers to misbehave.

What every request here has: a deadline for the whole of it (connecting, headers and body), a limit
to the body, a lowest rate where a file is read, no redirect and no proxy where a key is sent, and
one kind of error whatever goes wrong. Retried, with exponential back-off and full jitter: 408, 409,
425, 429 (after Retry-After, where given), 5xx, no connection, no answer in time, half an answer, an
answer that the caller cannot read. Not retried: what the server will refuse again.

`Client` asks for JSON (`ask`) or reads a file block by block (`read`); `Secret` is a key that shows
itself to nobody.
"""

import base64
import html
import ipaddress
import json
import os
import random
import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar
from urllib.parse import unquote, urlencode, urljoin, urlsplit

from mtpeft.core.errors import MtpeftError

if TYPE_CHECKING:  # the library takes longer to import than an up-to-date `make` takes to say so
    import httpcore

AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
HOPELESS = {401, 403, 404}
REDIRECTS = {301, 302, 303, 307, 308}
_LONGEST_WAIT = 600.0
_SHORTEST_SECRET = 8
_AGENT = "mtpeft"
T = TypeVar("T")


class RequestFailed(MtpeftError):
    """No answer could be had for this request; `found` is fit for records (no key is in it)."""


class Unreadable(RequestFailed):
    """Answers came, and none of them could be read."""


class Refused(MtpeftError):
    """The server refuses every request (key, permission, model or address); going on would only
    repeat it.
    """


class Trouble(Exception):
    """One attempt failed.

    Args:
        sent: Whether the server may have worked on it.
        status: Of its answer, 0 without one.
        wait: Seconds that it asked for.
    """

    def __init__(self, reason: str, sent: bool, status: int = 0, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.sent, self.status, self.wait = sent, status, wait


@dataclass(frozen=True)
class Clock:
    """Time between attempts; tests put in one that does not wait. Deadlines of sockets follow the
    machine's own clock.

    Attributes:
        now: Seconds from some fixed moment on, never less than before.
        sleep: Waits so many seconds.
        date: The date, for answers that name one in Retry-After.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    date: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Limits:
    """What one server may take.

    Attributes:
        attempts: Requests until one succeeds.
        seconds: For one request, to its last byte.
        body: Bytes of one answer.
        rate: Bytes a second that a file must come at, over `window` seconds (then `seconds`
            grows with the file's size).
        pause: The first back-off.
        longest: The longest back-off.
        connections: At the same time.
        per_minute: Requests started (0: no limit).
    """

    attempts: int = 6
    seconds: float = 120.0
    body: int = 4 << 20
    rate: float = 1024.0
    window: float = 30.0
    pause: float = 1.0
    longest: float = 60.0
    connections: int = 4
    per_minute: float = 0.0


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


class _Unmetered:
    def start(self) -> None:
        return

    def free(self) -> None:
        return

    def doubtful(self, reason: str) -> None:
        return


# ---------------------------------------------------------------- secrets and addresses


class Secret:
    """A key that shows itself to nobody: not in logs, records, errors, or a debugger's repr.

    Args:
        secret: The key.
        name: How errors call it.

    Raises:
        MtpeftError: No header can carry the text (which the error does not show).
    """

    def __init__(self, secret: str = "", name: str = "the key") -> None:
        if not all("!" <= character <= "~" for character in secret):
            raise MtpeftError(
                f"{name} holds a blank, line end or non-ASCII character",
                "printable ASCII",
                f"set {name} again",
            )
        self._secret = secret
        # What is shorter is a placeholder of a local server; taking it out would garble ordinary
        # text.
        self._pattern = _pattern(secret) if len(secret) >= _SHORTEST_SECRET else None

    @classmethod
    def of(cls, *names: str, environment: Mapping[str, str] = os.environ) -> Self:
        """The first of these environment variables that is set, else no key (local servers need
        none).
        """
        name = next((name for name in names if environment.get(name, "").strip()), "")
        return cls(environment[name].strip(), name) if name else cls()

    def __bool__(self) -> bool:
        return bool(self._secret)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'hidden' if self else 'none'})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is not to be stored")

    def header(self) -> dict[str, str]:
        """The authorization header, for the request alone."""
        return {"Authorization": f"Bearer {self._secret}"} if self else {}

    def redact(self, text: str) -> str:
        """`text` without the key in any usual spelling, should a server echo it."""
        return self._pattern.sub("[key]", text) if self._pattern else text

    def clean(self, data: Any) -> Any:
        """Decoded JSON with every text in it redacted, names included."""
        if isinstance(data, str):
            return self.redact(data)
        if isinstance(data, list):
            return [self.clean(part) for part in data]
        if isinstance(data, dict):
            return {self.redact(name): self.clean(part) for name, part in data.items()}
        return data


def _pattern(secret: str) -> re.Pattern[str]:
    """Every usual spelling of a secret.

    As it is or with any character escaped as JSON, HTML and addresses do, in hexadecimal and
    base64.
    """
    raw = secret.encode("ascii")
    spelled = "".join(
        f"(?:\\\\?{re.escape(chr(byte))}|\\\\u00{byte:02x}|%{byte:02x}|&#0*{byte};|&#x0*{byte:x};"
        f"|{re.escape(html.escape(chr(byte)))})"
        for byte in raw
    )
    forms = {re.escape(raw.hex())}
    for lead in range(3):
        # Base64 of a longer text that holds the secret: only what its neighbours cannot change.
        coded = base64.b64encode(b"\0" * lead + raw).decode("ascii").rstrip("=")
        inner = coded[-(-lead * 8 // 6) : len(coded) - (1 if (lead + len(raw)) % 3 else 0)]
        forms |= {re.escape(inner), re.escape(inner.replace("+", "-").replace("/", "_"))}
    return re.compile("|".join([spelled, *sorted(forms)]), re.IGNORECASE)


def address(url: str, name: str, secret: Secret | None = None) -> str:
    """A server's address without its last slash.

    Args:
        name: The setting that holds it, for the message.
        url: The address.
        secret: The key that travels with each request, if any.

    Raises:
        MtpeftError: For what is no plain http(s) address, and where `secret` would travel
            unencrypted to another machine. No message shows a user or password.
    """
    expected, fix = "http(s)://host[:port][/path]", f"set {name} to such an address"
    if any(character <= " " or character > "~" or character in '\\"<>' for character in url):
        raise MtpeftError(
            f"{name} holds a blank, a control character or a sign that no address has",
            expected,
            fix,
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise MtpeftError(f"{name} is no address: {error}", expected, fix) from error
    if (
        parts.username is not None
        or parts.password is not None
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise MtpeftError(
            f"{name} carries a user, password, query or fragment",
            expected,
            f"give {name} the plain address; a key belongs into its own variable",
        )
    if parts.scheme not in ("http", "https") or not host:
        raise MtpeftError(f"{name} is {url!r}", expected, fix)
    if secret and parts.scheme == "http" and not is_local(url):
        raise MtpeftError(
            f"the key would travel unencrypted to {host}",
            "https",
            f"set {name} to an https address, or unset the key's variable",
        )
    return url.rstrip("/")


def is_local(url: str) -> bool:
    """Whether a server is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def offline() -> bool:
    """Whether OFFLINE=1 forbids the network."""
    return os.environ.get("OFFLINE", "") not in ("", "0")


def retry_after(value: str, clock: Clock) -> float:
    """Seconds to wait by a Retry-After header (seconds or a date); 0 where there is none or it
    cannot be read.
    """
    value = value.strip()
    try:
        seconds = float(value)
        return seconds if 0 <= seconds < float("inf") else 0.0
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - clock.date()).total_seconds())
    except (ValueError, TypeError):
        return 0.0


# ---------------------------------------------------------------- deadlines below the library


class _Deadline(threading.local):
    """When the request of this thread must be over. A limit on each read is none on the whole: a
    server may drip bytes.
    """

    def __init__(self) -> None:
        self.at = float("inf")
        self.seconds = 0.0


_deadline = _Deadline()


def _left(timeout: float | None, late: type[Exception]) -> float:
    """Seconds that one more operation may take."""
    left = _deadline.at - time.monotonic()
    if left <= 0:
        raise late(f"not complete after {_deadline.seconds:g} s")
    return left if timeout is None else min(timeout, left)


def _connections(connections: int, proxy: str | None) -> "httpcore.ConnectionPool":
    """A pool whose every operation on a socket ends by the deadline of the thread that asks."""
    import httpcore

    class Stream(httpcore.NetworkStream):
        def __init__(self, inner: httpcore.NetworkStream) -> None:
            self._inner = inner

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

        def close(self) -> None:
            self._inner.close()

        def start_tls(
            self,
            ssl_context: ssl.SSLContext,
            server_hostname: str | None = None,
            timeout: float | None = None,
        ) -> httpcore.NetworkStream:
            return Stream(
                self._inner.start_tls(
                    ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)
                )
            )

        def get_extra_info(self, info: str) -> Any:
            return self._inner.get_extra_info(info)

    class Backend(httpcore.NetworkBackend):
        def __init__(self) -> None:
            self._inner = httpcore.SyncBackend()

        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore.NetworkStream:
            return Stream(
                self._inner.connect_tcp(
                    host,
                    port,
                    _left(timeout, httpcore.ConnectTimeout),
                    local_address,
                    socket_options,
                )
            )

        def sleep(self, seconds: float) -> None:
            self._inner.sleep(seconds)

    made: dict[str, Any] = {
        "ssl_context": _trust(),
        "max_connections": connections,
        "max_keepalive_connections": connections,
        "keepalive_expiry": 5.0,
        "network_backend": Backend(),
    }
    if not proxy:
        return httpcore.ConnectionPool(**made)
    parts = urlsplit(proxy)
    who = (unquote(parts.username or ""), unquote(parts.password or ""))
    plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return httpcore.HTTPProxy(proxy_url=plain, proxy_auth=who if any(who) else None, **made)


@cache
def _trust() -> ssl.SSLContext:
    """The machine's authorities (SSL_CERT_FILE, SSL_CERT_DIR), and unless these are set those of
    certifi too.
    """
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE") and not os.environ.get("SSL_CERT_DIR"):
        try:
            import certifi
        except ModuleNotFoundError:
            return context
        context.load_verify_locations(certifi.where())
    return context


class _Turns:
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


# ---------------------------------------------------------------- the client


@dataclass(frozen=True)
class Answer:
    """The beginning of an answer.

    Attributes:
        status: The HTTP status.
        headers: By name in lower case.
        blocks: Yields the body as it arrives.
    """

    status: int
    headers: Mapping[str, str]
    blocks: Iterator[bytes]


class Client:
    """Asks one server, or reads files of any. Safe to use from several threads; `close` it, or use
    it in a `with` block.

    Args:
        server: What people call it in messages.
        fix: What to do where it refuses every request.
    """

    def __init__(
        self,
        secret: Secret | None = None,
        limits: Limits | None = None,
        server: str = "the server",
        fix: str = "",
        clock: Clock | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        self.secret, self.limits, self._server, self._fix = (
            secret or Secret(),
            limits or Limits(),
            server,
            fix,
        )
        self.clock = clock or Clock()
        # Not for reproducibility: clients that failed together must not come back together.
        self._jitter = jitter or random.Random()
        self._turns = _Turns(self.limits.per_minute, self.clock)
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def ask(
        self,
        url: str,
        payload: Any = None,
        query: Mapping[str, Any] | None = None,
        read: Callable[[Any], T] = lambda data: data,
        meter: Meter | None = None,
    ) -> T:
        """Ask for JSON: by a POST where there is a payload, else by a GET.

        Args:
            url: The address.
            payload: What is sent as JSON.
            query: Parameters of the address.
            read: What to make of the answer; whatever it raises, the answer cannot be used and is
                asked for again.
            meter: Who keeps count of the cost.

        Returns:
            What `read` makes of the answer.

        Raises:
            RequestFailed: No answer could be had (`Unreadable`: none that `read` could use).
            Refused: The server refuses every request.
        """
        meter = meter or _Unmetered()
        reason, wait, failed = "", 0.0, RequestFailed
        body = self._encoded(payload)
        for attempt in range(self.limits.attempts):
            if attempt:
                self.clock.sleep(wait)
            self._turns.wait()
            meter.start()
            wait = self.pause(attempt)
            try:
                status, headers, data = self._exchange(
                    url + (f"?{urlencode(query)}" if query else ""), body
                )
            except Trouble as trouble:
                reason, failed = str(trouble), RequestFailed
                if trouble.sent:
                    meter.doubtful(reason)
                else:
                    meter.free()
                continue
            except BaseException:
                meter.doubtful("the request was broken off")
                raise
            if status == 200:
                try:
                    return read(self._decoded(data))
                except Exception as error:  # one odd answer is one failed request
                    reason = self.secret.redact(
                        f"{type(error).__name__}: {error} in {self._excerpt(data)}"
                    )
                    meter.doubtful(reason)
                    failed = Unreadable
                    continue
            meter.free()
            failed = RequestFailed
            wait = max(wait, self._check(url, status, headers, data))
            reason = f"HTTP {status}: {self._excerpt(data)}"
        raise failed(
            self.secret.redact(f"{self.limits.attempts} attempts; last: {reason}"),
            f"an answer of {self._server}",
            "run the same command again later; what was answered is kept",
        )

    def pause(self, attempt: int) -> float:
        """Seconds before the attempt after this one: exponential back-off with full jitter."""
        return self._jitter.uniform(0, min(self.limits.longest, self.limits.pause * 2.0**attempt))

    def _encoded(self, payload: Any) -> bytes | None:
        if payload is None:
            return None
        try:
            return json.dumps(
                payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False
            ).encode("utf-8")
        except UnicodeEncodeError as error:
            raise RequestFailed(
                "the prompt is no valid Unicode", "text that UTF-8 can hold", "correct the example"
            ) from error

    def _decoded(self, data: bytes) -> Any:
        return self.secret.clean(json.loads(data.decode("utf-8")))

    def _exchange(self, url: str, body: bytes | None) -> tuple[int, Mapping[str, str], bytes]:
        headers = {
            "Accept": "application/json",
            **({"Content-Type": "application/json"} if body is not None else {}),
        }
        with self._opened(
            "GET" if body is None else "POST",
            url,
            headers,
            body,
            self.limits.seconds,
            proxies=False,
        ) as answer:
            data = bytearray()
            for block in answer.blocks:
                data += block
                if len(data) > self.limits.body:
                    raise Trouble(f"an answer above {self.limits.body} bytes", sent=True)
            return answer.status, answer.headers, bytes(data)

    def _check(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> float:
        """Seconds that the server wants to be left alone; raises where asking again is useless."""
        if status in HOPELESS:
            # A server may quote the key, whole or in part, when it refuses it: its words stay out
            # of the message.
            raise Refused(
                f"{self._server} at {url} refuses: HTTP {status}",
                "a valid key, a known model and the right address",
                self._fix or "check the address and the key",
            )
        if status not in AGAIN:
            raise RequestFailed(
                f"HTTP {status}: {self._excerpt(body)}",
                f"an answer of {self._server}",
                self._fix or "check the request",
            )
        asked = retry_after(headers.get("retry-after", ""), self.clock)
        if asked > _LONGEST_WAIT:
            raise RequestFailed(
                f"HTTP {status}: the server asks to wait {asked:.0f} s",
                f"at most {_LONGEST_WAIT:.0f} s",
                "run the same command again later; what was answered is kept",
            )
        return asked

    def _excerpt(self, body: bytes) -> str:
        # Redacted before it is cut, so that no part of a key can stay.
        return " ".join(self.secret.redact(body.decode("utf-8", "replace")).split())[:300]

    @contextmanager
    def read(
        self, url: str, headers: Mapping[str, str] | None = None, size: int = 0, hops: int = 5
    ) -> Iterator[Answer]:
        """The answer to a GET, for its body to be read as it arrives. Redirects are followed, from
        https never to http.

        Args:
            url: The address.
            headers: Of the request, by name.
            hops: How many redirects may still be followed.
            size: Bytes to expect; the deadline is `seconds` and what they take at the lowest rate.

        Raises:
            Trouble: There is no answer, or (while `blocks` is read) it breaks off.
            RuntimeError: The client has a key; files are read without one.
        """
        if self.secret:
            raise RuntimeError("files are read without a key")
        seconds = self.limits.seconds + (size / self.limits.rate if self.limits.rate else 0.0)
        for _ in range(hops + 1):
            with self._opened("GET", url, headers or {}, None, seconds, proxies=True) as answer:
                if answer.status not in REDIRECTS:
                    yield answer
                    return
                where = answer.headers.get("location", "")
            try:
                target = urljoin(url, where)
                moved = urlsplit(target)
                allowed = moved.scheme in ("https", urlsplit(url).scheme) and bool(moved.hostname)
            except ValueError:
                allowed, target = False, where
            if not allowed:
                raise Trouble(
                    f"redirected from {url} to {target[:200]!r}", sent=True, status=answer.status
                )
            url = target
        raise Trouble(f"more than {hops} redirects", sent=True, status=310)

    @contextmanager
    def _opened(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        seconds: float,
        proxies: bool,
    ) -> Iterator[Answer]:
        """One request. Whatever goes wrong in it is `Trouble`; what the caller's block raises
        passes as it is.
        """
        import httpcore

        before = _deadline.at, _deadline.seconds
        _deadline.at, _deadline.seconds = time.monotonic() + seconds, seconds
        sent, inside = False, False
        step = min(seconds, self.limits.window) if proxies else seconds
        try:
            every = {
                "User-Agent": _AGENT,
                "Accept-Encoding": "identity",
                **headers,
                **self.secret.header(),
            }
            request = httpcore.Request(
                method,
                url,
                headers=[
                    (k.encode("ascii"), v.encode("ascii"))
                    for k, v in {"Host": urlsplit(url).netloc, **every}.items()
                ]
                + ([(b"Content-Length", str(len(body)).encode())] if body is not None else []),
                content=body,
                extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), step)},
            )
            sent = True
            response = self._pool(url if proxies else "").handle_request(request)
            try:
                known = {
                    k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers
                }
                coding = known.get("content-encoding", "identity").lower()
                if coding not in ("", "identity"):
                    raise Trouble(
                        f"the answer is encoded as {coding[:20]}, which was not asked for",
                        True,
                        response.status,
                    )
                blocks = self._blocks(response)
                inside = True
                yield Answer(response.status, known, blocks)
                inside = False
            finally:
                with _quiet():
                    response.close()
        except Trouble:
            raise
        except (
            httpcore.ConnectError,
            httpcore.ConnectTimeout,
            httpcore.PoolTimeout,
            httpcore.ProxyError,
        ) as error:
            raise Trouble(
                self.secret.redact(f"no connection: {error or type(error).__name__}"), sent=False
            ) from error
        except Exception as error:
            if inside:
                raise
            raise Trouble(self._worded(error), sent) from error
        finally:
            _deadline.at, _deadline.seconds = before

    def _blocks(self, response: "httpcore.Response") -> Iterator[bytes]:
        """The body as it arrives.

        `Trouble` where it breaks off or is slower than the lowest rate.
        """
        start, count = time.monotonic(), 0
        try:
            for block in response.iter_stream():
                yield block
                count += len(block)
                if (now := time.monotonic()) - start >= self.limits.window:
                    if count < self.limits.rate * (now - start):
                        raise Trouble(f"slower than {self.limits.rate:g} bytes a second", sent=True)
                    start, count = now, 0
        except (Trouble, GeneratorExit):
            raise
        except Exception as error:
            raise Trouble(self._worded(error), sent=True) from error

    def _worded(self, error: Exception) -> str:
        text = str(error)
        if "Timeout" in type(error).__name__ and "not complete" not in text:
            text = (
                f"not complete after {_deadline.seconds:g} s"
                if time.monotonic() >= _deadline.at - 0.05
                else f"no byte for {self.limits.window:g} s"
            )
        return self.secret.redact(f"{type(error).__name__}: {text}")

    def _pool(self, url: str) -> "httpcore.ConnectionPool":
        """The connections to use: through the environment's proxy where one is named for this
        address of a file.
        """
        proxy = None
        if url:
            parts = urlsplit(url)
            if not urllib.request.proxy_bypass(parts.hostname or ""):
                proxy = urllib.request.getproxies().get(parts.scheme)
                proxy = f"http://{proxy}" if proxy and "://" not in proxy else proxy
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = _connections(self.limits.connections, proxy)
            return self._pools[proxy]


@contextmanager
def _quiet() -> Iterator[None]:
    """Closing a broken connection may fail; what matters has been said already."""
    try:
        yield
    except Exception:
        return

"""The one way out: HTTP requests to other servers, guarded at connect time.

The name is resolved once; if any answer is not the open internet's the request is refused, else the connection
goes to the address that was checked, with the original name in SNI and Host. Redirects are not followed. A
request has a wall clock and a byte limit, a breaker per host, and is repeated only where that is safe.
"""

import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException
from typing import Any, Final

import certifi
import orjson
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from core import context
from core.breaker import Policy, breaker
from core.http_lines import KeptLines, Place
from core.http_targets import AddressRefused, NoAnswer, RequestFailed, Target, TimedOut, TooLarge, refuse_address
from core.metrics import OUTBOUND

__all__ = [
    "AddressRefused",
    "RequestFailed",
    "Response",
    "TimedOut",
    "TooLarge",
    "refuse_address",
    "request",
    "retry_after_of",
]

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_CHUNK: Final = 65_536
_RETRY_AFTER_AT_MOST: Final = 10.0
_BACKOFF: Final = 0.2


class _ServerFailed(Exception):
    """A 5xx answer: an answer for the caller, a failure for the breaker."""

    def __init__(self, response: "Response") -> None:
        super().__init__()
        self.response = response


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body as JSON; raises `RequestFailed` when it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise RequestFailed("The answer is not JSON.") from None


def request(
    method: str,
    url: str,
    *,
    json: Any = None,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10.0,
    max_bytes: int = 1_048_576,
    attempts: int = 1,
    allowed_hosts: Collection[str] | None = None,
    circuit: str = "",
    circuit_policy: Policy | None = None,
    cut: bool = False,
    keeps: bool = False,
) -> Response:
    """Send one request and return the answer; raises `RequestFailed` or `core.breaker.CircuitOpen`.

    `timeout` is the wall clock of an attempt. With several `attempts` a failure is repeated when the method is
    idempotent or an Idempotency-Key is given, and a 429 always. `allowed_hosts` takes the place of
    `OUTBOUND_ALLOWED_HOSTS`, `circuit` that of the host as the name of the breaker, `circuit_policy` that of its
    usual one. With `cut` an answer of more than `max_bytes` is cut off there, and no failure. With
    `keeps` a connection is kept for the next such request. It is for what the other side takes twice as once: what was
    sent over a kept one in the moment in which the other side hung up is sent again, over a new one.
    """
    target = Target.of(url, allowed_hosts)
    name, policy = circuit or f"http:{target.host}", circuit_policy or Policy()
    exchange = _Exchange(method, timeout, max_bytes, cut, name, policy, keeps)
    sent = _headers(target, headers, json=json)
    body = orjson.dumps(json) if json is not None else data
    is_repeatable = method in _IDEMPOTENT or "idempotency-key" in sent
    for attempt in range(1, attempts + 1):
        is_last = attempt == attempts
        try:
            response = _send_once(target, exchange, sent, body)
        except AddressRefused:
            raise
        except RequestFailed:
            if is_last or not is_repeatable:
                raise
            time.sleep(_pause(attempt))
            continue
        if is_last or not (response.status == 429 or (response.status >= 500 and is_repeatable)):
            return response
        time.sleep(_pause(attempt, response))
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Guarded:
    """Mixed into urllib3's connections: connects to a checked address instead of resolving the name again."""

    target: Target
    deadline: float
    line: socket.socket | None = None
    """A second handle on the socket, which stays ours when TLS or the answer takes over the first."""

    opened_at = idle_since = 0.0
    is_used = False
    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        connection = self.target.connect(self.deadline)
        self.line = connection.dup()
        self.opened_at = time.monotonic()
        return connection

    def is_silent(self) -> bool:
        """Return whether it is open, and the other side has said nothing unasked, not even goodbye."""
        if self.line is None or self.sock is None:
            return False
        # `select` would take no descriptor above 1,023.
        watch = select.poll()
        watch.register(self.line, select.POLLIN)
        return not watch.poll(0)

    def hang_up(self) -> None:
        """Close both handles."""
        self.close()  # type: ignore[attr-defined]  # of the connection that this is mixed into
        if self.line is not None:
            self.line.close()


class _GuardedHTTPConnection(_Guarded, HTTPConnection):
    pass


class _GuardedHTTPSConnection(_Guarded, HTTPSConnection):
    pass


_GuardedConnection = _GuardedHTTPConnection | _GuardedHTTPSConnection

_kept: Final = KeptLines[_GuardedConnection]()
_HUNG_UP: Final = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class _Stale(Exception):  # it never leaves this module
    """A connection that has served before serves no more; nothing of an answer came."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """How to ask, and how much of an answer to take."""

    method: str
    timeout: float
    max_bytes: int
    cut: bool
    circuit: str
    policy: Policy
    keeps: bool


def _send_once(target: Target, exchange: _Exchange, headers: dict[str, str], body: bytes | None) -> Response:
    try:
        with breaker(exchange.circuit, counts=(TimedOut, _ServerFailed, NoAnswer), policy=exchange.policy):
            response = _exchange(target, exchange, headers, body)
            _fail_for_the_breaker(response)
    except _ServerFailed as failure:
        response = failure.response
    except RequestFailed as error:
        OUTBOUND.labels(type(error).__name__.strip("_")).inc()
        raise
    OUTBOUND.labels(f"{response.status // 100}xx").inc()
    return response


def _fail_for_the_breaker(response: Response) -> None:
    if response.status >= 500:
        raise _ServerFailed(response)


def _exchange(target: Target, exchange: _Exchange, headers: dict[str, str], body: bytes | None) -> Response:
    deadline = time.monotonic() + exchange.timeout
    place = (target.scheme, target.host, target.port, frozenset(target.allowed_hosts), certifi.where())
    kept = _kept.take(place) if exchange.keeps else None
    if kept is not None:
        kept.target = target
        with suppress(_Stale):
            return _ask(kept, place, exchange, headers, body, deadline)
    return _ask(_connection(target, deadline), place, exchange, headers, body, deadline)


def _ask(
    connection: "_GuardedConnection",
    place: Place,
    exchange: _Exchange,
    headers: dict[str, str],
    body: bytes | None,
    deadline: float,
) -> Response:
    # A server that sends one byte every few seconds never runs into a socket's timeout: the clock cuts the line.
    connection.timeout = max(0.01, deadline - time.monotonic())
    clock = _Clock(connection, connection.timeout)
    answer, is_kept = None, False
    try:
        connection.request(
            exchange.method,
            connection.target.path,
            body=body,
            headers=headers,
            preload_content=False,
            decode_content=False,
        )
        answer = connection.getresponse()
        content = _read(answer, exchange.max_bytes, cut=exchange.cut)
        # A line that was cut looks like the end of an answer that did not say how long it is.
        clock.must_not_have_struck()
        connection.is_used, is_kept = True, exchange.keeps and len(content) < exchange.max_bytes
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)
    except (TimeoutError, urllib3.exceptions.TimeoutError):
        raise TimedOut from None
    except (OSError, HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
        clock.must_not_have_struck()
        if connection.is_used and answer is None and isinstance(error, _HUNG_UP):
            raise _Stale from error
        raise NoAnswer(f"No answer: {type(error).__name__}.") from error
    finally:
        clock.stop()
        if is_kept and not clock.has_struck and connection.is_silent():
            _kept.give_back(place, connection)
        else:
            connection.hang_up()


def _connection(target: Target, deadline: float) -> "_GuardedConnection":
    connection: _GuardedConnection
    timeout = max(0.01, deadline - time.monotonic())
    if target.scheme == "https":
        connection = _GuardedHTTPSConnection(
            target.host, target.port, timeout=timeout, ssl_context=_trusting(certifi.where())
        )
    else:
        connection = _GuardedHTTPConnection(target.host, target.port, timeout=timeout)
    connection.target = target
    connection.deadline = deadline
    return connection


@lru_cache(maxsize=4)
def _trusting(authorities: str) -> ssl.SSLContext:
    """Return what certificates are judged by: reading the authorities took 14 ms of each request, all else 2."""
    trust = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    trust.load_verify_locations(authorities)
    return trust


class _Clock:
    """Cuts the connection's line when the time is over."""

    def __init__(self, connection: _GuardedConnection, seconds: float) -> None:
        self.has_struck = False
        self._connection = connection
        self._timer = threading.Timer(seconds, self._strike)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Stop the clock: the line is cut no more."""
        self._timer.cancel()

    def must_not_have_struck(self) -> None:
        if self.has_struck:
            raise TimedOut

    def _strike(self) -> None:
        self.has_struck = True
        try:
            if self._connection.line is not None:
                self._connection.line.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _read(answer: urllib3.BaseHTTPResponse, max_bytes: int, *, cut: bool) -> bytes:
    content = bytearray()
    while chunk := answer.read(_CHUNK, decode_content=False):
        content += chunk
        if len(content) > max_bytes and cut:
            return bytes(content[:max_bytes])
        if len(content) > max_bytes:
            raise TooLarge(f"The answer has more than {max_bytes} bytes.")
    return bytes(content)


def _headers(target: Target, given: Mapping[str, str] | None, *, json: Any) -> dict[str, str]:
    headers = {"user-agent": "nook-link", "accept-encoding": "identity"}
    if json is not None:
        headers["content-type"] = "application/json"
    if context.current().traceparent:
        headers["traceparent"] = context.current().traceparent
    return headers | {name.lower(): value for name, value in (given or {}).items()}


def _pause(attempt: int, response: Response | None = None) -> float:
    """Return how long to wait: what the other side asks for, within reason, else doubling with full jitter."""
    asked = retry_after_of(response) if response is not None else None
    if asked is not None:
        return min(asked, _RETRY_AFTER_AT_MOST)
    return random.uniform(0, _BACKOFF * 2**attempt)  # noqa: S311  # jitter


def retry_after_of(response: Response) -> float | None:
    """Return how many seconds the other side asks to be left alone (`Retry-After`), None when it does not say."""
    text = response.headers.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None

"""The one way out: HTTP requests to other servers, guarded at connect time.

The name is resolved once; if any answer is not the open internet's the request is refused, else the connection
goes to the address that was checked, with the original name in SNI and Host. Redirects are not followed. A
request has a wall clock and a byte limit, a breaker per host, and is repeated only where that is safe.
"""

import os
import random
import socket
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import certifi
import orjson
import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection

from core import context
from core.breaker import Policy, breaker
from core.metrics import OUTBOUND
from core.public_addresses import is_public

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_CHUNK: Final = 65_536
_RETRY_AFTER_AT_MOST: Final = 10.0
_BACKOFF: Final = 0.2


class RequestFailed(Exception):
    """No usable answer came."""


class AddressRefused(RequestFailed):
    """The URL is not one that we send requests to; nothing was sent."""


class TimedOut(RequestFailed):
    """The answer took too long."""

    def __init__(self, message: str = "The answer took too long.") -> None:
        super().__init__(message)


class TooLarge(RequestFailed):
    """The answer has more bytes than were allowed."""


class _NoAnswer(RequestFailed):
    """The other side could not be reached, or broke off."""


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
) -> Response:
    """Send one request and return the answer; raises `RequestFailed` or `core.breaker.CircuitOpen`.

    `timeout` is the wall clock of an attempt. With several `attempts` a failure is repeated when the method is
    idempotent or an Idempotency-Key is given, and a 429 always. `allowed_hosts` takes the place of
    `OUTBOUND_ALLOWED_HOSTS`, `circuit` that of the host as the name of the breaker, `circuit_policy` that of its
    usual one. With `cut` an answer of more than `max_bytes` is cut off there, and no failure.
    """
    target = _Target.of(url, allowed_hosts)
    exchange = _Exchange(method, timeout, max_bytes, cut, circuit or f"http:{target.host}", circuit_policy or Policy())
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


def refuse_address(url: str, *, allowed_hosts: Collection[str] | None = None) -> None:
    """Raise `AddressRefused` for a URL that can be told to lead nowhere public without asking a name server.

    It is for the moment at which somebody types a URL in; what counts is the check at connect time.
    """
    target = _Target.of(url, allowed_hosts)
    if target.is_allowed_by_name:
        return
    name = target.host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost") or not _may_be_public(name):
        raise AddressRefused("The address is not on the open internet.")


def _may_be_public(host: str) -> bool:
    """Return False for an address, in any notation that a resolver understands, that is not public."""
    try:
        return is_public(ip_address(host))
    except ValueError:
        pass
    try:
        return is_public(ip_address(socket.inet_aton(host)))
    except OSError:
        return True


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str
    allowed_hosts: Collection[str]

    @classmethod
    def of(cls, url: str, allowed_hosts: Collection[str] | None) -> "_Target":
        """Return the parts of a URL that is spelt in the one way we accept; raises `AddressRefused`."""
        if not url.isascii() or any(character <= " " or character in "\\\x7f" for character in url):
            raise AddressRefused("The URL holds characters that do not belong in one.")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise AddressRefused("This is not a URL.") from None
        if parts.scheme not in {"http", "https"}:
            raise AddressRefused("Only http and https are spoken.")
        if "@" in parts.netloc or not parts.hostname or port == 0:
            raise AddressRefused("The URL needs a host and no user name.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = port or (443 if parts.scheme == "https" else 80)
        allowed = settings.OUTBOUND_ALLOWED_HOSTS if allowed_hosts is None else allowed_hosts
        return cls(parts.scheme, parts.hostname, port, path, allowed)

    @property
    def is_allowed_by_name(self) -> bool:
        return bool({self.host, f"{self.host}:{self.port}"} & set(self.allowed_hosts))

    def addresses(self, timeout: float) -> list[tuple[socket.AddressFamily, Any]]:
        """Return what the name resolves to; raises `AddressRefused` when any of it is not public."""
        try:
            found = (
                _resolver(os.getpid())
                .submit(socket.getaddrinfo, self.host, self.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
                .result(timeout)
            )
        except FutureTimeoutError:
            raise TimedOut("The name was not resolved in time.") from None
        except (OSError, UnicodeError):
            raise RequestFailed("The name does not resolve.") from None
        addresses: list[tuple[socket.AddressFamily, Any]] = [(family, address) for family, _, _, _, address in found]
        if not self.is_allowed_by_name and not all(_is_public_text(str(address[0])) for _, address in addresses):
            raise AddressRefused("The address is not on the open internet.")
        return addresses


@lru_cache(maxsize=1)
def _resolver(process_id: int) -> ThreadPoolExecutor:
    """Return the threads that names are resolved in: `getaddrinfo` knows no timeout. A forked child needs its own."""
    return ThreadPoolExecutor(max_workers=32, thread_name_prefix="resolve")


def _is_public_text(text: str) -> bool:
    try:
        return is_public(ip_address(text))
    except ValueError:
        return False


class _Guarded:
    """Mixed into urllib3's connections: connects to a checked address instead of resolving the name again."""

    target: _Target
    deadline: float
    line: socket.socket | None = None
    """A second handle on the socket, which stays ours when TLS or the answer takes over the first."""

    def _new_conn(self) -> socket.socket:
        for family, address in self.target.addresses(self.deadline - time.monotonic()):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(max(0.01, self.deadline - time.monotonic()))
                connection.connect(address)
            except OSError:
                connection.close()
                continue
            self.line = connection.dup()
            return connection
        raise _NoAnswer("No connection.")


class _GuardedHTTPConnection(_Guarded, HTTPConnection):
    pass


class _GuardedHTTPSConnection(_Guarded, HTTPSConnection):
    pass


_GuardedConnection = _GuardedHTTPConnection | _GuardedHTTPSConnection


@dataclass(frozen=True, slots=True)
class _Exchange:
    """How to ask, and how much of an answer to take."""

    method: str
    timeout: float
    max_bytes: int
    cut: bool
    circuit: str
    policy: Policy


def _send_once(target: _Target, exchange: _Exchange, headers: dict[str, str], body: bytes | None) -> Response:
    try:
        with breaker(exchange.circuit, counts=(TimedOut, _ServerFailed, _NoAnswer), policy=exchange.policy):
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


def _exchange(target: _Target, exchange: _Exchange, headers: dict[str, str], body: bytes | None) -> Response:
    connection = _connection(target, exchange.timeout)
    # A server that sends one byte every few seconds never runs into a socket's timeout: the clock cuts the line.
    clock = _Clock(connection, exchange.timeout)
    try:
        connection.request(
            exchange.method, target.path, body=body, headers=headers, preload_content=False, decode_content=False
        )
        answer = connection.getresponse()
        content = _read(answer, exchange.max_bytes, cut=exchange.cut)
        # A line that was cut looks like the end of an answer that did not say how long it is.
        clock.must_not_have_struck()
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)
    except (TimeoutError, urllib3.exceptions.TimeoutError):
        raise TimedOut from None
    except (OSError, HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
        clock.must_not_have_struck()
        raise _NoAnswer(f"No answer: {type(error).__name__}.") from error
    finally:
        clock.stop()
        connection.close()


def _connection(target: _Target, timeout: float) -> "_GuardedConnection":
    connection: _GuardedConnection
    if target.scheme == "https":
        connection = _GuardedHTTPSConnection(target.host, target.port, timeout=timeout, ca_certs=certifi.where())
    else:
        connection = _GuardedHTTPConnection(target.host, target.port, timeout=timeout)
    connection.target = target
    connection.deadline = time.monotonic() + timeout
    return connection


class _Clock:
    """Cuts the connection's line when the time is over."""

    def __init__(self, connection: _GuardedConnection, seconds: float) -> None:
        self._has_struck = False
        self._connection = connection
        self._timer = threading.Timer(seconds, self._strike)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Stop the clock and let go of the line."""
        self._timer.cancel()
        if self._connection.line is not None:
            self._connection.line.close()

    def must_not_have_struck(self) -> None:
        if self._has_struck:
            raise TimedOut

    def _strike(self) -> None:
        self._has_struck = True
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


def _headers(target: _Target, given: Mapping[str, str] | None, *, json: Any) -> dict[str, str]:
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

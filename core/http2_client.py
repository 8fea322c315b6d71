"""Requests over HTTP/2 (RFC 9113), to servers that speak nothing else, such as Apple's push service.

The same guard as `core.http_client` stands before the connection: an address that is not the open internet's is
refused. A connection is kept for the next request of the process, as such servers ask for. Bodies are small.
"""

import atexit
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import certifi
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error

from core.breaker import breaker
from core.http_client import Response
from core.http_targets import NoAnswer, RequestFailed, Target, TimedOut, TooLarge

MAX_BODY: Final = 16_384
"""What a body may have: one frame, within any flow-control window."""

_MAX_ANSWER: Final = 65_536
_KEPT_IDLE: Final = 60.0
_Origin = tuple[int, str, str, int]


def request(
    method: str,
    url: str,
    *,
    data: bytes = b"",
    headers: Mapping[str, str],
    timeout: float = 10.0,
    allowed_hosts: Collection[str] | None = None,
) -> Response:
    """Send one request and return the answer; raises `RequestFailed`, `core.breaker.CircuitOpen`.

    `timeout` is the wall clock of the whole. Raises `ValueError` for a body of more than `MAX_BODY` bytes.
    """
    if len(data) > MAX_BODY:
        raise ValueError(f"A body has at most {MAX_BODY} bytes.")
    target = Target.of(url, allowed_hosts)
    deadline = time.monotonic() + timeout
    with breaker(f"http2:{target.host}", counts=(TimedOut, NoAnswer)):
        line = _kept.take(target) or _Line(target, deadline)
        try:
            answer = line.ask(_head(target, method, headers), data, deadline)
        except BaseException:
            line.close()
            raise
        _kept.give_back(target, line)
        return answer


class _Line:
    """One connection, on which one request goes at a time."""

    def __init__(self, target: Target, deadline: float) -> None:
        """Connect; raises `RequestFailed`."""
        self._socket = _secured(target, target.connect(deadline))
        self._protocol = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._protocol.initiate_connection()
        self.idle_since = time.monotonic()

    def ask(self, head: list[tuple[str, str]], body: bytes, deadline: float) -> Response:
        """Send a request and read its answer; raises `RequestFailed`."""
        answer = _Answer(self._protocol.get_next_available_stream_id())
        try:
            self._protocol.send_headers(answer.stream, head, end_stream=not body)
            if body:
                self._protocol.send_data(answer.stream, body, end_stream=True)
            while not answer.is_whole:
                for event in self._exchange(deadline):
                    self._take(answer, event)
        except TimeoutError:
            raise TimedOut from None
        except (OSError, H2Error) as error:
            raise NoAnswer(f"No answer: {type(error).__name__}.") from error
        self.idle_since = time.monotonic()
        return Response(answer.status, answer.headers, bytes(answer.body))

    def is_usable(self) -> bool:
        """Return whether another request may go: the other side has not left meanwhile."""
        if time.monotonic() - self.idle_since > _KEPT_IDLE:
            return False
        try:
            while select.select([self._socket], [], [], 0)[0]:
                if any(isinstance(event, ConnectionTerminated) for event in self._exchange(time.monotonic() + 1)):
                    return False
        except (OSError, H2Error, RequestFailed):
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _exchange(self, deadline: float) -> list[Event]:
        """Send what is waiting and return what happens next."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        self._socket.settimeout(left)
        self._socket.sendall(self._protocol.data_to_send())
        received = self._socket.recv(65_536)
        if not received:
            raise NoAnswer("The connection was closed.")
        events = self._protocol.receive_data(received)
        self._socket.sendall(self._protocol.data_to_send())
        return events

    def _take(self, answer: "_Answer", event: Event) -> None:
        if isinstance(event, DataReceived):
            self._protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        answer.take(event)


@dataclass(slots=True)
class _Answer:
    """An answer as it arrives."""

    stream: int
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False

    def take(self, event: Event) -> None:
        """Add what arrived; raises `RequestFailed` when nothing more will."""
        if isinstance(event, ConnectionTerminated):
            raise NoAnswer("The server ended the connection.")
        if getattr(event, "stream_id", None) != self.stream:
            return
        if isinstance(event, StreamReset):
            raise NoAnswer("The server refused the stream.")
        if isinstance(event, ResponseReceived):
            named = {str(name): str(value) for name, value in event.headers or ()}
            self.status = int(named.pop(":status"))
            self.headers = named
        elif isinstance(event, DataReceived):
            self.body += event.data or b""
            if len(self.body) > _MAX_ANSWER:
                raise TooLarge(f"The answer has more than {_MAX_ANSWER} bytes.")
        elif isinstance(event, StreamEnded):
            self.is_whole = True


class _Kept:
    """The idle connections of this process; one that is in use stands in no list."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[_Origin, _Line] = {}

    def take(self, target: Target) -> _Line | None:
        """Return an idle connection there that is still good."""
        with self._lock:
            line = self._lines.pop(_origin(target), None)
        if line is not None and not line.is_usable():
            line.close()
            return None
        return line

    def give_back(self, target: Target, line: _Line) -> None:
        """Keep it for the next request; of two, the newer."""
        with self._lock:
            older = self._lines.pop(_origin(target), None)
            self._lines[_origin(target)] = line
        if older is not None:
            older.close()

    def close(self) -> None:
        """Hang up everywhere."""
        with self._lock:
            for line in self._lines.values():
                line.close()
            self._lines.clear()


_kept: Final = _Kept()
atexit.register(_kept.close)


def _origin(target: Target) -> _Origin:
    """Return where a connection leads; a forked child never takes its parent's."""
    return os.getpid(), target.scheme, target.host, target.port


def _secured(target: Target, connection: socket.socket) -> socket.socket:
    """Return the connection in TLS with HTTP/2 agreed on; `http://` is HTTP/2 in clear, by prior knowledge."""
    if target.scheme == "http":
        return connection
    try:
        secured = _trusting(certifi.where()).wrap_socket(connection, server_hostname=target.host)
    except OSError as error:
        connection.close()
        raise NoAnswer(f"No TLS: {type(error).__name__}.") from error
    if secured.selected_alpn_protocol() != "h2":
        secured.close()
        raise RequestFailed("The server does not speak HTTP/2.")
    return secured


@lru_cache(maxsize=4)
def _trusting(authorities: str) -> ssl.SSLContext:
    """Return what certificates are judged by: to read the authorities takes 14 ms."""
    trust = ssl.create_default_context(cafile=authorities)
    trust.set_alpn_protocols(["h2"])
    return trust


def _head(target: Target, method: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    pseudo = {":method": method, ":scheme": target.scheme, ":authority": target.host, ":path": target.path}
    return [*pseudo.items(), *((name.lower(), value) for name, value in headers.items())]

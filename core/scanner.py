"""The virus scanner: clamd, asked in its own protocol (INSTREAM), in one connection for each content.

    verdict = scan(storage.chunks(key))      # verdict.signature is empty when nothing was found

clamd's `StreamMaxLength` says how much it takes; what is larger is `TooLargeToScan`, which is neither clean nor not.
"""

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from core.breaker import CircuitOpen, Policy, breaker

_CONNECT_SECONDS: Final = 5.0
_PING_SECONDS: Final = 5.0
_LONGEST_REPLY: Final = 4096
_POLICY: Final = Policy(probe=300.0)


class ScannerUnavailable(Exception):
    """clamd does not answer, or not as it should; the content may be scanned later."""


class TooLargeToScan(Exception):
    """The content is larger than clamd takes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What clamd says of a content: the name of what it found, empty when it found nothing."""

    signature: str


def is_configured() -> bool:
    """Return whether there is a scanner to ask."""
    return bool(settings.CLAMD)


def scan(chunks: Iterable[bytes]) -> Verdict:
    """Have a content scanned; raises `ScannerUnavailable` or `TooLargeToScan`, and what reading the chunks raises."""
    if not is_configured():
        raise ScannerUnavailable("CLAMD_URL is not set.")
    try:
        with breaker("scanner", counts=(ScannerUnavailable,), policy=_POLICY):
            return _verdict(_scanned(chunks))
    except CircuitOpen as error:
        raise ScannerUnavailable(str(error)) from error


def answers() -> bool:
    """Return whether clamd is there."""
    try:
        with _connected(time.monotonic() + _PING_SECONDS) as line:
            line.send(b"zPING\0")
            return line.reply() == "PONG"
    except ScannerUnavailable:
        return False


def _scanned(chunks: Iterable[bytes]) -> str:
    with _connected(time.monotonic() + settings.CLAMD_TIMEOUT_SECONDS) as line:
        line.send(b"zINSTREAM\0")
        for chunk in chunks:
            if not line.send(struct.pack("!I", len(chunk)) + chunk):
                break
        else:
            line.send(struct.pack("!I", 0))
        return line.reply()


def _verdict(reply: str) -> Verdict:
    if reply == "stream: OK":
        return Verdict("")
    if reply.startswith("stream: ") and reply.endswith(" FOUND"):
        return Verdict(reply.removeprefix("stream: ").removesuffix(" FOUND"))
    if "size limit exceeded" in reply:
        raise TooLargeToScan
    raise ScannerUnavailable(f"clamd answered {reply[:200]!r}.")


class _Line:
    """A connection that ends at a deadline, whatever the other side does."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def send(self, raw: bytes) -> bool:
        """Send, and return whether the other side still listens: clamd hangs up on what is too large, with a word."""
        with _told_apart(), suppress(BrokenPipeError, ConnectionResetError):
            self._allow_what_is_left()
            self._connection.sendall(raw)
            return True
        return False

    def reply(self) -> str:
        """Return what clamd says, up to the zero byte or where it hangs up."""
        reply = b""
        with _told_apart():
            while not reply.endswith(b"\0") and len(reply) < _LONGEST_REPLY:
                self._allow_what_is_left()
                piece = self._connection.recv(_LONGEST_REPLY)
                if not piece:
                    break
                reply += piece
        return reply.rstrip(b"\0\n").decode("utf-8", "replace")

    def _allow_what_is_left(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("clamd took too long.")
        self._connection.settimeout(left)


@contextmanager
def _connected(deadline: float) -> Iterator[_Line]:
    with _told_apart():
        connection = _connect(settings.CLAMD)
    with connection:
        yield _Line(connection, deadline)


def _connect(place: dict[str, Any]) -> socket.socket:
    if "path" not in place:
        return socket.create_connection((place["host"], place["port"]), timeout=_CONNECT_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(place["path"])
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turn what the connection could not do into `ScannerUnavailable`; reading the content has errors of its own."""
    try:
        yield
    except OSError as error:
        raise ScannerUnavailable(str(error) or type(error).__name__) from error

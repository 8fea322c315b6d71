"""A closed loop of keep-alive connections on one thread, with little work for each request: the server is measured."""

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

_HEADER_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(slots=True)
class Outcome:
    """What a run has shown: answers by status, and how long each took."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    bytes_read: int = 0

    @property
    def answers(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Return answers per second."""
        return self.answers / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Return the latency, in seconds, that `share` of the answers stayed within."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


class _Connection:
    """One connection: sends the next request when the answer to the last one is whole."""

    def __init__(self, address: tuple[str, int], requests: Iterator[bytes], outcome: Outcome) -> None:
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._outcome = outcome
        self._received = b""
        self._sent_at = 0.0

    def send(self) -> None:
        self._received = b""
        self._sent_at = time.perf_counter()
        self.socket.sendall(next(self._requests))

    def receive(self) -> bool:
        """Read what is there; return whether the answer is whole."""
        self._received += self.socket.recv(262_144)
        end = self._received.find(_HEADER_END)
        if end < 0:
            return False
        head = self._received[:end].lower()
        if len(self._received) < end + len(_HEADER_END) + _content_length(head):
            return False
        self._outcome.latencies.append(time.perf_counter() - self._sent_at)
        status = int(head[9:12])
        self._outcome.statuses[status] = self._outcome.statuses.get(status, 0) + 1
        self._outcome.bytes_read += len(self._received)
        return True


def _content_length(head: bytes) -> int:
    start = head.find(_LENGTH)
    if start < 0:
        return 0
    stop = head.find(b"\r\n", start)
    return int(head[start + len(_LENGTH) : stop if stop > 0 else None])


def run(port: int, requests: Sequence[bytes], *, seconds: float, connections: int = 16, at_most: int = 0) -> Outcome:
    """Send the requests in turn over so many connections for so long (or until `at_most` answers)."""
    outcome = Outcome()
    feed = cycle(requests)
    opened = [_Connection(("127.0.0.1", port), feed, outcome) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        started = time.perf_counter()
        for connection in opened:
            connection.send()
        while time.perf_counter() - started < seconds and not (at_most and outcome.answers >= at_most):
            for key, _ in selector.select(timeout=5):
                if key.data.receive():
                    key.data.send()
        outcome.seconds = time.perf_counter() - started
    for connection in opened:
        connection.socket.close()
    return outcome


def request(method: str, path: str, token: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """Return one HTTP/1.1 request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body

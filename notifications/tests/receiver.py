"""The pytest plugin that gives a test a real receiver of webhooks, whose answers can be scripted."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True)
class Reply:
    """What the receiver says to one message, after a pause."""

    status: int = 204
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    pause: float = 0


@dataclass(frozen=True)
class Received:
    """One message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """Return the payload as the public package reads it; raises when no signature is of this secret."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent; `replies` are used up one for each message, when empty it is a yes."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self.replies: deque[Reply] = deque()
        self.always: Reply | None = None
        self.drips = False
        self.most_at_once = 0
        self.now = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def place(self) -> str:
        return f"localhost:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}/hook"

    def reply(self) -> Reply:
        with self.lock:
            return self.replies.popleft() if self.replies else (self.always or Reply())


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with receiver.lock:
            receiver.messages.append(Received(self.path, headers, body, time.monotonic()))
            receiver.now += 1
            receiver.most_at_once = max(receiver.most_at_once, receiver.now)
        reply = receiver.reply()
        time.sleep(reply.pause)
        with receiver.lock:
            receiver.now -= 1
        if receiver.drips:
            self._drip()
        else:
            self._say(reply)

    def _drip(self) -> None:
        """Send a byte now and then, for ever."""
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b".")
                time.sleep(0.05)
        except OSError:
            return

    def _say(self, reply: Reply) -> None:
        try:
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the test says what came."""


@pytest.fixture
def receivers(settings: Settings) -> Iterator[Any]:
    """`receivers()` starts one more receiver on this machine, which webhooks may reach by its name."""
    started: list[tuple[Receiver, threading.Thread]] = []

    def start() -> Receiver:
        receiver = Receiver()
        settings.WEBHOOK_ALLOWED_HOSTS = [*settings.WEBHOOK_ALLOWED_HOSTS, receiver.place]
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((receiver, thread))
        return receiver

    yield start
    for receiver, thread in started:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


@pytest.fixture
def receiver(receivers: Any) -> Receiver:
    """A receiver on this machine that webhooks may reach."""
    one: Receiver = receivers()
    return one

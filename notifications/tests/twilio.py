"""The pytest plugin that gives a test a real HTTP server which speaks Twilio's API; its answers can be scripted."""

import json
import re
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_django import Settings

from notifications.tests.smtp import PATIENT

ACCOUNT, TOKEN, SENDER = "AC0123", "the-token", "+15005550006"  # a token of the test's
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


@dataclass(frozen=True)
class Answer:
    """What the provider says to one request, after a pause."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    pause: float = 0


def refused(status: int, code: int, message: str, **headers: str) -> Answer:
    """Return an error as Twilio writes it."""
    body = {"code": code, "message": message, "more_info": f"https://example.com/{code}", "status": status}
    return Answer(status, json.dumps(body).encode(), tuple((name.replace("_", "-"), headers[name]) for name in headers))


class SmsSink(ThreadingHTTPServer):
    """A provider that keeps the texts it takes; `answers` are used up one for each request, when empty it is a yes."""

    daemon_threads = True

    def __init__(self) -> None:
        self.texts: list[dict[str, str]] = []
        self.requests: list[dict[str, str]] = []
        self.answers: deque[Answer] = deque()
        super().__init__(("127.0.0.1", 0), _Handler)

    def to(self, number: str) -> list[str]:
        """Return the texts to this number, oldest first."""
        return [text["Body"] for text in self.texts if text["To"] == number]

    def code_sent_to(self, number: str) -> str:
        """Return the code in the newest text to this number."""
        found = re.match(r"\d{6}\b", self.to(number)[-1])
        assert found is not None
        return found[0]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sink: Any = self.server
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = {name: values[0] for name, values in parse_qs(raw.decode(), strict_parsing=True).items()}
        sink.requests.append(fields | {"content-type": self.headers["Content-Type"]})
        answer = self._answer(sink, fields)
        time.sleep(answer.pause)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _answer(self, sink: SmsSink, fields: dict[str, str]) -> Answer:
        credentials = b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if credentials != f"{ACCOUNT}:{TOKEN}":
            return refused(401, 20003, "Authenticate")
        if self.path != PATH:
            return refused(404, 20404, "The requested resource was not found")
        if sink.answers and sink.answers[0].status >= 300:
            return sink.answers.popleft()
        sink.texts.append(fields)
        yes = {"sid": f"SM{len(sink.texts):032}", "status": "queued", "body": fields["Body"], "to": fields["To"]}
        return sink.answers.popleft() if sink.answers else Answer(201, json.dumps(yes).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the test says what was asked."""


@pytest.fixture
def sms_sink(settings: Settings) -> Iterator[SmsSink]:
    """A provider of text messages, where every text of the test goes."""
    sink = SmsSink()
    settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{sink.server_port}"]
    settings.SMS = {
        "scheme": "twilio",
        "base_url": f"http://127.0.0.1:{sink.server_port}",
        "account": ACCOUNT,
        "token": TOKEN,
        "sender": SENDER,
        "timeout": PATIENT,
    }
    thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield sink
    sink.shutdown()
    thread.join()
    sink.server_close()

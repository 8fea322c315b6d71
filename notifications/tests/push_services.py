"""The pytest plugin of push providers: real servers that speak Web Push, FCM v1 and APNs; answers can be scripted."""

import json
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from pytest_django import Settings

from core.crypto.pairs import base64url, public_point

VAPID_KEY = ec.generate_private_key(ec.SECP256R1())
FIREBASE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
APPLE_KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Answer:
    """What a provider says to one request."""

    status: int
    body: dict[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Provider:
    """What every provider keeps: what it was sent, and what it will say; out of answers it says yes."""

    url: str = ""
    notices: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    connections: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    """Where `hangs`, it answers once this is set."""
    hangs: bool = False

    def next_answer(self, yes: Answer) -> Answer:
        if self.hangs:
            self.gate.wait(20)
        return self.answers.popleft() if self.answers else yes


class Browser:
    """A browser's subscription: it can open what was sealed for it."""

    def __init__(self, service: str, name: str = "one") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._secret = os.urandom(16)
        self.subscription = {
            "endpoint": f"{service}/push/{name}",
            "expirationTime": None,
            "keys": {"p256dh": base64url(public_point(self._key)), "auth": base64url(self._secret)},
        }

    def open(self, sealed: bytes) -> dict[str, Any]:
        """Return the notice (RFC 8291)."""
        opened = http_ece.decrypt(sealed, private_key=self._key, auth_secret=self._secret, version="aes128gcm")
        shown: dict[str, Any] = json.loads(opened)
        return shown


def pem(key: Any) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


class _HttpProvider(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.answer_to(self.path, dict(self.headers.items()), body)  # type: ignore[attr-defined]
        content = json.dumps(answer.body).encode() if answer.body is not None else b""
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output quiet."""


class _PushServer(ThreadingHTTPServer):
    """The push service of browsers."""

    daemon_threads = True

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), _HttpProvider)
        provider.url = f"http://127.0.0.1:{self.server_port}"

    def answer_to(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        headers = {name.lower(): value for name, value in headers.items()}
        token, key = headers["authorization"].removeprefix("vapid t=").split(", k=")
        jwt.decode(token, VAPID_KEY.public_key(), algorithms=["ES256"], audience=self.provider.url)
        assert key == base64url(public_point(VAPID_KEY))
        self.provider.requests.append(headers | {"path": path})
        answer = self.provider.next_answer(Answer(201))
        if answer.status == 201:
            self.provider.notices.append({"path": path, "sealed": body})
        return answer


class _Firebase(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), _HttpProvider)
        provider.url = f"http://127.0.0.1:{self.server_port}"

    def answer_to(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path == "/token":
            assertion = parse_qs(body.decode(), strict_parsing=True)["assertion"][0]
            jwt.decode(
                assertion, FIREBASE_KEY.public_key(), algorithms=["RS256"], audience=f"{self.provider.url}/token"
            )
            self.provider.requests.append({"path": path})
            return Answer(200, {"access_token": "the-token", "expires_in": 3600})
        assert path == "/v1/projects/nook/messages:send"
        lowered = {name.lower(): value for name, value in headers.items()}
        if lowered["authorization"] != "Bearer the-token":
            return Answer(401, {"error": {"status": "UNAUTHENTICATED"}})
        answer = self.provider.next_answer(Answer(200, {"name": "projects/nook/messages/1"}))
        if answer.status == 200:
            self.provider.notices.append(json.loads(body)["message"])
        return answer


class _Apple:
    """APNs: HTTP/2 in clear, by prior knowledge; each connection serves any number of requests."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._listener = socket.create_server(("127.0.0.1", 0))
        provider.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.provider.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        protocol = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        protocol.initiate_connection()
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        with connection:
            connection.sendall(protocol.data_to_send())
            while received := connection.recv(65_536):
                for event in protocol.receive_data(received):
                    if isinstance(event, RequestReceived):
                        heads[event.stream_id] = {str(name): str(value) for name, value in event.headers}
                    elif isinstance(event, DataReceived):
                        bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                    elif isinstance(event, StreamEnded):
                        self._answer(protocol, event.stream_id, heads[event.stream_id], bodies[event.stream_id])
                connection.sendall(protocol.data_to_send())

    def _answer(self, protocol: H2Connection, stream: int, head: dict[str, str], body: bytes) -> None:
        token = head["authorization"].removeprefix("bearer ")
        claims = jwt.decode(token, APPLE_KEY.public_key(), algorithms=["ES256"])
        assert claims["iss"] == "TEAM"
        assert jwt.get_unverified_header(token)["kid"] == "KEY"
        self.provider.requests.append(head)
        answer = self.provider.next_answer(Answer(200))
        if answer.status == 200:
            self.provider.notices.append({"path": head[":path"], **json.loads(body)})
        content = json.dumps(answer.body).encode() if answer.body is not None else b""
        fields = [(":status", str(answer.status)), ("apns-id", head["apns-id"]), *answer.headers]
        protocol.send_headers(stream, fields, end_stream=not content)
        if content:
            protocol.send_data(stream, content, end_stream=True)


@pytest.fixture
def push_service(settings: Settings) -> Iterator[Provider]:
    """A push service of browsers, for which we have a key."""
    provider = Provider()
    server = _PushServer(provider)
    yield from _running(server)(provider, settings, VAPID_PRIVATE_KEY=_scalar(VAPID_KEY))


@pytest.fixture
def firebase(settings: Settings) -> Iterator[Provider]:
    """Firebase, with a service account of ours."""
    provider = Provider()
    server = _Firebase(provider)
    account = {
        "project_id": "nook",
        "client_email": f"{os.urandom(4).hex()}@nook.example",
        "private_key": pem(FIREBASE_KEY),
        "token_uri": f"{provider.url}/token",
    }
    yield from _running(server)(provider, settings, FCM_SERVICE_ACCOUNT=json.dumps(account), FCM_URL=provider.url)


@pytest.fixture
def apple(settings: Settings) -> Iterator[Provider]:
    """Apple's push service, with a key of ours."""
    provider = Provider()
    server = _Apple(provider)
    settings.APNS_KEY, settings.APNS_KEY_ID, settings.APNS_TEAM_ID = pem(APPLE_KEY), "KEY", "TEAM"
    settings.APNS_TOPIC, settings.APNS_URL = "com.example.nook", provider.url
    _allow(settings)
    yield provider
    server.close()


def _running(server: ThreadingHTTPServer) -> Any:
    def run(provider: Provider, settings: Settings, **values: str) -> Iterator[Provider]:
        for name, value in values.items():
            setattr(settings, name, value)
        _allow(settings)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield provider
        server.shutdown()
        server.server_close()

    return run


def _allow(settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, "127.0.0.1"]
    settings.PUSH_ALLOWED_HOSTS = [*settings.PUSH_ALLOWED_HOSTS, "127.0.0.1"]


def _scalar(key: ec.EllipticCurvePrivateKey) -> str:
    return base64url(key.private_numbers().private_value.to_bytes(32, "big"))

"""The world outside of a drilled house: real servers for mail, text messages, push and webhooks, with common books."""

import asyncio
import base64
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs
from uuid import UUID

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

from core.tests.ports import free_port
from notifications.tests.push_services import pem
from notifications.tests.smtp import SmtpSink
from tests.drills.books import Books, Trouble

HANG_SECONDS: Final = 12.0
"""Longer than any of our timeouts."""

EMAIL, SMS, PUSH, WEBHOOK = "email", "sms", "push", "webhook"
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class MailServer(SmtpSink):
    """A mail server that keeps what it takes, and may be busy at RCPT, or fall silent after DATA."""

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self.refused: set[str] = set()
        """Addresses at which nobody lives (550)."""

    async def handle_RCPT(  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 No such user"
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # as above
        assert isinstance(envelope.content, bytes)
        trouble = self._books.offer(EMAIL, _message_id(envelope.content))
        if trouble is Trouble.BUSY:
            return "450 4.2.0 Greylisted" if self._books.troubles["busy"] % 2 else "421 4.3.2 Shutting down"
        if trouble is not Trouble.RESET:
            await super().handle_DATA(server, session, envelope)
        if trouble is Trouble.HANG:
            await asyncio.sleep(HANG_SECONDS)
        if trouble is not Trouble.NONE and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return "250 OK"


class WebServer(ThreadingHTTPServer):
    """Twilio, Firebase, the push service of browsers and the receivers of webhooks, by their paths."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, books: Books) -> None:
        self.books = books
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/token":
            self._say(200, {"access_token": "the-token", "expires_in": 3600})
            return
        channel, name = self._name(body)
        trouble = server.books.offer(channel, name)
        if trouble is Trouble.HANG:
            time.sleep(HANG_SECONDS)
        if trouble in {Trouble.HANG, Trouble.CUT, Trouble.RESET}:
            self._drop()
        elif trouble is Trouble.BUSY:
            self._say(503 if server.books.troubles["busy"] % 2 else 429, {}, ("Retry-After", "1"))
        else:
            self._say(201 if channel == SMS else 200, {"sid": "SM1", "status": "queued", "name": "projects/1"})

    def _name(self, body: bytes) -> tuple[str, str]:
        """Return the channel, and what tells messages apart: our id, where the protocol has a place for it."""
        if self.path.startswith("/hook/"):
            return WEBHOOK, f"{self.path.rpartition('/')[2]} {self.headers['webhook-id']}"
        if self.path.startswith("/push/"):
            topic = base64.urlsafe_b64decode(self.headers["Topic"] + "==")
            return PUSH, str(UUID(bytes=topic))
        if self.path.endswith("/messages:send"):
            return PUSH, json.loads(body)["message"]["android"]["collapse_key"]
        fields = parse_qs(body.decode(), strict_parsing=True)
        return SMS, f"{fields['To'][0]} {fields['Body'][0].partition(' | ')[0]}"

    def _drop(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.close_connection = True
        self.connection.close()

    def _say(self, status: int, told: dict[str, Any], *headers: tuple[str, str]) -> None:
        content = json.dumps(told).encode()
        try:
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a drill prints one line."""


class Apple:
    """APNs: HTTP/2 in clear, by prior knowledge; each connection serves any number of requests."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        protocol = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        protocol.initiate_connection()
        heads: dict[int, dict[str, str]] = {}
        try:
            with connection:
                connection.sendall(protocol.data_to_send())
                while received := connection.recv(65_536):
                    for event in protocol.receive_data(received):
                        if isinstance(event, RequestReceived):
                            heads[event.stream_id] = {str(name): str(value) for name, value in event.headers}
                        elif isinstance(event, StreamEnded):
                            self._answer(protocol, event.stream_id, heads.pop(event.stream_id))
                    connection.sendall(protocol.data_to_send())
        except OSError:
            return

    def _answer(self, protocol: H2Connection, stream: int, head: dict[str, str]) -> None:
        trouble = self._books.offer(PUSH, head["apns-id"])
        if trouble is Trouble.HANG:
            time.sleep(HANG_SECONDS)
        if trouble in {Trouble.HANG, Trouble.CUT, Trouble.RESET}:
            raise ConnectionAbortedError
        status = "200" if trouble is Trouble.NONE else "503"
        protocol.send_headers(stream, [(":status", status), ("apns-id", head["apns-id"])], end_stream=True)


class Peers:
    """All of them, and the settings by which a house finds them."""

    def __init__(self) -> None:
        self.books = Books()
        self.mail = MailServer(self.books)
        self._smtp = Controller(self.mail, hostname="127.0.0.1", port=free_port())
        self._smtp.start()
        self.mail.port = self._smtp.port
        self.web = WebServer(self.books)
        self._apple = Apple(self.books)
        threading.Thread(target=self.web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """Return where a house finds them, with timeouts that a drill can wait for."""
        place = self.web.place
        return {
            "EMAIL_URL": self.mail.url,
            "EMAIL_TIMEOUT_SECONDS": "3",
            "MAIL_RETRY_SECONDS": "1",
            "SMS_URL": f"twilio://AC1:token@{place}?from=%2B15005550006&tls=none",
            "SMS_TIMEOUT_SECONDS": "3",
            "FCM_URL": f"http://{place}",
            "FCM_SERVICE_ACCOUNT": json.dumps(_firebase_account(place)),
            "APNS_URL": self._apple.url,
            "APNS_KEY": pem(ec.generate_private_key(ec.SECP256R1())),
            "APNS_KEY_ID": "KEY",
            "APNS_TEAM_ID": "TEAM",
            "APNS_TOPIC": "com.example.nook",
            "OUTBOUND_ALLOWED_HOSTS": "127.0.0.1",
            "PUSH_ALLOWED_HOSTS": "127.0.0.1",
            "PUSH_TIMEOUT_SECONDS": "3",
            "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
            "WEBHOOK_TIMEOUT_SECONDS": "3",
        }

    def stop(self) -> None:
        """Stop listening."""
        self._smtp.stop(no_assert=True)
        self.web.shutdown()
        self.web.server_close()
        self._apple.close()


def _firebase_account(place: str) -> dict[str, str]:
    return {
        "project_id": "drill",
        "client_email": "drill@example.com",
        "private_key": pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        "token_uri": f"http://{place}/token",
    }


def _message_id(content: bytes) -> str:
    head = content.partition(b"\r\n\r\n")[0]
    (line,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"message-id:")]
    return line.partition(b":")[2].strip().decode()
